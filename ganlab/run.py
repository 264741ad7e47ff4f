"""A Run: everything that decides a training, as one JSON object. Same run, same history."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ganlab import config
from ganlab.config import Config, InvalidInput, knob, knob_of, replaced
from ganlab.config import to_link as to_link
from ganlab.data.toy2d import DataConfig
from ganlab.losses import LOSSES
from ganlab.networks.mlp import ACTIVATIONS, D_NORMS, G_NORMS, MINIBATCH
from ganlab.regularizers import REGULARIZERS

Edit = dict[str, Any]  # a penalty, or a part of one, as JSON
MOST_GANS = 8
MOST_EVENTS = 1000
MOST_WEIGHTS = 4_000_000  # parameters of all GANs of a run
MOST_WORK = 5e9  # weights x samples x passes of one step: about a second on one core


@dataclass(frozen=True)
class Penalty(Config):
    """A regularizer and its weight."""

    name: str = knob("r1", "What is asked of D", choices=lambda: REGULARIZERS)
    weight: float = knob(1.0, "How strongly (for clipping: the bound)", lo=0, hi=1000, log=True, live=True)
    interval: int = knob(
        1, "Lazy regularization: only every n-th step, n times as strong (Karras et al. 2020)", lo=1, hi=64, live=True
    )


@dataclass(frozen=True)
class GanConfig(Config):
    """One GAN: networks x loss x regularizers x optimizer x tricks. `live` fields may change while it trains."""

    name: str = knob("GAN", "A name for it", longest=40)
    seed: int = knob(0, "Added to the run's seed: equal seeds start equal and see the same data", lo=0, hi=9999)

    g_width: int = knob(64, "Units in each hidden layer of G", lo=1, hi=512, group="Networks")
    g_depth: int = knob(2, "Hidden layers of G", lo=1, hi=6, group="Networks")
    d_width: int = knob(64, "Units in each hidden layer of D", lo=1, hi=512, group="Networks")
    d_depth: int = knob(2, "Hidden layers of D", lo=1, hi=6, group="Networks")
    activation: str = knob("relu", "Non-linearity of both", choices=lambda: ACTIVATIONS, group="Networks")
    g_norm: str = knob("none", "Normalisation in G", choices=G_NORMS, group="Networks")
    d_norm: str = knob("none", "Normalisation in D", choices=D_NORMS, group="Networks")
    minibatch: str = knob("none", "Lets D see a whole minibatch", choices=lambda: MINIBATCH, group="Networks")
    pack: int = knob(1, "Samples that D judges at once (PacGAN)", lo=1, hi=8, group="Networks")
    z_dim: int = knob(2, "Dimensions of the noise z", lo=1, hi=64, group="Networks", live=True)
    z_kind: str = knob("normal", "Distribution of z", choices=("normal", "uniform"), group="Networks", live=True)

    loss: str = knob("non_saturating", "The adversarial loss", choices=lambda: LOSSES, group="Loss", live=True)
    penalties: tuple[Penalty, ...] = knob((), "Regularizers of D", longest=4, group="Loss", live=True)

    optimizer: str = knob("adam", "How gradients become steps", choices=("adam", "rmsprop", "sgd"), group="Optimizer")
    lr_g: float = knob(1e-3, "Learning rate of G", lo=1e-7, hi=1, group="Optimizer", live=True, log=True)
    lr_d: float = knob(
        1e-3, "Learning rate of D (different from G's: TTUR)", lo=1e-7, hi=1, group="Optimizer", live=True, log=True
    )
    beta1: float = knob(0.5, "Adam's momentum", lo=0, hi=0.999, group="Optimizer", live=True)
    beta2: float = knob(0.999, "Adam's memory of squares", lo=0, hi=0.99999, group="Optimizer", live=True)
    batch: int = knob(256, "Samples in a minibatch", lo=8, hi=2048, group="Optimizer", live=True)
    d_steps: int = knob(1, "D-steps for each G-step (k)", lo=1, hi=20, group="Optimizer", live=True)
    update: str = knob("both", "Which network learns", choices=("both", "d", "g"), group="Optimizer", live=True)

    label_smoothing: float = knob(0.0, "One-sided: real labels become 1 - s", lo=0, hi=0.5, group="Tricks", live=True)
    label_flip: float = knob(0.0, "Share of labels swapped", lo=0, hi=0.5, group="Tricks", live=True)
    instance_noise: float = knob(0.0, "Noise added to all that D sees (std)", lo=0, hi=5, group="Tricks", live=True)
    instance_noise_steps: int = knob(
        0, "Steps in which that noise decays to nothing (0: never)", lo=0, hi=1_000_000, group="Tricks", live=True
    )
    historical_averaging: float = knob(
        0.0, "Weight of |theta - mean of past theta|^2", lo=0, hi=100, group="Tricks", live=True
    )
    replay: float = knob(0.0, "Share of fakes that D sees again from the past", lo=0, hi=1, group="Tricks", live=True)
    ema: float = knob(0.0, "Decay of G's moving average (0: off)", lo=0, hi=0.9999, group="Tricks", live=True)
    unroll: int = knob(0, "D-steps that G looks ahead, differentiated through", lo=0, hi=20, group="Tricks", live=True)
    feature_matching: float = knob(0.0, "Weight of matching D's mean features", lo=0, hi=100, group="Tricks", live=True)
    latent_optimization: float = knob(
        0.0, "LOGAN: step in z along the natural gradient before both updates", lo=0, hi=10, group="Tricks", live=True
    )
    consensus: float = knob(
        0.0, "Weight of |gradient of both losses|^2 (consensus optimization)", lo=0, hi=100, group="Tricks", live=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        loss = LOSSES[self.loss]
        if self.batch % self.pack:
            raise InvalidInput("batch", f"{self.batch} is not a multiple of pack ({self.pack})")
        if (self.label_smoothing or self.label_flip) and loss.real_term is None:
            raise InvalidInput("label_smoothing", f"needs a loss with labels; {self.loss} has none")
        if loss.energy and (self.d_norm == "spectral" or self.minibatch != "none" or self.pack > 1):
            raise InvalidInput("loss", f"{self.loss} has an autoencoder as D: no spectral norm, minibatch or packing")
        if self.minibatch == "discrimination" and self.batch > 512:
            raise InvalidInput(
                "batch", "at most 512 with minibatch discrimination, which compares all pairs of samples"
            )
        if self.unroll and (self.optimizer != "adam" or self.d_norm == "batch"):
            raise InvalidInput("unroll", "needs the adam optimizer and a D without batch norm")
        names = [penalty.name for penalty in self.penalties]
        if len(names) != len(set(names)):
            raise InvalidInput("penalties", "the same regularizer stands there twice")


@dataclass(frozen=True)
class Event(Config):
    """A change made while a run trained: from `step` on, `gan` (all of them if None) has `path` set to `value`."""

    step: int = knob(0, "The first step with the new value", lo=0, hi=10_000_000)
    gan: int | None = knob(None, "Which GAN; all if left out", lo=0, hi=MOST_GANS - 1)
    path: str = knob("lr_d", "Which setting", longest=60)
    value: Any = knob(0.0, "Its new value")


@dataclass(frozen=True)
class Run(Config):
    """One to eight GANs on the same data and seed, and what was changed on the way."""

    data: DataConfig = knob(DataConfig(), "What the GANs learn")
    gans: tuple[GanConfig, ...] = knob((GanConfig(),), "The GANs that race", longest=MOST_GANS)
    seed: int = knob(0, "Decides initial weights and all random draws", lo=0, hi=2**31 - 1)
    events: tuple[Event, ...] = knob((), "Changes made while it trained", longest=MOST_EVENTS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.gans:
            raise InvalidInput("gans", f"a race needs from 1 to {MOST_GANS} GANs")
        if any(a.step > b.step for a, b in zip(self.events, self.events[1:], strict=False)):
            raise InvalidInput("events", "must be in the order of their steps")
        for gans in (self.gans, self.gans_at(10_000_000)):  # every event must apply
            _check_size(gans)

    def gans_at(self, step: int) -> tuple[GanConfig, ...]:
        """The GANs' settings that are in force when step `step` (counted from 0) is made."""
        gans = list(self.gans)
        for i, event in enumerate(self.events):
            if event.step > step:
                break
            try:
                self._apply(gans, event)
            except InvalidInput as error:
                raise error.under(f"events.{i}") from None
        return tuple(gans)

    def changed(self, step: int, path: str, value: object, gan: int | None = None) -> "Run":
        """This run with one more event; events after `step` are dropped (a fork)."""
        event = Event.from_dict({"step": step, "gan": gan, "path": path, "value": value})
        kept = [e for e in self.events if e.step <= step]
        if kept and (kept[-1].step, kept[-1].gan, kept[-1].path) == (step, gan, path):
            kept.pop()  # a slider that is dragged while the run stands still
        return Run(self.data, self.gans, self.seed, (*kept, event))

    def until(self, step: int) -> "Run":
        """This run without the events after `step`."""
        return Run(self.data, self.gans, self.seed, tuple(e for e in self.events if e.step <= step))

    def _apply(self, gans: list[GanConfig], event: Event) -> None:
        if event.gan is not None and event.gan >= len(gans):
            raise InvalidInput("gan", f"there are only {len(gans)} GANs")
        if not is_live(event.path):
            raise InvalidInput("path", f"{event.path} cannot change while a GAN trains")
        for k in range(len(gans)) if event.gan is None else [event.gan]:
            gans[k] = _with(gans[k], event.path, json.dumps(event.value))
            if LOSSES[gans[k].loss].energy != LOSSES[self.gans[k].loss].energy:
                raise InvalidInput("value", "a loss with an autoencoder as D cannot be changed to or from mid-run")


@functools.lru_cache(maxsize=4096)
def _with(gan: GanConfig, path: str, value: str) -> GanConfig:
    """`replaced`, remembered: a run with hundreds of events is checked again with each new one."""
    return replaced(gan, path, json.loads(value))


def _check_size(gans: tuple[GanConfig, ...]) -> None:
    """Refuses what one step of would take too long, or too much memory."""
    weights = [sum(_mlp_weights(w, n) for w, n in ((c.g_width, c.g_depth), (c.d_width, c.d_depth))) for c in gans]
    work = sum(n * c.batch * (c.d_steps + 1 + 4 * c.unroll) for n, c in zip(weights, gans, strict=True))
    if sum(weights) > MOST_WEIGHTS:
        raise InvalidInput(
            "gans", f"have about {sum(weights):,} weights; at most {MOST_WEIGHTS:,} are allowed: make them smaller"
        )
    if work > MOST_WORK:
        raise InvalidInput(
            "gans",
            f"would need {work / MOST_WORK:.1f} times the work that one step may take; "
            "lower widths, layers, batch, D-steps or unrolling",
        )


def _mlp_weights(width: int, depth: int) -> int:
    return width * width * (depth - 1) + 3 * width


def is_live(path: str) -> bool:
    """Whether the GAN setting at a dotted path may change while it trains."""
    field = GanConfig.__dataclass_fields__.get(path.split(".")[0])
    return field is not None and knob_of(field).live


def from_link(text: str) -> Run:
    """The run in a link; a broken, hostile or oversized one raises `InvalidInput`."""
    return config.from_link(Run, text)


def _added(penalties: list[Edit], name: str, change: Edit) -> list[Edit]:
    row = {"name": name, "weight": REGULARIZERS[name].weight, "interval": 1}
    return penalties if any(p["name"] == name for p in penalties) else [*penalties, row]


def _removed(penalties: list[Edit], name: str, change: Edit) -> list[Edit]:
    return [p for p in penalties if p["name"] != name]


def _tuned(penalties: list[Edit], name: str, change: Edit) -> list[Edit]:
    return [{**p, **change} if p["name"] == name else p for p in penalties]


# edits of a GAN's list of penalties (JSON) that find a penalty by its name
PENALTY_EDITS: dict[str, Callable[[list[Edit], str, Edit], list[Edit]]] = {
    "add": _added,
    "remove": _removed,
    "tune": _tuned,
}
