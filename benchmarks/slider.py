"""How quickly a picture follows a slider in the image labs: in a real browser, and for many visitors at once.

    python benchmarks/slider.py [--model faces64] [--visitors 1 8 30] [--seconds 6] [--no-browser]

Starts the real server. In the browser a slider is dragged; the time runs from the control's event to the painted
canvas, waiting for the picture before included, and is told with and without the computation of the picture itself.
"""

import argparse
import asyncio
import json
import os
import shutil
import time

import websockets
from live import FLAGS, served

WATCH = """() => {
  window.lags = [];
  const status = document.querySelector("[data-st=status]");
  const note = () => window.lags.push([parseFloat(status.title), parseFloat(status.textContent.split("· ")[1])]);
  new MutationObserver(note).observe(status, { attributes: true, attributeFilter: ["title"] });
}"""


def told(values: list[float]) -> str:
    """Median and 95th percentile."""
    values = sorted(values)
    return f"p50 {values[len(values) // 2]:.0f} ms, p95 {values[int(0.95 * len(values))]:.0f} ms"


def dragged(address: str, model: str, seconds: float, name: str, text: str = "") -> str:
    """Drags a slider in a lab; `text` is written first, in the editing lab."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=path, args=FLAGS).new_page()
        page.goto(address)
        page.wait_for_function("document.querySelector('.studio')?.dataset.settled > 0", timeout=60000)
        page.get_by_label("Model", exact=True).select_option(model)
        if text:
            page.get_by_label("Target text", exact=False).first.fill(text)
            page.keyboard.press("Enter")
        page.wait_for_timeout(10000 if text else 5000)  # the strips are made meanwhile, and what else the lab shows
        page.evaluate(WATCH)
        slider = page.get_by_role("slider", name=name)
        slider.scroll_into_view_if_needed()  # a mouse reaches nothing below the window
        box = slider.bounding_box()
        assert box
        y, end, step = box["y"] + box["height"] / 2, time.monotonic() + seconds, 0
        page.mouse.move(box["x"] + 10, y)
        page.mouse.down()
        while time.monotonic() < end:
            step += 1
            page.mouse.move(box["x"] + 10 + (2 * step) % (box["width"] - 20), y)
            page.wait_for_timeout(16)
        page.mouse.up()
        page.wait_for_timeout(500)
        lags = page.evaluate("window.lags")
    total, net = [lag for lag, _ in lags], [lag - ms for lag, ms in lags]
    return f"{len(lags)} pictures in {seconds:.0f} s; {told(total)}; without computation {told(net)}"


async def visitor(line: str, model: str, k: int, seconds: float, out: list[float]) -> None:
    """One page that drags, one picture under way at a time."""
    async with websockets.connect(line, max_size=None) as socket:
        end, i = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            i, began = i + 1, time.perf_counter()
            recipe = {"model": model, "sources": [{"seed": k}], "psi": i % 100 / 100}
            await socket.send(json.dumps({"id": i, "do": "render", "preview": True, "recipe": recipe}))
            await socket.recv()
            out.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.016)


async def crowd(line: str, model: str, count: int, seconds: float) -> str:
    """Many visitors who all drag."""
    out: list[float] = []
    await asyncio.gather(*(visitor(line, model, k, seconds, out) for k in range(count)))
    return f"{len(out) / seconds:.0f} pictures/s; {told(out)}"


def main() -> None:
    """Prints a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="faces64")
    parser.add_argument("--visitors", type=int, nargs="*", default=[1, 8, 30])
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    with served("truncation_lab") as (address, _):
        if not options.no_browser:
            lags = dragged(address, options.model, options.seconds, "psi ψ")
            print(f"{options.model}, truncation's slider to screen: {lags}")
        line = address.replace("http", "ws", 1) + "/ganlab/studio/socket"
        for count in options.visitors:
            print(f"{count} visitors who drag: {asyncio.run(crowd(line, options.model, count, options.seconds))}")
    if not options.no_browser:
        with served("text_lab") as (address, _):
            lags = dragged(address, options.model, options.seconds, "alpha", "a person with red hair")
            print(f"{options.model}, a text edit's slider to screen: {lags}")


if __name__ == "__main__":
    main()
