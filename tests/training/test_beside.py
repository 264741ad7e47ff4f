"""What a generator is measured beside: its classes where the data has them, and some images held out."""

import re
from pathlib import Path
from typing import Any

import pytest

from ganlab import weights, zoo
from ganlab.cli import main
from ganlab.config import InvalidInput
from ganlab.data.images import ImageData
from ganlab.features.extractors import extractor
from ganlab.training.beside import HELD_OUT, data_beside, images_beside, same_classes
from ganlab.training.full_report import full_report
from ganlab.training.quality import QualityMeter


@pytest.fixture(scope="module")
def mnist() -> Any:
    return weights.load(zoo.path_of("mnist32"))


@pytest.mark.parametrize(("data", "labels", "same"), [("digits", "class", True), ("polygons", "", False)])
def test_classes_are_compared_where_they_are_the_same(mnist: Any, data: str, labels: str, same: bool) -> None:
    config = data_beside(mnist, data)
    assert (config.labels, config.grey, config.valid) == (labels, True, HELD_OUT)
    images = images_beside(config)
    assert same_classes(mnist, images) == same
    figures, warning = full_report(mnist, QualityMeter(images, 64), 1.0, 64, latents=False)
    names = [figure.name for figure in figures]
    assert ("class as asked" in names) == same and "copying-pyramid" in names
    assert ("are not those of this data" in (warning or "")) != same


def test_a_flat_folder_has_no_classes_and_asking_for_some_says_so(mnist: Any, tmp_path: Path) -> None:
    from PIL import Image

    for i in range(20):
        Image.effect_noise((32, 32), 20 + i).save(tmp_path / f"{i}.png")
    assert not images_beside(data_beside(mnist, str(tmp_path))).classes
    with pytest.raises(InvalidInput, match="labels"):
        images_beside(data_beside(mnist, str(tmp_path), "class"), asked=True)
    with pytest.raises(InvalidInput, match="labels"):
        data_beside(mnist, "polygons", "class")


def test_what_a_training_held_out_is_held_out_again() -> None:
    G: Any = weights.load(zoo.path_of("mnist32"))
    G.about = {"run": {"data": ImageData("digits", valid=0.3, seed=5).to_dict()}}
    assert (data_beside(G, "digits").valid, data_beside(G, "digits").seed) == (0.3, 5)
    assert (data_beside(G, "faces").valid, data_beside(G, "faces").seed) == (HELD_OUT, 0)
    G.about = {"run": {"data": {"name": "evil"}}}
    assert data_beside(G, "digits").valid == HELD_OUT


def test_faces_have_a_score_of_their_own_and_progress_is_told() -> None:
    G: Any = weights.load(zoo.path_of("faces64"))
    told: list[tuple[str, int, int]] = []

    def tick(what: str, done: int, of: int) -> None:
        told.append((what, done, of))

    images = images_beside(data_beside(G, "faces"))
    meter = QualityMeter(images, 300, extractor("faces"), tick)
    figures, _ = full_report(G, meter, 1.0, 300, tick=tick, latents=False)
    of = {figure.name: figure.value for figure in figures}
    assert 3 < of["IS-faces"] <= 8 and 0 < of["copying-faces"] < 1  # of eight hairstyles
    assert {"MS-SSIM of pairs within classes", "class as asked"} < of.keys()
    assert [row for row in told if row[0] == "pictures"] == [("pictures", k, 300) for k in (100, 200, 300)]


@pytest.mark.parametrize("wrong", [["--real", "0"], ["--real", "-1"], ["--count", "3"]])
def test_counts_are_checked_before_anything_is_opened(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "mnist32", "nowhere", *wrong]) == 2
    assert re.search(r"(real|count): must be from 16 to 1,000,000", capsys.readouterr().err)


def test_fetching_brings_only_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganlab.features.inception.fetch", lambda *args: pytest.fail("nobody has asked for Inception"))
    small = ["metrics", "mnist32", "digits", "--count", "16", "--real", "32"]
    assert main([*small, "--features", "pyramid", "--fetch"]) == 0
    assert "FD-pyramid" in capsys.readouterr().out
