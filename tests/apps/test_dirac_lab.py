"""The Dirac lab's handlers, called as Gradio would call them."""

from typing import Any

import gradio as gr
import plotly.graph_objects as go
import pytest

from apps import dirac_lab
from ganlab.training.dirac import METHODS


def test_draw_gives_three_figures_a_table_and_a_verdict_each() -> None:
    portrait, distance, plane, table, said = dirac_lab.draw(list(METHODS), dirac_lab.BASE | {"steps": 40}, {})
    assert all(isinstance(figure, go.Figure) for figure in (portrait, distance, plane))
    assert len(distance.data) == len(METHODS) == len(said.splitlines()) == table.count("<tr>") - 1
    names = {trace.name for trace in portrait.data}
    assert {"Start", "Equilibrium"} <= names and {row.title for row in METHODS.values()} <= names
    assert "nan" not in table and "None" not in table


def test_axes_have_equal_scale() -> None:
    portrait = dirac_lab.draw(["gan"], dirac_lab.BASE, {})[0]
    assert portrait.layout.yaxis.scaleanchor == "x"
    assert "θ" in portrait.layout.xaxis.title.text and "ψ" in portrait.layout.yaxis.title.text


def test_a_runaway_does_not_shrink_the_portrait() -> None:
    portrait = dirac_lab.draw(["wgan"], dirac_lab.BASE | {"alternating": False, "h": 5}, {})[0]
    assert portrait.layout.xaxis.range[1] < 10


@pytest.mark.parametrize("name", dirac_lab.EXPERIMENTS)
def test_experiments_run(name: str) -> None:
    told = dirac_lab.EXPERIMENTS[name]
    assert set(told) == {"methods", "settings", "strengths", "hint"}
    assert set(told["settings"]) <= set(dirac_lab.BASE)
    said = dirac_lab.draw(told["methods"], dirac_lab.BASE | told["settings"], told["strengths"])[-1]
    assert len(said.splitlines()) == len(told["methods"])


@pytest.mark.parametrize(
    ("methods", "settings", "strengths", "words"),
    [
        ([], {}, {}, "Choose at least one method."),
        (["gan"], {"h": -1.0}, {}, "h: -1 is out of range"),
        (["gan"], {"steps": None}, {}, "steps: must be a whole number"),
        (["r1"], {}, {"r1": 5.1}, "weight γ must be a number from 0 to 5"),
    ],
)
def test_wrong_input_is_one_sentence(
    methods: list[str], settings: dict[str, Any], strengths: dict[str, float], words: str
) -> None:
    with pytest.raises(gr.Error, match=words) as caught:
        dirac_lab.draw(methods, dirac_lab.BASE | settings, strengths)
    assert caught.value.print_exception is False


def test_build() -> None:
    demo = dirac_lab.build()
    assert isinstance(demo, gr.Blocks)
    events = [fn for fn in demo.fns.values() if fn.fn is not None]
    assert events and all(fn.queue and fn.trigger_mode == "always_last" for fn in events)  # queue=False hides errors
