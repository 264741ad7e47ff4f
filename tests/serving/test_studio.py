"""The studio, asked as a page asks it: pictures, jobs, several visitors, models that come and go, wrong input."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganlab.config import InvalidInput, to_link
from ganlab.film import Film, Keyframe
from ganlab.recipe import Recipe, Source
from ganlab.render.pictures import recipe_in
from ganlab.serving.asking import Viewer
from ganlab.serving.models import Catalogue, Model, Painter
from ganlab.serving.painting import Busy, Wanted, Worker
from ganlab.serving.studio import MOST_FILMS, Studio
from tests.fake_painter import FakePainter

RECIPE = {"sources": [{"seed": 4}]}
FILM = {"keyframes": [{"recipe": RECIPE, "seconds": 0.3}, {"recipe": {"sources": [{"seed": 5}]}, "seconds": 0.3}]}


class Tab:
    """A browser tab: asks, and keeps what it is told."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.heard, self.next = studio, [], 0
        self.viewer = Viewer(self._take)
        self._new = threading.Condition()
        self.heard: list[tuple[dict[str, Any], bytes]] = []

    def _take(self, item: str | bytes) -> None:
        size = 0 if isinstance(item, str) else int.from_bytes(item[:4], "little")
        header = json.loads(item if isinstance(item, str) else item[4 : 4 + size])
        with self._new:
            self.heard.append((header, b"" if isinstance(item, str) else item[4 + size :]))
            self._new.notify_all()

    def send(self, **message: Any) -> int:
        self.next += 1
        self.studio.hear(self.viewer, {"id": self.next, **message})
        return self.next

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> tuple[dict[str, Any], bytes]:
        end = time.monotonic() + 20
        with self._new:
            while True:
                for item in self.heard:
                    if holds(item[0]):
                        return item
                assert self._new.wait(end - time.monotonic()), [h for h, _ in self.heard]

    def ask(self, **message: Any) -> tuple[dict[str, Any], bytes]:
        """The last message about a question."""
        number = self.send(**message)
        return self.until(lambda h: h["id"] == number and h["type"] not in ("progress", "tile"))

    def parts(self, kind: str) -> list[dict[str, Any]]:
        return [header for header, _ in self.heard if header["type"] == kind]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    for name in ("fake", "other", "slow"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"x")

    def load(model: Model) -> Painter:
        return FakePainter(model.name, 32, slow=0.03 if model.name == "slow" else 0)

    return Catalogue(load, tmp_path, shipped=tmp_path / "none")


@pytest.fixture
def tab(catalogue: Catalogue) -> Iterator[Tab]:
    tab = Tab(Studio(catalogue, dict))
    yield tab
    tab.studio.left(tab.viewer)


def test_models_and_facts(tab: Tab) -> None:
    menu, _ = tab.ask(do="models")
    assert [row["name"] for row in menu["models"]][:3] == ["fake", "other", "slow"]
    facts, _ = tab.ask(do="open", model="")
    assert facts["facts"]["name"] == "fake"
    assert tab.viewer.model == "fake"


def test_a_preview_is_a_jpeg_and_the_picture_loses_nothing(tab: Tab) -> None:
    small, jpeg = tab.ask(do="render", recipe=RECIPE, preview=True)
    full, webp = tab.ask(do="render", recipe=RECIPE)
    assert jpeg[:2] == b"\xff\xd8" and webp[:4] == b"RIFF"
    assert (full["w"], full["h"], full["mime"]) == (32, 32, "image/webp")
    assert small["ms"] >= 0 and small["start_name"]


def test_the_newest_wish_wins(tab: Tab) -> None:
    numbers = [
        tab.send(do="render", recipe={**RECIPE, "model": "slow", "psi": i / 20}, preview=True) for i in range(20)
    ]
    tab.until(lambda h: h["id"] == numbers[-1] and h["type"] == "picture")
    assert len(tab.parts("dropped")) >= 15
    assert len(tab.parts("dropped")) + len(tab.parts("picture")) == 20


def test_small_pictures_come_one_by_one(tab: Tab) -> None:
    done, _ = tab.ask(do="many", recipes=[{"psi": i / 10} for i in range(7)], side=16)
    assert [tile["index"] for tile in tab.parts("tile")] == list(range(7)) and done["cancelled"] is False


def test_many_can_be_cancelled_and_the_current_picture_comes_between(tab: Tab) -> None:
    number = tab.send(do="many", recipes=[{"model": "slow"}] * 100, side=16)
    tab.until(lambda h: h["type"] == "tile")
    tab.ask(do="render", recipe={"model": "slow"}, preview=True)
    assert len(tab.parts("tile")) < 60
    tab.send(do="cancel", what=number)
    done, _ = tab.until(lambda h: h["id"] == number and h["type"] == "done")
    assert done["cancelled"] is True


def test_tiles_of_a_large_model_are_its_early_pictures(tmp_path: Path) -> None:
    (tmp_path / "large.safetensors").write_bytes(b"x")
    painter = FakePainter("large", 512)
    sizes: list[int] = []
    made = painter.pictures
    painter.pictures = lambda *args, **more: [sizes.append(p.image.shape[0]) or p for p in made(*args, **more)]  # type: ignore[method-assign,func-returns-value]
    tab = Tab(Studio(Catalogue(lambda model: painter, tmp_path, shipped=tmp_path / "none"), dict))
    tab.ask(do="many", recipes=[RECIPE, RECIPE], side=96)
    assert sizes == [128, 128]
    assert all((header["w"], header["h"]) == (96, 96) for header in tab.parts("tile") if "w" in header)


def test_noise_map_reports_and_lets_pictures_through(tab: Tab) -> None:
    number = tab.send(do="noise_map", recipe={"model": "slow"}, draws=60)
    tab.until(lambda h: h["type"] == "progress" and h["done"] > 2)
    tab.ask(do="render", recipe={"model": "slow"})
    assert tab.parts("progress")[-1]["done"] < 50
    told, picture = tab.until(lambda h: h["id"] == number and h["type"] == "map")
    assert told["draws"] == 60 and picture[:4] == b"RIFF"


def test_layers_and_their_spectrum(tab: Tab) -> None:
    told, _ = tab.ask(do="layer", recipe=RECIPE, layer=7)
    assert (told["channels"], told["pages"], told["resolution"]) == (100, 2, 32)
    tab.ask(do="layer", recipe=RECIPE, layer=7, page=1, fft=True)
    wrong, _ = tab.ask(do="layer", recipe=RECIPE, layer=7, page=2)
    assert "out of range" in wrong["text"]


def test_the_png_carries_a_signed_recipe(tab: Tab) -> None:
    told, data = tab.ask(do="png", recipe={**RECIPE, "psi": 0.5})
    recipe = Recipe.from_json(recipe_in(data))
    assert recipe == Recipe("fake", "fake" * 8, (Source(4),), psi=0.5)
    assert told["name"] == "ganlab-fake-4.png"


@pytest.mark.parametrize("kind", ["mp4", "gif", "webp"])
def test_films(tab: Tab, kind: str) -> None:
    told, data = tab.ask(do="film", film=FILM, kind=kind, fps=10, side=64)
    assert told["frames"] == 6 and len(data) > 500
    assert tab.parts("progress")[-1] == {"id": told["id"], "type": "progress", "done": 6, "of": 6}


def test_a_moment_of_a_film(tab: Tab) -> None:
    tab.ask(do="render", film=FILM, at=0.1, preview=True)
    moment, _ = tab.ask(do="link", film=FILM, at=0.1)
    assert len(moment["settings"]["sources"]) == 2


def test_python_runs(tab: Tab) -> None:
    for about in ({"recipe": RECIPE}, {"film": FILM}):
        told, _ = tab.ask(do="python", **about)
        compile(told["text"], "shown", "exec")


def test_links_go_round(tab: Tab) -> None:
    told, _ = tab.ask(do="link", want="link", recipe=RECIPE)
    back, _ = tab.ask(do="link", link=told["link"])
    assert back["settings"] == Recipe.from_dict(RECIPE).to_dict(full=True)


LONG = {"keyframes": [{}] * 10_000}
DEEP: dict[str, Any] = {}
for _ in range(300):
    DEEP = {"sources": [{"recipe": DEEP}]}


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"do": "render", "recipe": {"psi": float("nan")}}, "Psi: must be a number"),
        ({"do": "render", "recipe": {"psi": None}}, "psi"),
        ({"do": "render", "recipe": {"model": "nobody"}}, "not on this server"),
        ({"do": "render", "recipe": {"sha256": "f" * 64}}, "other weights"),
        ({"do": "render", "recipe": {"mixes": [{"layers": [39]}]}}, "out of range"),
        ({"do": "render", "recipe": [1]}, "must be an object"),
        ({"do": "render"}, "must be an object"),
        ({"do": "render", "film": LONG, "at": 0}, "10,000 items"),
        ({"do": "render", "film": FILM, "at": "now"}, "seconds"),
        ({"do": "render", "film": FILM, "at": float("nan")}, "seconds"),
        ({"do": "many", "film": FILM, "times": [float("nan")]}, "seconds"),
        ({"do": "render", "recipe": DEEP}, "deep"),
        ({"do": "many", "recipes": [{}] * 101}, "1 to 100"),
        ({"do": "many", "recipes": "all"}, "1 to 100"),
        ({"do": "many", "recipes": [{}], "side": 1e9}, "side"),
        ({"do": "noise_map", "recipe": {}, "draws": 10**9}, "draws"),
        ({"do": "diversity", "recipe": {}, "psis": [9]}, "psis"),
        ({"do": "diversity", "recipe": {}, "psis": [0.0] * 1000}, "psis"),
        ({"do": "film", "film": {}, "kind": "mp4"}, "keyframes"),
        ({"do": "film", "film": FILM, "kind": "exe"}, "kind"),
        ({"do": "film", "film": FILM, "kind": ["mp4"]}, "kind"),
        ({"do": "link", "link": "!!"}, "damaged"),
        ({"do": "link", "link": 7}, "link"),
        ({"do": "open", "model": "../../etc/passwd"}, "not on this server"),
        ({"do": "open", "model": 3}, "name"),
        ({"do": "download", "name": "nobody"}, "no model"),
        ({"do": "layer", "recipe": {}, "layer": "x"}, "layer"),
        ({"do": "explode"}, "not understood"),
        ({"do": 3}, "not understood"),
    ],
)
def test_wrong_input_is_one_sentence_and_the_next_picture_comes(tab: Tab, message: dict[str, Any], says: str) -> None:
    tab.send(**message)
    told, _ = tab.until(lambda h: h["type"] == "error")
    assert says.lower() in told["text"].lower() and told["text"].endswith(".")
    assert tab.ask(do="render", recipe=RECIPE)[0]["type"] == "picture"


@pytest.mark.parametrize("garbage", [None, 3, "x", [], {}, {"id": "x", "do": "models"}, {"do": "models"}])
def test_garbage_is_answered(tab: Tab, garbage: Any) -> None:
    tab.studio.hear(tab.viewer, garbage)
    assert tab.heard[0][0]["type"] == "error"


def test_a_link_that_would_be_too_long_is_refused(tab: Tab) -> None:
    import numpy as np

    from ganlab.recipe import pack_latent

    latent = pack_latent(np.random.default_rng(0).normal(size=(18, 512)).astype(np.float32))
    told, _ = tab.ask(do="link", want="link", recipe={"sources": [{"latent": latent}]})
    assert "too long" in told["text"]
    assert len(to_link(Film((Keyframe(),)))) < 200


def test_many_jobs_of_one_visitor_are_refused(tab: Tab) -> None:
    for _ in range(9):
        tab.send(do="many", recipes=[{"model": "slow"}] * 50)
    told, _ = tab.until(lambda h: h["type"] == "error")
    assert "Several things" in told["text"]


def test_two_visitors_share_a_batch(catalogue: Catalogue) -> None:
    painter = FakePainter("fake", 32, slow=0.05)
    worker = Worker(lambda: painter, dict)
    done = threading.Barrier(5)
    for name in "abcd":
        wanted = Wanted(lambda p: Recipe(), True, lambda picture: threading.Thread(target=done.wait).start())
        worker.want(name, wanted)
    done.wait(10)
    assert max(painter.batches) >= 2 and sum(painter.batches) == 4


def test_one_wrong_recipe_does_not_spoil_a_batch() -> None:
    worker = Worker(lambda: FakePainter("fake", 32, slow=0.02), dict)
    told: dict[str, Any] = {}
    ready = threading.Event()

    def want(name: str, recipe: Recipe) -> None:
        def done(picture: Any) -> None:
            told[name] = picture
            if len(told) == 3:
                ready.set()

        worker.want(name, Wanted(lambda painter: recipe, False, done))

    want("first", Recipe())
    want("good", Recipe())
    want("bad", Recipe.from_dict({"mixes": [{"layers": [39]}]}))
    assert ready.wait(10)
    assert isinstance(told["bad"], InvalidInput) and not isinstance(told["good"], Exception)


def test_a_full_queue_says_so() -> None:
    worker = Worker(lambda: FakePainter("fake", 32), dict)
    hold = threading.Event()
    worker.ask(lambda painter: hold.wait(20))
    with pytest.raises(Busy):
        for _ in range(400):
            worker.ask(lambda painter: None)
    hold.set()


def test_a_model_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"x")

    def load(model: Model) -> Painter:
        raise InvalidInput("file", "is damaged")

    tab = Tab(Studio(Catalogue(load, tmp_path, shipped=tmp_path / "none"), dict))
    assert tab.ask(do="open", model="bad")[0]["text"] == "This file is damaged."
    assert tab.ask(do="render", recipe={"model": "bad"})[0]["text"] == "This file is damaged."


def test_no_model_at_all(tmp_path: Path) -> None:
    tab = Tab(Studio(Catalogue(lambda model: FakePainter(), None, True, tmp_path), dict))
    assert tab.ask(do="models")[0]["models"] == []
    assert "has none" in tab.ask(do="render", recipe={})[0]["text"]


def test_one_number_for_many_jobs_does_not_evade_the_limit(tab: Tab) -> None:
    for _ in range(5):
        tab.studio.hear(tab.viewer, {"id": 7, "do": "many", "recipes": [{"model": "slow"}] * 100, "side": 16})
    assert len(tab.parts("error")) == 4 and len(tab.viewer.jobs) == 1


def test_a_long_work_lets_short_ones_through(tab: Tab) -> None:
    number = tab.send(do="noise_map", recipe={"model": "slow"}, draws=100)
    tab.until(lambda h: h["type"] == "progress")
    assert tab.ask(do="open", model="slow")[0]["type"] == "facts"
    assert not tab.parts("map")
    tab.send(do="cancel", what=number)


def test_a_film_that_waits_for_others_is_cancelled_at_once(tab: Tab) -> None:
    others = [Tab(tab.studio) for _ in range(MOST_FILMS)]
    slow = {"keyframes": [{"recipe": {"model": "slow", "psi": i / 2}, "seconds": 25} for i in range(2)]}
    for other in others:
        other.send(do="film", film=slow, kind="mp4", fps=30, side=16)
    number = tab.send(do="film", film=slow, kind="mp4", fps=30, side=16)
    assert tab.ask(do="link", recipe=RECIPE)[0]["type"] == "settings"  # films do not hold up anything else
    tab.send(do="cancel", what=number)
    assert tab.until(lambda h: h["id"] == number)[0]["cancelled"] is True and not tab.viewer.jobs
    for other in others:
        tab.studio.left(other.viewer)


def test_a_viewer_is_remembered_by_one_model_only(tab: Tab) -> None:
    for name in ("fake", "other"):
        tab.ask(do="render", recipe={**RECIPE, "model": name})
    held = {name: list(tab.studio.worker(name)._memories) for name in ("fake", "other")}
    assert held == {"fake": [], "other": [tab.viewer.id]}


def test_those_who_drag_all_the_time_keep_nobody_else_waiting() -> None:
    """Each asks for the next picture as soon as one is there: a text, say, must still have its turn."""
    worker, over = Worker(lambda: FakePainter("fake", 32, slow=0.02), dict), threading.Event()

    def drag(viewer: str) -> None:
        if not over.is_set():
            worker.want(viewer, Wanted(lambda painter: Recipe(), True, lambda picture: drag(viewer)))

    for k in range(20):
        drag(str(k))
    try:
        for _ in range(3):
            assert worker.ask(lambda painter: "read").result(timeout=10) == "read"
    finally:
        over.set()
