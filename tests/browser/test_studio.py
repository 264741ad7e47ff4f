"""The image labs as a visitor uses them, in a real browser against a real server with a small model."""

import io
import json
import os
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Download, Page, expect

from ganlab.config import to_link
from ganlab.film import Film, Keyframe
from ganlab.recipe import Recipe, Source
from ganlab.render.pictures import png, recipe_in
from tests.browser.conftest import free_port, serving
from tests.tiny_models import write_free, write_model

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
LABS = ("latent", "truncation", "mixing", "noise", "text")
NO_SOCKETS = "window.WebSocket = class { constructor() { throw new Error('blocked'); } };"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hub's address; its models are a plain one and one with classes."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder, "atiny")
    write_model(folder, "btiny", classes=3)
    write_free(folder, "free")
    patch = pytest.MonkeyPatch()
    patch.setenv("GANLAB_MODELS", str(folder))
    try:
        with serving(tmp_path_factory.mktemp("serve"), free_port()) as address:
            yield address
    finally:
        patch.undo()


def open_lab(open_page: Open, studio: str, lab: str, model: str = "atiny", **options: Any) -> Page:
    """A lab with its first picture painted."""
    query = f"?recipe={to_link(Recipe(model))}" if "?" not in lab else ""
    page = open_page(f"{studio}/{lab}{query}", **options)
    painted(page, 0)
    expect(page.locator("[data-st=model]")).to_have_value(model, timeout=15000)
    page.wait_for_timeout(400)
    return page


def painted(page: Page, after: int) -> int:
    """Waits until more than `after` pictures were painted; their number."""
    page.wait_for_function(
        "n => Number(document.querySelector('.studio')?.dataset.settled || 0) > n", arg=after, timeout=30000
    )
    return settled(page)


def settled(page: Page) -> int:
    return int(page.locator(".studio").get_attribute("data-settled") or 0)


def pixels(page: Page, name: str = "now") -> bytes:
    """The PNG of a canvas."""
    return str(page.locator(f"[data-st={name}]").evaluate("c => c.toDataURL()")).encode()


def changes(page: Page, act: Callable[[], Any]) -> bytes:
    """Does something that changes the picture; the new one."""
    before, n = pixels(page), settled(page)
    act()
    painted(page, n)
    page.wait_for_function(
        "old => document.querySelector('[data-st=now]').toDataURL() !== old", arg=before.decode(), timeout=15000
    )
    return pixels(page)


def slide(page: Page, label: str, by: int = 60) -> None:
    """Drags a slider's handle a little to the right."""
    box = page.get_by_role("slider", name=label, exact=True).first.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    for i in range(10):
        page.mouse.move(box["x"] + box["width"] / 2 + by * (i + 1) / 10, y)
        page.wait_for_timeout(20)
    page.mouse.up()


def says(page: Page, text: str) -> None:
    box = page.locator("[data-st=toast]")
    expect(box).to_be_visible(timeout=8000)
    expect(box.locator("span")).to_contain_text(re.compile(re.escape(text), re.IGNORECASE), timeout=8000)


def saved(page: Page, act: Callable[[], Any]) -> bytes:
    """The file that a click gives."""
    with page.expect_download(timeout=60000) as caught:
        act()
    download: Download = caught.value
    return Path(download.path()).read_bytes()


def recipe_of(page: Page) -> dict[str, Any]:
    """The recipe as the share dialog shows it."""
    page.get_by_role("button", name="Share").click()
    text = page.get_by_label("Recipe as JSON").input_value()
    page.keyboard.press("Escape")
    return dict(json.loads(text))


def drop(page: Page, name: str, data: bytes) -> None:
    """Drops a file on the page."""
    page.evaluate(
        """([name, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name));
          document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [name, list(data)],
    )


@pytest.mark.parametrize("lab", LABS)
def test_every_lab_paints_and_every_control_has_a_name(open_page: Open, studio: str, lab: str) -> None:
    page = open_lab(open_page, studio, lab)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(".studio button, .studio select, .studio input, .studio textarea")]
          .filter((c) => !(c.getAttribute("aria-label") || c.textContent.trim() || c.title || c.closest("label")?.textContent.trim()))
          .map((c) => c.outerHTML.slice(0, 120))"""  # noqa: E501
    )
    assert nameless == []
    before = settled(page)
    changes(page, lambda: page.get_by_role("button", name="Random", exact=True).click())
    assert settled(page) > before


@pytest.mark.parametrize("width", [390, 1366, 1920])
@pytest.mark.parametrize("lab", LABS)
def test_nothing_sticks_out(open_page: Open, studio: str, lab: str, width: int) -> None:
    page = open_lab(open_page, studio, lab, width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_slider_changes_the_picture_and_undo_brings_it_back(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    first = pixels(page)
    second = changes(page, lambda: slide(page, "psi ψ"))
    assert changes(page, lambda: page.get_by_role("button", name="Undo").click()) == first
    assert changes(page, lambda: page.get_by_role("button", name="Redo").click()) == second
    changes(page, lambda: page.keyboard.press("Control+z"))
    changes(page, lambda: slide(page, "psi ψ", -60))  # another branch
    expect(page.locator(".studio-step")).to_have_count(3)
    assert page.locator(".studio-step.path").count() == 2
    assert changes(page, lambda: page.locator(".studio-step").nth(1).click()) == second


def test_dragging_paints_on_the_way(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    before = int(page.locator(".studio").get_attribute("data-painted") or 0)
    slide(page, "psi ψ")
    painted(page, 0)
    assert int(page.locator(".studio").get_attribute("data-painted") or 0) >= before + 4
    expect(page.locator(".studio-step")).to_have_count(2)  # one step of the history for one drag


def test_the_picture_walks_from_lab_to_lab(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    changes(page, lambda: slide(page, "psi ψ"))
    recipe = recipe_of(page)
    page.locator("[data-st=links] a", has_text="Noise").click()
    page.wait_for_url("**/noise")
    painted(page, 0)
    assert recipe_of(page) == recipe
    expect(page.locator(".studio-step")).to_have_count(2)


def test_a_png_brings_its_recipe_back(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "noise")
    changes(page, lambda: page.get_by_role("button", name="random", exact=True).click())
    recipe = recipe_of(page)
    data = saved(page, lambda: page.get_by_role("button", name="Save PNG").first.click())
    assert Recipe.from_json(recipe_in(data)) == Recipe.from_dict(recipe)
    assert Image.open(io.BytesIO(data)).size == (32, 32)
    other = open_lab(open_page, studio, "latent")
    changes(other, lambda: drop(other, "picture.png", data))
    assert recipe_of(other)["noise"] == recipe["noise"]


def test_a_link_opens_the_same_picture(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    changes(page, lambda: page.get_by_role("button", name="Random", exact=True).click())
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_label("Link", exact=True)).to_have_value(re.compile("recipe="))
    expect(page.locator("[data-st=python]")).to_contain_text("render")
    link = page.get_by_label("Link", exact=True).input_value()
    page.keyboard.press("Escape")
    other = open_page(link)
    other.wait_for_function(
        "old => document.querySelector('[data-st=now]')?.toDataURL() === old", arg=pixels(page).decode(), timeout=20000
    )


def test_json_can_be_pasted_and_a_wrong_one_changes_nothing(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    before = pixels(page)
    for wrong in ('{"psi": 9}', '{"model": "nobody"}', "not json", '{"sources": []}', '{"cutoff": 39}'):
        page.get_by_role("button", name="Share").click()
        page.get_by_label("Recipe as JSON").fill(wrong)
        page.get_by_role("button", name="Use this JSON").click()
        expect(page.locator("[data-st=toast]")).to_be_visible()
        page.locator("[data-st=toast] button").click()
        if page.locator("[data-st=share-dialog]").evaluate("d => d.open"):
            page.keyboard.press("Escape")
        page.wait_for_timeout(300)
        assert pixels(page) == before
    page.get_by_role("button", name="Share").click()
    page.get_by_label("Recipe as JSON").fill(json.dumps(Recipe("atiny", sources=(Source(5),)).to_dict()))
    changes(page, lambda: page.get_by_role("button", name="Use this JSON").click())


def test_the_latent_map_moves_the_picture(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    page.wait_for_function("document.querySelector('.studio-map canvas').dataset.painted === '49'", timeout=30000)
    box = page.locator(".studio-map canvas").bounding_box()
    assert box

    def drag() -> None:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4, steps=8)
        page.mouse.up()

    changes(page, drag)
    source = recipe_of(page)["sources"][0]
    assert source["x"] == pytest.approx(1.4, abs=0.05) and source["y"] == pytest.approx(-0.7, abs=0.05)


def test_a_stylegan3_is_shifted_and_turned(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent", "free")
    place = page.locator(".studio-block", has_text="StyleGAN3-T follows shifts")
    expect(place).to_be_visible()
    still = pixels(page)
    changes(page, lambda: slide(page, "turned"))
    changes(page, lambda: slide(page, "to the right", 30))
    assert changes(page, lambda: place.get_by_role("button", name="back").click()) == still
    page = open_lab(open_page, studio, "latent", "atiny")
    expect(page.locator(".studio-block", has_text="StyleGAN3-T follows shifts")).to_be_hidden()


@pytest.mark.parametrize("way", ["w", "w+", "z_slerp", "z_lerp"])
def test_two_pictures_blend(open_page: Open, studio: str, way: str) -> None:
    page = open_lab(open_page, studio, "latent")
    changes(page, lambda: page.get_by_role("button", name="Blend", exact=True).click())
    if way == "w+":  # in all layers it is the same picture as the blend in W
        page.get_by_label("Where the two are blended").select_option(way)
        changes(page, page.get_by_role("button", name="The coarse layers").click)
    elif way != "w":
        changes(page, lambda: page.get_by_label("Where the two are blended").select_option(way))
    changes(page, lambda: slide(page, "towards it", 40))
    recipe = recipe_of(page)
    assert recipe["space"] == (way if way.startswith("z") else "w")
    assert len(recipe["mixes"]) == (way == "w+")


def test_classes_are_chosen_and_mixed(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent", "btiny")
    changes(page, lambda: page.get_by_label("Class 1", exact=True).select_option("1"))
    changes(page, lambda: page.get_by_role("button", name="+ mix in").click())
    changes(page, lambda: slide(page, "share", 50))
    assert [share["index"] for share in recipe_of(page)["sources"][0]["classes"]] == [1, 2]


def make_film(page: Page) -> None:
    page.keyboard.press("k")
    changes(page, lambda: page.get_by_role("button", name="Random", exact=True).click())
    page.keyboard.press("k")
    expect(page.locator(".studio-frame-card")).to_have_count(2)
    for i in range(2):
        page.get_by_label(f"Seconds after keyframe {i + 1}").fill("0.5")
        page.get_by_label(f"Seconds after keyframe {i + 1}").blur()


@pytest.mark.parametrize("kind", ["mp4", "gif", "webp"])
def test_a_film_plays_and_becomes_a_file(open_page: Open, studio: str, kind: str) -> None:
    page = open_lab(open_page, studio, "latent")
    make_film(page)
    before = int(page.locator(".studio").get_attribute("data-painted") or 0)
    page.get_by_role("button", name="▶ Play").click()
    page.wait_for_function(f"+document.querySelector('.studio').dataset.painted > {before + 5}", timeout=20000)
    page.get_by_role("button", name="❚❚ Pause").click()
    page.get_by_label("Kind of file").select_option(kind)
    page.get_by_label("Size").select_option("128")
    page.get_by_label("Frames per second").select_option("10")
    data = saved(page, lambda: page.get_by_role("button", name="Export").click())
    frames = iio.imread(data, extension=f".{kind}", index=...)
    assert frames.shape[:3] == (10, 128, 128)
    assert np.abs(frames[0].astype(int) - frames[5].astype(int)).mean() > 3


def test_an_export_can_be_cancelled(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    make_film(page)
    page.get_by_label("Seconds after keyframe 1").fill("25")
    page.get_by_label("Seconds after keyframe 1").blur()
    page.get_by_label("Frames per second").select_option("60")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Cancel").first.click()
    says(page, "cancelled")


def test_a_table_cell_sets_psi_and_cutoff(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    cell = page.get_by_role("button", name="psi 1.5, 5 layers")
    expect(cell).not_to_have_class(re.compile("stale"), timeout=30000)
    changes(page, cell.click)
    recipe = recipe_of(page)
    assert (recipe["psi"], recipe["cutoff"]) == (1.5, 5)


def test_truncation_towards_the_class(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation", "btiny")
    changes(page, lambda: page.get_by_label("Class", exact=True).select_option("2"))
    changes(page, lambda: page.get_by_label("Truncation moves towards").select_option("class"))
    recipe = recipe_of(page)
    assert recipe["center"] == "class" and recipe["sources"][0]["classes"] == [{"index": 2, "share": 1}]


def test_diversity_is_measured(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    page.get_by_label("Pictures for each psi").select_option("8")
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("img", name="Diversity against psi")).to_have_attribute("data-points", "11", timeout=60000)


def test_a_broken_line_loses_nothing(
    chromium: Browser, start_server: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path, "atiny")
    monkeypatch.setenv("GANLAB_MODELS", str(tmp_path))
    port, page = free_port(), chromium.new_page()
    with start_server(port) as address:
        page.goto(f"{address}/truncation?recipe={to_link(Recipe('atiny'))}")
        painted(page, 0)
        page.wait_for_timeout(500)
        changes(page, lambda: slide(page, "psi ψ"))
        recipe = recipe_of(page)
    page.get_by_role("button", name="Random", exact=True).click()
    expect(page.locator("[data-st=toast]")).to_be_visible()
    with start_server(port):
        page.wait_for_timeout(6000)
        changes(page, lambda: slide(page, "layers", -60))
        assert recipe_of(page)["psi"] == recipe["psi"]
    page.close()


def test_a_mixing_cell_becomes_the_picture(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "mixing")
    cell = page.get_by_role("button", name="Row 2 with the styles of column 3")
    expect(cell).not_to_have_class(re.compile("stale"), timeout=30000)
    changes(page, cell.click)
    expect(cell).to_have_class(re.compile("on"))
    assert recipe_of(page)["mixes"][0]["source"]["seed"] == 23
    changes(
        page,
        lambda: (
            page.get_by_role("button", name="The fine layers")
            .or_(page.get_by_role("button", name="The middle layers"))
            .first.click()
        ),
    )


def test_noise_is_turned_held_painted_and_mapped(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "noise")
    changes(page, lambda: page.get_by_role("button", name="none", exact=True).click())
    changes(page, lambda: page.get_by_role("button", name="random", exact=True).click())
    page.get_by_label("Freeze the noise in").first.check()
    changes(page, lambda: page.keyboard.press("n"))
    changes(page, lambda: slide(page, "all layers", 40))
    page.get_by_role("button", name="Paint").click()
    box = page.locator("[data-st=now]").bounding_box()
    assert box

    def dab() -> None:
        page.mouse.move(box["x"] + 100, box["y"] + 100)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + 150, steps=6)
        page.mouse.up()

    changes(page, dab)
    noise = recipe_of(page)["noise"]
    assert noise["mode"] == "random" and len(noise["pins"]) == 1 and len(noise["strokes"]) >= 2
    page.get_by_label("Draws").select_option("16")
    page.get_by_role("button", name="Measure").click()
    expect(page.locator(".studio-noise-map")).to_have_attribute("data-painted", "16", timeout=20000)


def test_before_and_after(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    page.keyboard.press("b")
    says(page, "no picture before")
    first = pixels(page)
    changes(page, lambda: slide(page, "psi ψ"))
    page.keyboard.press("b")
    expect(page.get_by_role("slider", name="Before and after")).to_be_visible()
    assert pixels(page, "before") == first


def test_layers_are_shown(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    page.get_by_text("Inside the network").click()
    picture = page.locator("[data-st=layer-picture]")
    expect(picture).to_have_attribute("data-painted", "1", timeout=10000)
    page.get_by_label("spectrum (FFT)").check()
    expect(picture).to_have_attribute("data-painted", "2", timeout=10000)
    expect(page.locator("[data-st=layer-text]")).to_contain_text("dB")


def test_bad_files_get_a_sentence(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    before = pixels(page)
    plain = png(np.zeros((8, 8, 3), np.uint8))
    other = png(np.zeros((8, 8, 3), np.uint8), Recipe("nobody").to_json())
    wrong = io.BytesIO()
    np.save(wrong, np.full((1, 32), np.nan, np.float32))
    for name, data, text in (
        ("plain.png", plain, "carries no recipe"),
        ("other.png", other, "not on this server"),
        ("bomb.png", b"\x89PNG\r\n\x1a\n" + b"\xff" * 400, "carries no recipe"),
        ("nan.npy", wrong.getvalue(), "NaN"),
        ("empty.npz", b"", "empty"),
        ("text.safetensors", b"hello world, this is no model", "text"),
        ("bad.json", b"{", "not valid JSON"),
    ):
        drop(page, name, data)
        says(page, text)
        page.locator("[data-st=toast] button").click()
        assert pixels(page) == before


def test_latents_of_ones_own(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    file = io.BytesIO()
    np.savez(file, w=np.random.default_rng(0).normal(size=(1, 8, 32)).astype(np.float32))
    changes(page, lambda: drop(page, "projected.npz", file.getvalue()))
    says(page, "menu of sources")
    assert recipe_of(page)["sources"][0]["latent"].startswith("8x32:")


def test_hostile_links_leave_the_lab_alive(open_page: Open, studio: str) -> None:
    film = to_link(Film((Keyframe(Recipe("atiny")),)))
    many = json.dumps({"keyframes": [{}] * 10_000}).encode()
    import base64
    import zlib

    long = base64.urlsafe_b64encode(zlib.compress(many)).decode().rstrip("=")
    for query, text in ((f"film={long}", "10,000"), ("recipe=garbage", "link"), (f"recipe={film}", "keyframes")):
        page = open_page(f"{studio}/latent?{query}")
        says(page, text)
        painted(page, 0)


def test_it_works_without_sockets(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation", init=NO_SOCKETS)
    changes(page, lambda: slide(page, "psi ψ"))


def test_a_model_file_is_opened(open_page: Open, studio: str, tmp_path: Path) -> None:
    page = open_lab(open_page, studio, "latent")
    data = write_model(tmp_path, "other", 16).read_bytes()
    n = settled(page)
    drop(page, "mine.safetensors", data)
    expect(page.locator("[data-st=model]")).to_have_value("mine", timeout=20000)
    painted(page, n)
    assert page.locator("[data-st=now]").evaluate("c => c.width") == 16


def test_the_server_outlives_a_storm_of_pages(open_page: Open, studio: str) -> None:
    for _ in range(4):
        open_lab(open_page, studio, "mixing").close()
    assert urllib.request.urlopen(studio, timeout=5).status == 200
    assert os.environ.get("GANLAB_MODELS")


def choose_model(page: Page, name: str) -> None:
    n = settled(page)
    page.locator("[data-st=model]").select_option(name)
    painted(page, n)


def test_undo_goes_back_to_the_other_model(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    first = pixels(page)
    choose_model(page, "btiny")
    expect(page.get_by_label("Class 1", exact=True)).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-st=model]")).to_have_value("atiny", timeout=10000)
    expect(page.get_by_label("Class 1", exact=True)).to_be_hidden()
    page.wait_for_function("old => document.querySelector('[data-st=now]').toDataURL() === old", arg=first.decode())
    page.get_by_role("button", name="Redo").click()
    expect(page.locator("[data-st=model]")).to_have_value("btiny", timeout=10000)
    expect(page.locator(".studio-step")).to_have_count(2)


def test_pictures_passed_quickly_still_get_their_place_in_the_history(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    for _ in range(12):
        page.keyboard.press("r")
    expect(page.locator(".studio-step img:not([hidden])")).to_have_count(13, timeout=20000)


def test_the_class_of_a_picture_that_names_none_is_shown(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent", "btiny")
    expect(page.get_by_label("Class 1", exact=True)).to_have_value("0")
    changes(page, lambda: page.get_by_role("button", name="+ mix in").click())
    assert [share["index"] for share in recipe_of(page)["sources"][0]["classes"]] == [0, 1]
    other = open_lab(open_page, studio, "truncation", "btiny")
    expect(other.get_by_label("Class", exact=True)).to_have_value("0")


def test_rows_of_the_mixing_table_have_classes(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "mixing", "btiny")
    page.get_by_label("Row 2: class").select_option("2")
    cell = page.get_by_role("button", name="Row 2 with the styles of column 3")
    expect(cell).not_to_have_class(re.compile("stale"), timeout=30000)
    changes(page, cell.click)
    assert recipe_of(page)["sources"][0]["classes"] == [{"index": 2, "share": 1}]
    assert open_lab(open_page, studio, "mixing").get_by_label("Row 2: class").count() == 0


def test_a_small_models_noise_map_is_measured_by_itself(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "noise")
    picture = page.locator(".studio-noise-map")
    expect(picture).to_have_attribute("data-painted", "16", timeout=20000)
    page.keyboard.press("r")
    expect(picture).to_have_class(re.compile("stale"))
    expect(picture).not_to_have_class(re.compile("stale"), timeout=20000)


def test_keyframes_are_ordered_by_mouse_and_by_keys(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    make_film(page)
    pictures = page.locator(".studio-frame-card img")
    before = [pictures.nth(i).get_attribute("src") for i in range(2)]
    page.get_by_role("button", name="Keyframe 1 later").press("Enter")
    assert [pictures.nth(i).get_attribute("src") for i in range(2)] == before[::-1]
    page.locator(".studio-frame-card").nth(0).drag_to(page.locator(".studio-frame-card").nth(1))
    assert [pictures.nth(i).get_attribute("src") for i in range(2)] == before
    assert page.locator(".studio.dropping").count() == 0


def test_the_png_of_a_films_moment_is_what_is_on_show(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "latent")
    make_film(page)
    page.get_by_label("Moment of the film").fill("0.25")
    expect(page.locator("[data-st=status]")).to_contain_text("film at 0.25 s")
    data = saved(page, lambda: page.get_by_role("button", name="Save PNG").first.click())
    assert len(Recipe.from_json(recipe_in(data)).sources) == 2


def test_an_emptied_field_shows_its_value_again(open_page: Open, studio: str) -> None:
    page = open_lab(open_page, studio, "truncation")
    changes(page, lambda: slide(page, "psi ψ"))
    field = page.locator("input[type=number][aria-label^='1 leaves w']")
    field.fill("")
    field.blur()
    assert float(field.input_value()) == pytest.approx(recipe_of(page)["psi"])


@pytest.mark.parametrize("lab", LABS)
def test_on_a_phone_the_picture_is_wide_and_stays_in_sight(open_page: Open, studio: str, lab: str) -> None:
    page = open_lab(open_page, studio, lab, width=390, height=844)
    box = page.locator("[data-st=now]").bounding_box()
    assert box and box["width"] > 350 and box["y"] + box["height"] < 620
    page.mouse.wheel(0, 500)
    page.wait_for_timeout(300)
    box = page.locator("[data-st=now]").bounding_box()
    assert box and 0 <= box["y"] < 10
    assert page.evaluate("document.elementFromPoint(195, 780).closest('.studio-frame') === null")
