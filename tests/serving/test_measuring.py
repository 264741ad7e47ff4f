"""What the metrics lab measures, and what it says where it cannot."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, open_images
from ganlab.files import Cancelled
from ganlab.serving import measuring
from ganlab.serving.measuring import MOST_PUBLIC, Asked, Measuring
from ganlab.serving.models import Catalogue, open_model
from ganlab.text.small import SHIPPED
from tests.fake_painter import FakePainter

COUNT = 24
ASKED = Asked("mnist32", "digits", COUNT)


@pytest.fixture(scope="module")
def lab() -> Measuring:
    return Measuring(Catalogue(open_model))


def unheard(what: str, done: int, of: int) -> None:
    pass


def test_a_report_names_its_features_and_warns_of_few_pictures(lab: Measuring) -> None:
    heard: list[str] = []
    found = lab.report(ASKED, 1.0, False, lambda what, done, of: heard.append(what))
    names = [figure.name for figure in found.figures]
    assert "FD-pyramid" in names and "KD-pyramid" in names and "recall-pyramid" in names
    assert not any("FID" in name or name.startswith("PPL") for name in names)
    assert found.warning is not None and "too few" in found.warning
    assert "24 pictures, 24 real ones" in found.title
    assert {"the model", "features of the data", "pictures"} <= set(heard)
    assert found.figures[0].interval is not None
    again: list[str] = []
    lab.report(ASKED, 1.0, False, lambda what, done, of: again.append(what))
    assert "features of the data" not in again


def test_the_curve_has_a_point_for_each_psi(lab: Measuring) -> None:
    found = lab.curve(ASKED, [0.2, 1.0], unheard)
    spread = [next(f.value for f in figures if f.name == "recall-pyramid") for figures in found.figures]
    assert found.psis == [0.2, 1.0] and spread[0] <= spread[1]


def test_a_visitor_brings_images_of_their_own(lab: Measuring, tmp_path: Path) -> None:
    images = open_images(ImageData("digits", resolution=16)).train.get(range(30))[0]
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path, image in zip(paths, images):
        Image.fromarray(image[0].numpy()).save(path)
    title, name = lab.bring([str(path) for path in paths])
    assert title == "Your 30 images" and name not in dict(lab.sets()).values()  # nobody else is offered them
    found = lab.report(Asked("mnist32", name, COUNT), 1.0, False, unheard)
    assert "beside your images" in found.title and "FD-pyramid" in [figure.name for figure in found.figures]
    clean, worse = lab.sample("blur", name, 2)
    assert (clean != worse).any()


@pytest.mark.parametrize(
    ("files", "says"), [({}, "no picture"), ({"a.txt": b"x"}, "no picture"), ({"a.png": b""}, "empty")]
)
def test_what_is_no_image_is_refused(lab: Measuring, tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    with pytest.raises(InvalidInput, match=says):
        lab.bring([str(tmp_path / name) for name in files])


@pytest.mark.parametrize("name", ["own:", "own:../x", "own:never-given"])
def test_a_set_that_is_not_here_is_named(lab: Measuring, name: str) -> None:
    for ask in (
        lambda: lab.report(Asked("mnist32", name, COUNT), 1.0, False, unheard),
        lambda: lab.sample("blur", name, 1),
    ):
        with pytest.raises(InvalidInput, match="no longer here"):
            ask()


def test_a_distance_grows_with_each_level_and_is_found_once(lab: Measuring) -> None:
    found = lab.disturbances(["blur", "mixed"], "faces", 32, unheard)
    assert found.name == "FD-faces" and list(found.values) == ["blur", "mixed"]
    for name, values in found.values.items():
        assert values == sorted(values) and values[0] < 1e-3 < values[1], name
    ticks: list[str] = []
    assert lab.disturbances(["blur"], "faces", 32, lambda *told: ticks.append(told[0])).values["blur"] and not ticks
    clean, worse = lab.sample("blur", "faces", 2)
    assert clean.shape == worse.shape and (clean != worse).any()
    assert (lab.sample("blur", "faces", 0)[1] == clean).all()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"model": ""}, "model: is missing"),
    ({"model": "nothing"}, "model: “nothing” is not on this server"),
    ({"data": "no such place"}, "is neither a set"),
    ({"count": 5}, "count: must be a number from 16"),
    ({"count": 10**9}, "count: must be a number from 16"),
    ({"count": None}, "count: must be a number from 16"),
    ({"psi": 3.0}, "psi: must be a number from 0 to 2"),
    ({"data": None}, "'nothing' is not on this server"),
    ({"seed": None}, "seed: must be a number"),
    ({"psi": None}, "psi: must be a number"),
]


@pytest.mark.parametrize(("wrong", "told"), BAD, ids=[told for _, told in BAD])
def test_bad_input_is_one_sentence(lab: Measuring, wrong: dict[str, Any], told: str) -> None:
    asked = ASKED._replace(**{name: value for name, value in wrong.items() if name != "psi"})
    with pytest.raises(InvalidInput, match=told):
        lab.report(asked, wrong.get("psi", 1.0), False, unheard)


def test_other_problems_are_one_sentence_too(lab: Measuring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="2 to 12"):
        lab.curve(ASKED, [1.0], unheard)
    with pytest.raises(InvalidInput, match="not one of noise"):
        lab.sample("fog", "faces", 1)
    with pytest.raises(InvalidInput, match="not on this server"):
        lab.sample("blur", "mnist of someone", 1)
    (tmp_path / "fake.safetensors").write_bytes(b"x")
    fake = Measuring(Catalogue(lambda model: FakePainter(model.name), public=True, shipped=tmp_path))
    with pytest.raises(InvalidInput, match="none that can be measured"):
        fake.report(Asked("fake", "digits", COUNT), 1.0, False, unheard)
    assert fake.most == MOST_PUBLIC
    monkeypatch.setattr(measuring, "available", lambda: {"faces": "Faces"})
    with pytest.raises(InvalidInput, match="two sets"):
        lab.sample("mixed", "faces", 1)


def test_a_stranger_names_no_place_of_the_server(tmp_path: Path) -> None:
    public = Measuring(Catalogue(open_model, public=True))
    with pytest.raises(InvalidInput, match="not on this server"):
        public.report(Asked("mnist32", str(tmp_path), COUNT), 1.0, False, unheard)


def test_it_can_be_ended_while_pictures_are_made(lab: Measuring) -> None:
    def tick(what: str, done: int, of: int) -> None:
        if what == "pictures":
            raise Cancelled

    with pytest.raises(Cancelled):
        lab.report(ASKED, 1.0, False, tick)


def test_a_clip_is_a_way_to_compare_and_its_path_is_no_business_of_visitors(
    lab: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLAB_CLIP", str(SHIPPED))
    assert ("CLIP", "clip") in lab.features() and str(SHIPPED) not in str(lab.features())
    found = lab.report(ASKED._replace(features="clip"), 1.0, False, unheard)
    assert found.figures[0].name == f"FD-clip-{SHIPPED.stem}"
