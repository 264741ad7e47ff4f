"""The 2D lab as a visitor uses it, in a real browser against a real server."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from apps.hub import LABS
from ganlab.run import GanConfig, Penalty, Run, from_link, to_link

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
NO_SOCKETS = "window.WebSocket = class { constructor() { throw new Error('blocked'); } };"


def data(page: Page) -> dict[str, Any]:
    """What the lab says of itself: painted frames, step, playing ..."""
    return dict(page.locator(".toy-lab").evaluate("e => ({...e.dataset})"))


def until(page: Page, holds: Callable[[dict[str, Any]], bool], seconds: float = 15) -> dict[str, Any]:
    """Waits until the lab's own figures fulfil a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = data(page)
        if holds(now):
            return now
        page.wait_for_timeout(50)
    pytest.fail(f"did not happen within {seconds} s; now {data(page)}")


def ready(page: Page) -> Page:
    """Waits for the first frame."""
    until(page, lambda d: int(d.get("painted", 0)) > 0, 30)
    return page


def open_run(open_page: Open, server: str, run: Run | None = None, **options: Any) -> Page:
    """The lab with a given run (a small quick one if none is given)."""
    run = run or Run(gans=(GanConfig(name="quick", g_width=16, d_width=16, batch=64),))
    return ready(open_page(f"{server}/toy?run={to_link(run)}", **options))


def play(page: Page, steps: int = 300) -> None:
    page.get_by_role("button", name="Play").click()
    until(page, lambda d: int(d["step"]) >= steps)


def pause(page: Page) -> int:
    page.get_by_role("button", name="Pause").click()
    until(page, lambda d: d["playing"] == "false")
    page.wait_for_timeout(300)
    return int(data(page)["step"])


def says(page: Page, text: str, seconds: float = 5) -> None:
    """The page tells the visitor a sentence with this text."""
    box = page.locator("[data-toy=toast]")
    expect(box).to_be_visible(timeout=1000 * seconds)
    expect(box.locator("span")).to_contain_text(re.compile(re.escape(text), re.IGNORECASE), timeout=1000 * seconds)


def test_experiment_runs_live_and_pauses(open_page: Open, server: str) -> None:
    page = ready(open_page(f"{server}/toy"))
    page.locator(".toy-card").first.click()
    first = until(page, lambda d: int(d["painted"]) > 20 and int(d["step"]) > 0)
    later = until(page, lambda d: int(d["painted"]) >= int(first["painted"]) + 20)
    assert int(later["step"]) > int(first["step"])
    step = pause(page)
    page.wait_for_timeout(400)
    assert int(data(page)["step"]) == step
    page.get_by_role("button", name="Step", exact=True).click()
    until(page, lambda d: int(d["step"]) == step + 1)
    expect(page.locator(".toy-panel .toy-meter").first).to_contain_text("modes")


def test_the_picture_never_freezes_however_quickly_one_clicks(open_page: Open, server: str) -> None:
    page = ready(open_page(f"{server}/toy"))
    cards = page.locator("button.toy-card")
    for i in range(24):
        cards.nth(i % cards.count()).click()
        page.wait_for_timeout(40 * (i % 4))
    for _ in range(8):
        page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Play").click()
    painted = int(until(page, lambda d: d["playing"] == "true", 40)["painted"])
    until(page, lambda d: int(d["painted"]) > painted + 10)


def test_watchers_coming_do_not_disturb_the_run(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    page.get_by_role("button", name="Share", exact=True).click()
    watch = page.locator("[data-toy=watch]").input_value()
    page.keyboard.press("Escape")
    play(page, 100)
    for _ in range(4):
        other = ready(open_page(watch))
        other.close()
    painted = int(data(page)["painted"])
    until(page, lambda d: int(d["painted"]) > painted + 10)


def test_an_ended_run_says_so_and_offers_an_own_one(open_page: Open, server: str) -> None:
    page = open_page(f"{server}/toy?watch=longgone")
    expect(page.locator(".toy-waiting")).to_contain_text("has ended")
    page.get_by_text("Open a run of my own").click()
    ready(page)


def test_branches_stay_in_the_charts_when_one_switches(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    play(page, 400)
    pause(page)
    page.get_by_role("button", name="Fork here").click()
    chips = page.locator("[data-toy=branches] button")
    expect(chips).to_have_count(2)
    for i in (0, 1, 0):
        chips.nth(i).click()
        expect(chips.nth(i)).to_have_class("on")
    until(page, lambda d: d["curves"] == "2")  # charts are drawn every 200 ms


def test_learning_rate_changes_mid_run_and_is_marked(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    play(page)
    page.locator("[data-tab=gan]").click()
    field = page.get_by_label("Learning rate of G", exact=True)
    field.fill("0.0001")
    field.press("Enter")
    expect(page.locator(".toy-mark.event")).to_have_count(1)
    assert "lr g = 0.0001" in str(page.locator(".toy-mark.event").get_attribute("title"))
    before = int(data(page)["step"])
    until(page, lambda d: int(d["step"]) > before + 100)  # it went on


def test_scrub_back_and_fork(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    play(page, 1000)
    end = pause(page)
    page.locator("[data-toy=timeline]").evaluate(
        "e => { e.value = 400; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }"
    )
    at = int(until(page, lambda d: int(d["step"]) < end)["step"])
    assert 200 <= at <= 400
    page.get_by_role("button", name="Fork here").click()
    chips = page.locator("[data-toy=branches] button")
    expect(chips).to_have_count(2)
    assert int(until(page, lambda d: int(d["step"]) == at)["step"]) == at
    page.get_by_role("button", name="Play").click()
    until(page, lambda d: int(d["step"]) > at + 100)
    pause(page)
    chips.first.click()
    until(page, lambda d: int(d["step"]) == end)


def test_share_link_opens_the_same_run(open_page: Open, server: str) -> None:
    run = Run(gans=(GanConfig(name="shared", g_width=16, d_width=16, lr_d=3e-4, loss="lsgan"),), seed=7)
    page = open_run(open_page, server, run)
    page.get_by_role("button", name="Share", exact=True).click()
    link = page.locator("[data-toy=link]").input_value()
    other = ready(open_page(link))
    expect(other.locator(".toy-name span")).to_have_text("shared")
    other.get_by_role("button", name="Share", exact=True).click()
    assert other.locator("[data-toy=link]").input_value() == link
    other.get_by_role("button", name="Show me the Python").click()
    expect(other.locator("[data-toy=python]")).to_contain_text("loss='lsgan'")


@pytest.mark.parametrize("link", ["nonsense", "eJyrVkrLz1eyUlBKSixSqgUAGWUEPw", "A" * 9000])
def test_broken_links_get_a_sentence_and_the_page_lives(open_page: Open, server: str, link: str) -> None:
    page = ready(open_page(f"{server}/toy?run={link}"))
    says(page, "link")
    play(page, 20)


def test_upload_points_and_picture(open_page: Open, server: str, tmp_path: Path) -> None:
    page = open_run(open_page, server)
    page.locator("[data-tab=data]").click()
    page.get_by_text("Upload points or a picture").click()
    rng = np.random.default_rng(0)
    good, bad, picture, empty = (tmp_path / n for n in ("good.csv", "bad.csv", "dark.png", "empty.png"))
    np.savetxt(good, rng.normal(size=(500, 2)), delimiter=",", header="x,y", comments="")
    bad.write_text("x\n1\n2\n")
    Image.fromarray((rng.random((40, 60)) * 255).astype(np.uint8)).save(picture)
    empty.write_bytes(b"")
    points, image = (page.get_by_label(name, exact=True) for name in ("Upload points", "Upload a picture"))
    points.set_input_files(bad)
    says(page, "column")
    expect(page.locator(".toy-density")).to_have_value("ring")  # the run is as it was
    points.set_input_files(good)
    expect(page.locator(".toy-density")).to_have_value("points")
    image.set_input_files(empty)
    says(page, "picture")
    image.set_input_files(picture)
    expect(page.locator(".toy-density")).to_have_value("picture")
    play(page, 50)


def test_draw_with_the_mouse(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    page.locator("[data-tab=data]").click()
    page.get_by_text("Draw your own").click()
    learn = page.get_by_role("button", name="Learn this drawing")
    learn.click()
    says(page, "draw something first")
    box = page.locator(".toy-pad canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 180, steps=12)
    page.mouse.up()
    learn.click()
    expect(page.locator(".toy-density")).to_have_value("drawn")
    play(page, 50)


def test_bad_settings_get_a_sentence_and_change_nothing(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    page.locator("[data-tab=gan]").click()
    field = page.get_by_label("Learning rate of D", exact=False).first
    for wrong in ("0", "1000000000"):
        field.fill(wrong)
        field.press("Enter")
        says(page, "it must be a number from 1e-07 to 1")
        expect(page.get_by_label("Learning rate of D", exact=False).first).not_to_have_value(wrong)
    play(page, 50)


def test_race_grows_and_shrinks(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    page.locator("[data-tab=gan]").click()
    for count in (2, 3):
        page.locator("[data-toy=add]").select_option("wgan_gp")
        expect(page.locator(".toy-panel")).to_have_count(count)
    page.locator(".toy-remove").first.click()
    expect(page.locator(".toy-panel")).to_have_count(2)
    play(page, 30)


def test_regularizers_change_by_name_in_all_gans(open_page: Open, server: str) -> None:
    r1, gp = Penalty("r1", 1.0), Penalty("wgan_gp", 1.0)
    small = {"g_width": 8, "d_width": 8, "batch": 32}
    run = Run(gans=(GanConfig("a", penalties=(r1,), **small), GanConfig("b", penalties=(gp, r1), **small)))  # type: ignore[arg-type]
    page = open_run(open_page, server, run)
    page.locator("[data-tab=gan]").click()
    page.get_by_label("change all GANs").check()
    weight = page.locator(".toy-penalty input[type=number]").first
    weight.fill("7")
    weight.press("Enter")
    page.locator(".toy-add-penalty").select_option("r2")
    expect(page.locator(".toy-penalty")).to_have_count(2)
    expect(page.get_by_label("change all GANs")).to_be_checked()
    page.get_by_role("button", name="Share", exact=True).click()
    gans = from_link(page.locator("[data-toy=link]").input_value().split("run=")[1]).gans
    found = [[(p.name, p.weight) for p in gan.penalties] for gan in gans]
    assert found == [[("r1", 7.0), ("r2", 1.0)], [("wgan_gp", 1.0), ("r1", 7.0), ("r2", 1.0)]]


def test_slow_motion_shows_phase_and_formula(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    page.locator("[data-toy=speed]").select_option("slow")
    page.get_by_role("button", name="Play").click()
    until(page, lambda d: d["phase"] == "d")
    expect(page.locator(".toy-phase")).to_contain_text("D learns, G holds still: minimise")
    until(page, lambda d: d["phase"] == "g")


def test_downloads(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    play(page, 400)
    pause(page)
    page.get_by_role("button", name="Share", exact=True).click()
    for name, magic in (("json", b"{"), ("csv", b"gan,x,y"), ("gif", b"GIF89a"), ("mp4", b"ftyp")):
        with page.expect_download(timeout=60_000) as download:
            page.locator(f"[data-toy={name}]").click()
        content = Path(download.value.path()).read_bytes()
        assert magic in content[:12], name
        if name == "json":
            assert Run.from_dict(json.loads(content)).gans[0].name == "quick"


def trainers() -> set[int]:
    """Process ids of all trainers on this machine."""
    found = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    servers = {int(line.split()[0]) for line in found.splitlines() if "forkserver" in line and "ganlab" in line}
    return {int(line.split()[0]) for line in found.splitlines()[1:] if int(line.split()[1]) in servers}


def gone(pids: set[int], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not pids & trainers():
            return True
        time.sleep(0.05)
    return False


def test_stop_and_closing_the_tab_end_the_trainer_within_two_seconds(open_page: Open, server: str) -> None:
    before = trainers()
    page = open_run(open_page, server)
    play(page, 100)
    mine = trainers() - before
    assert len(mine) == 1
    page.get_by_role("button", name="Stop").click()
    assert gone(mine, 2.0)
    says(page, "Press Play")
    page.get_by_role("button", name="Play").click()  # and it can be started again
    until(page, lambda d: d["playing"] == "true" and int(d["step"]) > 0)
    mine = trainers() - before
    assert len(mine) == 1
    page.close()
    assert gone(mine, 2.0)


def test_a_trainer_that_dies_is_told_and_can_be_started_again(open_page: Open, server: str) -> None:
    before = trainers()
    page = open_run(open_page, server)
    play(page, 50)
    (pid,) = trainers() - before
    os.kill(pid, signal.SIGKILL)
    says(page, "press Play")
    page.get_by_role("button", name="Play").click()
    until(page, lambda d: d["playing"] == "true" and int(d["step"]) > 0)


def test_when_the_server_comes_back_the_run_does_too(chromium: Browser, start_server: Any) -> None:
    page = chromium.new_page()  # not `open_page`: a lost server does write to the console
    with start_server() as address:
        run = Run(gans=(GanConfig(name="lasting", g_width=16, d_width=16, batch=64),), seed=5)
        page.goto(f"{address}/toy?run={to_link(run)}")
        ready(page)
        play(page, 500)
        step = pause(page)
    says(page, "does not answer", 10)
    with start_server(int(address.rsplit(":", 1)[1])):
        until(page, lambda d: int(d["step"]) == step and d["playing"] == "false", 40)
        expect(page.locator(".toy-name span")).to_have_text("lasting")
        page.close()


def test_watchers_see_the_run_and_cannot_change_it(open_page: Open, server: str) -> None:
    page = open_run(open_page, server)
    page.get_by_role("button", name="Share", exact=True).click()
    watch = page.locator("[data-toy=watch]").input_value()
    page.keyboard.press("Escape")
    other = ready(open_page(watch))
    play(page, 200)
    until(other, lambda d: int(d["step"]) >= 200)
    expect(other.locator(".toy-watching")).to_be_visible()
    other.evaluate("document.querySelector('[data-toy=play]').click()")
    says(other, "watching")
    assert data(page)["playing"] == "true"


def test_without_websockets_it_falls_back(open_page: Open, server: str) -> None:
    page = open_run(open_page, server, init=NO_SOCKETS)
    play(page, 200)
    first = data(page)
    until(page, lambda d: int(d["painted"]) > int(first["painted"]) + 20)
    pause(page)


@pytest.mark.parametrize("width", [1366, 390])
def test_nothing_sticks_out_sideways(open_page: Open, server: str, width: int) -> None:
    page = ready(open_page(f"{server}/toy", width=width, height=844))
    page.locator(".toy-card").first.click()
    until(page, lambda d: int(d["step"]) > 50)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for tab in ("data", "gan", "experiments"):
        page.locator(f"[data-tab={tab}]").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hub_leads_to_every_lab(open_page: Open, server: str) -> None:
    page = open_page(server)
    expect(page.locator(".hub-card")).to_have_count(len(LABS))
    page.locator(".hub-card").first.click()
    ready(page)
    page.goto(f"{server}/dirac")
    expect(page.locator("#dirac-portrait .main-svg").first).to_be_visible(timeout=30_000)
