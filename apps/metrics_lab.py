"""The metrics lab: a model beside data, quality against variety over truncations, and what a distance notices."""

import functools
import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from apps.following import STYLE, followed, said
from apps.serve import launch
from ganlab.config import InvalidInput
from ganlab.metrics import METRICS
from ganlab.metrics.disturbance import DISTURBANCES
from ganlab.render.measures import Line, Point, disturbance_curve, over_psi, tradeoff
from ganlab.serving.asking import sentence
from ganlab.serving.following import Following
from ganlab.serving.limits import is_public
from ganlab.serving.measuring import MOST_COUNT, MOST_PUBLIC, Asked, Curve, Disturbed, Measuring, Report
from ganlab.serving.models import server_catalogue

TITLE = "Metrics lab"
INTRO = (
    "**How good is a generator?** Each figure compares features of generated pictures with those of real ones. The "
    "features are part of a figure's name: FD-faces is a Fréchet distance on the features of the faces' own "
    "classifier. Only on Inception's features is it called FID, so never compare the two. Inception and DINOv2 are "
    "among the features once `python -m ganlab metrics faces64 --features inception --fetch` (or `dinov2`) has "
    "brought them."
)
MEANINGS = {kind: row.meaning for kind, row in METRICS.items()} | {
    "manifold precision": "share of generated pictures that are polygons, by the distance to the nearest one",
    "manifold recall": "share of polygons that some latent makes, found by gradient descent",
    "manifold F1": "harmonic mean of the two",
    "MS-SSIM of pairs": "how alike two generated pictures are: more than in the data is collapse",
    "copying": "chance that a fake is nearer to the data than held-out data are: well above 0.5 it copies",
    "class as asked": "share of pictures that show the class that was asked for",
    "intra-class": "Fréchet distance within each class, on average",
    "PPL": "path length: how much the picture changes for a small step of the latent; lower is smoother",
    "EQ-T": "how far a moved input moves the picture alone; more decibels are better",
    "EQ-R": "the same for turns",
    "IS": "Inception score: clear and various classes; higher is better",
}
Updates = tuple[Any, ...]
LEFT = gr.skip()


@functools.lru_cache(1)
def measuring() -> Measuring:
    """What measures for all visitors of this server."""
    return Measuring(server_catalogue())


FOLLOWING = Following()


def report(
    model: Any, data: Any, count: Any, seed: Any, features: Any, psi: Any, latents: bool, request: gr.Request
) -> Iterator[Updates]:
    """(status, table) while a model is measured."""

    def shown(found: Report) -> Updates:
        return said(found.warning or "", "warning"), table(found)

    def work(tick: Any) -> Report:
        return measuring().report(Asked(model, data, count, seed, features), psi, latents, tick)

    yield from followed(FOLLOWING, _visitor(request, "report"), work, shown, [LEFT])


def curve(
    model: Any,
    data: Any,
    count: Any,
    seed: Any,
    features: Any,
    low: float,
    high: float,
    points: int,
    request: gr.Request,
) -> Iterator[Updates]:
    """(status, precision against recall, distance over psi) while the truncation curve is measured."""
    steps = max(1, int(points) - 1)
    psis = sorted({round(low + (high - low) * i / steps, 3) for i in range(steps + 1)})

    def shown(found: Curve) -> Updates:
        rows = {name: [_point(figures, name) for figures in found.figures] for name in ("precision", "recall")}
        distance = found.figures[0][0].name
        distances = [_point(figures, distance) for figures in found.figures]
        plot = tradeoff(found.psis, rows["precision"], rows["recall"])
        status = said(found.warning or found.title, "warning" if found.warning else "")
        return status, plot, over_psi(distance, found.psis, distances)

    def work(tick: Any) -> Curve:
        return measuring().curve(Asked(model, data, count, seed, features), psis, tick)

    yield from followed(FOLLOWING, _visitor(request, "curve"), work, shown, [LEFT, LEFT])


def disturb(seen: bool, name: str, level: int, data: Any) -> Updates:
    """(status, clean pictures, disturbed pictures), at once; nothing while the tab is not `seen`."""
    if not seen:
        return LEFT, LEFT, LEFT
    try:
        clean, worse = measuring().sample(name, data, level)
    except InvalidInput as error:
        return said(sentence(error), "problem"), LEFT, LEFT
    return said(""), clean, worse


def disturbance_figure(
    seen: bool, name: str, level: int, data: Any, count: Any, compare: bool, request: gr.Request
) -> Iterator[Updates]:
    """(status, distance over levels) of the disturbance that is shown, or of all; nothing while not `seen`."""
    if not seen:
        return
    names = [name, *(other for other in DISTURBANCES if other != name)] if compare else [name]

    def shown(found: Disturbed) -> Updates:
        numbers = list(DISTURBANCES)
        lines = [
            Line(DISTURBANCES[key].title, numbers.index(key), DISTURBANCES[key].strengths, values)
            for key, values in found.values.items()
        ]
        return said(found.warning or "", "warning"), disturbance_curve(found.name, lines, int(level))

    def work(tick: Any) -> Disturbed:
        return measuring().disturbances(names, data, count, tick)

    yield from followed(FOLLOWING, _visitor(request, "disturbances"), work, shown, [LEFT])


def bring(files: list[str] | None) -> Updates:
    """(status, menu of data with a visitor's own images, chosen)."""
    try:
        title, name = measuring().bring(files or [])
    except InvalidInput as error:
        return said(sentence(error), "problem"), LEFT
    return said(f"{title} can be measured beside now."), gr.update(choices=[(title, name), *_lists()[1]], value=name)


def cancel(request: gr.Request) -> None:
    """Ends what is measured for this visitor."""
    for tab in ("report", "curve"):
        FOLLOWING.cancel(_visitor(request, tab))


def table(found: Report) -> str:
    """The figures as HTML, with what each means."""
    rows = "".join(
        f"<tr><th scope='row' title='{html.escape(paper(row.name))}'>{html.escape(row.name)}</th>"
        f"<td>{html.escape(row.text)}</td><td>{html.escape(meaning(row.name))}</td></tr>"
        for row in found.figures
    )
    head = "<tr><th>figure</th><th>value</th><th>what it says</th></tr>"
    note = (
        "± is a 95 % interval for the chance of having drawn just these pictures: by bootstrap, or by random halves "
        "where a picture that comes up twice would distort the figure (distances, neighbours)."
    )
    return (
        f"<div class='figures'><b>{html.escape(found.title)}</b>"
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table><small>{note}</small></div>"
    )


def meaning(name: str) -> str:
    """What a figure says, in a line."""
    usual = _kind(name) if _kind(name) in METRICS else name
    return next((text for key, text in MEANINGS.items() if usual.startswith(key)), "")


def paper(name: str) -> str:
    """Where a figure of two sets of features comes from, and which way is better; empty for others."""
    row = METRICS.get(_kind(name))
    return f"{row.title} ({row.paper}): {row.better} is better" if row else ""


def _kind(name: str) -> str:
    kind = name.partition("-")[0]
    return {"FID": "FD", "KID": "KD"}.get(kind, kind)


def _point(figures: list[Any], name: str) -> Point:
    found = next(figure for figure in figures if name in (figure.name, figure.name.partition("-")[0]))
    return Point(*found.interval)


def _visitor(request: gr.Request, tab: str) -> str:
    return f"{request.session_hash} {tab}"


def build() -> gr.Blocks:
    """The lab as an app of its own."""
    with gr.Blocks(title=f"ganlab: {TITLE}", analytics_enabled=False) as demo:
        contents(demo)
    return demo


def contents(demo: gr.Blocks) -> None:
    """The lab inside the `gr.Blocks` that is open: the hub puts it on a page of its own."""
    gr.HTML(f"<style>{STYLE}{CSS}</style>", apply_default_css=False)
    gr.Markdown(f"# {TITLE}\n{INTRO}")
    most = MOST_PUBLIC if is_public() else MOST_COUNT
    with gr.Row():
        lists = _lists()  # now, so that a page is of use at once; again when it opens, for what has come since
        model = gr.Dropdown(lists[0], label="Model", scale=2, min_width=220, elem_id="metrics-model")
        data = gr.Dropdown(lists[1], label="Data", scale=2, min_width=220, elem_id="metrics-data")
        features = gr.Dropdown(lists[2], label="Features", scale=2, min_width=180, elem_id="metrics-features")
        count = gr.Slider(50, most, 200, step=50, label="Pictures of each side", scale=2, min_width=220)
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1, scale=1, min_width=90)
    with gr.Row(equal_height=True):
        own = gr.UploadButton(
            "Beside your own images",
            file_count="multiple",
            file_types=["image", ".zip"],
            size="sm",
            scale=0,
            min_width=220,
            elem_id="metrics-own",
        )
        brought = gr.HTML("", elem_id="metrics-brought")
    own.upload(bring, own, [brought, data], **SHORT)
    given = [model, data, count, seed, features]
    seen = gr.State(False)  # whether the disturbances are: elsewhere they are not computed
    with gr.Tabs():
        with gr.Tab("Report", id="report") as first:
            _report_tab(given)
        with gr.Tab("Truncation curve", id="curve") as second:
            _curve_tab(given)
        with gr.Tab("Disturbances", id="disturbances") as third:
            _disturbance_tab(third, seen, data, count)
    for tab in (first, second):
        tab.select(lambda: False, None, seen, **SHORT)

    def menus() -> Updates:
        return tuple(gr.update(choices=rows) for rows in _lists())

    demo.load(menus, None, [model, data, features], show_progress="hidden", api_visibility="private")


def _lists() -> list[list[tuple[str, str]]]:
    """Models, sets of images, features that there are: (title, name) each."""
    return [measuring().models(), measuring().sets(), measuring().features()]


def _report_tab(given: list[Any]) -> None:
    with gr.Row(equal_height=True):
        psi = gr.Slider(0, 2, 1, step=0.05, label="Truncation ψ (1 is none)", min_width=220)
        latents = gr.Checkbox(
            False, label="Path lengths and equivariance too", info="A thousand pictures more: minutes, not seconds"
        )
        go_on, stop = _buttons("report")
    status = gr.HTML(said("Choose a model and data, and press Measure."), elem_id="report-status")
    out = gr.HTML("", elem_id="report-table")
    go_on.click(report, [*given, psi, latents], [status, out], **LIVE)
    stop.click(cancel, None, None, **SHORT)


def _curve_tab(given: list[Any]) -> None:
    gr.Markdown(
        "A smaller ψ pulls pictures towards the average one: they become better (precision) and more alike (recall)."
    )
    with gr.Row(equal_height=True):
        low = gr.Slider(0, 1, 0.3, step=0.05, label="From ψ", min_width=160)
        high = gr.Slider(0.5, 2, 1.2, step=0.05, label="to ψ", min_width=160)
        points = gr.Slider(2, 12, 4, step=1, label="Points", min_width=160)
        go_on, stop = _buttons("curve")
    status = gr.HTML(said("Press Measure: each point takes as long as a report."), elem_id="curve-status")
    with gr.Row():
        plot = gr.Plot(show_label=False, elem_id="curve-plot", min_width=300)
        distance = gr.Plot(show_label=False, elem_id="curve-distance", min_width=300)
    go_on.click(curve, [*given, low, high, points], [status, plot, distance], **LIVE)
    stop.click(cancel, None, None, **SHORT)


def _disturbance_tab(tab: gr.Tab, seen: gr.State, data: gr.Dropdown, count: gr.Slider) -> None:
    gr.Markdown(
        "Pictures made worse step by step, and how far a Fréchet distance says they have gone (after Heusel et al. "
        "2017): a distance that is worth something grows with every level."
    )
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            name = gr.Radio([(row.title, key) for key, row in DISTURBANCES.items()], value="noise", label="Disturbance")
            level = gr.Slider(0, 3, 1, step=1, label="Level (0 is clean)", elem_id="disturbance-level")
            options: dict[str, Any] = {"interactive": False, "buttons": [], "height": "auto", "min_width": 300}
            clean = gr.Image(label="Clean", elem_id="disturbance-clean", **options)
            worse = gr.Image(label="Disturbed", elem_id="disturbance-worse", **options)
        with gr.Column(scale=3, min_width=300):
            plot = gr.Plot(show_label=False, elem_id="disturbance-plot")
            compare = gr.Checkbox(False, label="All disturbances in one plot")
            status = gr.HTML(said(""), elem_id="disturbance-status")
    pictures = {"fn": disturb, "inputs": [seen, name, level, data], "outputs": [status, clean, worse], **SHORT}
    figure = {"inputs": [seen, name, level, data, count, compare], "outputs": [status, plot], **LIVE}
    now = tab.select(lambda: True, None, seen, **SHORT)
    now.success(**pictures).success(disturbance_figure, **figure)
    for control in (name, level, data):
        control.change(**pictures).success(disturbance_figure, **figure)
    for other in (compare, count):
        other.change(disturbance_figure, **figure)


def _buttons(name: str) -> tuple[gr.Button, gr.Button]:
    with gr.Column(min_width=160, scale=0):
        go_on = gr.Button("Measure", variant="primary", elem_id=f"{name}-go")
        stop = gr.Button("Cancel", elem_id=f"{name}-cancel")
    return go_on, stop


LIVE: dict[str, Any] = {
    "trigger_mode": "always_last",
    "concurrency_id": "metrics",
    "concurrency_limit": 2,
    "show_progress": "hidden",
    "api_visibility": "private",
}
SHORT: dict[str, Any] = {**LIVE, "concurrency_id": "metrics-short", "concurrency_limit": 8}
CSS = """
.figures { overflow-x: auto; display: grid; gap: 8px; }
.figures table { border-collapse: collapse; min-width: 560px; border: 0; margin: 4px 0; }
.figures :is(th, td) { padding: 7px 12px !important; text-align: left !important; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.figures td:nth-child(2) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.figures td:nth-child(3), .figures small { opacity: .75; }
@media (max-width: 640px) { .figures table { min-width: 0 !important; }
  .figures :is(th, td) { padding: 6px 4px !important; overflow-wrap: anywhere; }
  .figures td:nth-child(2) { white-space: normal !important; } }
:is(#disturbance-clean, #disturbance-worse) img { width: 100%; object-fit: contain; }
"""


if __name__ == "__main__":
    launch(build())
