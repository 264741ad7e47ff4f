"""The training lab: images, a preset, and an image GAN that trains while one watches."""

from pathlib import Path
from typing import Any

import gradio as gr

from apps.serve import launch
from apps.toy_lab import fields_of
from ganlab.data.images import IMAGE_SETS
from ganlab.networks.table import TRAINABLE
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.run import Penalty
from ganlab.run_images import ImageGanConfig
from ganlab.serving.image_choice import BATCHES, RESOLUTIONS, UPLOADED, available, classes_of
from ganlab.serving.limits import image_limits_from_environment
from ganlab.training.figures import FIGURES

TITLE = "Training lab"
WEB = Path(__file__).parent / "web"
SCRIPTS = (
    "page.js",
    "control.js",
    "link.js",
    "charts.js",
    "train_setup.js",
    "train_charts.js",
    "train_stage.js",
    "train_lab.js",
)
STYLES = ("toy_lab.css", "train_lab.css")
FIRST = "stylegan2-quick"  # the preset that is chosen when the page opens
KNOBS = {"lr_g": "", "lr_d": "", "d_steps": "", "ada_target": "ada"}  # live settings -> the augmentation they belong to
TEXTS = {
    "faces": "Drawn here, as many as are wanted; with classes. Apache-2.0",
    "polygons": "Triangles, drawn here: how many of a GAN's pictures are triangles can be measured. Apache-2.0",
    UPLOADED: "Pictures or zips from your computer; with a sub-folder for each class if you like",
}
TITLES = {
    "faces": "Cartoon faces",
    "polygons": "Triangles",
    "digits": "Handwritten digits",
    UPLOADED: "Your own images",
}


def build() -> gr.Blocks:
    """The page. Its server side is `apps.train_routes`, which `apps.serve.launch` adds."""
    with gr.Blocks(title=f"ganlab: {TITLE}", analytics_enabled=False, delete_cache=(300, 900)) as demo:
        contents(demo)
    return demo


def contents(demo: gr.Blocks) -> None:
    """The lab inside the `gr.Blocks` that is open: the hub puts it on a page of its own."""
    gr.HTML(
        value=schema(),
        html_template=(WEB / "train_lab.html").read_text(encoding="utf-8"),
        css_template="\n".join((WEB / name).read_text(encoding="utf-8") for name in STYLES),
        js_on_load=script(),
        apply_default_css=False,
        elem_id="train-lab",
    )


def script() -> str:
    """The page's JavaScript, one function around all files so that no name leaks."""
    parts = [(WEB / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "(() => {\n" + "\n".join(parts) + '\nnew TrainLab(element.querySelector(".train"), props.value);\n})();'


def schema() -> dict[str, Any]:
    """What the page builds its cards and menus from: the tables of the library."""
    most = image_limits_from_environment().most_resolution
    fields = {field["name"]: field for field in fields_of(ImageGanConfig)}
    weight = next(field for field in fields_of(Penalty) if field["name"] == "weight")
    return {
        "data": [_data(name) for name in (*available(), UPLOADED)],
        "presets": {
            name: {
                "title": row.title,
                "text": row.text,
                "paper": row.paper,
                "experiment": row.data is not None,
                "labels": row.labels,
                "conditional": TRAINABLE[row.gan.family].conditional,
            }
            for name, row in IMAGE_PRESETS.items()
        },
        "first": FIRST,
        "figures": FIGURES,
        "resolutions": [side for side in RESOLUTIONS if side <= most],
        "batches": list(BATCHES),
        "batch": 16,
        "knobs": [
            {**fields[name], "label": fields[name]["help"].split(";")[0], "augment": augment, **_bounds(name)}
            for name, augment in KNOBS.items()
        ],
        "weight": weight | {"hi": 100},
    }


def _bounds(name: str) -> dict[str, float]:
    """A slider that reaches where a training still makes sense."""
    if name == "d_steps":
        return {"hi": 5}
    return {"lo": 1e-6, "hi": 0.1} if name.startswith("lr") else {}


def _data(name: str) -> dict[str, Any]:
    row = IMAGE_SETS[name]
    return {
        "name": name,
        "title": TITLES.get(name, row.title),
        "text": TEXTS.get(name, f"{row.title}. {row.licence}"),
        "labels": classes_of(name),
    }


if __name__ == "__main__":
    launch(build())
