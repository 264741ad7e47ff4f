"""The app shows the pixels that `ganlab.synthesis.render` gives, and its PNG brings back the recipe that made them."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from apps.studio_routes import server
from ganlab.film import Film, Keyframe
from ganlab.recipe import ClassShare, Edit, Mix, Noise, Recipe, Source, Stroke, pack_channels, pack_latent
from ganlab.serving.models import Catalogue, open_model
from ganlab.synthesis import render

FACE = Recipe(model="faces64", sources=(Source(seed=7, classes=(ClassShare(4),)),), psi=0.7)
EDITS = (
    Edit("all", direction=pack_latent(np.full(128, 0.1, np.float32)), layers=(4, 5)),
    Edit("a channel", "s", pack_channels(np.array([200]), np.array([3], np.float32))),
)
RECIPES = {
    "a face": FACE,
    "blended": replace(FACE, sources=(Source(1, x=0.3, y=0.6), Source(2, weight=0.5))),
    "in Z": replace(FACE, sources=(Source(1), Source(2)), space="z_slerp"),
    "mixed": replace(FACE, mixes=(Mix(Source(seed=3), (6, 7, 8)),), cutoff=5, center="class"),
    "noisy": replace(FACE, noise=Noise("random", 3, (1, 0.5), strokes=(Stroke(0.5, 0.3, 0.2),))),
    "edited": replace(FACE, edits=EDITS),
    "a moment of edited ones": Film((Keyframe(replace(FACE, edits=EDITS)), Keyframe(FACE))).at(0.5),
    "a moment": Film((Keyframe(FACE), Keyframe(replace(FACE, psi=0.2))), curve="cubic").at(0.4),
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=server(Catalogue(open_model)).routes())) as client:
        yield client


def asked(client: TestClient, message: dict[str, object]) -> tuple[dict[str, object], bytes]:
    with client.websocket_connect("/ganlab/studio/socket") as line:
        line.send_text(json.dumps({"id": 1, **message}))
        data = line.receive_bytes()
    size = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + size]), data[4 + size :]


@pytest.mark.parametrize("name", RECIPES)
def test_the_app_and_python_agree(name: str, client: TestClient) -> None:
    recipe = RECIPES[name]
    expected = render(recipe)
    _, shown = asked(client, {"do": "render", "recipe": recipe.to_dict(), "preview": False})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown)).convert("RGB")), expected)
    _, saved = asked(client, {"do": "png", "recipe": recipe.to_dict()})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(saved)).convert("RGB")), expected)
    back = client.post("/ganlab/studio/upload?kind=picture", content=saved).json()["recipe"]
    assert replace(Recipe.from_dict(back), sha256="") == recipe
