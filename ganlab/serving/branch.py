"""One branch of a room's history: a training and what is remembered of it."""

import time
from typing import Any

from ganlab.run import Run
from ganlab.serving.frames import Painter, View, pack
from ganlab.serving.timeline import Timeline
from ganlab.training.arena import GUARD
from ganlab.training.gan import State
from ganlab.training.loop import Snapshot, Training
from ganlab.training.measure import Measures, singular_values
from ganlab.training.watch import KINDS

Save = tuple[list[State], dict[int, int]]

MOST_FRAMES = 300
MOST_ROWS = 1500
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
        self.saves: Timeline[Save] = Timeline(min(200, history_bytes // max(3 * size, 1)))
        self.saves.stride = GUARD
        self.rows: Timeline[Snapshot] = Timeline(MOST_ROWS)
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
        arena = self.training.arena
        due = self.training.due
        arena.d_phase(measure=due or closely)
        arena.g_phase()
        self.after_step(view, due, closely)

    def after_step(self, view: View, due: bool, closely: bool) -> None:
        """What follows a finished step: measurement, record, saved moment."""
        if due:
            self.look(view)
        elif closely:
            self.current = self.training.meter.measure()
        if self.step % GUARD == 0:
            self._save()

    def look(self, view: View) -> None:
        """Measures and records this step."""
        if self.step % SINGULAR_EVERY == 0 or self.singular is None:
            narrow = all(c.d_width <= WIDEST_SINGULAR for c in self.run.gans)
            self.singular = singular_values(self.training.arena) if narrow else []
        snapshot = self.training.look()
        self.current = list(snapshot.gans)
        self.rows.add(self.step, snapshot)
        self.news.append(snapshot)
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
            "singular": self.singular,
            **more,
        }
        return pack(header, self.painter.sections(view))

    def fork(self, id: int, step: int, history_bytes: int) -> "Branch":
        """A new branch that is exactly at `step` of this one: restored from the last saved moment, then replayed."""
        out = Branch(id, self.run.until(step), history_bytes, self.id, step)
        saved, (states, frozen) = self.saves.at(step)
        arena = out.training.arena
        arena.restore(saved, states, frozen)
        arena.advance(step - saved)
        out.frames, out.saves, out.rows = self.frames.until(step), self.saves.until(step), self.rows.until(step)
        for at, snapshot in out.rows.items:
            for watch, m in zip(out.training.watches, snapshot.gans, strict=True):
                watch.look(at, m)
        out.current = list(out.rows.items[-1][1].gans) if out.rows.items else []
        return out

    def history(self) -> dict[str, Any]:
        """All rows and alarms, for a browser that has just come."""
        return {"type": "history", **self._told([snapshot for _, snapshot in self.rows.items])}

    def take_news(self) -> dict[str, Any]:
        """The rows and alarms since the last call."""
        news, self.news = self.news, []
        return {"type": "rows", **self._told(news)}

    def about(self) -> dict[str, Any]:
        """This branch's entry in the list of branches."""
        return {"id": self.id, "parent": self.parent, "at": self.at, "label": self.label, "step": self.step}

    def _told(self, snapshots: list[Snapshot]) -> dict[str, Any]:
        return {
            "branch": self.id,
            "rows": [row(snapshot) for snapshot in snapshots],
            "alarms": [alarm for snapshot in snapshots for alarm in alarms(snapshot)],
        }

    def _save(self) -> None:
        if self.saves.wants(self.step):
            arena = self.training.arena
            self.saves.add(self.step, (arena.states(), dict(arena.frozen)))


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


def alarms(snapshot: Snapshot) -> list[dict[str, Any]]:
    """A snapshot's alarms as JSON."""
    return [
        {"step": a.step, "gan": a.gan, "kind": a.kind, "tone": KINDS[a.kind], "text": a.text, "why": a.why}
        for a in snapshot.alarms
    ]
