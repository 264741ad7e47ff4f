"""The training loop: a generator of snapshots. It knows no screen, no file format and no name of a GAN."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.run import Run
from ganlab.training import checkpoint
from ganlab.training.arena import GUARD, Arena
from ganlab.training.measure import Measures, Meter
from ganlab.training.watch import Alarm, Watch

EVERY = 100  # steps between measurements
SAMPLES = "samples.csv"


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

    quantum = GUARD
    snapshot_class = Snapshot

    def __init__(self, run: Run, *, every: int = EVERY, fast: bool = True, dtype: torch.dtype = torch.float32) -> None:
        if every < 1:
            raise InvalidInput("every", f"{every} is out of range; it must be a whole number of at least 1")
        self.arena = Arena(run, dtype=dtype, fast=fast)
        self.meter = Meter(self.arena)
        self.watches = [Watch(k) for k in range(len(run.gans))]
        self.every = every

    @property
    def run(self) -> Run:
        """The run with the events so far."""
        return self.arena.run

    @property
    def at(self) -> int:
        """Steps made."""
        return self.arena.step

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

    def save(self, folder: Path) -> None:
        """Writes a checkpoint."""
        checkpoint.save(self.arena, folder)

    def resume(self, folder: Path) -> None:
        """Goes to the newest checkpoint of this run in `folder`, where there is one."""
        checkpoint.resume(self.arena, folder)

    def recall(self, snapshot: Snapshot) -> None:
        """Hears of a measurement that was made before a resumption."""
        for watch, measures in zip(self.watches, snapshot.gans, strict=True):
            watch.look(snapshot.step, measures)

    def leave(self, folder: Path) -> None:
        """What a finished training leaves behind: the last samples of all GANs, as CSV."""
        axes = ("x", "y", "z")[: self.arena.dim]
        lines = [",".join(("gan", *axes))]
        for k, points in enumerate(self.meter.samples().tolist()):
            lines += [",".join([str(k), *(f"{value:.6g}" for value in point)]) for point in points]
        files.write_atomic(folder / SAMPLES, "\n".join(lines).encode() + b"\n")


def train(run: Run, steps: int, *, every: int = EVERY, fast: bool = True) -> Iterator[Snapshot]:
    """Trains a run from its start; yields a snapshot each `every` steps. Same run, same snapshots."""
    training = Training(run, every=every, fast=fast)
    while training.arena.step < steps:
        snapshot = training.step()
        if snapshot:
            yield snapshot
