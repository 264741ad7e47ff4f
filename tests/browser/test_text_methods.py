"""The other two ways of a text, as a visitor uses them: optimization and mappers, with a made-up embedding for CLIP."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from ganlab.config import to_link
from ganlab.recipe import Recipe
from tests.browser import conftest
from tests.browser.conftest import free_port, serving
from tests.browser.test_studio import changes, painted, pixels, recipe_of, saved, settled
from tests.browser.test_text_lab import STAND_IN, fits, write_plain
from tests.tiny_models import write_model

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
LONG = 120_000  # ms; a run on a busy machine


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hub's address."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("atiny", "btiny"):
        write_model(folder, name, resolution=16)
    write_plain(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANLAB_MODELS", str(folder))
        patch.setattr(conftest, "SERVE", STAND_IN + conftest.SERVE)
        with serving(tmp_path_factory.mktemp("serve"), free_port()) as address:
            yield address


def lab(open_page: Open, hub: str, method: str, steps: int) -> Page:
    """The editing lab with a text, one of its methods, and a budget."""
    page = open_page(f"{hub}/text?recipe={to_link(Recipe('atiny'))}")
    painted(page, 0)
    page.get_by_role("button", name=method, exact=True).click()
    page.get_by_label("Target text: what it should show").fill("a red thing")
    page.get_by_label("Neutral text: what the picture shows").fill("a thing")
    field = page.get_by_label(re.compile("^How long it")).locator("visible=true")
    field.fill(str(steps))
    field.blur()
    return page


def edits(page: Page) -> Locator:
    return page.locator(".studio-edit b")


def follows(page: Page, old: str) -> str:
    """Waits until the first edit has another direction; the new one."""
    for _ in range(60):
        new = str(recipe_of(page)["edits"][0]["direction"])
        if new != old:
            return new
        page.wait_for_timeout(250)
    raise AssertionError("the mapper did not follow")


def test_optimization_is_live_stopped_and_its_way_is_walked(open_page: Open, hub: str) -> None:
    page = lab(open_page, hub, "Optimization", 1000)
    first = pixels(page)
    page.get_by_label(re.compile("^Where it begins")).select_option("picture")
    page.get_by_role("button", name="Start", exact=True).click()
    live = page.locator(".studio-live:visible")
    expect(live).to_contain_text(re.compile(r"step [1-9]\d* of 1000"), timeout=LONG)
    page.wait_for_function(  # the large picture moves while it runs
        "old => document.querySelector('[data-st=now]').toDataURL() !== old", arg=first.decode(), timeout=LONG
    )
    expect(edits(page)).to_have_count(0)
    expect(live.locator("canvas").first).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(edits(page)).to_have_text(["red thing"], timeout=LONG)
    expect(page.locator(".studio-block [role=status]").first).to_contain_text("Stopped at step")
    end = recipe_of(page)["edits"][0]
    assert end["strength"] == 1 and end["space"] == "w"
    along = page.get_by_role("slider", name="along the way")
    changes(page, lambda: along.fill("0.5"))
    halfway = recipe_of(page)["edits"]
    assert len(halfway) == 1 and halfway[0]["direction"] != end["direction"]
    assert changes(page, lambda: along.fill("0")) == first
    page.get_by_role("button", name="Start", exact=True).click()  # again, in place of the first
    expect(live).to_contain_text(re.compile(r"step [1-9]\d* of 1000"), timeout=LONG)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible(timeout=LONG)
    expect(edits(page)).to_have_count(1)


def test_optimization_begins_at_the_direction_that_fits(open_page: Open, hub: str) -> None:
    page = lab(open_page, hub, "Optimization", 10)
    page.get_by_role("button", name="Direction", exact=True).click()
    learn, fit = (page.get_by_role("button", name=name) for name in ("Learn this model", "Fit strength"))
    expect(learn.or_(fit)).to_be_visible(timeout=LONG)
    if learn.is_visible():  # another test may have done it
        learn.click()
        expect(edits(page)).to_have_count(1, timeout=LONG)
        page.get_by_role("button", name="Clear", exact=True).click()
    expect(edits(page)).to_have_count(0)
    page.get_by_role("button", name="Optimization", exact=True).click()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(edits(page)).to_have_text(["red thing", "red thing"], timeout=LONG)
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible(timeout=LONG)
    direction, way = recipe_of(page)["edits"]
    assert direction["space"] == "s" and way["space"] == "w" and way["strength"] == 1


def test_a_mapper_is_trained_applied_and_follows_the_picture(open_page: Open, hub: str) -> None:
    page = lab(open_page, hub, "Mapper", 10)
    page.get_by_role("button", name="coarse", exact=True).click()
    apply = page.get_by_role("button", name="Apply to this picture")
    expect(apply).to_be_disabled()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(apply).to_be_enabled(timeout=LONG)
    expect(page.get_by_alt_text("Other pictures, before above")).to_be_visible()
    expect(page.locator(".studio-method:visible")).to_contain_text("“a red thing”: middle and fine layers, 10 steps")
    changes(page, apply.click)
    expect(edits(page)).to_have_text(["red thing"])
    old = recipe_of(page)["edits"][0]["direction"]
    n = settled(page)
    page.get_by_role("button", name="Random", exact=True).click()
    painted(page, n)
    new = follows(page, old)
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Undo").click()  # each picture keeps its own step, and the history its length
    page.wait_for_timeout(500)
    assert recipe_of(page)["edits"][0]["direction"] == old
    page.get_by_role("button", name="Redo").click()
    page.wait_for_timeout(500)
    assert recipe_of(page)["edits"][0]["direction"] == new
    apply.click()
    expect(edits(page)).to_have_count(1)
    file = saved(page, page.get_by_role("button", name="Save mapper").click)
    opener = page.get_by_label("Open mapper")
    opener.set_input_files({"name": "x.safetensors", "mimeType": "", "buffer": file[:100]})
    told = page.locator(".studio-block [role=status]").first
    expect(told).to_contain_text("This file is not a mapper", timeout=LONG)
    page.locator("[data-st=model]").select_option("btiny")
    expect(apply).to_be_disabled(timeout=LONG)
    opener.set_input_files({"name": "m.safetensors", "mimeType": "", "buffer": file})
    expect(told).to_contain_text("another model", timeout=LONG)  # same weights, another file
    page.locator("[data-st=model]").select_option("atiny")
    expect(page.locator("[data-st=model]")).to_have_value("atiny")
    opener.set_input_files({"name": "m.safetensors", "mimeType": "", "buffer": file})
    expect(apply).to_be_enabled(timeout=LONG)
    page.set_viewport_size({"width": 390, "height": 844})
    assert fits(page)


def test_what_is_missing_is_said(open_page: Open, hub: str) -> None:
    page = lab(open_page, hub, "Mapper", 10)
    told = page.locator(".studio-block [role=status]").first
    for name in ("coarse", "middle", "fine"):
        page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(told).to_contain_text("at least one of coarse, middle and fine", timeout=LONG)
    page.get_by_role("button", name="Optimization", exact=True).click()
    expect(told).to_be_hidden()
    page.get_by_label("Target text: what it should show").fill("")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(told).to_contain_text("The target text is empty", timeout=LONG)
    page.locator("[data-st=model]").select_option("plain")
    expect(told).to_contain_text("no style space", timeout=LONG)
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()


def test_a_double_click_on_start_does_not_stop(open_page: Open, hub: str) -> None:
    page = lab(open_page, hub, "Optimization", 10)
    page.get_by_label(re.compile("^Where it begins")).select_option("picture")
    page.get_by_role("button", name="Start", exact=True).dblclick()
    expect(edits(page)).to_have_count(1, timeout=LONG)
    expect(page.locator(".studio-live:visible")).to_contain_text("step 10 of 10")
