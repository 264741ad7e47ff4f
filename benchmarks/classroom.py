"""Thirty students at one server: in the editing lab, each with a sentence of their own, and watching a training.

    python benchmarks/classroom.py [--students 1 10 30] [--seconds 10]

Starts the real servers. In the editing lab every student drags the strength of an edit that their sentence has made,
one picture under way at a time. In the training lab one teacher trains a small DCGAN and the others watch; steps per
second with one viewer and with all, in turn.
"""

import argparse
import asyncio
import json
import os
import time
import urllib.request
from typing import Any

import websockets
from editing import NEUTRAL, SENTENCES
from live import cpu, served
from slider import told

STRENGTHS = 10.0  # a drag goes from 0 to this
WISH = {"preset": "dcgan", "resolution": 32, "data": "faces"}


async def editor(line: str, model: str, k: int, end: float, out: dict[str, list[float]]) -> None:
    """One student: the sentence, then the slider."""
    async with websockets.connect(line, max_size=None) as socket:
        begun, recipe = time.perf_counter(), {"model": model, "sources": [{"seed": k}]}
        target = SENTENCES[k % len(SENTENCES)]
        await socket.send(json.dumps({"id": 0, "do": "text", "neutral": NEUTRAL, "target": target, "recipe": recipe}))
        answer = await _json(socket)
        out["text"].append(1000 * (time.perf_counter() - begun))
        one = answer["direction"]
        edit = {"name": one["name"], "space": one["space"], "direction": one["vector"]}
        i = 0
        while time.monotonic() < end:
            i, begun = i + 1, time.perf_counter()
            moved = {**recipe, "edits": [{**edit, "strength": STRENGTHS * (i % 50) / 50}]}
            await socket.send(json.dumps({"id": i, "do": "render", "preview": True, "recipe": moved}))
            await socket.recv()
            out["picture"].append(1000 * (time.perf_counter() - begun))
            await asyncio.sleep(0.016)


async def edited(line: str, model: str, count: int, seconds: float) -> str:
    """All of them at once."""
    out: dict[str, list[float]] = {"text": [], "picture": []}
    end = time.monotonic() + seconds
    await asyncio.gather(*(editor(line, model, k, end, out) for k in range(count)))
    return f"{len(out['picture']) / seconds:.0f} pictures/s; {told(out['picture'])}; a sentence: {told(out['text'])}"


async def _json(socket: "websockets.ClientConnection") -> dict[str, Any]:
    """The next message that is no progress."""
    while True:
        data = await socket.recv()
        if isinstance(data, str) and json.loads(data)["type"] not in ("progress", "tile"):
            return dict(json.loads(data))


class Watcher:
    """A viewer of a training: the pictures that come, and the last step that was told."""

    def __init__(self) -> None:
        self.frames = 0
        self.steps: list[tuple[float, int]] = []

    async def watch(self, line: str, room: str, key: str, end: float) -> None:
        """Until a time."""
        async with websockets.connect(f"{line}?room={room}&key={key}", max_size=None) as socket:
            while time.monotonic() < end:
                try:
                    data = await asyncio.wait_for(socket.recv(), max(0.01, end - time.monotonic()))
                except (TimeoutError, asyncio.TimeoutError):
                    return
                if isinstance(data, bytes):
                    self.frames += 1
                    await socket.send('{"do":"ack"}')
                elif (message := json.loads(data))["type"] == "row":
                    self.steps.append((time.monotonic(), message["row"]["step"]))

    def rate(self) -> float:
        """Steps per second; 0 where none was told."""
        if len(self.steps) < 3:
            return 0.0
        (t0, s0), (t1, s1) = self.steps[1], self.steps[-1]
        return (s1 - s0) / max(1e-9, t1 - t0)


async def watched(line: str, room: dict[str, str], count: int, seconds: float, pid: int) -> str:
    """A teacher and their students."""
    viewers, end, before = [Watcher() for _ in range(count)], time.monotonic() + seconds, cpu(pid)
    await asyncio.gather(
        *(v.watch(line, room["room"], room["key"] if k == 0 else "", end) for k, v in enumerate(viewers))
    )
    frames = sorted(v.frames / seconds for v in viewers)
    share = (cpu(pid) - before) / seconds
    return f"{viewers[0].rate():.2f} steps/s; {frames[0]:.2f} pictures/s at the slowest; server {share:.2f} core"


def started(page: str) -> dict[str, str]:
    """A training's address and key."""
    request = urllib.request.Request(f"{page}/ganlab/train/start", json.dumps(WISH).encode())
    answer = dict(json.load(urllib.request.urlopen(request)))
    assert "room" in answer, answer
    return answer


def main() -> None:
    """Prints a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="faces64")
    parser.add_argument("--students", type=int, nargs="*", default=[1, 10, 30])
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    with served("text_lab") as (page, _):
        line = page.replace("http", "ws", 1) + "/ganlab/studio/socket"
        asyncio.run(edited(line, options.model, 1, 30))  # the CLIP is read
        for count in options.students:
            print(f"editing, {count}: {asyncio.run(edited(line, options.model, count, options.seconds))}", flush=True)
    with served("train_lab") as (page, pid):
        line, room = page.replace("http", "ws", 1) + "/ganlab/train/socket", started(page)
        while "0.00 steps/s" in asyncio.run(watched(line, room, 1, 10, pid)):
            pass  # it opens: real faces are drawn and measured
        for count in (*options.students, 1):
            print(f"watching, {count}: {asyncio.run(watched(line, room, count, options.seconds, pid))}", flush=True)


if __name__ == "__main__":
    main()
