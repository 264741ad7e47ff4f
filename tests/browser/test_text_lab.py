"""The editing lab as a visitor uses it, with the model that ships, and with a made-up embedding in CLIP's place."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from ganlab import weights
from ganlab.config import to_link
from ganlab.networks import dcgan
from ganlab.recipe import Recipe
from tests.browser import conftest
from tests.browser.conftest import free_port, serving
from tests.browser.test_studio import changes, painted, pixels, recipe_of, slide
from tests.tiny_models import write_model

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
STAND_IN = """from ganlab.serving import edits
from tests.text.colours import Colours

edits.Editing.__init__.__defaults__ = (edits.Texts(lambda: "", Colours), *edits.Editing.__init__.__defaults__[1:])
"""


def write_plain(folder: Path) -> None:
    """A DCGAN, which has no style space."""
    config = {"z_dim": 8, "c_dim": 0, "img_resolution": 16, "img_channels": 3, "channel_base": 256, "channel_max": 16}
    G = dcgan.Generator(**config)
    weights.save(folder / "plain.safetensors", G, licence="CC0-1.0", about={"title": "A plain one"}, config=config)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hub's address."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder, "atiny", resolution=16)
    write_plain(folder)
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # for this server alone
            patch.setenv("GANLAB_MODELS", str(folder))
            patch.setattr(conftest, "SERVE", STAND_IN + conftest.SERVE)
            address = stack.enter_context(serving(tmp_path_factory.mktemp("serve"), free_port()))
        yield address


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_direction_is_found_stacked_muted_and_sent_on(open_page: Open, hub: str) -> None:
    page = open_page(f"{hub}/text")
    painted(page, 0)
    expect(page.locator("[data-st=model]")).to_have_value("faces64", timeout=15000)
    first = pixels(page)
    page.get_by_role("button", name="PCA", exact=True).click()
    chip = page.locator(".studio-chip", has_text="PCA 1").first
    expect(page.locator(".studio-chip")).to_have_count(16, timeout=20000)
    second = changes(page, chip.click)
    third = changes(page, lambda: slide(page, "strength 1", 40))
    assert len({first, second, third}) == 3
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.locator(".studio-tried canvas.stale, .studio-tile.stale")).to_have_count(0, timeout=60000)
    hold = page.get_by_role("button", name="Hold: without")
    hold.scroll_into_view_if_needed()
    box = hold.bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    shows(page, third, False)
    page.mouse.up()
    shows(page, third, True)
    mute = page.get_by_role("button", name="Edit 1: on")
    assert changes(page, mute.click) == first
    assert changes(page, mute.click) == third
    changes(page, page.locator(".studio-chip", has_text="PCA 2").first.click)
    for way, order in (("Edit 2: further up", ["PCA 2", "PCA 1"]), ("Edit 1: further down", ["PCA 1", "PCA 2"])):
        page.get_by_role("button", name=way).click()
        assert [edit["name"][:5] for edit in recipe_of(page)["edits"]] == order
    assert changes(page, page.locator(".studio-chip", has_text="PCA 2").first.click) == third
    recipe = recipe_of(page)
    assert recipe["edits"][0]["name"].startswith("PCA 1")
    page.locator("[data-st=links] a", has_text="Latent").click()
    page.wait_for_url("**/latent")
    painted(page, 0)
    assert recipe_of(page) == recipe and pixels(page) == third
    small = open_page(f"{hub}/text?recipe={link_of(page)}", width=390, height=844)
    painted(small, 0)
    expect(small.locator(".studio-edit")).to_have_count(1)
    assert fits(small) and fits(page)


def shows(page: Page, picture: bytes, same: bool) -> None:
    page.wait_for_function(
        "([old, same]) => (document.querySelector('[data-st=now]').toDataURL() === old) === same",
        arg=[picture.decode(), same],
        timeout=10000,
    )


def standing(page: Page) -> bytes:
    """What is shown when the last wish has come."""
    expect(page.locator(".studio-tried canvas.stale, .studio-tile.stale")).to_have_count(0, timeout=60000)
    return pixels(page)


def fitted(told: Locator) -> float:
    """The strength that the page says it has found."""
    found = re.search(r"Strength ([\d.]+) fits", told.inner_text())
    assert found
    return float(found[1])


def link_of(page: Page) -> str:
    """The recipe in the link that the share dialog shows."""
    page.get_by_role("button", name="Share").click()
    field = page.get_by_label("Link", exact=True)
    expect(field).to_have_value(re.compile("recipe="), timeout=10000)
    text = field.input_value()
    page.keyboard.press("Escape")
    return text.partition("recipe=")[2]


def test_a_text_is_an_edit_and_a_model_without_styles_says_why_not(open_page: Open, hub: str) -> None:
    page = open_page(f"{hub}/text?recipe={to_link(Recipe('atiny'))}")
    painted(page, 0)
    first = pixels(page)
    told = page.locator(".studio-block [role=status]").first
    expect(told).to_contain_text("First the model must be learnt")
    page.get_by_role("button", name="Learn this model").click()
    expect(told).to_be_hidden(timeout=60000)
    target = page.get_by_label("Target text: what it should show")
    changes(page, lambda: target.fill("a red thing"))
    expect(page.locator(".studio-edit b")).to_have_text("red thing")
    expect(told).to_contain_text(re.compile(r"Strength [\d.]+ fits, channels together"), timeout=20000)
    second = standing(page)
    assert second != first and recipe_of(page)["edits"][0]["strength"] == fitted(told)
    assert changes(page, lambda: slide(page, "alpha", 50)) != second
    assert changes(page, page.get_by_role("button", name="Fit strength").click) == second
    changes(page, lambda: target.fill("a blue thing"))
    expect(page.locator(".studio-edit b")).to_have_text("blue thing")  # the same edit, written anew
    for text, says in (("😀", "says the same"), ("red " * 2500, "10,000 characters"), ("ein Gesicht", "says the same")):
        target.fill(text)
        expect(told).to_contain_text(says)
    assert recipe_of(page)["edits"][0]["name"] == "a blue thing"
    page.locator("[data-st=model]").select_option("plain")
    expect(told).to_contain_text("no style space", timeout=15000)
    expect(target).to_be_disabled()
    expect(page.locator(".studio-edit")).to_have_count(0)
    expect(page.get_by_role("button", name="SeFa", exact=True)).to_be_disabled()
    page.get_by_role("button", name="PCA", exact=True).click()
    expect(page.locator(".studio-chip").first).to_be_visible(timeout=15000)


def test_a_sentence_changes_what_the_classifier_reads(open_page: Open, server: str) -> None:
    """With the CLIP and the model that ship, which are known to each other: nothing is to be learnt first."""
    page = open_page(f"{server}/text")
    painted(page, 0)
    target = page.get_by_label("Target text: what it should show")
    expect(target).to_be_enabled(timeout=30000)
    expect(page.get_by_role("button", name="Learn this model")).to_be_hidden(timeout=60000)
    changes(page, lambda: target.fill("a person with red lipstick"))
    told = page.locator(".studio-block [role=status]").first
    expect(told).to_contain_text("fits", timeout=30000)  # as strong as suits the picture, with nobody's help
    asked = page.locator("[data-of=others] .edit-figure[data-name=asked] b")
    expect(asked).to_have_text(re.compile("%"), timeout=30000)
    before, after = (int(number) for number in re.findall(r"\d+", asked.inner_text()))
    assert after >= before + 40  # per cent of the pictures on show that are read as having it
    assert page.locator(".edit-layer").count() > 5 and page.locator("[data-of=others] .edit-figure").count() == 5
    assert page.locator(".edit-strip").count() == page.locator(".edit-layer").count()  # channels, layer by layer
    expect(page.locator("[data-of=own] .edit-figure[data-name=asked] b")).to_have_text(re.compile("→ 100 %"))
