"""The 2D lab of one room: takes commands, advances the training, paints frames. Knows no process, no socket."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ganlab.config import InvalidInput, replaced
from ganlab.data.toy2d import DataConfig
from ganlab.data.uploads import read_drawing
from ganlab.losses import LOSSES
from ganlab.presets import EXPERIMENTS, PRESETS
from ganlab.regularizers import REGULARIZERS
from ganlab.render.film import film
from ganlab.run import MOST_GANS, PENALTY_EDITS, GanConfig, Run, from_link, is_live, to_link
from ganlab.serving.branch import CHARTED, Branch
from ganlab.serving.frames import View, unpack
from ganlab.serving.limits import Limits
from ganlab.training.draws import generator
from ganlab.training.script import as_python

SLICE = 0.008  # seconds of training between two looks at the mailbox
PHASE = 0.9  # seconds that slow motion shows each half of a step
EVENT = re.compile(r"^events\.\d+\.")
FARTHEST = 100_000  # steps that a link may ask to be trained before it shows anything
CLOSE = 25  # steps per second up to which every step is measured
Reply = dict[str, Any]


class ToySession:
    """State of one room. `command` answers with messages, `tick` trains a little, `frame` shows.

    Nothing a command gets wrong changes anything: it raises `InvalidInput`, and the run goes on as it was.
    """

    def __init__(self, run: Run, limits: Limits) -> None:
        self.limits = limits
        self.view = View()
        self.playing = False
        self.speed: float | str = "max"
        self.scrubbed: tuple[int, bytes] | None = None  # an earlier step and its frame, shown instead of the newest
        self.phase = ""  # "d" or "g" while slow motion shows half a step
        self.dirty = True
        self.used = 0.0  # seconds of training in this room
        # counts changes of data and race, to match frames with scenes; another trainer counts from elsewhere
        self.scenes = int(time.time())
        self.target: int | None = None  # a step to reach at full speed, then to wait
        self.rate = 0.0
        self._next = 0.0
        self._counted = (time.monotonic(), 0)
        self._begin(run)

    @property
    def live(self) -> Branch:
        """The branch that trains."""
        return self.branches[self._live]

    def command(self, message: dict[str, Any]) -> list[Reply]:
        """Carries out one command of `COMMANDS`; the replies are for all viewers of the room."""
        name = message.get("do")
        if not isinstance(name, str) or name not in COMMANDS:
            raise InvalidInput("do", "is not a command of this lab")
        replies = COMMANDS[name](self, message)
        self.dirty = True
        return replies

    def tick(self, now: float) -> tuple[float | None, list[Reply]]:
        """Trains for a slice of time. Returns after how many seconds to come again (None: when told), and messages."""
        if not self.playing:
            return None, []
        told = self._over_limit()
        if told:
            self.playing = False
            return None, [{"type": "notice", "text": told}, self.state()]
        if self.speed == "max" or self.target is not None:
            end = now + SLICE
            while time.monotonic() < end and self.live.step != self.target:
                self.live.advance(self.view)
        elif now < self._next:
            return self._next - now, []
        elif self.speed == "slow":
            self._half_step()
            self._next = now + PHASE
        else:
            assert isinstance(self.speed, float)
            self.live.advance(self.view, closely=self.speed <= CLOSE)
            self._next = max(self._next + 1 / self.speed, now)
        self.used += time.monotonic() - now
        self.dirty = True
        self._count(now)
        if self.live.step == self.target:
            self.target, self.playing = None, False
            return None, [self.state()]
        return 0.0, []

    def frame(self) -> bytes:
        """The newest frame, or the earlier one that a viewer scrubbed to."""
        self.dirty = False
        if self.scrubbed is not None:
            return self.scrubbed[1]
        more = {"playing": self.playing, "phase": self.phase, "rate": round(self.rate, 1), "scene": self.scenes}
        return self.live.paint(self.view, **more)

    @property
    def has_news(self) -> bool:
        """Whether there are measurements that viewers have not been told."""
        return bool(self.live.news)

    def news(self) -> Reply:
        """These measurements."""
        return self.live.take_news()

    def state(self) -> Reply:
        """Everything about the room but pictures and measurements."""
        live = self.live
        return {
            "type": "state",
            "run": live.run.to_dict(full=True),
            "now": [c.to_dict(full=True) for c in live.training.arena.configs],
            "link": to_link(live.run),
            "step": live.step,
            "playing": self.playing,
            "speed": self.speed,
            "view": self.view.to_dict(full=True),
            "branch": live.id,
            "branches": [b.about() for b in self.branches.values()],
            "scrubbed": self.scrubbed is not None,
            "formulas": [[LOSSES[c.loss].formula_d, LOSSES[c.loss].formula_g] for c in live.training.arena.configs],
        }

    def everything(self) -> list[Reply]:
        """What a new viewer needs before its first frame."""
        return [self.scene(), self.state(), *(branch.history() for branch in self.branches.values())]

    def scene(self) -> Reply:
        """The data's picture."""
        return {"type": "scene", "number": self.scenes, "charted": CHARTED, **self.live.painter.scene()}

    def _begin(self, run: Run) -> None:
        """A new run from step 0; the old one stays if the new one cannot be made."""
        branch = Branch(0, run, self.limits.history_bytes)
        self.branches: dict[int, Branch] = {0: branch}
        self._live, self._made = 0, 1
        self.scrubbed, self.phase, self.target = None, "", None
        self.playing = False
        self.scenes += 1
        branch.look(self.view)

    def _over_limit(self) -> str | None:
        most, seconds = self.limits.most_steps, self.limits.most_seconds
        if most is not None and self.live.step >= most:
            return (
                f"This server trains at most {most:,} steps: the run has ended. Start another, or run ganlab at home."
            )
        if seconds is not None and self.used >= seconds:
            return f"This server trains at most {seconds:,.0f} seconds at a time: reload the page to go on."
        return None

    def _half_step(self) -> None:
        if self.phase != "d":
            self.live.half_step(closely=True)
            self.phase = "d"
        else:
            self.live.finish_step(self.view, closely=True)
            self.phase = "g"

    def _whole_step(self) -> None:
        """Ends the step that slow motion stands in the middle of."""
        if self.phase == "d":
            self._half_step()
        self.phase = ""

    def _count(self, now: float) -> None:
        since, at = self._counted
        if self.live.step < at or now - since > 1.0:
            self.rate = max(0, self.live.step - at) / max(now - since, 1e-9)
            self._counted = (now, self.live.step)

    # commands

    def _play(self, message: Reply) -> list[Reply]:
        self.playing, self.scrubbed, self._next, self.target = True, None, 0.0, None
        self._counted = (time.monotonic(), self.live.step)
        return [self.state()]

    def _pause(self, message: Reply) -> list[Reply]:
        self.playing = False
        return [self.state()]

    def _step(self, message: Reply) -> list[Reply]:
        middle = self.phase == "d"
        self._whole_step()
        self.playing, self.scrubbed = False, None
        if self._over_limit() is None and not middle:
            self.live.advance(self.view, closely=True)
        return [self.state()]

    def _speed(self, message: Reply) -> list[Reply]:
        value = message.get("value")
        if value not in ("max", "slow") and not (isinstance(value, int | float) and 0.1 <= value <= 10_000):
            raise InvalidInput("speed", 'must be "max", "slow" or from 0.1 to 10000 steps per second')
        self._whole_step()
        self.speed, self._next = value if isinstance(value, str) else float(value), 0.0
        return [self.state()]

    def _set(self, message: Reply) -> list[Reply]:
        path, value, gan = message.get("path"), message.get("value"), message.get("gan")
        if not isinstance(path, str):
            raise InvalidInput("path", "must name a setting")
        if gan is not None and (not isinstance(gan, int) or not 0 <= gan < len(self.live.run.gans)):
            raise InvalidInput("gan", f"must be from 0 to {len(self.live.run.gans) - 1}")
        self._whole_step()
        if is_live(path) and self.live.step > 0:
            try:
                return self._change(path, value, gan)
            except InvalidInput as error:  # the visitor knows settings, not events
                raise InvalidInput(EVENT.sub("", error.field), error.problem) from None
        gans = self._settings()
        chosen = range(len(gans)) if gan is None else [gan]
        gans = tuple(replaced(c, path, value) if k in chosen else c for k, c in enumerate(gans))
        return self._restart(self._anew(gans=gans), f"{path.replace('_', ' ')} was changed")

    def _regularize(self, message: Reply) -> list[Reply]:
        """Adds, removes or tunes one regularizer by its name: where it stands differs from GAN to GAN."""
        name, edit, gan = message.get("name"), message.get("edit"), message.get("gan")
        if not isinstance(name, str) or name not in REGULARIZERS or edit not in PENALTY_EDITS:
            raise InvalidInput("regularizer", "there is no such regularizer or edit")
        now = self._settings() if self.scrubbed is None else self.live.run.gans_at(self.scrubbed[0])
        replies: list[Reply] = []
        for k, config in enumerate(now):
            before = config.to_dict(full=True)["penalties"]
            after = PENALTY_EDITS[edit](before, name, {str(message.get("setting")): message.get("value")})
            if after != before and gan in (None, k):
                replies += self._set({"path": "penalties", "value": after, "gan": k})
        return replies or [self.state()]

    def _change(self, path: str, value: object, gan: int | None) -> list[Reply]:
        """A change while it trains; one made while looking at an earlier step branches off there."""
        if self.scrubbed is None:
            self.live.training.arena.change(path, value, gan)
            return [self.state()]
        step = self.scrubbed[0]
        self.live.run.until(step).changed(step, path, value, gan)  # before anything is branched for it
        replies = self._fork({"step": step})
        self.live.training.arena.change(path, value, gan)
        told = f"The change starts a new branch at step {step:,}, which you were looking at. Press Play to follow it."
        return [*replies, self.state(), {"type": "notice", "text": told}]

    def _settings(self) -> tuple[GanConfig, ...]:
        """The GANs as they are set now: what a new start begins with, so that no live change is lost."""
        return self.live.training.arena.configs

    def _anew(self, **changes: Any) -> Run:
        """The run with today's settings from the first step on, and some changes."""
        return replace(self.live.run, **{"gans": self._settings(), "events": (), **changes})

    def _restart(self, run: Run, why: str = "") -> list[Reply]:
        started = self.live.step > 0
        self._begin(run)
        note = [{"type": "notice", "text": f"{why}: the run starts again."}] if why and started else []
        return [*self.everything(), *note]

    def _run(self, message: Reply) -> list[Reply]:
        run = from_link(message["link"]) if isinstance(message.get("link"), str) else Run.from_dict(message.get("run"))
        step = self._step_of(message) or 0
        replies = self._restart(run)
        self.target, self.playing = min(step, FARTHEST) or None, step > 0
        return [*replies, self.state()] if step else replies

    def _experiment(self, message: Reply) -> list[Reply]:
        name = message.get("name")
        if not isinstance(name, str) or name not in EXPERIMENTS:
            raise InvalidInput("experiment", "there is none of that name")
        return self._restart(EXPERIMENTS[name].run)

    def _data(self, message: Reply) -> list[Reply]:
        return self._restart(self._anew(data=DataConfig.from_dict(message.get("data"))))

    def _seed(self, message: Reply) -> list[Reply]:
        return self._restart(replaced(self._anew(), "seed", message.get("value")))

    def _reset(self, message: Reply) -> list[Reply]:
        return self._restart(self._anew())

    def _add(self, message: Reply) -> list[Reply]:
        name, gans = message.get("preset"), self._settings()
        if not isinstance(name, str) or name not in PRESETS:
            raise InvalidInput("preset", "there is none of that name")
        if len(gans) >= MOST_GANS:
            raise InvalidInput("gans", f"a race has at most {MOST_GANS} GANs; remove one first")
        return self._restart(self._anew(gans=(*gans, PRESETS[name].gan)))

    def _remove(self, message: Reply) -> list[Reply]:
        gan, gans = message.get("gan"), self._settings()
        if not isinstance(gan, int) or not 0 <= gan < len(gans):
            raise InvalidInput("gan", f"must be from 0 to {len(gans) - 1}")
        if len(gans) == 1:
            raise InvalidInput("gans", "a race needs at least one GAN; add another before you remove this one")
        return self._restart(self._anew(gans=tuple(c for k, c in enumerate(gans) if k != gan)))

    def _scrub(self, message: Reply) -> list[Reply]:
        step = self._step_of(message)
        if step is None:
            self.scrubbed = None
        else:
            self._whole_step()
            self.playing = False
            self.scrubbed = self.live.frames.at(step)
        return [self.state()]

    def _fork(self, message: Reply) -> list[Reply]:
        step = self._step_of(message)
        self._whole_step()
        if len(self.branches) >= self.limits.most_branches:
            raise InvalidInput("fork", f"there are {len(self.branches)} branches already; start a new run first")
        step = self.live.step if step is None else min(step, self.live.step)
        branch = self.live.fork(self._made, step, self.limits.history_bytes)
        self.branches[branch.id] = branch
        self._live, self._made = branch.id, self._made + 1
        self.playing, self.scrubbed = False, None
        return [self.state(), branch.history()]

    def _branch(self, message: Reply) -> list[Reply]:
        id = message.get("id")
        if not isinstance(id, int) or id not in self.branches:
            raise InvalidInput("branch", "there is none of that number")
        self._whole_step()
        self._live, self.scrubbed, self.playing = id, None, False
        return [self.state(), self.live.history()]

    def _view(self, message: Reply) -> list[Reply]:
        self.view = View.from_dict(message.get("view"))
        if self.scrubbed is not None:
            step = self.scrubbed[0]
            self.scrubbed = step, self.live.repaint(step, self.view, scene=self.scenes)
        return [self.state()]

    def _draw(self, message: Reply) -> list[Reply]:
        return self._restart(self._anew(data=read_drawing(message.get("points"))))

    def _python(self, message: Reply) -> list[Reply]:
        return [{"type": "python", "text": as_python(self.live.run, self.live.step)}]

    def _points(self, message: Reply) -> list[Reply]:
        arena, run = self.live.training.arena, self.live.run
        sets = [("real", arena.density.sample(2500, generator(run.seed, "csv")))]
        sets += [(c.name, x) for c, x in zip(run.gans, self.live.training.meter.samples(), strict=True)]
        head = "gan,x\n" if arena.dim == 1 else "gan,x,y\n"
        lines = [
            f'"{name}",' + ",".join(f"{v:.6g}" for v in point) for name, points in sets for point in points.tolist()
        ]
        return [_file("points.csv", "text/csv", (head + "\n".join(lines) + "\n").encode())]

    def _film(self, message: Reply) -> list[Reply]:
        kind = message.get("kind")
        if kind not in ("gif", "mp4"):
            raise InvalidInput("film", "must be gif or mp4")
        frames = [unpack(frame) for _, frame in self.live.frames.items]
        names = [c.name for c in self.live.run.gans]
        data = film(frames, names, self.live.painter.scene(), kind)
        return [_file(f"ganlab.{kind}", "image/gif" if kind == "gif" else "video/mp4", data)]

    def _step_of(self, message: Reply) -> int | None:
        step = message.get("step")
        if step is not None and (not isinstance(step, int) or isinstance(step, bool) or step < 0):
            raise InvalidInput("step", "must be a whole number of at least 0")
        return step


def _file(name: str, kind: str, data: bytes) -> Reply:
    return {"type": "file", "name": name, "kind": kind, "data": data}


COMMANDS: dict[str, Callable[[ToySession, Reply], list[Reply]]] = {
    "play": ToySession._play,
    "pause": ToySession._pause,
    "step": ToySession._step,
    "speed": ToySession._speed,
    "set": ToySession._set,
    "regularize": ToySession._regularize,
    "run": ToySession._run,
    "experiment": ToySession._experiment,
    "data": ToySession._data,
    "seed": ToySession._seed,
    "reset": ToySession._reset,
    "add": ToySession._add,
    "remove": ToySession._remove,
    "scrub": ToySession._scrub,
    "fork": ToySession._fork,
    "branch": ToySession._branch,
    "draw": ToySession._draw,
    "view": ToySession._view,
    "python": ToySession._python,
    "points": ToySession._points,
    "film": ToySession._film,
}
