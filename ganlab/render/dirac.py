"""Dirac-GAN drawn: the phase portrait, the distance to the equilibrium, the eigenvalues beside the unit circle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from jaxtyping import Complex128, Float64

from ganlab.render.figures import INK, colour, dressed

Flow = Callable[[npt.NDArray[Any], npt.NDArray[Any]], tuple[npt.NDArray[Any], npt.NDArray[Any]]]

ARROWS = 19  # to a side
WIDEST = 6.0  # the portrait never shows more than +- this: a walk that runs away must not shrink the rest to a dot
SMALLEST = 1e-12  # distances below are drawn here, for a logarithm needs a floor


@dataclass(frozen=True)
class Walk:
    """One method's walk: what its line is called, which colour it has, and its numbers."""

    title: str
    number: int  # of the colour: the same method keeps its colour whatever else is shown
    path: Float64[np.ndarray, "steps_and_start 2"]  # theta, psi
    eigenvalues: Complex128[np.ndarray, "2"] | None = None  # of one training step


def phase_portrait(walks: Sequence[Walk], flow: Flow | None = None, flow_title: str = "") -> go.Figure:
    """Theta across, psi up: every walk as a line from its start (circle) to its end (dot), `flow` as grey arrows."""
    reach = _reach(walks)
    figure = go.Figure()
    if flow is not None:
        x, y = _arrows(flow, reach)
        line = {"color": "rgba(110,118,135,0.55)", "width": 1.4}
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line=line,
            hoverinfo="skip",
            name=f"Field: {flow_title}",
            showlegend=bool(flow_title),
        )
    for walk in walks:
        theta, psi = np.round(walk.path, 5).T
        line = {"color": colour(walk.number), "width": 2.4}
        hover = "θ %{x:.3g}, ψ %{y:.3g}<br>step %{customdata}"
        steps = np.arange(len(theta))
        figure.add_scatter(
            x=theta, y=psi, mode="lines", name=walk.title, line=line, customdata=steps, hovertemplate=hover
        )
        figure.add_scatter(
            x=theta[-1:],
            y=psi[-1:],
            mode="markers",
            marker={"color": colour(walk.number), "size": 11, "line": {"color": "white", "width": 1.5}},
            name=walk.title,
            showlegend=False,
            hovertemplate="end: θ %{x:.3g}, ψ %{y:.3g}",
        )
    if walks:
        start = walks[0].path[0]
        circle = {"color": "white", "size": 13, "line": {"color": INK, "width": 2.5}}
        _place(figure, start[0], start[1], "Start", circle)
    cross = {"color": INK, "size": 14, "symbol": "x", "line": {"color": "white", "width": 1.5}}
    _place(figure, 0.0, 0.0, "Equilibrium", cross)
    span = [-reach, reach]
    figure.update_xaxes(title="θ (generator)", range=span, constrain="domain")
    figure.update_yaxes(title="ψ (discriminator)", range=span, scaleanchor="x", constrain="domain")
    return dressed(figure, 520)


def distances(walks: Sequence[Walk]) -> go.Figure:
    """Distance to the equilibrium over the steps, on a logarithmic axis: a straight line down is convergence."""
    figure = go.Figure()
    for walk in walks:
        far = np.maximum(np.hypot(*walk.path.T), SMALLEST)
        line = {"color": colour(walk.number), "width": 2.4}
        hover = "step %{x}: %{y:.3g}"
        figure.add_scatter(y=far, mode="lines", name=walk.title, line=line, hovertemplate=hover, showlegend=False)
    figure.update_xaxes(title="step")
    low, high = _decades(walks)
    ticks = max(1, int(np.ceil((high - low) / 6)))  # powers of ten between two ticks: about six on the axis
    figure.update_yaxes(
        title="distance to equilibrium", type="log", range=[low, high], dtick=ticks, exponentformat="power"
    )
    return dressed(figure, 360)


def eigenvalue_plane(walks: Sequence[Walk]) -> go.Figure:
    """Eigenvalues of one training step and the unit circle: inside it converges, on it circles, outside diverges."""
    turn = np.linspace(0, 2 * np.pi, 181)
    figure = go.Figure()
    figure.add_scatter(
        x=np.cos(turn),
        y=np.sin(turn),
        mode="lines",
        fill="toself",
        fillcolor="rgba(0,158,115,0.08)",
        line={"color": INK, "width": 1.6},
        hoverinfo="skip",
        showlegend=False,
    )
    shown = [walk for walk in walks if walk.eigenvalues is not None]
    for index, walk in enumerate(shown):
        values = np.asarray(walk.eigenvalues)
        # several methods often share an eigenvalue: rings of falling size leave each of them visible
        ring = {"size": 18 - 11 * index / max(len(shown) - 1, 1), "color": colour(walk.number), "symbol": "circle"}
        ring["line"] = {"color": "white", "width": 1}
        figure.add_scatter(
            x=values.real,
            y=values.imag,
            mode="markers",
            marker=ring,
            name=walk.title,
            hovertemplate="%{x:.4g} + %{y:.4g} i",
            showlegend=False,
        )
    largest = max(
        (float(np.abs(walk.eigenvalues).max()) for walk in shown if walk.eigenvalues is not None), default=1.0
    )
    span = [-1.15 * max(largest, 1.0), 1.15 * max(largest, 1.0)]
    figure.update_xaxes(title="real part", range=span, constrain="domain")
    figure.update_yaxes(title="imaginary part", range=span, scaleanchor="x", constrain="domain")
    return dressed(figure, 360)


def _place(figure: go.Figure, theta: float, psi: float, name: str, marker: dict[str, Any]) -> None:
    """A marker with its name beside it, which spares a look at the legend."""
    figure.add_scatter(
        x=[theta],
        y=[psi],
        mode="markers+text",
        marker=marker,
        text=[f"<b>{name}</b>"],
        textposition="top right" if theta <= 0 or psi == 0 else "top center",
        textfont={"size": 15, "color": INK, "shadow": "0 0 4px white, 0 0 4px white, 0 0 4px white"},
        name=name,
        showlegend=False,
        hoverinfo="name",
    )


def _reach(walks: Sequence[Walk]) -> float:
    farthest = max((float(np.abs(walk.path).max()) for walk in walks), default=1.0)
    return 1.12 * min(max(farthest, 1.25), WIDEST)


def _decades(walks: Sequence[Walk]) -> tuple[float, float]:
    """Ends of the axis of distances, as powers of ten; never so close that a circle's ripple looks like a storm."""
    lengths = np.concatenate([np.hypot(*walk.path.T) for walk in walks]) if walks else np.ones(1)
    powers = np.log10(np.maximum(lengths, SMALLEST))
    low, high = float(powers.min()), float(powers.max())
    spare = max(0.05 * (high - low), (1.2 - (high - low)) / 2)
    return low - spare, high + spare


def _arrows(flow: Flow, reach: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """x and y of one broken line that draws every arrow: tail, tip, barb, tip, barb, gap."""
    side = np.linspace(-reach, reach, ARROWS + 2)[1:-1]
    theta, psi = (axis.ravel() for axis in np.meshgrid(side, side))
    d_theta, d_psi = flow(theta, psi)
    speed = np.hypot(d_theta, d_psi)
    moving = speed > 1e-9
    theta, psi, speed = theta[moving], psi[moving], speed[moving]
    way = (d_theta[moving] + 1j * d_psi[moving]) / speed
    # roots, for speeds differ by powers of ten and every arrow must be seen
    length = 2 * reach / ARROWS * (0.3 + 0.6 * np.sqrt(speed / speed.max())) if speed.size else speed
    tail = theta + 1j * psi - way * length / 2
    tip = tail + way * length
    barbs = [tip + way * length * 0.36 * np.exp(1j * angle) for angle in (np.pi * 0.84, -np.pi * 0.84)]
    line = np.stack([tail, tip, barbs[0], tip, barbs[1], np.full_like(tip, np.nan)], axis=1).ravel()  # [6 arrows]
    return np.round(line.real, 4), np.round(line.imag, 4)
