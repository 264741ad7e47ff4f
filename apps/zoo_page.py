"""The zoo: every system for images in one table, and what each made of the same data in the same time."""

import functools
import html
from typing import Any

import gradio as gr

from apps.serve import launch
from apps.zoo_routes import RESULTS, SHEET
from ganlab.networks.table import TRAINABLE
from ganlab.presets.formulas import formulas
from ganlab.presets.image_rows import ImagePreset
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.zoo_results import ZooResult, ZooResults, load_results

TITLE = "Zoo"
STAGED = ("stylegan-xl",)  # families that are trained in stages, each from the one before
INTRO = (
    "**Every system for images, one row each**: networks, loss, regularizers, augmentation and optimizer. Each can be "
    "trained here, from the command line, and from Python. Choose one below the table for its formulas."
)
NO_RESULTS = (
    "No figures ship with this copy. `python benchmarks/zoo.py --out apps/web/zoo` trains all of them on the same data "
    "for the same time and puts distances and pictures into this table."
)


@functools.lru_cache(1)
def results() -> ZooResults | None:
    """The figures that ship, if some do."""
    return load_results(RESULTS)


def table() -> str:
    """All presets as HTML."""
    found = results()
    heads = ["System", "Networks", "What it brings"]
    if found is not None:
        heads += figure_heads(found)
    rows = "".join(_row(name, row, found) for name, row in IMAGE_PRESETS.items())
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    return f"<div class='zoo'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def figure_heads(found: ZooResults) -> list[str]:
    """What the columns of measured figures are called."""
    return [
        f"FD-{found.features}",
        "Precision",
        "Recall",
        "Modes",
        "Images/s",
        "Images seen",
        "Weights of G",
        "Pictures",
    ]


def _row(name: str, row: ImagePreset, found: ZooResults | None) -> str:
    family = TRAINABLE[row.gan.family].title
    where = "./train" if row.data is not None else f"./train?preset={name}"  # experiments are cards of that page
    cells = [
        f"<th scope='row'>{html.escape(row.title)}<small>{html.escape(row.paper)}</small>"
        f"<a href='{where}'>Train this</a></th>",
        f"<td>{html.escape(family)}</td>",
        f"<td class='text'>{html.escape(row.text)}</td>",
    ]
    if found is not None:
        cells += _figures(name, found.of(name), found)
    return f"<tr>{''.join(cells)}</tr>"


def _figures(name: str, row: ZooResult | None, found: ZooResults) -> list[str]:
    if row is None:
        return ["<td class='none'>–</td>"] * 8
    values = [
        f"{row.fd:.3g} ± {row.fd_off:.2g}",
        f"{row.precision:.2f} ± {row.precision_off:.1g}",
        f"{row.recall:.2f} ± {row.recall_off:.1g}",
        f"{row.modes} of {found.most_modes}" if found.most_modes else "–",
        f"{row.images_per_second:,.0f}",
        f"{row.images:,}",
        f"{row.parameters:,}",
    ]
    picture = f"<img src='.{SHEET}?preset={name}' loading='lazy' alt='Pictures of {html.escape(name)}'>"
    heads = figure_heads(found)  # a narrow page shows them before each figure
    numbers = [f"<td class='number' data-head='{html.escape(head)}'>{text}</td>" for head, text in zip(heads, values)]
    return [*numbers, f"<td class='pictures'>{picture}</td>"]


def closer(name: str) -> str:
    """One preset in Markdown: its formulas and settings."""
    row = IMAGE_PRESETS[name]
    gan = row.gan
    found = results()
    measured = found.of(name) if found else None
    lines = [f"### {row.title}", f"{row.text} ({row.paper}.)"]
    if found and measured:
        lines.append(f"- **Size:** {measured.parameters:,} weights in G at {found.resolution} pixels")
    for part in formulas(gan):
        about = ", ".join(text for text in (part.paper, part.weight) if text)
        lines.append(f"- **{part.kind}:** {part.title}{about and f' ({about})'}: $\\displaystyle {part.latex}$")
    lines.append(
        f"- **Optimizer:** Adam, learning rates {gan.lr_g:g} (G) and {gan.lr_d:g} (D), β₁ {gan.beta1:g}, "
        f"β₂ {gan.beta2:g}, batch {gan.batch}"
    )
    staged = " --stages" if gan.family in STAGED else ""
    lines.append(f"- **Command line:** `python -m ganlab train --preset {name}-64 --out runs/{name}{staged}`")
    return "\n".join(lines)


def build() -> gr.Blocks:
    """The page as an app of its own."""
    with gr.Blocks(title=f"ganlab: {TITLE}", analytics_enabled=False) as demo:
        contents(demo)
    return demo


def contents(demo: gr.Blocks) -> None:
    """The page inside the `gr.Blocks` that is open."""
    gr.HTML(f"<style>{CSS}</style>", apply_default_css=False)
    gr.Markdown(f"# {TITLE}\n{INTRO}")
    found = results()
    if found is None:
        gr.Markdown(NO_RESULTS)
    else:
        narrow = f", layers of at most {found.channels} channels" if found.channels else ""
        gr.Markdown(
            f"Figures: {found.seconds:g} seconds of training each on {found.data} of {found.resolution} pixels, on "
            f"{found.device}{narrow}; {found.pictures:,} pictures measured. That is about first steps, not about what "
            "each can reach: the slow ones have seen few images."
        )
    gr.HTML(table(), elem_id="zoo-table", apply_default_css=False)
    menu = [(row.title, name) for name, row in IMAGE_PRESETS.items()]
    chosen = gr.Dropdown(menu, value="stylegan2", label="A closer look at", elem_id="zoo-choice")
    delimiters: Any = [{"left": "$", "right": "$", "display": False}]
    told = gr.Markdown(closer("stylegan2"), latex_delimiters=delimiters, elem_id="zoo-closer")
    chosen.change(closer, chosen, told, show_progress="hidden", api_visibility="private")


CSS = """
.zoo { overflow-x: auto; max-height: 70vh; overflow-y: auto; }
.zoo table { border-collapse: collapse; width: 100%; min-width: 720px; border: 0; margin: 0; }
.zoo :is(th, td) { padding: 8px 12px !important; text-align: left !important; vertical-align: top; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.zoo thead th { position: sticky; top: 0; background: var(--body-background-fill); z-index: 1; }
.zoo small { display: block; font-weight: 400; opacity: .7; }
.zoo .text { min-width: 180px; }
.zoo :is(.number, a) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.zoo a { font-weight: 400; color: var(--link-text-color); text-decoration: underline; }
.zoo img { height: 64px; width: auto; max-width: none; image-rendering: pixelated; }
@media (max-width: 640px) {
  .zoo { max-height: none; overflow: visible; }
  .zoo :is(table, tbody) { display: block; min-width: 0; }
  .zoo thead { display: none; }
  .zoo tr { display: grid; grid-template-columns: 1fr 1fr; padding: 10px 0; }
  .zoo tr { border-bottom: 1px solid var(--border-color-primary); }
  .zoo :is(th, td) { border: 0 !important; padding: 3px 4px !important; min-width: 0; }
  .zoo :is(th, .text, .pictures) { grid-column: 1 / -1; }
  .zoo .number { font-size: 13px; }
  .zoo [data-head]::before { content: attr(data-head); display: block; opacity: .7; font-size: 12px; }
  .zoo td.none { display: none; }
}
"""


if __name__ == "__main__":
    launch(build())
