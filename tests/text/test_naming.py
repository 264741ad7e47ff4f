"""Directions named by captions, with an embedding made up for it."""

import pytest
import torch

from ganlab import weights
from ganlab.latents.directions import w_direction
from ganlab.synthesis import Cancelled, Renderer
from ganlab.text.naming import PHOTOS, face_captions, name_directions, nearest_captions
from tests.text.colours import Colours
from tests.tiny_models import write_model

CAPTIONS = ("a red picture", "a green picture", "a blue picture")


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    path = write_model(tmp_path_factory.mktemp("model"), resolution=16)
    return Renderer(weights.load(path), "tiny", sha256="ab" * 32)


def test_the_captions_at_both_ends_are_found() -> None:
    changes = torch.eye(3)
    walks = torch.tensor([[2.0, -3.0, 0.1], [0.2, 0.0, 0.1]])
    assert nearest_captions(walks, changes, CAPTIONS) == [(CAPTIONS[0], CAPTIONS[1]), ("", "")]
    assert nearest_captions(torch.tensor([[2.0, 0.0, 0.1]]), changes, CAPTIONS) == [(CAPTIONS[0], "")]


def test_two_axes_do_not_get_one_name() -> None:
    walks = torch.tensor([[3.0, 2.0, 0.0], [4.0, 0.0, 1.5], [1.2, 0.0, 0.0]])
    named = nearest_captions(walks, torch.eye(3), CAPTIONS)
    assert [towards for towards, _ in named] == [CAPTIONS[1], CAPTIONS[0], ""]


def test_an_axis_is_named_by_what_it_does(renderer: Renderer) -> None:
    """The axis of W along which red grows, found by regression, is called red."""
    w = renderer.latents.sample(400, torch.Generator().manual_seed(1))
    images = renderer.images(w[:, None].expand(-1, renderer.engine.num_ws, -1))
    red = Colours().embed_images(images) @ Colours().embed_texts(["red"])[0]
    axis = torch.linalg.lstsq(w - w.mean(0), (red - red.mean())[:, None]).solution[:, 0]
    axis = axis / axis.norm() * 4 * w.std()
    made = [w_direction(f"PCA {k}", scale * axis, "pca") for k, scale in ((1, 1.0), (2, -1.0), (3, 1e-6))]
    names = [one.name for one in name_directions(renderer, Colours(), made, CAPTIONS)]
    assert names[0].startswith("PCA 1: red picture")
    assert names[1].startswith("PCA 2: ") and names[1].endswith(("less red picture", "backwards red picture"))
    assert names[2] == "PCA 3"


def test_it_can_be_stopped(renderer: Renderer) -> None:
    with pytest.raises(Cancelled):
        name_directions(
            renderer, Colours(), [w_direction("a", torch.ones(renderer.G.w_dim), "pca")], CAPTIONS, lambda *_: False
        )


def test_captions_are_of_many_things() -> None:
    known = face_captions()
    assert {"bald", "long hair", "red hair", "glasses", "a blue background"} <= set(known)
    assert len(set(known)) == len(known) > 100 and len(set(PHOTOS)) == len(PHOTOS)
