"""What "show me the Python" prints runs, and makes the same picture."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganlab import weights, zoo
from ganlab.film import Film, Keyframe
from ganlab.recipe import Edit, Mix, Noise, Recipe, Source, pack_channels, pack_latent
from ganlab.recipe_script import as_python
from ganlab.synthesis import Renderer
from tests.tiny_models import write_model

RECIPE = Recipe("tiny", "0" * 64, (Source(3, x=0.25),), psi=0.5, mixes=(Mix(Source(4), (0, 1)),), noise=Noise("none"))
EDITS = (
    Edit("smile", direction=pack_latent(np.ones(32, np.float32)), strength=0.5, layers=(0, 1)),
    Edit("red hair", "s", pack_channels(np.array([1, 3]), np.array([2, -2], np.float32)), -1.5),
)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_model(tmp_path, "tiny", 16)
    monkeypatch.setattr(zoo, "path_of", lambda name: path)
    monkeypatch.chdir(tmp_path)
    return path


RECIPES = {"the first": Recipe("tiny"), "mixed": RECIPE, "edited": replace(RECIPE, edits=EDITS)}


@pytest.mark.parametrize("name", RECIPES)
def test_a_picture(name: str, model: Path) -> None:
    recipe = replace(RECIPES[name], sha256="")
    exec(as_python(RECIPES[name]), {})
    image = Renderer(weights.load(model)).pictures([recipe])[0].image
    assert np.array_equal(np.asarray(Image.open("picture.png")), image)


def test_a_film(model: Path) -> None:
    keys = (Keyframe(Recipe("tiny", edits=EDITS), 0.1), Keyframe(Recipe("tiny", sources=(Source(2),)), 0.1))
    exec(as_python(Film(keys, loop=False)), {})
    assert sorted(os.listdir("."))[:3] == ["frame0000.png", "frame0001.png", "frame0002.png"]
