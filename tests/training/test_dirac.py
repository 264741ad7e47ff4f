"""Dirac-GAN against the closed forms and end points of Mescheder et al. 2018 (and of its public simulator)."""

import cmath
import math
from typing import Any

import numpy as np
import pytest

from ganlab.config import InvalidInput
from ganlab.training.dirac import (
    FAR,
    METHODS,
    DiracConfig,
    eigenvalues,
    flow,
    jacobian,
    simulate,
    spelled,
    update_eigenvalues,
    verdict,
)


def pair(mean: float, square: float) -> list[complex]:
    """mean +- sqrt(square)."""
    root = cmath.sqrt(square)
    return [mean - root, mean + root]


def same(found: np.ndarray | None, want: list[complex]) -> bool:
    key = lambda value: (round(value.real, 6), value.imag)  # noqa: E731
    assert found is not None
    return bool(np.allclose(sorted(found, key=key), sorted(want, key=key), atol=1e-4))


# theta = psi = 1, h = .2, 500 steps, G before D: method, parameter -> end points (simultaneous, alternating 1:1)
END_POINTS: dict[tuple[str, float | None], tuple[tuple[float, float], tuple[float, float]]] = {
    ("gan", None): ((-2.16161, -2.21778), (0.686834, 1.24401)),
    ("ns_gan", None): ((0.548337, 0.330441), (0.204888, 0.196553)),
    ("wgan_clip", 1.0): ((-0.0656408, 1), (0.979076, 0.300382)),
    ("r1", 0.3): ((1.11034e-6, -2.39808e-6), (-5.16705e-8, -2.24215e-7)),
    ("r2", 0.3): ((1.11034e-6, -2.39808e-6), (-5.16705e-8, -2.24215e-7)),
}


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("case", END_POINTS, ids=str)
def test_end_points(case: tuple[str, float | None], alternating: bool) -> None:
    method, parameter = case
    end = simulate(DiracConfig(method=method, parameter=parameter, alternating=alternating))[-1]
    np.testing.assert_allclose(end, END_POINTS[case][alternating], rtol=1e-5)


FLOW: list[tuple[str, float | None, list[complex]]] = [
    ("gan", None, [0.5j, -0.5j]),
    ("ns_gan", None, [0.5j, -0.5j]),
    ("wgan", None, [1j, -1j]),
    ("wgan_clip", None, [1j, -1j]),
    ("r1_critical", None, [-0.5, -0.5]),
    *(("r1", gamma, pair(-gamma / 2, gamma**2 / 4 - 1 / 4)) for gamma in (0.0, 0.3, 1.0, 3.0)),
    *(("r2", gamma, pair(-gamma / 2, gamma**2 / 4 - 1 / 4)) for gamma in (0.3, 1.0, 3.0)),
    *(("consensus", gamma, [-gamma / 4 + 0.5j, -gamma / 4 - 0.5j]) for gamma in (0.0, 0.5, 2.0)),
    *(("instance_noise", sigma, pair(-(sigma**2) / 4, (sigma**4 - 4) / 16)) for sigma in (0.0, 0.5, math.sqrt(2), 2.0)),
]


@pytest.mark.parametrize(("method", "parameter", "want"), FLOW)
def test_eigenvalues_of_the_flow(method: str, parameter: float | None, want: list[complex]) -> None:
    assert same(eigenvalues(DiracConfig(method=method, parameter=parameter)), want)


@pytest.mark.parametrize("h", [0.01, 0.2, 1.0, 3.0])
@pytest.mark.parametrize("method", ["gan", "ns_gan"])
def test_simultaneous_steps_diverge(method: str, h: float) -> None:
    found = update_eigenvalues(DiracConfig(method=method, h=h, alternating=False))
    assert same(found, [1 + h / 2 * 1j, 1 - h / 2 * 1j])
    np.testing.assert_allclose(np.abs(found), math.sqrt(1 + h**2 / 4), atol=1e-12)


@pytest.mark.parametrize("generator_first", [True, False])
@pytest.mark.parametrize(
    ("h", "n_d", "n_g"), [(0.2, 1, 1), (0.2, 5, 1), (1.0, 3, 2), (3.9, 1, 1), (4.1, 1, 1), (2, 9, 1)]
)
def test_alternating_steps(h: float, n_d: int, n_g: int, generator_first: bool) -> None:
    found = update_eigenvalues(DiracConfig(h=h, n_d=n_d, n_g=n_g, generator_first=generator_first))
    a = math.sqrt(n_g * n_d) * h / 2
    assert same(found, pair(1 - a**2 / 2, (1 - a**2 / 2) ** 2 - 1))
    assert (np.abs(found).max() < 1 + 1e-9) == (a <= 2)


@pytest.mark.parametrize("gamma", [0.06, 0.3, 0.9])
@pytest.mark.parametrize("h", [0.1, 0.2, 1.0, 3.0])
def test_r1_with_simultaneous_steps(gamma: float, h: float) -> None:
    found = update_eigenvalues(DiracConfig(method="r1", parameter=gamma, h=h, alternating=False))
    np.testing.assert_allclose(np.abs(found) ** 2, 1 - h * gamma + h**2 / 4, atol=1e-12)
    assert (np.abs(found).max() < 1) == (h < 4 * gamma)


def test_the_gan_flow_stays_on_its_circle() -> None:
    theta, psi = np.meshgrid(np.linspace(-3, 3, 13), np.linspace(-3, 3, 13))
    d_theta, d_psi = flow(DiracConfig())(theta, psi)
    np.testing.assert_allclose(theta * d_theta + psi * d_psi, 0, atol=1e-14)


def test_wgan_grows_exactly_as_its_eigenvalue() -> None:
    config = DiracConfig(method="wgan", alternating=False, steps=100)
    np.testing.assert_allclose(np.hypot(*simulate(config)[-1]), math.sqrt(2) * 1.04**50, rtol=1e-12)


def test_a_runaway_walk_stays_finite() -> None:
    path = simulate(DiracConfig(method="wgan", alternating=False, h=10, steps=2000))
    assert np.isfinite(path).all() and np.hypot(*path[-1]) > FAR
    assert "ran away" in verdict(DiracConfig(method="wgan", alternating=False, h=10))


@pytest.mark.parametrize("method", METHODS)
def test_every_method(method: str) -> None:
    row = METHODS[method]
    assert row.title and row.formula and row.source
    config = DiracConfig(method=method, steps=50)
    path = simulate(config)
    assert path.shape == (51, 2) and path.dtype == np.float64 and np.isfinite(path).all()
    assert tuple(path[0]) == (1.0, 1.0)
    assert np.array_equal(path, simulate(config))
    grid = np.linspace(-2, 2, 5)[:, None] * np.ones((1, 3))
    d_theta, d_psi = flow(config)(grid, grid)
    assert d_theta.shape == d_psi.shape == (5, 3)
    rest = flow(config)(np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(rest, 0, atol=1e-15)  # (0, 0) is an equilibrium
    if row.smooth:
        numeric = [
            (np.ravel(flow(config)(*at)) - np.ravel(flow(config)(*(-at)))) / 2e-6
            for at in (np.array([[1e-6], [0.0]]), np.array([[0.0], [1e-6]]))
        ]
        np.testing.assert_allclose(np.array(numeric).T, jacobian(config), atol=1e-6)
    else:
        assert eigenvalues(config) is update_eigenvalues(config) is jacobian(config) is None


def test_instance_noise_is_the_mean_over_noise() -> None:
    draw = np.random.default_rng(0).normal(size=400_000) * 0.7
    slope = lambda t: 1 / (1 + np.exp(t))  # noqa: E731
    theta, psi = 1.2, -0.8
    want = (-psi * slope(psi * (theta + draw)).mean(), ((theta + draw) * slope(psi * (theta + draw))).mean())
    real = (draw * slope(-psi * draw)).mean()
    found = flow(DiracConfig(method="instance_noise", parameter=0.7))(np.array([theta]), np.array([psi]))
    np.testing.assert_allclose([found[0][0], found[1][0]], [want[0], want[1] - real], atol=5e-3)


def test_consensus_is_the_gradient_of_its_own_penalty() -> None:
    """v - gamma grad(|v|^2 / 2), the gradient by differences."""
    at, gamma = np.array([1.3, -0.4]), 0.7

    def velocity(point: np.ndarray) -> np.ndarray:
        return np.ravel(flow(DiracConfig())(point[:1], point[1:]))

    steps = np.eye(2) * 1e-6
    slope = [(np.sum(velocity(at + s) ** 2) - np.sum(velocity(at - s) ** 2)) / 4e-6 for s in steps]
    found = flow(DiracConfig(method="consensus", parameter=gamma))(at[:1], at[1:])
    np.testing.assert_allclose(np.ravel(found), velocity(at) - gamma * np.array(slope), atol=1e-8)


VERDICTS: list[tuple[dict[str, Any], str]] = [
    ({}, "GAN circles"),
    ({"alternating": False}, "GAN diverges"),
    ({"h": 4.5}, "GAN diverges"),
    ({"method": "ns_gan"}, "Non-saturating GAN circles"),
    ({"method": "wgan_clip"}, "WGAN circles"),
    ({"method": "wgan_clip", "alternating": False}, "clip holds psi within 1"),
    ({"method": "wgan_gp"}, "never settles"),
    ({"method": "r1"}, "R1 converges: it spirals into"),
    ({"method": "r1", "parameter": 3.0}, "R1 converges: it walks straight into"),
    ({"method": "r1", "parameter": 0.1, "h": 0.6, "alternating": False}, "R1 diverges"),
    ({"method": "r1", "parameter": 0.0}, "R1 circles"),
    ({"method": "instance_noise"}, "Instance noise converges"),
    ({"method": "consensus"}, "Consensus optimization converges"),
]


@pytest.mark.parametrize(("settings", "words"), VERDICTS)
def test_verdicts(settings: dict[str, Any], words: str) -> None:
    said = verdict(DiracConfig(**settings))
    assert words in said and "the distance to it went from 1.41 to" in said


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"method": "gans"}, "method"),
        ({"h": 0.0}, "h"),
        ({"theta": math.nan}, "theta"),
        ({"steps": 10**9}, "steps"),
        ({"parameter": 1.0}, "parameter"),
        ({"method": "r1", "parameter": 50.0}, "parameter"),
        ({"method": "wgan_clip", "parameter": 0.0}, "parameter"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        DiracConfig(**settings)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5j, -0.5j], "± 0.5i"),
        ([-0.15 + 0.4j, -0.15 - 0.4j], "−0.15 ± 0.4i"),
        ([-2, -0.5], "−2, −0.5"),
        ([1, 1], "1"),
    ],
)
def test_spelled(values: list[complex], text: str) -> None:
    assert spelled(np.array(values, dtype=np.complex128)) == text
    assert spelled(None) == "—"
