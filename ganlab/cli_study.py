"""The command `study`: a GAN many times over, with settings drawn from ranges."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import torch
import tyro

from ganlab.config import InvalidInput
from ganlab.nn.devices import device_named
from ganlab.studies import STUDY, Book, Range, StudyConfig, Told, opened, work

DEFAULT = StudyConfig()
MOST_PROCESSES = 64
HELPER = "GANLAB_STUDY_HELPER"  # set in processes that another one started, and that leave the report to it


@dataclass(frozen=True)
class Study:
    """Train systems many times with settings drawn from ranges, and tell the best draws and what mattered.

    After Lucic et al. 2018 (random search) and Kurach et al. 2019 (Bayesian optimisation). It can be stopped, killed
    and gone on with: `ganlab study --out FOLDER`. The same command on other machines that see the folder, or with
    --storage, helps.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]  # the study; one that is there already is gone on with
    presets: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="NAME ...", help="systems of one GAN that `ganlab presets` lists, compared side by side"),
    ] = DEFAULT.presets
    data: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None  # what they learn, as `train --data`
    labels: str = ""  # images: classes to learn
    ranges: Annotated[
        tuple[str, ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(
            name="range",
            metavar="PATH=RANGE",
            help="a setting to draw, as lr_g=1e-5:1e-2:log, beta1=0:0.9, d_steps=1,2,5 or penalties.0.weight=0.1:10:log"
            "; may be repeated. Without any: learning rates, beta1, d_steps, batch and weights of penalties",
        ),
    ] = ()
    draws: int = DEFAULT.draws  # draws for each preset
    steps: int = DEFAULT.steps  # steps that each trains for
    sampler: Literal["random", "bayesian"] = "random"  # how settings are drawn; bayesian: TPE
    pruner: Literal["none", "median", "halving"] = "none"  # what ends bad draws early
    seed: int = 0  # decides the draws, and is the seed of each run
    processes: int = 1  # that share the work on this machine
    storage: Annotated[
        str | None, tyro.conf.arg(metavar="URL", help="a database, as sqlite:///x.db, in place of a journal in --out")
    ] = None
    device: str = "auto"  # images: cpu, cuda, mps, or auto
    report: bool = False  # only tell what was found so far

    def main(self) -> int:
        """Makes the draws that are missing and tells what was found; 130 if Ctrl-C ended it."""
        if not 1 <= self.processes <= MOST_PROCESSES:
            raise InvalidInput("processes", f"{self.processes} is out of range; from 1 to {MOST_PROCESSES}")
        book = opened(self.out, self.wanted(), self.storage)
        if self.report:
            return _told(book)
        try:
            with _terminable(), self._helpers():
                work(book, _tell, device_named(self.device))
        except KeyboardInterrupt:
            if HELPER not in os.environ:
                print("\nStopped; the same command goes on from here.", file=sys.stderr)
            return 130
        return _told(book)

    def wanted(self) -> StudyConfig | None:
        """The study that the options describe; None where they name none and the folder holds one."""
        ours = {field.name for field in fields(StudyConfig)} - {"database"}
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name in ours}
        as_ever = all(getattr(self, field.name) == field.default for field in fields(self) if field.name in ours)
        if as_ever and (self.report or (self.out / STUDY).exists()):
            return None
        return StudyConfig(**{**given, "ranges": tuple(map(Range.from_text, self.ranges))})

    @contextlib.contextmanager
    def _helpers(self) -> Iterator[None]:
        """The other processes, which end with this one."""
        threads = max(1, (os.cpu_count() or 1) // self.processes)
        command = [sys.executable, "-m", "ganlab", "study", "--out", str(self.out), "--device", self.device]
        command += ["--storage", self.storage] if self.storage else []
        others = []
        if self.processes > 1:
            torch.set_num_threads(threads)
        try:
            for _ in range(self.processes - 1):
                env = {**os.environ, "OMP_NUM_THREADS": str(threads), HELPER: "1"}
                others.append(subprocess.Popen(command, env=env))
            yield
            for other in others:
                other.wait()
        finally:
            for other in others:
                other.terminate()
                other.wait()


def _tell(told: Told) -> None:
    value = "failed" if told.objective is None else f"{told.objective:.4g}"
    if told.note == "pruned":
        value, note = "pruned", ""
    else:
        note = f"  {told.note}" if told.note else ""
    minutes, seconds = divmod(int(told.left), 60)
    share = f"{told.settled:>4} of {told.draws}"
    print(f"{share}  {told.preset} draw {told.draw}: {value}{note} | {minutes}:{seconds:02} left", flush=True)


def _told(book: Book) -> int:
    if HELPER in os.environ:
        return 0
    from ganlab.studies.report import CHARTS, written  # plotly is slow to import

    print(f"\n{written(book)}\n{book.folder / CHARTS}")
    return 0


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Ends in good order on SIGTERM, too: the draw that is being made waits again."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before: Any = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
