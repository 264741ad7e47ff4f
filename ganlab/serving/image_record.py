"""What is remembered of one training in the training lab, so that a page that comes late, or after it, sees all."""

import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganlab.run_images import ImageRun
from ganlab.serving.timeline import Timeline

MOST_MOMENTS = 120  # grids on the time line of a branch
MOST_ROWS = 1200
MOST_QUALITY = 300
MOST_SAVED = 8  # moments of a training that can be gone back to
MOST_BRANCHES = 6
Message = dict[str, Any]


@dataclass
class Branch:
    """One line of history: measurements, and grids by step."""

    id: int
    run: ImageRun
    parent: int | None = None
    at: int = 0  # the step at which it left its parent
    rows: Timeline[Message] = field(default_factory=lambda: Timeline(MOST_ROWS))
    quality: Timeline[Message] = field(default_factory=lambda: Timeline(MOST_QUALITY))
    moments: Timeline[bytes] = field(default_factory=lambda: Timeline(MOST_MOMENTS))

    def about(self) -> Message:
        """For the page's list of branches."""
        label = "start" if self.parent is None else f"from step {self.at:,}"
        return {"id": self.id, "parent": self.parent, "at": self.at, "label": label}

    def fork(self, id: int, step: int) -> "Branch":
        """A branch that shares the history up to `step`."""
        parts = self.rows.until(step), self.quality.until(step), self.moments.until(step)
        return Branch(id, self.run.until(step - 1), self.id, step, *parts)


class Record:
    """The history of one training, filled by what its trainer says."""

    def __init__(self, run: ImageRun, folder: Path, room_bytes: int) -> None:
        self.folder, self.room_bytes = folder, room_bytes
        self.branches = {0: Branch(0, run)}
        self.live = 0
        self.saved: dict[tuple[int, int], Path] = {}  # (branch, step) -> folder
        self.messages: dict[str, str] = {}  # the last one of each kind that a late page must know
        self.pictures: dict[str, bytes] = {}
        self.frame: bytes | None = None
        self.step = 0
        self.left: float | None = None  # seconds of training, as the trainer told last

    @property
    def run(self) -> ImageRun:
        """The live branch's run, with the changes so far."""
        return self.branches[self.live].run

    def hear(self, text: str) -> Message:
        """A JSON message of the trainer; returns it."""
        message: Message = json.loads(text)
        kind = message["type"]
        branch = self.branches.get(message.get("branch", self.live), self.branches[self.live])
        if kind == "row":
            branch.rows.add(message["row"]["step"], message["row"])
            self.left = message["seconds"]
        elif kind == "quality":
            branch.quality.add(message["step"], {"step": message["step"], **message["quality"]})
        elif kind == "saved":
            self._saved(message)
        elif kind == "state":
            self.step = message["step"]
            with contextlib.suppress(ValueError):
                branch.run = ImageRun.from_dict(message["run"])
        elif kind == "end":
            self.left = message["seconds"]
        if kind in ("opening", "opened", "state", "unmeasured"):
            self.messages[kind] = text
        return message

    def see(self, letter: bytes, body: bytes) -> Message:
        """A picture of the trainer: its header."""
        size = int.from_bytes(body[:4], "little")
        header: Message = json.loads(body[4 : 4 + size])
        if letter == b"F":
            self.frame, self.step = body, header["step"]
            branch = self.branches.get(header["branch"])
            if branch is not None and branch.moments.wants(header["step"]):
                branch.moments.add(header["step"], body[4 + size :])
        elif header["name"] in ("real", "seen", "rebuilt"):
            self.pictures[header["name"]] = body
        return header

    def everything(self) -> list[str | bytes]:
        """What a page that has just come is told, but for the state of the room."""
        out: list[str | bytes] = [self.messages[kind] for kind in ("opened", "unmeasured") if kind in self.messages]
        out.append(json.dumps(self.branch_list()))
        for branch in self.branches.values():
            rows, quality = ([item for _, item in line.items] for line in (branch.rows, branch.quality))
            out.append(json.dumps({"type": "history", "branch": branch.id, "rows": rows, "quality": quality}))
        out += [self.messages["state"]] if "state" in self.messages else []
        out += self.pictures.values()
        out += [self.frame] if self.frame else []
        return out

    def branch_list(self) -> Message:
        """Branches, the moments on their time lines, and which can be gone back to."""
        moments = {branch.id: [step for step, _ in branch.moments.items] for branch in self.branches.values()}
        saved = {branch: [step for held, step in self.saved if held == branch] for branch in self.branches}
        about = [branch.about() for branch in self.branches.values()]
        return {"type": "branches", "branches": about, "live": self.live, "moments": moments, "saved": saved}

    def moment(self, branch: int, step: int) -> tuple[int, bytes] | None:
        """(step, WebP) of the grid at or before `step`."""
        found = self.branches.get(branch)
        return found.moments.at(step) if found and found.moments.items else None

    def nearest_saved(self, branch: int, step: int) -> tuple[int, int] | None:
        """(branch, step) of the newest saved moment at or before a step, also of the branch that it came from."""
        while branch in self.branches:
            steps = [held for of, held in self.saved if of == branch and held <= step]
            if steps:
                return branch, max(steps)
            here = self.branches[branch]
            if here.parent is None:
                break
            branch, step = here.parent, min(step, here.at)
        return None

    def fork(self, saved: tuple[int, int]) -> Message:
        """A new branch from a saved moment is the live one now; the order to the trainer."""
        of, step = saved
        id = max(self.branches) + 1
        self.branches[id] = self.branches[of].fork(id, step)
        self.live, self.step = id, step
        while len(self.branches) > MOST_BRANCHES:
            oldest = min(known for known in self.branches if known not in (id, of))
            del self.branches[oldest]
        self._fit()
        return {"do": "fork", "branch": id, "run": self.run.to_dict(), "saved": str(self.saved[saved])}

    def _saved(self, message: Message) -> None:
        self.saved[message["branch"], message["step"]] = self.folder / str(message["folder"])
        self._fit()

    def _fit(self) -> None:
        """Drops saved moments beyond what may be kept: those that stand closest to another; the newest stays."""
        while len(self.saved) > 1 and (len(self.saved) > MOST_SAVED or self._bytes() > self.room_bytes):
            keys = sorted(self.saved)
            newest = list(self.saved)[-1]
            gaps = {b: b[1] - a[1] if a[0] == b[0] else b[1] for a, b in zip([(-1, 0), *keys], keys) if b != newest}
            shutil.rmtree(self.saved.pop(min(gaps, key=lambda key: gaps[key])), ignore_errors=True)

    def _bytes(self) -> int:
        return sum(
            path.stat().st_size for folder in self.saved.values() for path in folder.rglob("*") if path.is_file()
        )
