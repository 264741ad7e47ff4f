"""The weights that ship: small, licensed, each with a card that tells the truth, and they give pictures."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganlab import weights, zoo
from ganlab.features.faces import load_classifier
from ganlab.recipe import ClassShare, Recipe, Source
from ganlab.synthesis import open_renderer
from ganlab.text import HOWS
from ganlab.text.clip import load_clip
from ganlab.text.directions import known_effects
from ganlab.text.small import read_small

FILES = sorted(path for path in zoo.SHIPPED_FOLDER.rglob("*") if path.is_file())
MODELS = list(zoo.shipped().values())
CLASSIFIERS = [path for path in FILES if path.suffix == ".safetensors" and path.parent.name == "features"]
EFFECTS = [path for path in FILES if path.suffix == ".safetensors" and path.parent.name == "effects"]
CLIPS = [path for path in FILES if path.suffix == ".safetensors" and path.parent.name == "clip"]


def test_nothing_else_lies_there() -> None:
    assert {path.suffix for path in FILES} <= {".safetensors", ".md", ".webp"}
    assert {path for path in FILES if path.suffix == ".webp"} == {path.with_suffix(".webp") for path in MODELS}
    assert {path for path in FILES if path.suffix == ".safetensors"} == {*MODELS, *CLASSIFIERS, *CLIPS, *EFFECTS}


def licence_of(path: Path) -> str:
    if path in CLASSIFIERS:
        return load_classifier(path).licence
    return read_small(path).licence if path in CLIPS else weights.inspect(path).licence


@pytest.mark.parametrize("path", [*MODELS, *CLASSIFIERS, *CLIPS], ids=lambda path: path.stem)
def test_each_has_a_card(path: Path) -> None:
    assert path.stat().st_size < 10_000_000
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert licence_of(path) == "Apache-2.0" and "Apache-2.0" in card
    for heading in ("Data", "Training", "Measured", "Limits"):
        assert f"## {heading}" in card, heading


def test_what_ships_is_known_to_each_other() -> None:
    """So that a text changes the shipped faces at once."""
    shipped = [("faces64", how) for how in HOWS] + [("stylegan-faces32", how) for how in HOWS if how != "apart"]
    for model, how in shipped:
        effects = known_effects(open_renderer(zoo.path_of(model)), load_clip(), how)
        assert effects is not None and effects.effects.any(), (model, how)
        assert model == "faces64" or effects.suggestions
    for path in EFFECTS:
        assert path.stat().st_size < 10_000_000
        assert hashlib.sha256(path.read_bytes()).hexdigest() in path.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CLASSIFIERS, ids=lambda path: path.stem)
def test_the_card_of_a_classifier_says_what_its_file_says(path: Path) -> None:
    card, about = path.with_suffix(".md").read_text(encoding="utf-8"), load_classifier(path).about
    for name, score in about["scores"].items():
        assert re.search(rf"\b{name} {100 * score:.1f}\b", card), name


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_the_card_of_a_clip_says_what_its_file_says(path: Path) -> None:
    card, about = path.with_suffix(".md").read_text(encoding="utf-8"), read_small(path).about
    for name, score in about["scores"]["trained"]["zero_shot"].items():
        assert re.search(rf"\| {name} \| {100 * score:.1f} \|", card), name


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_card_of_a_generator_shows_pictures(path: Path) -> None:
    sheet = path.with_suffix(".webp")
    assert f"]({sheet.name})" in path.with_suffix(".md").read_text(encoding="utf-8")
    with Image.open(sheet) as image:
        side = 8 * weights.load(path).img_resolution
        assert image.size == (2 * side, side) and sheet.stat().st_size < 500_000


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_each_gives_pictures(path: Path) -> None:
    renderer = open_renderer(path)
    facts = renderer.facts()
    assert len(facts["classes"]) == facts["c_dim"] and facts["title"]
    classes = [(ClassShare(k),) for k in range(facts["c_dim"])] or [()]
    pictures = renderer.pictures([Recipe(sources=(Source(1, classes=c),)) for c in classes])
    seen = {picture.image.tobytes() for picture in pictures}
    assert len(seen) == len(classes)
    assert all(10 < np.std(picture.image) < 120 for picture in pictures)
