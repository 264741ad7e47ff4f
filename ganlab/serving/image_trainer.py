"""The process that trains one GAN on images: it tells what happens through one pipe, and waits for no one.

It speaks as `ganlab.serving.trainer` does: JSON commands in; out, one letter, an address, and a JSON object ("J"), the
grid of fixed latents ("F") or another picture ("B").
"""

import contextlib
import json
import logging
import os
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # making the first optimizer loads it, which takes seconds: so the fork server does it, once
from torch import Tensor

from ganlab.config import InvalidInput, knob_of
from ganlab.data.images import ImageSet, open_images, pictures
from ganlab.render.pictures import webp
from ganlab.render.sheet import sheet
from ganlab.run_images import ImageGanConfig, ImageRun
from ganlab.serving.trainer import EVERYONE
from ganlab.training.image_loop import GRID, Diverged, ImageTraining
from ganlab.training.quality import QualityMeter

NEVER = 10**9  # steps between measurements of the training's own: here the clock says when
FAKES = 256  # pictures behind each figure of quality,
FEWER = 100  # or so many where a grid takes longer than
SLOW_GRID = 0.3  # seconds
IDLE = 0.5  # seconds between looks at the pipe while paused
TOLD = 20  # files that were left out, by name
TELL = 0.2  # seconds between reports while data is opened
FAILED = "Training had to end: something went wrong inside the trainer ({})."
Order = dict[str, Any]


@dataclass
class Pace:
    """When something that costs time is due: not more often than each `least` s, nor for more than a share of time."""

    least: float
    share: float
    due: float = 0.0

    def done(self, since: float) -> None:
        """It was just made, and begun at `since`."""
        now = time.monotonic()
        self.due = now + max(self.least, (now - since) / self.share)

    @property
    def now(self) -> bool:
        """Whether it is due."""
        return time.monotonic() >= self.due


def main(pipe: Connection, order: Order) -> None:
    """Trains what is ordered until it is stopped or the pipe closes.

    The order: `run`, `uploads` (paths, where the images are a visitor's), `folder` (for saved moments), `branch`,
    `saved` (a folder to go on from), `seconds` (left to train, None: no bound).
    """
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))  # a core is left for the server
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):  # the server is gone: so is the reason to train
        say = Voice(pipe)
        try:
            Work(pipe, say, order).run()
        except InvalidInput as error:
            say("failed", text=sentence(error))
        except MemoryError:
            say("failed", text="The server has too little memory for this; take a smaller resolution or preset.")
        except (EOFError, OSError):
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("a training failed")
            say("failed", text=FAILED.format(type(error).__name__))


class Voice:
    """What the trainer says into its pipe."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def __call__(self, kind: str, to: str = EVERYONE, **values: Any) -> None:
        """A JSON message."""
        text = json.dumps({"type": kind, **values}, separators=(",", ":"), allow_nan=False)
        self.pipe.send_bytes(b"J" + to.encode() + text.encode())

    def picture(self, letter: bytes, pixels: Tensor, to: str = EVERYONE, **header: Any) -> None:
        """Images [N, C, H, W] about in [-1, 1] as one sheet."""
        count, side = len(pixels), pixels.shape[-1]
        columns = header.get("columns") or max(1, round(count**0.5))
        header = {**header, "sections": [], "kind": "image/webp", "count": count, "side": side, "columns": columns}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        body = webp(sheet(pixels, columns))
        self.pipe.send_bytes(letter + to.encode() + len(text).to_bytes(4, "little") + text + body)


class Work:
    """One process's training, and what it was asked for."""

    def __init__(self, pipe: Connection, say: Voice, order: Order) -> None:
        self.pipe, self.say, self.order = pipe, say, order
        self.branch: int = order["branch"]
        self.left: float | None = order["seconds"]
        self.playing, self.over = True, False
        self.frame, self.row = Pace(0.7, 0.15), Pace(0.8, 0.1)
        self.seen, self.saving = Pace(4.0, 0.05), Pace(30.0, 0.06)
        self.quality, self.held_out = Pace(20.0, 0.1), Pace(60.0, 0.05)
        self.shown = 0.0  # seconds that the last grid took
        self.fakes = 0  # behind each figure of quality; chosen at the first
        self._meter: QualityMeter | None = None

    def run(self) -> None:
        """Opens the data, and trains."""
        run = ImageRun.from_dict(self.order["run"])
        self.images = self._opened(run)
        self._begin(run, self.order["saved"])
        start = time.monotonic()
        self.quality.due, self.held_out.due, self.saving.due = start + 20.0, start + 40.0, start + 12.0
        while not self.over:
            self._mail(0.0 if self.playing else IDLE)
            if self.playing and not self.over:
                self._advance()

    def _opened(self, run: ImageRun) -> ImageSet:
        self.due = 0.0

        def tick(done: int, of: int) -> bool:
            if time.monotonic() >= self.due:
                self.say("opening", done=done, of=of)
                self.due = time.monotonic() + TELL
            return True

        paths = self.order["uploads"]
        found = open_images(run.data, tick) if paths is None else pictures([Path(p) for p in paths], run.data, tick)
        self.say(
            "opened",
            title=found.title,
            count=len(found.train),
            held=len(found.valid) if found.valid is not None else 0,
            classes=list(found.classes),
            skipped=[text[:200] for text in found.skipped[:TOLD]],
            skipped_count=len(found.skipped),
        )
        return found

    def _begin(self, run: ImageRun, saved: str | None) -> None:
        """A training at its start, or where it was saved."""
        self.training = ImageTraining(run, every=NEVER, images=self.images)
        if saved:
            self.training.resume(Path(saved))
        shown = self.images.train.get(range(min(GRID, len(self.images.train))))[0]
        self.say.picture(b"B", _unit(shown), name="real", columns=round(GRID**0.5))
        self.state()
        self._show()
        self._augmented()

    def state(self) -> None:
        """Tells what is true."""
        training = self.training
        gan = training.run.gan_at(training.at)
        self.say(
            "state",
            playing=self.playing,
            branch=self.branch,
            step=training.at,
            run=training.run.to_dict(),
            now=gan.to_dict(full=True),
        )

    def _advance(self) -> None:
        """A step, and what is due after it."""
        begun = time.monotonic()
        try:
            self.training.step()
            if self.row.now:
                self._measure()
            if self.frame.now:
                self._show()
            if self.seen.now:
                self._augmented()
            if self.quality.now:
                self._judge()
            if self.images.valid is not None and self.held_out.now:
                begun_look = time.monotonic()
                self._measure(held_out=True)
                self.held_out.done(begun_look)
            if self.saving.now:
                self.save()
        except Diverged as error:
            self._end("diverged", sentence(error))
        if self.left is not None:
            self.left -= time.monotonic() - begun
            if self.left <= 0 and not self.over:
                self.save()
                self._end("limit", "The time that one training may take on this server is over; it was saved.")

    def _end(self, why: str, text: str) -> None:
        self.over = True
        self.say("end", why=why, text=text, seconds=self.left)

    def _measure(self, held_out: bool = False) -> None:
        since = time.monotonic()
        row = self.training.look(held_out).to_dict()
        self.say("row", branch=self.branch, row=row, seconds=self.left)
        self.row.done(since)

    def _show(self) -> None:
        since = time.monotonic()
        training = self.training
        seen = training.at * training.gan.config.batch * training.gan.config.d_steps
        about: Order = {"type": "frame", "branch": self.branch, "step": training.at, "images": seen}
        grid = training.grid()
        self.shown = time.monotonic() - since
        self.say.picture(b"F", grid, **about)
        self.frame.done(since)

    def _augmented(self) -> None:
        since = time.monotonic()
        self.say.picture(b"B", self.training.augmented(GRID), name="seen", step=self.training.at)
        rebuilt = self.training.reconstructions()
        if rebuilt is not None:
            self.say.picture(b"B", rebuilt, name="rebuilt", step=self.training.at)
        self.seen.done(since)

    def _judge(self) -> None:
        """Fréchet distance, precision, recall and copying; of data that is too small, why there are none."""
        since, step = time.monotonic(), self.training.at
        try:
            self.fakes = self.fakes or (FAKES if self.shown < SLOW_GRID else FEWER)  # stays: comparable
            found = self.meter.measure(self.training.grid(self.fakes), self.training.run.seed)
            self.say("quality", branch=self.branch, step=step, quality=found.to_dict())
            self.quality.done(since)
        except InvalidInput as error:
            self.say("unmeasured", text=sentence(error))
            self.quality.due = float("inf")

    @property
    def meter(self) -> QualityMeter:
        """Features of the data, made once."""
        if self._meter is None:
            self._meter = QualityMeter(self.images)
        return self._meter

    def save(self, then: Any = None) -> None:
        """Writes this moment, so that it can be gone back to; `then` comes back with the answer."""
        since, step = time.monotonic(), self.training.at
        folder = Path(self.order["folder"]) / f"{self.branch}-{step:09d}"
        if not folder.exists():
            folder.mkdir()
            self.training.save(folder)
        self.say("saved", branch=self.branch, step=step, folder=folder.name, then=then)
        self.saving.done(since)

    def _mail(self, wait: float) -> None:
        while self.pipe.poll(wait):
            wait = 0.0
            message = json.loads(self.pipe.recv_bytes())
            to = str(message.get("to", EVERYONE))
            try:
                self._obey(message, to)
            except Diverged as error:
                self._end("diverged", sentence(error))
            except InvalidInput as error:
                self.say("error", to, text=sentence(error))
                self.state()
            if self.over:
                return

    def _obey(self, message: Order, to: str) -> None:
        do = message.get("do")
        if do in ("pause", "resume"):
            self.playing = do == "resume"
            if not self.playing:
                self._measure()
                self._show()
            self.state()
        elif do == "set":
            self.training.change(str(message.get("path", "")), message.get("value"))
            self.state()
        elif do == "save":
            self.save(message.get("then"))
        elif do == "stop":
            self.save()
            self._end("stopped", "")
        elif do == "fork":
            self.branch, self.playing = int(message["branch"]), True
            self._begin(ImageRun.from_dict(message["run"]), message["saved"])
        elif do == "nearest":
            self._nearest(message, to)
        else:
            raise InvalidInput("message", "was not understood")

    def _nearest(self, message: Order, to: str) -> None:
        """The training images that are nearest to the pictures of the grid, all of them or one."""
        fakes = self.training.grid()
        found, distance = self.meter.nearest(fakes)
        index = message.get("index")
        if isinstance(index, int) and 0 <= index < len(fakes):
            pair = torch.cat([fakes[index : index + 1].clamp(-1, 1), _unit(found[index : index + 1])])
            usual = float(distance.median())
            about: Order = {"distance": float(distance[index]), "usual": usual, "index": index, "columns": 2}
            self.say.picture(b"B", pair, to, name="pair", step=self.training.at, **about)
        else:
            self.say.picture(b"B", _unit(found), to, name="nearest", step=self.training.at)


def _unit(images: Tensor) -> Tensor:
    """uint8 as [-1, 1]."""
    return (images.float() - 128) / 127.5


def sentence(error: InvalidInput) -> str:
    """What a visitor reads: settings by their titles, not by their names."""
    field = error.field.rpartition(".")[2]
    row = ImageGanConfig.__dataclass_fields__.get(field)
    name = "images" if field in ("path", "name") else error.field
    if row is not None:
        name = knob_of(row).help.split(";")[0]
    text = f"{name}: {error.problem}".rstrip(".")
    return text[:1].upper() + text[1:] + "."
