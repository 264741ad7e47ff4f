"""The equivariance lab: a StyleGAN3 beside a StyleGAN2, moved and turned by their input, and what sticks."""

import functools
import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from apps.following import STYLE, followed, said
from apps.serve import launch
from ganlab.config import InvalidInput
from ganlab.serving.asking import sentence
from ganlab.serving.following import Following
from ganlab.serving.models import server_catalogue
from ganlab.serving.sticking import WAYS, Place, Sticking

TITLE = "Equivariance lab"
INTRO = (
    "**Do details belong to the picture, or to the screen?** Move what the synthesis starts from: a StyleGAN3's "
    "picture goes along, as a whole; in a StyleGAN2 details stay at their pixels (texture sticking, Karras et al. "
    "2021). Equivariance comes from the layers and not from training, so networks that never saw a picture show it too."
)
LINE = (
    "### The middle row of pixels, over time\nOne row for each moment, the first on top. Where details move with the "
    "picture they draw slanted lines; where they stick they draw vertical ones."
)
Updates = tuple[Any, ...]
LEFT = gr.skip()
FOLLOWING = Following()
SIDES = {"stylegan3": "StyleGAN3", "stylegan2": "StyleGAN2"}


@functools.lru_cache(1)
def sticking() -> Sticking:
    """What draws and measures for all visitors of this server."""
    return Sticking(server_catalogue())


def pictures(left: Any, right: Any, seed: Any, across: Any, down: Any, turn: Any) -> Updates:
    """(status, both pictures) at a place."""
    try:
        both = [sticking().picture(model, seed, Place(across, down, turn)) for model in (left, right)]
    except InvalidInput as error:
        return said(sentence(error), "problem"), LEFT, LEFT
    return said(""), *both


def lines(left: Any, right: Any, seed: Any, way: Any, request: gr.Request) -> Iterator[Updates]:
    """(status, a line of pixels over time of each)."""

    def work(tick: Any) -> list[Any]:
        return [sticking().line(model, seed, way, tick) for model in (left, right)]

    yield from followed(FOLLOWING, str(request.session_hash), work, lambda found: (said(""), *found), [LEFT, LEFT])


def equivariance(left: Any, right: Any, seed: Any, request: gr.Request) -> Iterator[Updates]:
    """(status, table of EQ-T and EQ-R)."""

    def work(tick: Any) -> list[tuple[str, float, float]]:
        return [(model, *sticking().equivariance(model, seed, tick)) for model in (left, right)]

    def shown(found: list[tuple[str, float, float]]) -> Updates:
        return said(""), table(found)

    yield from followed(FOLLOWING, str(request.session_hash), work, shown, [LEFT])


def cancel(request: gr.Request) -> None:
    """Ends what is drawn or measured for this visitor."""
    FOLLOWING.cancel(str(request.session_hash))


def table(found: list[tuple[str, float, float]]) -> str:
    """The figures as HTML."""
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th><td>{t:.1f} dB</td><td>{r:.1f} dB</td></tr>"
        for name, t, r in found
    )
    head = "<tr><th></th><th>EQ-T (moved)</th><th>EQ-R (turned)</th></tr>"
    note = (
        "Decibels: the picture of the moved input beside the moved picture; more is better. Two pictures and five "
        "moves; the paper takes tens of thousands."
    )
    return f"<div class='sticking'><table>{head}{rows}</table><small>{note}</small></div>"


def build() -> gr.Blocks:
    """The lab as an app of its own."""
    with gr.Blocks(title=f"ganlab: {TITLE}", analytics_enabled=False) as demo:
        contents(demo)
    return demo


def contents(demo: gr.Blocks) -> None:
    """The lab inside the `gr.Blocks` that is open: the hub puts it on a page of its own."""
    gr.HTML(f"<style>{STYLE}{CSS}</style>", apply_default_css=False)
    gr.Markdown(f"# {TITLE}\n{INTRO}")
    with gr.Row():
        across = gr.Slider(-0.5, 0.5, 0, step=0.01, label="Right (widths)", elem_id="sticking-right", min_width=180)
        down = gr.Slider(-0.5, 0.5, 0, step=0.01, label="Down (widths)", min_width=180)
        turn = gr.Slider(-180, 180, 0, step=1, label="Turn (degrees)", elem_id="sticking-turn", min_width=180)
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1, min_width=90)
    status = gr.HTML(said(""), elem_id="sticking-status")
    models: list[gr.Dropdown] = []
    images: list[gr.Image] = []
    with gr.Row():
        for side, title in SIDES.items():
            with gr.Column(min_width=280):
                models.append(gr.Dropdown([], label=title, elem_id=f"sticking-{side}"))
                images.append(_image(f"{title}'s picture", f"sticking-{side}-picture"))
    gr.Markdown(LINE)
    with gr.Row(equal_height=True):
        way = gr.Radio([(title, key) for key, title in WAYS.items()], value="move", label="What changes", scale=3)
        draw = gr.Button("Draw the lines", variant="primary", elem_id="sticking-draw", min_width=140)
        measure = gr.Button("Measure EQ-T and EQ-R", elem_id="sticking-measure", min_width=180)
        stop = gr.Button("Cancel", elem_id="sticking-cancel", min_width=90)
    progress = gr.HTML(said("Press Draw, or Measure: some seconds each."), elem_id="sticking-progress")
    with gr.Row():
        over = [_image(f"{title}, over time", f"sticking-{side}-line") for side, title in SIDES.items()]
    figures = gr.HTML("", elem_id="sticking-figures")
    inputs = [*models, seed]
    changing: list[Any] = [across, down, turn, seed, *models]
    for control in changing:
        control.change(pictures, [*inputs, across, down, turn], [status, *images], **LIVE)
    draw.click(lines, [*inputs, way], [progress, *over], **LONG)
    measure.click(equivariance, inputs, [progress, figures], **LONG)
    stop.click(cancel, None, None, **LIVE)

    def menus() -> Updates:
        lists = [sticking().models(side) for side in SIDES]
        return tuple(gr.update(choices=names, value=names[0]) for names in lists)

    demo.load(menus, None, models, show_progress="hidden", api_visibility="private")


def _image(label: str, name: str) -> gr.Image:
    return gr.Image(label=label, elem_id=name, interactive=False, buttons=[], height="auto", min_width=280)


LIVE: dict[str, Any] = {
    "trigger_mode": "always_last",
    "concurrency_id": "sticking",
    "concurrency_limit": 2,
    "show_progress": "hidden",
    "api_visibility": "private",
}
LONG: dict[str, Any] = {**LIVE, "concurrency_id": "sticking-long"}
CSS = """
.sticking { overflow-x: auto; display: grid; gap: 8px; }
.sticking table { border-collapse: collapse; border: 0 !important; margin: 4px 0; max-width: 640px; }
.sticking :is(th, td, tr) { padding: 7px 12px !important; text-align: left !important; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.sticking small { opacity: .75; }
"""


if __name__ == "__main__":
    launch(build())
