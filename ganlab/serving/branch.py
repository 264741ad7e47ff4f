"""One branch of a room's history: a training and what is remembered of it."""

import copy
import time
from typing import Any

from ganlab.run import Run
from ganlab.serving.frames import Painter, View, pack
from ganlab.serving.timeline import Timeline
from ganlab.training.arena import GUARD
from ganlab.training.gan import State
from ganlab.training.loop import Snapshot, Training
from ganlab.training.measure import Measures, singular_values
from ganlab.training.watch import KINDS, Alarm, Watch

Save = tuple[list[State], dict[int, int], list[Watch]]

MOST_FRAMES = 300
MOST_ROWS = 1500
MOST_ALARMS = 1000
MOST_SAVES = 200
EARLY = 10  # a frame at each of so many steps, a row as long as the run is young; older ones thin out
YOUNG = 100  # steps
SINGULAR_EVERY = 1000  # steps between looks at D's singular values
WIDEST_SINGULAR = 256  # wider matrices take too long for a live view


class Branch:
    """A training with its frames, measurements and saved moments, so that any earlier step can be shown or forked."""

    def __init__(self, id: int, run: Run, history_bytes: int, parent: int | None = None, at: int = 0) -> None:
        self.id, self.parent, self.at = id, parent, at
        self.label = "start" if parent is None else f"from step {at:,}"
        self.training = Training(run)
        self.painter = Painter(self.training.arena)
        self.frames: Timeline[bytes] = Timeline(MOST_FRAMES)
        size = sum(v.numel() * v.element_size() for state in self.training.arena.states() for v in state.values())
        self.saves: Timeline[Save] = Timeline(min(MOST_SAVES, history_bytes // max(3 * size, 1)))
        self.saves.stride = GUARD
        self.rows: Timeline[Snapshot] = Timeline(MOST_ROWS)
        self.alarms: list[Alarm] = []
        self.singular: list[list[list[float]]] | None = None
        self.current: list[Measures] = []
        self.news: list[Snapshot] = []  # rows that no viewer has been told
        self._save()

    @property
    def step(self) -> int:
        """Steps made so far."""
        return self.training.arena.step

    @property
    def run(self) -> Run:
        """The run with the events so far."""
        return self.training.arena.run

    def advance(self, view: View, *, closely: bool = False) -> None:
        """One step; `closely` measures after each, for slow motion."""
        self.half_step(closely)
        self.finish_step(view, closely)

    def half_step(self, closely: bool) -> None:
        """D's half of a step."""
        self.training.arena.d_phase(measure=self.training.due or closely or self._young())

    def finish_step(self, view: View, closely: bool) -> None:
        """G's half, and what follows a finished step: measurement, record, saved moment."""
        due, young = self.training.due, self._young()
        self.training.arena.g_phase()
        if due:
            self.look(view)
        elif closely or young:
            self._glance()
        if (due or closely or self.step % EARLY == 0) and self.frames.wants(self.step):
            self.frames.add(self.step, self.paint(view))
        if self.step % GUARD == 0:
            self._save()

    def look(self, view: View) -> None:
        """Measures and records this step, and asks the watches."""
        if self.step % SINGULAR_EVERY == 0 or self.singular is None:
            narrow = all(c.d_width <= WIDEST_SINGULAR for c in self.run.gans)
            self.singular = singular_values(self.training.arena) if narrow else []
        self._record(self.training.look())
        if self.frames.wants(self.step):
            self.frames.add(self.step, self.paint(view))

    def paint(self, view: View, **more: Any) -> bytes:
        """The frame of this moment."""
        header = {
            "type": "frame",
            "t": time.time(),
            "step": self.step,
            "branch": self.id,
            "gans": [m.to_dict() for m in self.current] or [{} for _ in self.run.gans],
            "on": [sorted(watch.on) for watch in self.training.watches],
            "singular": self.singular,
            **more,
        }
        return pack(header, self.painter.sections(view))

    def repaint(self, step: int, view: View, **more: Any) -> bytes:
        """The frame of an earlier step under another view: replayed, for the record holds pictures only."""
        past = self.fork(self.id, step, 0)
        return past.paint(view, **more)

    def fork(self, id: int, step: int, history_bytes: int) -> "Branch":
        """A new branch that is exactly at `step` of this one: restored from the last saved moment, then replayed."""
        out = Branch(id, self.run.until(step), history_bytes, self.id, step)
        saved, (states, frozen, watches) = self.saves.at(step)
        training = out.training
        training.arena.restore(saved, states, frozen)
        training.watches = copy.deepcopy(watches)
        while training.arena.step < step:
            training.step()
        out.frames, out.saves, out.rows = self.frames.until(step), self.saves.until(step), self.rows.until(step)
        out.alarms = [alarm for alarm in self.alarms if alarm.step <= step]
        out.singular = self.singular
        out.current = training.meter.measure()
        return out

    def history(self) -> dict[str, Any]:
        """All rows and alarms, for a browser that has just come."""
        rows = [row(snapshot) for _, snapshot in self.rows.items]
        return {"type": "history", "branch": self.id, "rows": rows, "alarms": _as_json(self.alarms)}

    def take_news(self) -> dict[str, Any]:
        """The rows and alarms since the last call."""
        news, self.news = self.news, []
        alarms = [alarm for snapshot in news for alarm in snapshot.alarms]
        return {
            "type": "rows",
            "branch": self.id,
            "rows": [row(snapshot) for snapshot in news],
            "alarms": _as_json(alarms),
        }

    def about(self) -> dict[str, Any]:
        """This branch's entry in the list of branches."""
        return {"id": self.id, "parent": self.parent, "at": self.at, "label": self.label, "step": self.step}

    def _young(self) -> bool:
        """Whether the step that comes next is measured because there is little to see yet."""
        return self.step < YOUNG and (self.step + 1) % EARLY == 0

    def _glance(self) -> None:
        """Measures for the charts alone: the watches count measurements, so theirs come at even distances."""
        self._record(Snapshot(self.step, tuple(self.training.meter.measure()), ()))

    def _record(self, snapshot: Snapshot) -> None:
        self.current = list(snapshot.gans)
        self.alarms = [*self.alarms, *snapshot.alarms][-MOST_ALARMS:]
        self.rows.add(self.step, snapshot)
        self.news.append(snapshot)

    def _save(self) -> None:
        if self.saves.wants(self.step):
            arena = self.training.arena
            self.saves.add(self.step, (arena.states(), dict(arena.frozen), copy.deepcopy(self.training.watches)))


CHARTED = (
    "d_loss",
    "g_loss",
    "d_grad",
    "g_grad",
    "covered",
    "high_quality",
    "balance",
    "js",
    "sliced_w",
    "real_score",
    "fake_score",
)


def row(snapshot: Snapshot) -> list[Any]:
    """[step, [values in the order of CHARTED] of each GAN]."""
    gans = [m.to_dict() for m in snapshot.gans]
    return [snapshot.step, [[gan[name] for name in CHARTED] for gan in gans]]


def _as_json(alarms: list[Alarm]) -> list[dict[str, Any]]:
    return [
        {"step": a.step, "gan": a.gan, "kind": a.kind, "tone": KINDS[a.kind], "text": a.text, "why": a.why}
        for a in alarms
    ]
