"""Workers, which make the draws of a study. Each may be killed at any moment: its draw is made again by another.

All draws wait in Optuna's storage from the start, so that workers together make the asked number and no more. A draw
that is made carries its worker's id, host, process, and a time stamp that is renewed; where the worker is seen to be
dead, the draw is failed without a reason, and a new one with the same settings waits in its place. Optuna's own
heartbeats do that for databases only, and not before minutes have passed.
"""

import contextlib
import os
import platform
import shutil
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.run_images import ImageRun
from ganlab.studies.book import LOCKS, Book, the_optuna
from ganlab.studies.outcome import FAILURES, Outcome, outcomes
from ganlab.studies.settings import StudyConfig, suggested, with_settings
from ganlab.training.draws import seed_of

REPORTS = 10  # measurements of a draw that a pruner hears of
BEAT = 20.0  # seconds between time stamps
GRACE = 180.0  # seconds without one, after which a worker of another machine is taken for dead
POLL = 0.3  # seconds between looks at what others do
MOST_DEATHS = 3  # of workers at one draw, which then is the draw's fault
DIED = "the process that made it died, {} times"


@dataclass(frozen=True)
class Told:
    """A draw that was made, and how far the study is."""

    preset: str
    draw: int  # from 0
    objective: float | None  # None: it failed
    note: str  # why it failed, that it was pruned, or figures
    settled: int  # draws of all presets
    draws: int
    left: float  # seconds, about, at the pace of all workers


@dataclass(frozen=True)
class Worker:
    """One process of a study."""

    folder: Path
    id: str
    host: str
    pid: int

    def about(self) -> dict[str, Any]:
        """As a draw carries it."""
        return {"worker": self.id, "host": self.host, "pid": self.pid, "started": time.time()}


def work(book: Book, tell: Callable[[Told], None], device: torch.device | str = "cpu") -> None:
    """Makes draws until all of the study are made; waits for those of other workers, lest these die."""
    began, before = time.monotonic(), None
    if not any(isinstance(run, ImageRun) for run in book.runs.values()):
        torch.set_num_threads(1)  # two threads are slower than one on networks this small
    with _worker(book.folder) as worker:
        while True:
            left = {preset: _repaired(study, book.config.draws, worker) for preset, study in book.studies.items()}
            total = book.config.draws * len(left)
            settled = total - sum(row.unsettled for row in left.values())
            before = settled if before is None else before
            if settled == total:
                return
            preset = next((preset for preset, row in left.items() if row.waiting), None)
            if preset is None:
                time.sleep(POLL)
                continue
            made = _made(book, preset, worker, device)
            if made is not None:
                settled = sum(len(of_study(study)) for study in book.studies.values())  # others went on, too
                pace = (time.monotonic() - began) / max(settled - before, 1)
                tell(Told(preset, *made, settled, total, pace * (total - settled)))


def of_study(study: Any) -> list[Any]:
    """The draws that count: made, pruned, or failed for a reason of their own; each once, in their order."""
    rows: dict[int, Any] = {}
    for trial in study.get_trials(deepcopy=False):
        if _settled(trial):
            rows.setdefault(trial.user_attrs["draw"], trial)
    return [rows[draw] for draw in sorted(rows)]


@contextlib.contextmanager
def _worker(folder: Path) -> Iterator[Worker]:
    """A worker with a lock of its own, which the system frees when the process dies."""
    name = uuid.uuid4().hex[:12]
    with files.only_writer(folder / LOCKS / name):
        yield Worker(folder, name, platform.node(), os.getpid())
    shutil.rmtree(folder / LOCKS / name, ignore_errors=True)


@dataclass(frozen=True)
class _Left:
    unsettled: int
    waiting: int


def _repaired(study: Any, draws: int, worker: Worker) -> _Left:
    """Fails draws of dead workers, and lets every draw wait that neither is made nor being made.

    May be done by several workers at once: of two draws with one number that wait, the later is dropped in `_made`.
    """
    states = the_optuna().trial.TrialState
    lost: dict[int, dict[str, Any]] = {}  # settings of draws that were begun
    there, settled, waiting = set(), set(), 0
    for trial in study.get_trials(deepcopy=False):
        draw = trial.user_attrs.get("draw")
        if trial.state == states.RUNNING and _dead(trial, worker):
            with contextlib.suppress(the_optuna().exceptions.UpdateFinishedTrialError):  # another was quicker
                study.tell(trial.number, state=states.FAIL, skip_if_finished=True)
        elif not _lost(trial) and draw is not None:
            there.add(draw)
            waiting += trial.state == states.WAITING
            settled |= {draw} if _settled(trial) else set()
            continue
        if draw is not None:
            lost[draw] = {**lost.get(draw, {}), **trial.params}
    for draw in sorted(set(range(draws)) - there):
        study.enqueue_trial(lost.get(draw, {}), user_attrs={"draw": draw})
        waiting += 1
    return _Left(draws - len(settled), waiting)


def _made(book: Book, preset: str, worker: Worker, device: torch.device | str) -> tuple[int, float | None, str] | None:
    """Makes the next draw that waits: its number, objective and a note; None if it was another worker's after all."""
    optuna, study = the_optuna(), book.studies[preset]
    states = optuna.trial.TrialState
    trial = study.ask()
    draw = trial.user_attrs.get("draw")
    same = [t for t in study.get_trials(deepcopy=False) if t.user_attrs.get("draw") == draw and t.number < trial.number]
    if draw is None or not all(map(_lost, same)):
        study.tell(trial, state=states.FAIL)
        return None
    try:
        trial.set_user_attr("by", worker.about())
        try:
            deaths = sum("by" in t.user_attrs and "stopped" not in t.user_attrs for t in same)
            if deaths >= MOST_DEATHS:
                raise InvalidInput("draw", DIED.format(deaths))
            with _beating(trial):
                outcome = _trained(book, preset, trial, draw, device)
        except FAILURES as error:
            why = str(error) if isinstance(error, InvalidInput) else f"{type(error).__name__}: {error}"[:300]
            trial.set_user_attr("why", why)
            study.tell(trial, state=states.FAIL)
            return draw, None, why
        except BaseException as error:
            with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                if not isinstance(error, Exception):
                    trial.set_user_attr("stopped", True)
                study.tell(trial, state=states.FAIL, skip_if_finished=True)
            raise
        if outcome is None:
            study.tell(trial, state=states.PRUNED)
            return draw, None, "pruned"
        trial.set_user_attr("figures", outcome.figures)
        study.tell(trial, outcome.objective)
        return draw, outcome.objective, told_figures(outcome.figures)
    except optuna.exceptions.UpdateFinishedTrialError:  # this process slept, and was taken for dead
        return None


def _trained(book: Book, preset: str, trial: Any, draw: int, device: torch.device | str) -> Outcome | None:
    """Draws settings and trains with them; None if the pruner ended it."""
    config, base = book.config, book.runs[preset]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", the_optuna().exceptions.ExperimentalWarning)
        trial.study.sampler = _sampler(config, preset, draw)
    run = with_settings(base, suggested(trial, base, book.spaces[preset]))
    trial.set_user_attr("run", run.to_dict(full=True))
    count = 1 if config.pruner == "none" else min(REPORTS, config.steps)
    stops = [-(-config.steps * i // count) for i in range(1, count + 1)]
    outcome = None
    for index, outcome in enumerate(outcomes(run, stops, device), 1):
        if index < count:
            trial.report(outcome.objective, index)
            if trial.should_prune():
                return None
    return outcome


def _sampler(config: StudyConfig, preset: str, draw: int) -> Any:
    """A sampler for one draw, so that what is drawn does not depend on which process draws it."""
    samplers, seed = the_optuna().samplers, seed_of(config.seed, preset, draw) % 2**32
    if config.sampler == "random":
        return samplers.RandomSampler(seed)
    return samplers.TPESampler(seed=seed, constant_liar=True)  # the liar: others' unfinished draws count as bad


def told_figures(figures: dict[str, Any]) -> str:
    """Figures beside an objective, in a few words."""
    parts = [f"{figures['covered']}/{figures['modes']} modes"] if "covered" in figures else []
    parts += [f"{name} {figures[name]:.2f}" for name in ("precision", "recall") if name in figures]
    return ", ".join(parts)


@contextlib.contextmanager
def _beating(trial: Any) -> Iterator[None]:
    """Renews the draw's time stamp while its GAN trains."""
    over = threading.Event()

    def beat() -> None:
        with contextlib.suppress(the_optuna().exceptions.UpdateFinishedTrialError):
            while not over.wait(BEAT):
                trial.set_user_attr("beat", time.time())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _settled(trial: Any) -> bool:
    """Whether a draw is made and not to be made again."""
    return "draw" in trial.user_attrs and trial.state.is_finished() and not _lost(trial)


def _lost(trial: Any) -> bool:
    """Whether it failed without a reason of its own."""
    return trial.state.name == "FAIL" and "why" not in trial.user_attrs


def _dead(trial: Any, worker: Worker) -> bool:
    """Whether the worker that makes this draw lives no more."""
    by = trial.user_attrs.get("by", {})
    lock = worker.folder / LOCKS / by.get("worker", "none")
    if by.get("host") == worker.host and lock.exists():
        try:
            with files.only_writer(lock):
                return True
        except BlockingIOError:
            return False
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - max(began, trial.user_attrs.get("beat", 0.0)) > GRACE
