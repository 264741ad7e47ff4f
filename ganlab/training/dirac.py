r"""Dirac-GAN: the smallest GAN there is, whose whole training is a walk in a plane.

The data are a single point at 0, the generator is a single point at theta, and the discriminator is D(x) = psi x. With
f(t) = -ln(1 + exp(-t)) the players fight over L(theta, psi) = f(psi theta) + f(0): the generator goes down, the
discriminator up, and the only equilibrium is (0, 0). Mescheder, Geiger and Nowozin, "Which training methods for GANs do
actually converge?", 2018, arXiv:1801.04406, sections 2 and 3 (equation 1 is L). All in float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Complex128, Float64

from ganlab.config import Config, InvalidInput, knob

Array = npt.NDArray[Any]
Field = Callable[[Array, Array, float], tuple[Array, Array]]  # theta, psi, parameter -> d theta / dt, d psi / dt

FAR = 1e6  # a walk that has come this far is over: it stays where it is
TINY = 1e-6  # how near to the unit circle counts as on it (a double eigenvalue is known to half the digits only)


@dataclass(frozen=True)
class Parameter:
    """The one number of a method: penalty weight, noise or clip."""

    name: str
    default: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Method:
    """A training method as a vector field on the plane of theta and psi."""

    title: str
    formula: str  # LaTeX of (d theta / dt, d psi / dt)
    field: Field
    source: str
    parameter: Parameter | None = None
    clips: bool = False  # after each discriminator step psi is clipped to +- parameter
    smooth: bool = True  # the field has a derivative at the equilibrium


@dataclass(frozen=True)
class DiracConfig(Config):
    """One walk: a method, where it starts and how it steps."""

    method: str = knob("gan", "training method", choices=lambda: METHODS)
    theta: float = knob(1.0, "where the generator starts", lo=-10, hi=10)
    psi: float = knob(1.0, "slope the discriminator starts with", lo=-10, hi=10)
    h: float = knob(0.2, "step size (learning rate of both players)", lo=1e-4, hi=10, log=True)
    parameter: float | None = knob(None, "penalty weight, noise or clip; nothing: the method's default", lo=0, hi=100)
    steps: int = knob(500, "training steps", lo=1, hi=2000)
    alternating: bool = knob(True, "each player sees the other's last step; else both step at once")
    n_d: int = knob(1, "discriminator steps in one alternating step", lo=1, hi=10)
    n_g: int = knob(1, "generator steps in one alternating step", lo=1, hi=10)
    generator_first: bool = knob(True, "the generator begins each alternating step")

    def __post_init__(self) -> None:
        super().__post_init__()
        spec = METHODS[self.method].parameter
        if self.parameter is not None and spec is None:
            raise InvalidInput("parameter", f"{METHODS[self.method].title} has none; leave it out")
        if self.parameter is not None and spec is not None and not spec.lo <= self.parameter <= spec.hi:
            raise InvalidInput("parameter", f"{spec.name} must be a number from {spec.lo:g} to {spec.hi:g}")

    @property
    def strength(self) -> float:
        """The method's parameter, its default where none was given, 0 where it has none."""
        spec = METHODS[self.method].parameter
        return self.parameter if self.parameter is not None else spec.default if spec else 0.0


def flow(config: DiracConfig) -> Callable[[Array, Array], tuple[Array, Array]]:
    """The vector field of `config`: arrays theta and psi of one shape to their velocities."""
    method, strength = METHODS[config.method], config.strength
    return lambda theta, psi: method.field(theta, psi, strength)


def simulate(config: DiracConfig) -> Float64[np.ndarray, "steps_and_start 2"]:
    """The walk: (theta, psi) at the start and after each of `config.steps` steps.

    A walk further than `FAR` from the equilibrium ends there: the remaining rows repeat its last place.
    """
    path = np.empty((config.steps + 1, 2))
    theta, psi = np.array([config.theta]), np.array([config.psi])
    for step in range(config.steps + 1):
        path[step] = theta[0], psi[0]
        if np.hypot(theta[0], psi[0]) > FAR:
            path[step:] = path[step]
            break
        theta, psi = _step(theta, psi, config)
    return path


def _step(theta: Array, psi: Array, config: DiracConfig) -> tuple[Array, Array]:
    field, strength, clips = METHODS[config.method].field, config.strength, METHODS[config.method].clips
    if not config.alternating:
        d_theta, d_psi = field(theta, psi, strength)
        theta, psi = theta + config.h * d_theta, psi + config.h * d_psi
        return theta, np.clip(psi, -strength, strength) if clips else psi
    for generator in (config.generator_first, not config.generator_first):
        for _ in range(config.n_g if generator else config.n_d):
            d_theta, d_psi = field(theta, psi, strength)
            if generator:
                theta = theta + config.h * d_theta
            else:
                psi = psi + config.h * d_psi
                psi = np.clip(psi, -strength, strength) if clips else psi
    return theta, psi


def jacobian(config: DiracConfig) -> Float64[np.ndarray, "2 2"] | None:
    """The derivative of the vector field at the equilibrium (rows: theta, psi); None where it has none.

    By complex steps, Im F(x + i e) / e, which are exact to the last digit: nothing is subtracted.
    """
    method = METHODS[config.method]
    if not method.smooth:
        return None
    step, columns = 1e-30, []
    for along in ((1.0, 0.0), (0.0, 1.0)):
        theta, psi = (np.array([1j * step * part]) for part in along)
        columns.append([float(out[0].imag) / step for out in method.field(theta, psi, config.strength)])
    return np.array(columns).T


def eigenvalues(config: DiracConfig) -> Complex128[np.ndarray, "2"] | None:
    """Eigenvalues of the flow (infinitely small steps) at the equilibrium: it converges if all real parts are < 0.

    None for a method whose field has no derivative there (WGAN-GP).
    """
    matrix = jacobian(config)
    return None if matrix is None else np.linalg.eigvals(matrix).astype(np.complex128)


def update_eigenvalues(config: DiracConfig) -> Complex128[np.ndarray, "2"] | None:
    """Eigenvalues of one training step at the equilibrium: it converges if all moduli are < 1.

    None as for `eigenvalues`.
    """
    matrix = jacobian(config)
    if matrix is None:
        return None
    if not config.alternating:
        return np.linalg.eigvals(np.eye(2) + config.h * matrix).astype(np.complex128)
    g_step, d_step = np.eye(2), np.eye(2)
    g_step[0] += config.h * matrix[0]
    d_step[1] += config.h * matrix[1]
    g_steps, d_steps = np.linalg.matrix_power(g_step, config.n_g), np.linalg.matrix_power(d_step, config.n_d)
    whole = d_steps @ g_steps if config.generator_first else g_steps @ d_steps
    return np.linalg.eigvals(whole).astype(np.complex128)


def verdict(config: DiracConfig, path: Float64[np.ndarray, "steps_and_start 2"] | None = None) -> str:
    """A plain sentence or two: what the eigenvalues say of the equilibrium, and what the walk did.

    `path` spares the walk where `simulate(config)` is at hand.
    """
    path = simulate(config) if path is None else path
    start, end = (float(np.hypot(*path[row])) for row in (0, -1))
    if end > FAR:
        seen = f"This walk ran away: after {config.steps:,} steps or fewer it was further than {FAR:,.0f}."
    else:
        seen = f"In {config.steps:,} steps the distance to it went from {start:.3g} to {end:.3g}."
    return f"{METHODS[config.method].title} {_behaviour(config)} {seen}"


def _behaviour(config: DiracConfig) -> str:
    method, moving = METHODS[config.method], update_eigenvalues(config)
    if moving is None:
        return (
            "never settles: its penalty pushes psi towards slope 1 however near the equilibrium is, so the field jumps "
            "there and has no eigenvalues."
        )
    radius = float(np.abs(moving).max())
    turning = bool(np.abs(moving.imag).max() > TINY)
    if radius < 1 - TINY:
        way = "spirals into" if turning else "walks straight into"
        return (
            f"converges: it {way} the equilibrium, for the largest eigenvalue of a step has modulus {radius:.4f}, "
            "less than 1."
        )
    if radius <= 1 + TINY:
        return (
            "circles: the eigenvalues of a step lie on the unit circle, so close to the equilibrium nothing pulls "
            "it in and nothing pushes it out."
        )
    held = f" The clip holds psi within {config.strength:g}, so it cannot run away." if method.clips else ""
    return (
        f"diverges: the largest eigenvalue of a step has modulus {radius:.4f}, more than 1, so close to the "
        f"equilibrium every step leads further out.{held}"
    )


def spelled(values: Complex128[np.ndarray, "2"] | None) -> str:
    """Eigenvalues as a person writes them: `-0.15 ± 0.477i`, `-2.62, -0.382`; a dash for None."""
    if values is None:
        return "—"
    first, second = sorted(values, key=lambda value: (value.real, value.imag))
    if abs(first.imag) < 1e-9:
        return f"{_short(first.real)}, {_short(second.real)}" if abs(first - second) > TINY else _short(first.real)
    real = "" if abs(first.real) < 1e-9 else f"{_short(first.real)} "
    return f"{real}± {_short(abs(first.imag))}i"


def _short(number: float) -> str:
    return f"{number:.4g}".replace("-", "−")


# The fields. f'(t) = 1 / (1 + e^t), written so that it neither overflows nor minds complex numbers.


def _slope(t: Array) -> Array:
    return 0.5 * (1 - np.tanh(t / 2))


def _gan(theta: Array, psi: Array, _: float) -> tuple[Array, Array]:
    slope = _slope(theta * psi)
    return -psi * slope, theta * slope


def _ns_gan(theta: Array, psi: Array, _: float) -> tuple[Array, Array]:
    return -psi * _slope(-theta * psi), theta * _slope(theta * psi)


def _wgan(theta: Array, psi: Array, _: float) -> tuple[Array, Array]:
    return -psi, theta


def _wgan_gp(theta: Array, psi: Array, gamma: float) -> tuple[Array, Array]:
    return -psi, theta - gamma * (np.abs(psi) - 1) * np.sign(psi)


def _r1(theta: Array, psi: Array, gamma: float) -> tuple[Array, Array]:
    """R1 and R2 are one here: the gradient of D(x) = psi x is psi at the data as everywhere."""
    d_theta, d_psi = _gan(theta, psi, 0)
    return d_theta, d_psi - gamma * psi


def _r1_critical(theta: Array, psi: Array, _: float) -> tuple[Array, Array]:
    return _r1(theta, psi, 1.0)


def _instance_noise(theta: Array, psi: Array, sigma: float) -> tuple[Array, Array]:
    """Both points blurred by N(0, sigma^2); the expectations by Gauss-Hermite quadrature."""
    noise = sigma * NODES
    fake = theta[..., None] + noise  # [..., nodes]
    at_fake, at_real = _slope(psi[..., None] * fake), _slope(-psi[..., None] * noise)
    return -psi * (at_fake @ WEIGHTS), (fake * at_fake - noise * at_real) @ WEIGHTS


def _consensus(theta: Array, psi: Array, gamma: float) -> tuple[Array, Array]:
    """v - gamma J^T v: both players also make the velocity v smaller (J is its derivative)."""
    d_theta, d_psi = _gan(theta, psi, 0)
    slope = _slope(theta * psi)
    bend = -slope * (1 - slope)  # f''
    cross = slope + theta * psi * bend
    pull_theta = -(psi**2) * bend * d_theta + cross * d_psi
    pull_psi = -cross * d_theta + theta**2 * bend * d_psi
    return d_theta - gamma * pull_theta, d_psi - gamma * pull_psi


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
WEIGHTS = WEIGHTS / WEIGHTS.sum()  # expectations under N(0, 1)

_PAPER = "Mescheder et al. 2018, arXiv:1801.04406"
_GAN_FORMULA = r"\left(-\psi f'(\theta\psi),\ \theta f'(\theta\psi)"

METHODS: dict[str, Method] = {
    "gan": Method("GAN", _GAN_FORMULA + r"\right)", _gan, f"{_PAPER}, section 2"),
    "ns_gan": Method(
        "Non-saturating GAN",
        r"\left(-\psi f'(-\theta\psi),\ \theta f'(\theta\psi)\right)",
        _ns_gan,
        f"Goodfellow et al. 2014; {_PAPER}, section 2",
    ),
    "wgan": Method(
        "WGAN without clipping",
        r"\left(-\psi,\ \theta\right)",
        _wgan,
        f"Arjovsky et al. 2017; {_PAPER}, section 3",
    ),
    "wgan_clip": Method(
        "WGAN",
        r"\left(-\psi,\ \theta\right),\quad \psi \in [-c, c]",
        _wgan,
        f"Arjovsky et al. 2017; {_PAPER}, section 3",
        Parameter("clip c", 1.0, 0.01, 10),
        clips=True,
    ),
    "wgan_gp": Method(
        "WGAN-GP",
        r"\left(-\psi,\ \theta - \gamma (|\psi| - 1)\,\mathrm{sign}\,\psi\right)",
        _wgan_gp,
        f"Gulrajani et al. 2017; {_PAPER}, section 3",
        Parameter("weight γ", 0.25, 0, 5),
        smooth=False,
    ),
    "r1": Method("R1", _GAN_FORMULA + r" - \gamma\psi\right)", _r1, _PAPER, Parameter("weight γ", 0.3, 0, 5)),
    "r2": Method("R2", _GAN_FORMULA + r" - \gamma\psi\right)", _r1, _PAPER, Parameter("weight γ", 0.3, 0, 5)),
    "r1_critical": Method(
        "R1, critically damped", _GAN_FORMULA + r" - 2 f'(0)\,\psi\right)", _r1_critical, f"{_PAPER}, section 3"
    ),
    "instance_noise": Method(
        "Instance noise",
        r"\left(-\psi\,\mathbb{E} f'(\psi\tilde\theta),\ "
        r"\mathbb{E}\,\tilde\theta f'(\psi\tilde\theta) - \mathbb{E}\,\tilde x f'(-\psi\tilde x)\right),\quad "
        r"\tilde\theta \sim N(\theta, \sigma^2),\ \tilde x \sim N(0, \sigma^2)",
        _instance_noise,
        f"Sønderby et al. 2017; {_PAPER}, section 3",
        Parameter("noise σ", 0.7, 0, 3),
    ),
    "consensus": Method(
        "Consensus optimization",
        r"v - \gamma J^{\!\top} v,\quad v = " + _GAN_FORMULA + r"\right)",
        _consensus,
        "Mescheder et al. 2017, arXiv:1705.10461",
        Parameter("weight γ", 1.0, 0, 5),
    ),
}
