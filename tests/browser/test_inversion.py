"""A picture of one's own in the editing lab: drawn or brought, looked for, and used."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from ganlab.config import to_link
from ganlab.recipe import Recipe
from tests.browser.conftest import free_port, serving
from tests.browser.test_studio import changes, painted, pixels, recipe_of
from tests.tiny_models import write_model

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const held = new DataTransfer();
  held.items.add(new File([bytes], name));
  const event = (kind) => new DragEvent(kind, { dataTransfer: held, bubbles: true });
  for (const kind of ["dragenter", "drop"]) document.querySelector(".studio").dispatchEvent(event(kind));
}"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hub's address."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder, "atiny", resolution=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANLAB_MODELS", str(folder))
        with serving(tmp_path_factory.mktemp("serve"), free_port()) as address:
            yield address


def test_a_face_is_drawn_found_and_put_on_the_stage(open_page: Open, hub: str) -> None:
    page = open_page(f"{hub}/text")
    painted(page, 0)
    panel = page.locator("[data-st=invert]")
    expect(panel.locator("h3")).to_have_text("A face of your own", timeout=15000)
    first = pixels(page)
    panel.get_by_role("button", name="Draw a face").click()
    find = panel.get_by_role("button", name="Find it")
    expect(find).to_be_visible(timeout=15000)
    use = panel.get_by_role("button", name="Use it")
    expect(use).to_be_hidden()
    panel.get_by_label("How long it is looked for").select_option("1000")
    find.click()
    told = panel.get_by_role("status")
    expect(told).to_contain_text("so far", timeout=90000)
    assert page.locator("[data-st=invert] canvas").last.evaluate("c => c.width") == 64
    panel.get_by_role("button", name="Stop").click()
    expect(told).to_contain_text("Stopped early", timeout=20000)
    expect(told).to_contain_text("the average picture by")
    assert changes(page, use.click) != first
    recipe = recipe_of(page)
    assert recipe["psi"] == 1 and recipe["sources"][0]["latent"].startswith("10x128h:")
    page.locator("[data-st=links] a", has_text="Latent").click()
    page.wait_for_url("**/latent")
    painted(page, 0)
    assert recipe_of(page) == recipe
    expect(page.get_by_label("Picture: from", exact=True)).to_have_value("latent 0")


def test_a_file_is_dropped_or_chosen_and_a_pdf_is_refused(open_page: Open, hub: str, tmp_path: Path) -> None:
    page = open_page(f"{hub}/text?recipe={to_link(Recipe('atiny'))}", width=390, height=844)
    painted(page, 0)
    panel = page.locator("[data-st=invert]")
    expect(panel.locator("h3")).to_have_text("A picture of your own")
    expect(panel.get_by_role("button", name="Draw a face")).to_be_hidden()
    told, find = panel.get_by_role("status"), panel.get_by_role("button", name="Find it")
    page.evaluate(DROP, ["paper.pdf", "JVBERi0xLjc="])
    expect(told).to_contain_text("This picture is a PDF document")
    expect(find).to_be_hidden()
    Image.new("RGBA", (90, 40), (200, 30, 30, 128)).save(tmp_path / "mine.png")
    panel.get_by_label("Upload a picture of your own").set_input_files(tmp_path / "mine.png")
    expect(find).to_be_visible()
    expect(told).to_be_hidden()
    panel.get_by_label("Where it is looked for").select_option("w")
    panel.get_by_label("How long it is looked for").select_option("100")
    find.click()
    expect(told).to_contain_text("Off by", timeout=60000)
    use = panel.get_by_role("button", name="Use it")
    expect(use).to_be_visible(timeout=60000)
    changes(page, use.click)
    assert recipe_of(page)["sources"][0]["latent"].startswith("1x32h:") and not recipe_of(page)["noise"]["maps"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_noise_that_was_found_goes_along_until_it_is_dropped(open_page: Open, hub: str, tmp_path: Path) -> None:
    page = open_page(f"{hub}/text?recipe={to_link(Recipe('atiny'))}")
    painted(page, 0)
    panel = page.locator("[data-st=invert]")
    Image.effect_noise((64, 64), 80).save(tmp_path / "mine.png")
    panel.get_by_label("Upload a picture of your own").set_input_files(tmp_path / "mine.png")
    panel.get_by_label("Where it is looked for").select_option("w+ noise")
    panel.get_by_label("How long it is looked for").select_option("100")
    panel.get_by_role("button", name="Find it").click()
    expect(panel.get_by_role("status")).to_contain_text("Without the noise that was found", timeout=60000)
    changes(page, panel.get_by_role("button", name="Use it").click)
    recipe, found = recipe_of(page), pixels(page)
    assert recipe["noise"]["maps"].startswith("4,8,8,16,16:")
    page.locator("[data-st=links] a", has_text="Noise").click()
    page.wait_for_url("**/noise")
    painted(page, 0)
    assert recipe_of(page) == recipe and pixels(page) == found
    drop = page.get_by_role("button", name="Drop them")
    changes(page, drop.click)
    assert not recipe_of(page)["noise"]["maps"]
    expect(drop).to_be_hidden()
