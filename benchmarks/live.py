"""How live the 2D lab is: training speed with and without a viewer, frames per second, delay, cost of sixty viewers.

    python benchmarks/live.py [--seconds 8] [--viewers 60] [--no-browser]

Starts the real server in a process of its own. "behind" is the age of a frame when it is received or painted, by the
clock that the trainer stamped it with. Training shares are ratios of steps per second, measured in turn.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch
import websockets

from ganlab.presets import PRESETS
from ganlab.run import GanConfig, Run, to_link
from ganlab.serving.limits import Limits
from ganlab.serving.toy_session import ToySession

ROOT = Path(__file__).resolve().parents[1]
EIGHT = ("non_saturating", "vanilla", "lsgan", "wgan_clip", "wgan_gp", "r1", "rpgan_r1r2", "ragan")
RUNS = {
    "one GAN, width 64": Run(gans=(GanConfig(),)),
    "one GAN, width 128": Run(gans=(GanConfig(g_width=128, d_width=128),)),
    "race of eight": Run(gans=tuple(PRESETS[name].gan for name in EIGHT)),
}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SERVE = (
    "if __name__ == '__main__':\n    from apps.{lab} import build\n    from apps.serve import launch\n"
    "    launch(build(), server_port={port}, quiet=True)\n"
)


def headless(run: Run, seconds: float) -> float:
    """Steps per second of the lab's own session with nobody watching."""
    session = ToySession(run, Limits())
    session.command({"do": "play"})
    session.tick(time.monotonic())
    at, start = session.live.step, time.monotonic()
    while time.monotonic() < start + seconds:
        session.tick(time.monotonic())
    return (session.live.step - at) / (time.monotonic() - start)


class Viewer:
    """A WebSocket client that acknowledges each frame as a browser would, at most `rate` a second."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, float, int]] = []  # received at, age, step
        self.room = ""

    async def watch(self, address: str, seconds: float, rate: float, first: list[dict]) -> None:
        """Sends the commands of `first`, then acknowledges frames until the time is over."""
        async with websockets.connect(address, max_size=None) as line:
            for command in first:
                await line.send(json.dumps(command))
            end, due = time.time() + seconds, time.time()
            waiting: list[asyncio.Task[None]] = []
            while time.time() < end:
                try:
                    data = await asyncio.wait_for(line.recv(), end - time.time())
                except (TimeoutError, asyncio.TimeoutError):
                    break
                if isinstance(data, str):
                    message = json.loads(data)
                    self.room = message.get("room", self.room)
                    continue
                now = time.time()
                header = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
                self.frames.append((now, now - header["t"], header["step"]))
                due = max(due + 1 / rate, now)  # a constant rate, as a screen has it
                waiting = [task for task in waiting if not task.done()]
                waiting.append(asyncio.create_task(_acknowledge(line, due - now)))

    def rates(self, skip: float) -> tuple[float, float]:
        """(frames per second, steps per second) after the first `skip` seconds."""
        late = [f for f in self.frames if f[0] > self.frames[0][0] + skip]
        span = max(late[-1][0] - late[0][0], 1e-9)
        return (len(late) - 1) / span, (late[-1][2] - late[0][2]) / span

    def behind(self) -> tuple[float, float]:
        """Median and 95th percentile of the frames' age, ms."""
        ages = sorted(1000 * f[1] for f in self.frames[5:])
        return median(ages), ages[int(0.95 * (len(ages) - 1))]


async def _acknowledge(line: "websockets.ClientConnection", after: float) -> None:
    await asyncio.sleep(after)
    with contextlib.suppress(websockets.ConnectionClosed):
        await line.send('{"do":"ack"}')


def cpu(pid: int) -> float:
    """CPU seconds that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def one_viewer(address: str, run: Run, seconds: float, rate: float) -> Viewer:
    """One viewer who opens a run and plays it."""
    viewer = Viewer()
    await viewer.watch(address, seconds, rate, [{"do": "run", "run": run.to_dict()}, {"do": "play"}])
    return viewer


async def many_viewers(address: str, run: Run, seconds: float, count: int, pid: int) -> None:
    """`count` viewers of one run at 20 frames per second, and what they cost the server."""
    owner = Viewer()
    first = asyncio.create_task(
        owner.watch(address, seconds + 4, 20, [{"do": "run", "run": run.to_dict()}, {"do": "play"}])
    )
    while not owner.room:
        await asyncio.sleep(0.1)
    others = [Viewer() for _ in range(count - 1)]
    tasks = [asyncio.create_task(v.watch(f"{address}?room={owner.room}", seconds + 2, 20, [])) for v in others]
    await asyncio.sleep(2)
    before, start = cpu(pid), time.time()
    await asyncio.sleep(seconds - 1)
    share = (cpu(pid) - before) / (time.time() - start)
    await asyncio.gather(first, *tasks)
    rates = sorted(v.rates(1.5)[0] for v in others)
    p95 = sorted(v.behind()[1] for v in others)[int(0.95 * len(others))]
    print(
        f"| {count} viewers, 20 frames/s asked | slowest {rates[0]:.1f}, median {median(rates):.1f} frames/s | "
        f"behind p95 {p95:.0f} ms | server {share:.2f} core |"
    )


def painted(page_address: str, run: Run, seconds: float) -> str:
    """Frames per second that a real Chromium paints, and their age when painted."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return "no Playwright"
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        page.goto(f"{page_address}/?run={to_link(run)}")
        page.wait_for_function("document.querySelector('.toy-lab')?.dataset.painted > 0")
        page.click("[data-toy=play]")
        page.wait_for_timeout(2000)
        page.evaluate(
            "window.ages = []; const lab = document.querySelector('.toy-lab');"
            "new MutationObserver(() => ages.push(+lab.dataset.behind))"
            ".observe(lab, {attributeFilter: ['data-painted']})"
        )
        page.wait_for_timeout(int(1000 * seconds))
        ages = sorted(page.evaluate("ages"))
        browser.close()
    late = ages[int(0.95 * len(ages))]
    return f"{len(ages) / seconds:.1f} painted frames/s, behind median {median(ages):.0f}, p95 {late} ms"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--viewers", type=int, default=60)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with served() as (page, pid):
        line = page.replace("http", "ws", 1) + "/ganlab/toy/socket"
        _report(page, line, pid, options)


@contextlib.contextmanager
def served(lab: str = "toy_lab") -> Iterator[tuple[str, int]]:
    """A lab alone, in a process of its own: its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp())
    (folder / "serve.py").write_text(SERVE.format(port=port, lab=lab))
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    server = subprocess.Popen(
        [sys.executable, str(folder / "serve.py")], cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    )
    page = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(page, timeout=2)
                break
            except OSError:
                time.sleep(0.3)
        yield page, server.pid
    finally:
        server.terminate()
        shutil.rmtree(folder)


def _report(page: str, line: str, pid: int, options: argparse.Namespace) -> None:
    print("| run | headless steps/s | with a viewer at 30 frames/s | share | frames/s | behind median / p95 ms |")
    print("|---|---|---|---|---|---|")
    for name, run in RUNS.items():
        alone, watched, viewer = [], [], Viewer()
        for _ in range(3):
            alone.append(headless(run, options.seconds / 2))
            viewer = asyncio.run(one_viewer(line, run, options.seconds / 2 + 1, 30))
            watched.append(viewer.rates(1.0)[1])
        share = median(b / a for a, b in zip(alone, watched))
        behind = viewer.behind()
        print(
            f"| {name} | {median(alone):,.0f} | {median(watched):,.0f} | {share:.0%} | {viewer.rates(1.0)[0]:.1f} | "
            f"{behind[0]:.0f} / {behind[1]:.0f} |",
            flush=True,
        )
    print("\n| viewers | frames | delay | cost |\n|---|---|---|---|")
    asyncio.run(many_viewers(line, RUNS["one GAN, width 64"], options.seconds, options.viewers, pid))
    if not options.no_browser:
        print("\n| in Chromium | |\n|---|---|")
        for name in ("one GAN, width 64", "race of eight"):
            print(f"| {name} | {painted(page, RUNS[name], options.seconds)} |", flush=True)


if __name__ == "__main__":
    main()
