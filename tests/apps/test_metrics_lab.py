"""The metrics lab's page, without a browser."""

from typing import Any

import gradio as gr
import plotly.graph_objects as go
import pytest

from apps import hub, metrics_lab
from apps.following import bar, said
from ganlab.serving.following import Progress


class Visitor:
    session_hash = "someone"


def last(items: Any) -> tuple[Any, ...]:
    return list(items)[-1]


def test_a_report_and_a_curve_end_with_their_figures() -> None:
    request: Any = Visitor()
    status, table = last(metrics_lab.report("mnist32", "digits", 50, 0, "", 1.0, False, request))
    assert "warning" in status and "too few" in status
    assert ">FD-pyramid</th>" in table and "±" in table and "Heusel et al. 2017): lower is better" in table
    status, plot, distance = last(metrics_lab.curve("mnist32", "digits", 50, 0, "", 0.4, 1.0, 2, request))
    assert isinstance(plot, go.Figure) and list(plot.data[0].text) == ["ψ 0.4", "ψ 1"]
    assert "FD-pyramid" in distance.layout.yaxis.title.text
    assert all(arm >= 0 for arm in plot.data[0].error_x.arrayminus)


@pytest.mark.parametrize(
    ("model", "data", "count", "told"),
    [
        (None, "faces", 50, "The model is missing"),
        ("mnist32", None, 50, "is not on this server"),
        ("mnist32", "digits", None, "Count: must be a number from 16"),
    ],
)
def test_problems_are_told_and_the_table_stays(model: Any, data: Any, count: Any, told: str) -> None:
    request: Any = Visitor()
    status, table = last(metrics_lab.report(model, data, count, 0, "", 1.0, False, request))
    assert told in status and "problem" in status and "Traceback" not in status
    assert table == gr.skip()


def test_every_figure_of_a_report_is_explained() -> None:
    names = (
        "FD-faces",
        "KD-pyramid",
        "FID",
        "KID",
        "precision-faces",
        "intra-class FD-faces",
        "PPL-faces Z full",
        "EQ-T",
    )
    assert all(metrics_lab.meaning(name) for name in names)


def test_names_are_escaped() -> None:
    assert "<script>" not in bar(Progress("<script>", 1, 2)) + said("<script>", "problem")


def test_build() -> None:
    demo = metrics_lab.build()
    events = [fn for fn in demo.fns.values() if fn.fn is not None]
    assert events and all(fn.queue for fn in events)
    assert "metrics" in {lab.path for lab in hub.LABS}
