"""Figures of measurements: precision against recall over truncations, and a distance over disturbances."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from ganlab.render.figures import INK, colour, dressed


class Point(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    lo: float
    hi: float


class Line(NamedTuple):
    """A distance at each level of one disturbance."""

    title: str
    number: int  # of the colour
    levels: Sequence[float]  # strengths
    values: Sequence[float]


def tradeoff(psis: Sequence[float], precisions: Sequence[Point], recalls: Sequence[Point]) -> go.Figure:
    """The truncation curve: recall across, precision up, a point for each psi, with bars for both intervals."""
    figure = go.Figure()
    figure.add_scatter(
        x=[point.value for point in recalls],
        y=[point.value for point in precisions],
        error_x=_bars(recalls, 0),
        error_y=_bars(precisions, 0),
        mode="lines+markers+text",
        text=[f"ψ {psi:g}" for psi in psis],
        textposition="top right",
        marker={"size": 11, "color": colour(1), "line": {"color": "white", "width": 1.5}},
        line={"color": colour(1), "width": 2.4},
        customdata=list(psis),
        hovertemplate="ψ %{customdata:g}<br>recall %{x:.3f}<br>precision %{y:.3f}<extra></extra>",
    )
    figure.update_xaxes(title="recall (variety)", range=[-0.03, 1.09])
    figure.update_yaxes(title="precision (quality)", range=[-0.03, 1.09])
    return dressed(figure, 420)


def over_psi(name: str, psis: Sequence[float], distances: Sequence[Point]) -> go.Figure:
    """A distance over psi, with its intervals."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(psis),
        y=[point.value for point in distances],
        error_y=_bars(distances, 0),
        mode="lines+markers",
        marker={"size": 9, "color": colour(0)},
        line={"color": colour(0), "width": 2.4},
        hovertemplate="ψ %{x:g}: %{y:.4g}<extra></extra>",
    )
    figure.update_xaxes(title="truncation ψ")
    figure.update_yaxes(title=f"{name} (lower is better)", rangemode="tozero")
    return dressed(figure, 420)


def disturbance_curve(name: str, lines: Sequence[Line], level: int) -> go.Figure:
    """A distance over the levels of each disturbance; a ring marks the level of the first line that is shown."""
    figure = go.Figure()
    for line in lines:
        figure.add_scatter(
            x=list(range(len(line.values))),
            y=list(line.values),
            mode="lines+markers",
            name=line.title,
            marker={"size": 9, "color": colour(line.number)},
            line={"color": colour(line.number), "width": 2.4},
            customdata=list(line.levels),
            hovertemplate=f"{line.title}, level %{{x}} (strength %{{customdata:g}}): %{{y:.4g}}<extra></extra>",
            showlegend=True,
        )
    if lines and level < len(lines[0].values):
        ring = {"size": 20, "color": "rgba(0,0,0,0)", "line": {"color": INK, "width": 2.5}}
        figure.add_scatter(
            x=[level],
            y=[lines[0].values[level]],
            mode="markers",
            marker=ring,
            name="shown",
            showlegend=False,
            hoverinfo="skip",
        )
    figure.update_xaxes(title="level", dtick=1, range=[-0.25, 3.25])
    figure.update_yaxes(title=f"{name} to the clean pictures", rangemode="tozero")
    return dressed(figure, 420)


def _bars(points: Sequence[Point], least: float) -> dict[str, object]:
    """plotly's bars for intervals, which end at `least` where a figure cannot be below it."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [point.hi - point.value for point in points],
        "arrayminus": [point.value - max(point.lo, least) for point in points],
        "thickness": 1.2,
        "color": "#8a92a3",
    }
