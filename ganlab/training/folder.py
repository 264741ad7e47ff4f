"""A training that lives in a folder and survives a kill: `run.json`, `history.jsonl`, checkpoints, what it leaves.

Nothing in the folder depends on the clock or on interruptions: a training that was stopped, killed and resumed at any
moments leaves the same bytes as one that was not.
"""

import contextlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

from ganlab import files
from ganlab.config import JSON_LIMIT, InvalidInput
from ganlab.run import Run
from ganlab.run_images import ImageRun
from ganlab.training.image_loop import ImageSnapshot
from ganlab.training.loop import Snapshot

RUN, HISTORY = "run.json", "history.jsonl"
LONGEST = 100_000_000  # steps
GRACE = 3.0  # seconds to reach the next moment that can be saved, once asked to stop
AnyRun = Run | ImageRun
AnySnapshot = Snapshot | ImageSnapshot


@runtime_checkable
class Trainable(Protocol):
    """What a folder needs of a training: `loop.Training` of toy GANs, `image_loop.ImageTraining` of one for images."""

    quantum: int  # states can be saved at its multiples
    every: int  # steps between measurements
    snapshot_class: Any

    @property
    def run(self) -> Any:
        """The run with the events so far."""

    @property
    def at(self) -> int:
        """Steps made."""

    def step(self) -> Any:
        """Makes a step; a snapshot where one is due."""

    def save(self, folder: Path) -> None:
        """Writes a checkpoint."""

    def resume(self, folder: Path) -> None:
        """Goes to the newest good checkpoint of the run in `folder`, where there is one."""

    def recall(self, snapshot: Any) -> None:
        """Hears of a measurement that was made before a resumption."""

    def leave(self, folder: Path) -> None:
        """What a finished training leaves behind."""


class RunFolder:
    """An open folder and the training in it; made by `opened`."""

    def __init__(self, folder: Path, training: Trainable, history: IO[bytes]) -> None:
        self.folder, self.training, self._history = folder, training, history

    def go(self, steps: int, save_every: int, tick: Callable[[int], bool]) -> Iterator[Any]:
        """Trains until `steps` are made in all; yields each snapshot once it is written.

        `tick(step)` is called after every step; once it returns True the training saves and ends. A state is saved
        each `save_every` steps, a multiple of the training's quantum; the last steps of a training that ends elsewhere
        are made again when it is resumed.
        """
        training, deadline = self.training, math.inf
        while training.at < steps:
            snapshot = training.step()
            if snapshot:
                self._history.write(_line(snapshot))
                self._history.flush()
                yield snapshot
            if tick(training.at):
                deadline = min(deadline, time.monotonic() + GRACE)
            stopping, whole = deadline < math.inf, training.at % training.quantum == 0
            if whole and (stopping or training.at % save_every == 0 or training.at == steps):
                self.save()
            if (stopping and whole) or time.monotonic() > deadline:
                return
        training.leave(self.folder)

    def change(self, path: str, value: object) -> None:
        """A change of the run, from the next step on; it stands in `run.json` before it is made."""
        changed = self.training.run.changed(self.training.at, path, value)
        files.write_atomic(self.folder / RUN, _text(changed))
        self.training.change(path, value)  # type: ignore[attr-defined]

    def save(self) -> None:
        """Writes a checkpoint; the history up to it is on the disk first."""
        os.fsync(self._history.fileno())
        self.training.save(self.folder)


@contextlib.contextmanager
def opened(folder: Path, run: AnyRun | None, make: Callable[[Any], Trainable], *, resume: bool) -> Iterator[RunFolder]:
    """The folder with `run` in it, new or (with `resume`) where its newest good checkpoint is.

    `run` None takes the run that the folder holds; `make` turns it into a training. Raises `InvalidInput` if the
    folder is in use, holds another run, or holds one although `resume` is not asked for.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.only_writer(folder))
        except BlockingIOError:
            raise InvalidInput("out", f"another training writes into {folder}") from None
        files.sweep(folder)
        training = make(claimed(folder, run, resume))
        training.resume(folder)
        rows = _kept(folder / HISTORY, training)
        files.write_atomic(folder / HISTORY, b"".join(map(_line, rows)))
        for row in rows:
            training.recall(row)
        yield RunFolder(folder, training, stack.enter_context(open(folder / HISTORY, "ab")))


@contextlib.contextmanager
def beside(folder: Path, run: AnyRun | None, make: Callable[[Any], Trainable]) -> Iterator[RunFolder]:
    """The folder of a training that several processes share, for those that write nothing."""
    training = make(run or read_run(folder / RUN))
    training.resume(folder)
    with tempfile.TemporaryFile() as nowhere:
        yield RunFolder(folder, training, nowhere)


def checked_pace(steps: int, every: int, save_every: int, quantum: int) -> None:
    """Raises `InvalidInput` for numbers of steps that make no sense."""
    for name, value, least in (("steps", steps, 1), ("every", every, 1), ("save-every", save_every, quantum)):
        if not least <= value <= LONGEST:
            raise InvalidInput(name, f"{value} is out of range; it must be a whole number from {least} to {LONGEST}")
    if save_every % quantum:
        raise InvalidInput("save-every", f"{save_every} is not a multiple of {quantum}")


def read_run(path: Path) -> AnyRun:
    """The run in a JSON file, of toy GANs or (with a `gan`) of one for images; `InvalidInput` if it is broken."""
    try:
        with open(path, "rb") as file:
            text = file.read(4 * JSON_LIMIT + 1).decode(errors="replace")
    except OSError as error:
        raise InvalidInput("run", f"{path} cannot be read: {error.strerror}") from None
    with contextlib.suppress(ValueError, RecursionError):
        data = json.loads(text) if len(text) <= JSON_LIMIT else None
        if isinstance(data, dict) and "gan" in data:
            return ImageRun.from_json(text)
    return Run.from_json(text)


def read_history(path: Path, kind: Any = Snapshot) -> list[Any]:
    """The snapshots in a history, up to the first line that is not whole."""
    rows = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            rows.append(kind.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            break
    return rows


def claimed(folder: Path, run: AnyRun | None, resume: bool) -> AnyRun:
    """The run of this folder, written down if it is new here."""
    path = folder / RUN
    if not path.exists():
        if run is None:
            raise InvalidInput("resume", f"{folder} holds no run")
        files.write_atomic(path, _text(run))
        return run
    if not resume:
        raise InvalidInput("out", f"{folder} already holds a run; add --resume to go on, or choose a new folder")
    held = read_run(path)
    if run not in (None, held):
        raise InvalidInput("out", f"{folder} holds another run; choose a new folder")
    return held


def _kept(path: Path, training: Trainable) -> list[Any]:
    """The snapshots up to the training's step, which must all be there."""
    step, every = training.at, training.every
    rows = [row for row in read_history(path, training.snapshot_class) if row.step <= step]
    if [row.step for row in rows] != list(range(every, step + 1, every)):
        raise InvalidInput("every", f"{path} does not hold a measurement each {every} steps up to step {step:,}")
    return rows


def _text(run: AnyRun) -> bytes:
    """A run as its file holds it; one for images with all its settings, so that it can be told from the other kind."""
    if isinstance(run, ImageRun):
        return json.dumps(run.to_dict(full=True), indent=1).encode() + b"\n"
    return run.to_json().encode() + b"\n"


def _line(snapshot: AnySnapshot) -> bytes:
    return json.dumps(snapshot.to_dict(), separators=(",", ":")).encode() + b"\n"
