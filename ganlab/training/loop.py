"""The training loop: a generator of snapshots. It knows no screen, no file format and no name of a GAN."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ganlab.config import InvalidInput
from ganlab.run import Run
from ganlab.training.arena import Arena
from ganlab.training.measure import Measures, Meter
from ganlab.training.watch import Alarm, Watch

EVERY = 100  # steps between measurements


@dataclass(frozen=True)
class Snapshot:
    """A run at one step."""

    step: int
    gans: tuple[Measures, ...]
    alarms: tuple[Alarm, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON, one line of a history."""
        return {
            "step": self.step,
            "gans": [m.to_dict() for m in self.gans],
            "alarms": [asdict(alarm) for alarm in self.alarms],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Snapshot":
        """The inverse of `to_dict`."""
        gans = tuple(Measures.from_dict(row) for row in data["gans"])
        return cls(data["step"], gans, tuple(Alarm(**alarm) for alarm in data["alarms"]))


class Training:
    """An arena with its meter and its watches: the part of a run that goes on."""

    def __init__(self, run: Run, *, every: int = EVERY, fast: bool = True, dtype: torch.dtype = torch.float32) -> None:
        if every < 1:
            raise InvalidInput("every", f"{every} is out of range; it must be a whole number of at least 1")
        self.arena = Arena(run, dtype=dtype, fast=fast)
        self.meter = Meter(self.arena)
        self.watches = [Watch(k) for k in range(len(run.gans))]
        self.every = every

    @property
    def due(self) -> bool:
        """Whether the step that comes next ends with a measurement."""
        return (self.arena.step + 1) % self.every == 0

    def step(self) -> Snapshot | None:
        """One iteration; a snapshot where one is due."""
        due = self.due
        self.arena.advance(1, measure=due)
        return self.look() if due else None

    def look(self) -> Snapshot:
        """Measures now and asks the watches."""
        rows = self.meter.measure()
        alarms = [a for watch, row in zip(self.watches, rows, strict=True) for a in watch.look(self.arena.step, row)]
        return Snapshot(self.arena.step, tuple(rows), tuple(alarms))


def train(run: Run, steps: int, *, every: int = EVERY, fast: bool = True) -> Iterator[Snapshot]:
    """Trains a run from its start; yields a snapshot each `every` steps. Same run, same snapshots."""
    training = Training(run, every=every, fast=fast)
    while training.arena.step < steps:
        snapshot = training.step()
        if snapshot:
            yield snapshot
