"""A training that lives in a folder and survives a kill: `run.json`, `history.jsonl`, checkpoints, `samples.csv`.

Nothing in the folder depends on the clock or on interruptions: a training that was stopped, killed and resumed at any
moments leaves the same bytes as one that was not.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ganlab import files
from ganlab.config import JSON_LIMIT, InvalidInput
from ganlab.run import Run
from ganlab.training import checkpoint
from ganlab.training.arena import GUARD
from ganlab.training.loop import Snapshot, Training

RUN, HISTORY, SAMPLES = "run.json", "history.jsonl", "samples.csv"
LONGEST = 10_000_000  # steps
GRACE = 3.0  # seconds to reach the next moment that can be saved, once asked to stop


class RunFolder:
    """An open folder and the training in it; made by `opened`."""

    def __init__(self, folder: Path, training: Training, history: IO[bytes]) -> None:
        self.folder, self.training, self._history = folder, training, history

    def go(self, steps: int, save_every: int, tick: Callable[[int], bool]) -> Iterator[Snapshot]:
        """Trains until `steps` are made in all; yields each snapshot once it is written.

        `tick(step)` is called after every step; once it returns True the training saves and ends. A state is saved
        each `save_every` steps, a multiple of `GUARD`; the last steps of a training that ends elsewhere are made
        again when it is resumed. At the end `samples.csv` is written.
        """
        arena, deadline = self.training.arena, math.inf
        while arena.step < steps:
            snapshot = self.training.step()
            if snapshot:
                self._history.write(json.dumps(snapshot.to_dict(), separators=(",", ":")).encode() + b"\n")
                self._history.flush()
                yield snapshot
            if tick(arena.step):
                deadline = min(deadline, time.monotonic() + GRACE)
            stopping = deadline < math.inf
            if arena.step % GUARD == 0 and (stopping or arena.step % save_every == 0 or arena.step == steps):
                self.save()
            if (stopping and arena.step % GUARD == 0) or time.monotonic() > deadline:
                return
        files.write_atomic(self.folder / SAMPLES, _table(self.training))

    def save(self) -> None:
        """Writes a checkpoint; the history up to it is on the disk first."""
        os.fsync(self._history.fileno())
        checkpoint.save(self.training.arena, self.folder)


@contextlib.contextmanager
def opened(folder: Path, run: Run | None, *, every: int, resume: bool) -> Iterator[RunFolder]:
    """The folder with `run` in it, new or (with `resume`) where its newest good checkpoint is.

    `run` None takes the run that the folder holds. Raises `InvalidInput` if the folder is in use, holds another run,
    or holds one although `resume` is not asked for.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.only_writer(folder))
        except BlockingIOError:
            raise InvalidInput("out", f"another training writes into {folder}") from None
        files.sweep(folder)
        training = Training(_claimed(folder, run, resume), every=every)
        checkpoint.resume(training.arena, folder)
        rows = _kept(folder / HISTORY, training)
        lines = [json.dumps(row.to_dict(), separators=(",", ":")).encode() + b"\n" for row in rows]
        files.write_atomic(folder / HISTORY, b"".join(lines))
        for row in rows:
            for watch, measures in zip(training.watches, row.gans, strict=True):
                watch.look(row.step, measures)
        yield RunFolder(folder, training, stack.enter_context(open(folder / HISTORY, "ab")))


def checked_pace(steps: int, every: int, save_every: int) -> None:
    """Raises `InvalidInput` for numbers of steps that make no sense."""
    for name, value, least in (("steps", steps, 1), ("every", every, 1), ("save-every", save_every, GUARD)):
        if not least <= value <= LONGEST:
            raise InvalidInput(name, f"{value} is out of range; it must be a whole number from {least} to {LONGEST}")
    if save_every % GUARD:
        raise InvalidInput("save-every", f"{save_every} is not a multiple of {GUARD}")


def read_run(path: Path) -> Run:
    """The run in a JSON file; `InvalidInput` if there is none or it is broken."""
    try:
        with open(path, "rb") as file:
            text = file.read(4 * JSON_LIMIT + 1).decode(errors="replace")
    except OSError as error:
        raise InvalidInput("run", f"{path} cannot be read: {error.strerror}") from None
    return Run.from_json(text)


def read_history(path: Path) -> list[Snapshot]:
    """The snapshots in a history, up to the first line that is not whole."""
    rows = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            rows.append(Snapshot.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            break
    return rows


def _claimed(folder: Path, run: Run | None, resume: bool) -> Run:
    """The run of this folder, written down if it is new here."""
    path = folder / RUN
    if not path.exists():
        if run is None:
            raise InvalidInput("resume", f"{folder} holds no run")
        files.write_atomic(path, run.to_json().encode() + b"\n")
        return run
    if not resume:
        raise InvalidInput("out", f"{folder} already holds a run; add --resume to go on, or choose a new folder")
    held = read_run(path)
    if run not in (None, held):
        raise InvalidInput("out", f"{folder} holds another run; choose a new folder")
    return held


def _kept(path: Path, training: Training) -> list[Snapshot]:
    """The snapshots up to the training's step, which must all be there."""
    step, every = training.arena.step, training.every
    rows = [row for row in read_history(path) if row.step <= step]
    if [row.step for row in rows] != list(range(every, step + 1, every)):
        raise InvalidInput("every", f"{path} does not hold a measurement each {every} steps up to step {step:,}")
    return rows


def _table(training: Training) -> bytes:
    """The last samples of all GANs as CSV."""
    axes = ("x", "y", "z")[: training.arena.dim]
    lines = [",".join(("gan", *axes))]
    for k, points in enumerate(training.meter.samples().tolist()):
        lines += [",".join([str(k), *(f"{value:.6g}" for value in point)]) for point in points]
    return "\n".join(lines).encode() + b"\n"
