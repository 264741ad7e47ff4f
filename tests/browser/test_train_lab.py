"""The training lab as a visitor uses it: own images, a minute of training, the result in the latent lab."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
Open = Callable[..., Page]
PHONE = {"width": 390, "height": 844}
NO_SOCKETS = "window.WebSocket = class { constructor() { throw new Error('blocked'); } };"


def data(page: Page) -> dict[str, Any]:
    """What the lab says of itself: status, step, painted."""
    return dict(page.locator(".train").evaluate("e => ({...e.dataset})"))


def until(page: Page, holds: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
    """Waits until the lab's own figures fulfil a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = data(page)
        if holds(now):
            return now
        page.wait_for_timeout(100)
    pytest.fail(f"did not happen within {seconds} s; now {data(page)}")


def own_images(folder: Path, count: int) -> list[str]:
    """Discs of different colours."""
    y, x = np.mgrid[:64, :64]
    for i in range(count):
        pixels = np.full((64, 64, 3), 230, np.uint8)
        pixels[(x - 32) ** 2 + (y - 32) ** 2 < (12 + i) ** 2] = (25 * i, 90, 250 - 25 * i)
        Image.fromarray(pixels).save(folder / f"disc-{i}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return [str(path) for path in sorted(folder.glob("*.png"))]


def start_own(page: Page, folder: Path, count: int = 10) -> None:
    """Uploads images and starts the quick preset on them."""
    page.locator("[data-name=folder]").click()
    page.locator("[data-tr=pick]").set_input_files(own_images(folder, count))
    expect(page.locator("[data-tr=files-text]")).to_contain_text(f"{count + 1} images sent", timeout=20000)
    page.get_by_text("More settings").click()
    page.locator("[data-tr=batch]").select_option("8")
    page.locator("[data-tr=start]").click()
    until(page, lambda d: int(d.get("painted", 0)) >= 2, 120)


def test_ten_images_are_trained_on_for_a_minute_and_explored(open_page: Open, server: str, tmp_path: Path) -> None:
    page = open_page(f"{server}/train")
    start_own(page, tmp_path)
    begun = time.monotonic()
    expect(page.locator("[data-tr=skipped]")).to_contain_text("1 file was skipped")
    expect(page.locator("[data-tr=status]")).to_contain_text("10 images")
    page.locator("[data-tr=fake]").click(position={"x": 30, "y": 30})
    expect(page.locator("[data-tr=pair-text]")).to_contain_text("most like it", timeout=40000)
    page.reload()  # the training does not end with the page
    until(page, lambda d: int(d.get("step", 0)) >= 8 and d["status"] == "training", 120)
    page.wait_for_timeout(max(0, 1000 * (40 - (time.monotonic() - begun))))
    slider = page.locator("[data-tr=time]")
    slider.evaluate("e => { e.value = 2; e.dispatchEvent(new Event('input')); }")
    until(page, lambda d: d.get("moment") is not None and int(d["moment"]) <= 2)
    page.locator("[data-tr=now]").click()
    page.locator("[data-tr=explore]").click()
    page.wait_for_url("**/latent?recipe=*", timeout=60000)
    page.wait_for_function("Number(document.querySelector('.studio')?.dataset.settled || 0) > 0", timeout=60000)
    chosen = page.locator("[data-st=model] option:checked")
    expect(chosen).to_contain_text("step")
    spread = page.locator("[data-st=now]").evaluate(
        "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " return Math.max(...d.filter((_, i) => i % 4 === 0)) - Math.min(...d.filter((_, i) => i % 4 === 0)); }"
    )
    assert spread > 20  # a picture, not one grey
    page.goto(f"{server}/train")
    until(page, lambda d: d.get("status") == "training")
    page.locator("[data-tr=stop]").click()
    until(page, lambda d: d["status"] == "ended")


def test_pause_change_fork_and_go_on_on_a_phone(open_page: Open, server: str, tmp_path: Path) -> None:
    page = open_page(f"{server}/train", **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    start_own(page, tmp_path, 4)
    rate = page.locator("[data-tr=knobs] input[type=number]").first
    rate.fill("7")
    rate.press("Enter")
    toast = page.locator("[data-tr=toast] span")
    expect(toast).to_contain_text("Learning rate of G: 7 is out of range", timeout=20000)
    expect(rate).to_have_value("0.002")
    page.locator("[data-tr=play]").click()
    step = int(until(page, lambda d: d["status"] == "paused")["step"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("[data-tr=stop]").click()
    until(page, lambda d: d["status"] == "ended")
    page.locator("[data-tr=fork]").click()
    until(page, lambda d: d["status"] == "training" and int(d["step"]) > step, 90)
    expect(page.locator("[data-tr=branch]")).to_contain_text("from step")
    page.locator("[data-tr=new]").click()
    page.locator("[data-tr=new]").click()
    expect(page.locator("[data-tr=setup]")).to_be_visible()


def test_a_gan_about_classes_begins_with_some(open_page: Open, server: str) -> None:
    page = open_page(f"{server}/train")
    labels = page.locator("[data-tr=labels]")
    expect(labels).to_have_value("")
    page.locator("[data-tr=preset]").select_option("acgan")
    expect(labels).to_have_value("hairstyle")
    expect(page.locator("[data-tr=preset-text]")).to_contain_text("Odena")
    page.locator("[data-tr=preset]").select_option("stylegan1")  # knows none
    expect(labels).to_have_value("")


def test_problems_are_told_and_inputs_kept(open_page: Open, server: str, tmp_path: Path) -> None:
    page = open_page(f"{server}/train")
    page.locator("[data-name=folder]").click()
    page.locator("[data-tr=start]").click()
    problem = page.locator("[data-tr=problem]")
    expect(problem).to_contain_text("choose some of your own")
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    page.locator("[data-tr=pick]").set_input_files([str(path)])
    expect(page.locator("[data-tr=files-text]")).to_contain_text("1 image sent")
    page.locator("[data-tr=start]").click()
    expect(page.locator("[data-tr=status]")).to_contain_text("none of the images can be used", timeout=60000)
    page.locator("[data-tr=new]").click()
    expect(page.locator("[data-tr=files-text]")).to_contain_text("1 image sent")


def test_without_websockets_it_trains_too(open_page: Open, server: str, tmp_path: Path) -> None:
    page = open_page(f"{server}/train", init=NO_SOCKETS)
    start_own(page, tmp_path, 4)
    page.locator("[data-tr=stop]").click()
    until(page, lambda d: d["status"] == "ended")
