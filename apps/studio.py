"""The page that the image labs share: picture, history, keys, files; each lab adds its own panel."""

from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ganlab.config import Config
from ganlab.film import EASINGS, Film, Keyframe
from ganlab.recipe import MAP_ROW, MOST_EDITS, SEEDS, Edit, Mix, Recipe, Source, Stroke

WEB = Path(__file__).parent / "web"
SHELL = (
    "page.js",
    "control.js",
    "studio_line.js",
    "studio_store.js",
    "studio_stage.js",
    "studio_history.js",
    "studio_share.js",
    "studio_layers.js",
    "studio_source.js",
    "studio.js",
)
STYLES = ("toy_lab.css", "studio.css")


class Page(NamedTuple):
    """One image lab."""

    title: str
    short: str  # in "send to"
    path: str
    lead: str
    panel: str  # class in JavaScript
    scripts: tuple[str, ...]
    text: str  # on the hub's card


def build(page: Page) -> gr.Blocks:
    """The lab alone, without the links to the others."""
    with gr.Blocks(title=f"ganlab: {page.title}", analytics_enabled=False, delete_cache=(300, 900)) as demo:
        contents(page)
    return demo


def contents(page: Page, others: tuple[Page, ...] = ()) -> None:
    """The lab inside the `gr.Blocks` that is open."""
    gr.HTML(
        value=schema(page, others),
        html_template=(WEB / "studio.html").read_text(encoding="utf-8"),
        css_template="\n".join((WEB / name).read_text(encoding="utf-8") for name in STYLES),
        js_on_load=script(page),
        apply_default_css=False,
        elem_id="studio",
    )


def script(page: Page) -> str:
    """The page's JavaScript, one function around all files so that no name leaks."""
    parts = [(WEB / name).read_text(encoding="utf-8") for name in (*SHELL, *page.scripts)]
    start = f'\nnew Studio(element.querySelector(".studio"), props.value, {page.panel});\n'
    return "(() => {\n" + "\n".join(parts) + start + "})();"


def schema(page: Page, others: tuple[Page, ...]) -> dict[str, Any]:
    """What the page needs to know: recipes with every field, and the other labs."""
    first = Film((Keyframe(),))
    parts: dict[str, Config] = {"recipe": Recipe(), "source": Source(), "keyframe": Keyframe(), "film": first}
    parts |= {"mix": Mix(), "stroke": Stroke(), "edit": Edit()}
    defaults = {name: part.to_dict(full=True) for name, part in parts.items()}
    defaults["film"]["keyframes"] = []
    return {
        "title": page.title,
        "lead": page.lead,
        "path": page.path,
        "labs": [{"title": other.title, "short": other.short, "path": other.path} for other in others],
        "defaults": defaults,
        "easings": list(EASINGS),
        "map_row": MAP_ROW,
        "seeds": SEEDS,
        "most_edits": MOST_EDITS,
    }
