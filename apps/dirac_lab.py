"""The Dirac lab: why GANs circle, why they run away, and what brings them home, on the smallest GAN there is."""

import functools
from collections.abc import Callable
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from apps.serve import launch
from ganlab.config import InvalidInput
from ganlab.render.dirac import Walk, distances, eigenvalue_plane, phase_portrait
from ganlab.training.dirac import (
    METHODS,
    DiracConfig,
    eigenvalues,
    flow,
    simulate,
    spelled,
    update_eigenvalues,
    verdict,
)

TITLE = "Dirac-GAN"
INTRO = (
    "**The smallest GAN there is:** the data are one point at 0, the generator is one point at θ, and the "
    "discriminator is a line of slope ψ, so a whole training is a walk in this plane. Training is solved where both "
    "are 0 (the cross): choose methods and see which of them ever get there."
)

Outputs = tuple[go.Figure, go.Figure, go.Figure, str, str]


def configs(methods: list[str], settings: dict[str, Any], strengths: dict[str, float]) -> list[DiracConfig]:
    """A checked setting for each chosen method, in the order of the table. Raises `InvalidInput`."""
    chosen = [name for name in METHODS if name in methods]
    return [DiracConfig(method=name, parameter=strengths.get(name), **settings) for name in chosen]


def draw(methods: list[str], settings: dict[str, Any], strengths: dict[str, float]) -> Outputs:
    """Portrait, distances, eigenvalue plane, table, verdicts. A wrong setting is a `gr.Error` with its sentence."""
    try:
        rows = configs(methods, settings, strengths)
    except InvalidInput as error:
        raise gr.Error(f"{error}.", print_exception=False) from None
    if not rows:
        raise gr.Error("Choose at least one method.", print_exception=False)
    numbers = list(METHODS)
    walks = [
        Walk(METHODS[row.method].title, numbers.index(row.method), simulate(row), update_eigenvalues(row))
        for row in rows
    ]
    portrait = phase_portrait(walks, flow(rows[0]), walks[0].title)
    said = "\n".join(f"- {_bold(verdict(row, walk.path), walk.title)}" for row, walk in zip(rows, walks))
    return portrait, distances(walks), eigenvalue_plane(walks), _table(rows, walks), said


def _bold(sentence: str, title: str) -> str:
    return f"**{title}**{sentence.removeprefix(title)}"


def _table(rows: list[DiracConfig], walks: list[Walk]) -> str:
    """An HTML table that scrolls sideways on a telephone, for a broken number cannot be read."""
    lines = [("Method", "Flow", "One step", "Largest modulus", "Ends at (θ, ψ)")]
    for row, walk in zip(rows, walks):
        size = "—" if walk.eigenvalues is None else f"{abs(walk.eigenvalues).max():.4f}"
        end = ", ".join(f"{value:.3g}" for value in walk.path[-1])
        lines.append((walk.title, spelled(eigenvalues(row)), spelled(walk.eigenvalues), size, end))
    style = "padding: 6px 12px; text-align: left; border-bottom: 1px solid var(--border-color-primary)"
    cells = ["".join(f'<td style="{style}">{cell}</td>' for cell in line) for line in lines]
    cells[0] = cells[0].replace("<td", "<th").replace("</td", "</th")
    body = "".join(f"<tr>{line}</tr>" for line in cells)
    return f'<div style="overflow-x: auto"><table style="white-space: nowrap">{body}</table></div>'


def _formulas() -> str:
    parts = [rf"- **{row.title}**: $\displaystyle {row.formula}$ ({row.source})" for row in METHODS.values()]
    head = (
        r"The velocity of $(\theta, \psi)$; $f(t) = -\ln(1 + e^{-t})$, so $f'(0) = 1/2$. At the equilibrium the flow "
        r"converges when its eigenvalues have negative real parts, and training with steps of size $h$ when the "
        r"eigenvalues of one step lie inside the unit circle."
    )
    return "\n".join([head, "", *parts])


def build() -> gr.Blocks:
    """The lab as an app of its own."""
    with gr.Blocks(title=f"ganlab: {TITLE}", analytics_enabled=False) as demo:
        contents(demo)
    return demo


def contents(demo: gr.Blocks) -> None:
    """The lab inside the `gr.Blocks` that is open: the hub puts it on a page of its own."""
    default = EXPERIMENTS["GAN against R1"]
    with gr.Column():
        gr.Markdown(f"# {TITLE}\n{INTRO}")
        with gr.Row():
            buttons = {name: gr.Button(name, size="sm", min_width=150) for name in EXPERIMENTS}
        hint = gr.Markdown(default["hint"])
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                settings, strengths, methods = _controls(default)
            with gr.Column(scale=3, min_width=300):
                portrait = gr.Plot(label="Phase portrait", show_label=False, elem_id="dirac-portrait")
        said = gr.Markdown(elem_id="dirac-verdicts")
        with gr.Row():
            with gr.Column(min_width=300):
                gr.Markdown("### Distance to the equilibrium")
                distance = gr.Plot(show_label=False)
            with gr.Column(min_width=300):
                gr.Markdown("### Eigenvalues of one step and the unit circle")
                plane = gr.Plot(show_label=False)
        gr.Markdown("### Eigenvalues at the equilibrium")
        table = gr.HTML(elem_id="dirac-table")
        with gr.Accordion("The formulas", open=False):
            gr.Markdown(_formulas(), latex_delimiters=[{"left": "$", "right": "$", "display": False}])
        _wire(demo, methods, settings, strengths, [portrait, distance, plane, table, said], buttons, hint)


def _controls(default: dict[str, Any]) -> tuple[dict[str, Any], dict[str, gr.Slider], gr.CheckboxGroup]:
    """The widgets: settings by field of `DiracConfig`, strengths by method, and the choice of methods."""
    start = BASE | default["settings"]
    names = [(row.title, name) for name, row in METHODS.items()]
    methods = gr.CheckboxGroup(names, value=default["methods"], label="Methods")
    strengths = {
        name: gr.Slider(
            row.parameter.lo,
            row.parameter.hi,
            value=default["strengths"].get(name, row.parameter.default),
            step=0.01,
            label=f"{row.title}: {row.parameter.name}",
            visible=name in default["methods"],
        )
        for name, row in METHODS.items()
        if row.parameter
    }
    modes = [("Alternating", True), ("Simultaneous", False)]
    settings: dict[str, Any] = {
        "alternating": gr.Radio(modes, value=start["alternating"], label="Steps of the two players"),
        "h": gr.Slider(0.01, 5, value=start["h"], step=0.01, label="Step size h"),
    }
    with gr.Accordion("Start, number and order of steps", open=False):
        settings["theta"] = gr.Slider(-3, 3, value=start["theta"], step=0.05, label="Start: θ")
        settings["psi"] = gr.Slider(-3, 3, value=start["psi"], step=0.05, label="Start: ψ")
        settings["steps"] = gr.Slider(10, 2000, value=start["steps"], step=10, label="Training steps")
        settings["n_d"] = gr.Slider(1, 10, value=start["n_d"], step=1, label="Discriminator steps a turn (alternating)")
        settings["n_g"] = gr.Slider(1, 10, value=start["n_g"], step=1, label="Generator steps a turn (alternating)")
        settings["generator_first"] = gr.Checkbox(start["generator_first"], label="The generator begins (alternating)")
    return settings, strengths, methods


def _wire(
    demo: gr.Blocks,
    methods: gr.CheckboxGroup,
    settings: dict[str, Any],
    strengths: dict[str, gr.Slider],
    pictures: list[Any],
    buttons: dict[str, gr.Button],
    hint: gr.Markdown,
) -> None:
    controls = [methods, *settings.values(), *strengths.values()]

    def redraw(chosen: list[str], *values: Any) -> Outputs:
        named = dict(zip(settings, values))
        return draw(chosen, named, dict(zip(strengths, values[len(settings) :])))

    def sliders(chosen: list[str]) -> list[Any]:
        return [gr.update(visible=name in chosen) for name in strengths]

    def load(name: str) -> list[Any]:
        told = EXPERIMENTS[name]
        chosen, now = told["methods"], BASE | told["settings"]
        values = {
            key: told["strengths"].get(key, row.parameter.default) for key, row in METHODS.items() if row.parameter
        }
        knobs = [gr.update(value=values[key], visible=key in chosen) for key in strengths]
        return [chosen, *(now[key] for key in settings), *knobs, told["hint"], *draw(chosen, now, values)]

    # The newest value wins: a slider that is dragged sends more than can be drawn. Not queue=False, which is faster but
    # shows no gr.Error at all.
    live: dict[str, Any] = {
        "trigger_mode": "always_last",
        "concurrency_id": "dirac",
        "concurrency_limit": 2,
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    for control in controls:
        control.input(redraw, controls, pictures, **live)
    methods.input(sliders, methods, list(strengths.values()), **live)
    for name, button in buttons.items():
        handler: Callable[[], list[Any]] = functools.partial(load, name)
        button.click(handler, None, [*controls, hint, *pictures], **live)
    demo.load(redraw, controls, pictures, **live)


BASE: dict[str, Any] = {
    "alternating": True,
    "h": 0.2,
    "theta": 1.0,
    "psi": 1.0,
    "steps": 500,
    "n_d": 1,
    "n_g": 1,
    "generator_first": True,
}

EXPERIMENTS: dict[str, dict[str, Any]] = {
    "GAN against R1": {
        "methods": ["gan", "r1"],
        "settings": {},
        "strengths": {"r1": 0.3},
        "hint": "The plain GAN goes round and round for ever; a small penalty on the slope (R1) brings it home.",
    },
    "Simultaneous steps": {
        "methods": ["gan", "ns_gan"],
        "settings": {"alternating": False},
        "strengths": {},
        "hint": "If both players step at once, each step overshoots a little: the walk spirals outwards. "
        "Make the step size smaller and it takes longer, but it never stops.",
    },
    "Too small a penalty": {
        "methods": ["r1", "r2"],
        "settings": {"alternating": False, "h": 0.6},
        "strengths": {"r1": 0.1, "r2": 0.3},
        "hint": "With simultaneous steps R1 and R2 (the same thing here) converge only if h < 4γ: 0.6 is more than "
        "4 · 0.1 and less than 4 · 0.3.",
    },
    "How much penalty?": {
        "methods": ["r1", "r2", "r1_critical"],
        "settings": {"steps": 100},
        "strengths": {"r1": 0.3, "r2": 3.0},
        "hint": "γ = 0.3 swings, γ = 3 creeps, γ = 1 is just right (critically damped).",
    },
    "The Wasserstein family": {
        "methods": ["wgan_clip", "wgan_gp", "instance_noise"],
        "settings": {"steps": 300},
        "strengths": {"wgan_gp": 0.25, "instance_noise": 0.7},
        "hint": "Neither clipping nor WGAN-GP reaches the cross: both let the slope ψ stay away from 0. "
        "Instance noise, for comparison, does.",
    },
    "What converges?": {
        "methods": ["r1_critical", "instance_noise", "consensus", "gan"],
        "settings": {"steps": 150},
        "strengths": {"instance_noise": 1.0, "consensus": 1.0},
        "hint": "Three cures for one disease: each moves the eigenvalues off the imaginary axis.",
    },
}


if __name__ == "__main__":
    launch(build())
