"""What a study draws: its presets, the ranges of their settings, and how many draws of how many steps."""

import contextlib
import json
from dataclasses import dataclass, replace
from typing import Any

from ganlab.config import Config, InvalidInput, knob, replaced
from ganlab.presets import preset_run
from ganlab.presets.images import image_preset, is_image_preset
from ganlab.run_images import ImageGanConfig, ImageRun
from ganlab.training.folder import LONGEST, AnyRun

WIDER = 10  # default ranges go from a tenth of a preset's setting to ten times it


@dataclass(frozen=True)
class Range(Config):
    """Where one setting is drawn from: numbers from `low` to `high`, or a list."""

    path: str = knob("gan.lr_g", "Dotted path of the setting", longest=80)
    low: float | None = knob(None, "Smallest value")
    high: float | None = knob(None, "Largest value")
    log: bool = knob(False, "Drawn evenly on a logarithmic scale")
    choices: tuple[Any, ...] = knob((), "The values it may have, in place of low and high", longest=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isinstance(value, str | int | float | None) for value in self.choices):
            raise InvalidInput(self.path, "choices must be numbers, texts, true, false or null")
        if self.choices:
            if (self.low, self.high, self.log) != (None, None, False):
                raise InvalidInput(self.path, "has choices and bounds; give one of them")
        elif self.low is None or self.high is None:
            raise InvalidInput(self.path, "needs a smallest and a largest value, or choices")
        elif self.low >= self.high:
            raise InvalidInput(self.path, f"the smallest value, {self.low:g}, is not below the largest, {self.high:g}")
        elif self.log and self.low <= 0:
            raise InvalidInput(self.path, f"a logarithmic range must begin above 0, not at {self.low:g}")

    @classmethod
    def from_text(cls, text: str) -> "Range":
        """The range that `PATH=LOW:HIGH`, `PATH=LOW:HIGH:log` or `PATH=VALUE,VALUE,...` stands for."""
        path, equals, values = (part.strip() for part in text.partition("="))
        bounds = values.split(":")
        if not (path and equals and values) or len(bounds) > 3 or bounds[2:] not in ([], ["log"]):
            raise InvalidInput("range", f"{text[:60]} must be as lr_g=1e-5:1e-2:log, beta1=0:0.9 or d_steps=1,2,5")
        if len(bounds) == 1:
            return cls(path[:80], choices=tuple(map(_value, values.split(","))))
        low, high = map(_value, bounds[:2])
        return cls.from_dict({"path": path[:80], "low": low, "high": high, "log": len(bounds) == 3})


@dataclass(frozen=True)
class StudyConfig(Config):
    """Everything that decides what a study draws. Same settings, one process: same draws."""

    presets: tuple[str, ...] = knob(("toy-non-saturating",), "The systems that are compared", longest=40)
    data: str | None = knob(None, "What they learn, in place of their own data", longest=4096)
    labels: str = knob("", "Classes of images", longest=400)
    ranges: tuple[Range, ...] = knob((), "What is drawn; empty: `default_ranges`", longest=40)
    draws: int = knob(100, "Draws for each preset (100: Lucic et al. 2018)", lo=1, hi=10_000)
    steps: int = knob(3000, "Steps that each draw trains for", lo=1, hi=LONGEST)
    sampler: str = knob("random", "How settings are drawn (bayesian: TPE)", choices=("random", "bayesian"))
    pruner: str = knob("none", "What ends bad draws early", choices=("none", "median", "halving"))
    seed: int = knob(0, "Decides the draws, and is the seed of each run", lo=0, hi=2**31 - 1)
    database: bool = knob(False, "Kept in a database, whose address stands nowhere in the folder")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.presets or len(set(self.presets)) < len(self.presets):
            raise InvalidInput("presets", "must be one or more, each once")

    def base(self, preset: str) -> AnyRun:
        """The run that draws of this preset start from; `InvalidInput` where there is none of one GAN."""
        if is_image_preset(preset):
            return replaced(image_preset(preset, self.data, self.labels), "seed", self.seed)
        run = preset_run(preset, self.data)
        if self.labels:
            raise InvalidInput("labels", f"are for images; {preset} learns points")
        if len(run.gans) > 1:
            raise InvalidInput("presets", f"{preset} is a race of {len(run.gans)} GANs; name systems of one")
        return replaced(run, "seed", self.seed)

    def space(self, preset: str) -> tuple[Range, ...]:
        """What is drawn for this preset, with whole paths; `InvalidInput` where a range does not fit it."""
        run = self.base(preset)
        if not self.ranges:
            return default_ranges(run)
        space = tuple(_fitted(run, item) for item in self.ranges)
        names = [item.path for item in space]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise InvalidInput("ranges", f"{twice} stands there twice")
        return space


def default_ranges(run: AnyRun) -> tuple[Range, ...]:
    """A decade to both sides of learning rates and penalty weights; beta1, D-steps (to 5) and the batch (to twice).

    What Lucic et al. 2018, table 1, varied, but around the preset's own values, and with the batch.
    """
    gan = run.gan if isinstance(run, ImageRun) else run.gans[0]
    weights = [(f"penalties.{k}.weight", item.weight) for k, item in enumerate(gan.penalties) if item.weight > 0]
    ranges = [
        Range(f"gan.{path}", value / WIDER, min(value * WIDER, 1000.0 if "weight" in path else 1.0), log=True)
        for path, value in (("lr_g", gan.lr_g), ("lr_d", gan.lr_d), *weights)
    ]
    if isinstance(gan, ImageGanConfig) or gan.optimizer == "adam":
        ranges.append(Range("gan.beta1", 0.0, 0.9))
    ranges.append(Range("gan.d_steps", 1, 5))
    batches = (gan.batch // 2, gan.batch, gan.batch * 2)
    return (*ranges, Range("gan.batch", choices=tuple(size for size in batches if _fits(run, "gan.batch", size))))


def with_settings(run: AnyRun, settings: dict[str, Any]) -> AnyRun:
    """The run with drawn settings."""
    data: Any = run.to_dict(full=True)
    for path, value in settings.items():
        *parents, last = _place(run, path).split(".")
        at = data
        for name in parents:
            at = at[int(name)] if isinstance(at, list) else at[name]
        at[int(last) if isinstance(at, list) else last] = value
    return type(run).from_dict(data)  # all at once: only together need they make sense


def suggested(trial: Any, run: AnyRun, space: tuple[Range, ...]) -> dict[str, Any]:
    """Settings for one draw, from Optuna."""
    data = run.to_dict(full=True)
    return {item.path: _suggest(trial, item, _at(data, _place(run, item.path), item.path)) for item in space}


def _fitted(run: AnyRun, item: Range) -> Range:
    """The range with its whole path; `InvalidInput` where the run has no such setting or not such values."""
    path = item.path.removeprefix("gans.0.")
    if path != "seed" and not path.startswith(("data.", "gan.")):
        path = f"gan.{path}"
    value = _at(run.to_dict(full=True), _place(run, path), path)
    for bound in item.choices or (item.low, item.high):
        replaced(run, _place(run, path), bound)
    if not item.choices and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise InvalidInput(path, "is not a number in this preset; give choices, as PATH=VALUE,VALUE")
    return replace(item, path=path)


def _place(run: AnyRun, path: str) -> str:
    """Where the run has a setting of a study."""
    return path if isinstance(run, ImageRun) or not path.startswith("gan.") else f"gans.0.{path[4:]}"


def _at(at: Any, place: str, path: str) -> Any:
    """The value at a place of a run's JSON; `InvalidInput` about `path` where there is none."""
    try:
        for name in place.split("."):
            at = at[int(name)] if isinstance(at, list) else at[name]
    except (KeyError, IndexError, ValueError, TypeError):
        raise InvalidInput(path, "there is no such setting") from None
    return at


def _fits(run: AnyRun, path: str, value: Any) -> bool:
    try:
        replaced(run, _place(run, path), value)
    except InvalidInput:
        return False
    return True


def _suggest(trial: Any, item: Range, now: Any) -> Any:
    if item.choices:
        return trial.suggest_categorical(item.path, list(item.choices))
    assert item.low is not None and item.high is not None
    if isinstance(now, int):
        return trial.suggest_int(item.path, int(item.low), int(item.high), log=item.log)
    return trial.suggest_float(item.path, item.low, item.high, log=item.log)


def _value(text: str) -> Any:
    """JSON where it is, a name otherwise."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text.strip())
    return text.strip()
