"""The process that trains for one room: it reads commands and sends frames through one pipe, and waits for no one.

To it: JSON objects, each a command, or {"do": "want"} (a viewer could use a frame), or {"do": "hello"} (one has come);
`to` names who asked. From it: one letter, an address of `ADDRESS` characters, and a JSON object ("J"), a frame ("F") or
another binary message ("B"). JSON and small integers only: neither side unpickles what the other sends. The pipe's
closing ends the process.
"""

import contextlib
import json
import time
from multiprocessing.connection import Connection
from typing import Any

import torch

from ganlab.config import InvalidInput
from ganlab.run import Run
from ganlab.serving.limits import Limits
from ganlab.serving.toy_session import Reply, ToySession

IDLE = 1.0  # seconds between looks at the pipe while paused
ROWS = 0.25  # seconds after which measurements are told even if nobody wants a frame (a hidden tab)
ADDRESS = 8  # characters of a viewer's address
EVERYONE = "-" * ADDRESS
PRIVATE = ("error", "python", "file")  # answers that concern only the one who asked
FAILED = "Something went wrong inside the trainer; the run is as it was"


def main(pipe: Connection, run: dict[str, Any], limits: Limits) -> None:
    """Serves one room until the pipe closes."""
    torch.set_num_threads(1)  # two threads are slower than one on networks this small
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):  # the server is gone: so is the reason to train
        serve(pipe, ToySession(Run.from_dict(run), limits), 1 / limits.frames_per_second)


def serve(pipe: Connection, session: ToySession, interval: float) -> None:
    """The loop: mail, training, frames. A frame is made only when one is wanted and something has changed."""
    wanted, due, told, wait = False, 0.0, 0.0, 0.0
    while True:
        while pipe.poll(wait):
            message = json.loads(pipe.recv_bytes())
            wait = 0.0
            if message.get("do") == "want":
                wanted = True
            else:
                _tell(pipe, answer(session, message), str(message.get("to", EVERYONE)))
        pause, replies = _tick(session)
        _tell(pipe, replies)
        now = time.monotonic()
        send_frame = wanted and session.dirty and now >= due
        if session.has_news and (send_frame or now >= told + ROWS):
            _tell(pipe, [session.news()])
            told = now
        if send_frame:
            pipe.send_bytes(b"F" + EVERYONE.encode() + session.frame())
            wanted, due = False, max(due + interval, now)  # keeps the beat where a slice of training was late
        wait = IDLE if pause is None else pause
        if wanted and session.dirty:
            wait = min(wait, max(0.0, due - now))


def answer(session: ToySession, message: dict[str, Any]) -> list[Reply]:
    """The replies to one command; whatever goes wrong becomes a sentence."""
    if message.get("do") == "hello":
        session.dirty = True
        return [{**reply, "private": True} for reply in session.everything()]
    try:
        return session.command(message)
    except InvalidInput as error:
        text = str(error)
    except Exception as error:  # a fault of ours: the visitor's run must not end with it
        text = f"{FAILED} ({type(error).__name__})"
    # the state goes along so that a form shows again what is true
    return [{"type": "error", "text": text[:1].upper() + text[1:] + "."}, session.state()]


def _tick(session: ToySession) -> tuple[float | None, list[Reply]]:
    """One slice of training; a fault of ours pauses it with a sentence."""
    try:
        return session.tick(time.monotonic())
    except Exception as error:
        session.playing = False
        text = f"Training had to pause: something went wrong inside the trainer ({type(error).__name__})."
        return None, [{"type": "error", "text": text}, session.state()]


def _tell(pipe: Connection, replies: list[Reply], to: str = EVERYONE) -> None:
    for reply in replies:
        private = reply.pop("private", False) or reply["type"] in PRIVATE
        address = (to if private else EVERYONE).encode()
        data = reply.pop("data", None)
        text = json.dumps(reply, separators=(",", ":"), allow_nan=False).encode()
        if data is None:
            pipe.send_bytes(b"J" + address + text)
        else:
            text += b" " * (-len(text) % 4)
            pipe.send_bytes(b"B" + address + len(text).to_bytes(4, "little") + text + data)
