"""The rendered faces as a set: endless or held, the same by one process or by several; and settings that are wrong."""

from typing import Any

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.data.faces import faces
from ganlab.data.images import FACE_LABELS, ImageData, drawn, open_images
from ganlab.files import Cancelled

SIDE = 32


def test_endless_faces_are_those_of_the_seed() -> None:
    found = open_images(ImageData("faces", resolution=SIDE, labels="hairstyle", seed=3))
    images, people = faces(3, [7, 2**33], SIDE)
    pixels, targets = found.train.get([7, 2**33])
    assert torch.equal(pixels, images) and torch.equal(targets, people["hairstyle"])
    assert torch.equal(found.train.get(torch.tensor([7]))[0], images[:1])
    assert found.train.endless and len(found.train) > 10**9 and found.train.images is found.train.targets is None
    assert found.classes[:2] == ("bald", "short") and found.valid is None and found.skipped == ()
    assert found.shares.sum() == pytest.approx(1) and found.shares[1] == pytest.approx(0.22, abs=0.02)


def test_validation_faces_are_others() -> None:
    found = open_images(ImageData("faces", resolution=SIDE, valid=0.1))
    assert found.valid is not None and found.valid.endless and found.classes == ()
    (train, targets), (valid, _) = found.train.get([0]), found.valid.get([0])
    assert not torch.equal(train, valid) and targets.tolist() == [0]
    others = open_images(ImageData("faces", resolution=SIDE, seed=1)).train.get([0])[0]
    assert not torch.equal(valid, others)


def test_a_limit_holds_the_first_faces() -> None:
    config = ImageData("faces", resolution=SIDE, labels="hat", limit=40, valid=0.25, mirror=True)
    heard: list[tuple[int, int]] = []
    found = open_images(config, lambda done, of: heard.append((done, of)) is None)
    images, people = faces(0, range(40), SIDE)
    assert torch.equal(found.train.images[::2], images[:30]) and torch.equal(found.valid.images[::2], images[30:])
    assert torch.equal(found.train.images[1::2], images[:30].flip(3))
    assert torch.equal(found.train.targets[::2], people["hat"][:30]) and heard[-1] == (40, 40)
    assert len(found.train) == 60 and not found.train.endless
    with pytest.raises(Cancelled):
        open_images(config, lambda done, of: False)


def test_grey_faces_are_those_of_pillow() -> None:
    from PIL import Image

    found = open_images(ImageData("faces", resolution=SIDE, grey=True, limit=3))
    image = Image.fromarray(faces(0, [2], SIDE)[0][0].permute(1, 2, 0).contiguous().numpy()).convert("L")
    assert found.train.images.shape == (3, 1, SIDE, SIDE)
    assert found.train.images[2].flatten().tolist() == list(image.tobytes())


def test_several_processes_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ImageData("faces", resolution=SIDE, labels="hat", limit=60)
    alone = open_images(config)
    monkeypatch.setattr(drawn, "MANY", 10)
    monkeypatch.setattr(drawn, "AT_ONCE", 8 * 3 * SIDE**2)
    monkeypatch.setattr(drawn.os, "cpu_count", lambda: 2)
    heard: list[int] = []
    found = open_images(config, lambda done, of: heard.append(done) is None)
    assert heard == [8, 16, 24, 32, 40, 48, 56, 60]
    assert torch.equal(found.train.images, alone.train.images)
    assert torch.equal(found.train.targets, alone.train.targets)


def test_processes_that_cannot_start_are_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        yield drawn._arrays(config, range(8))
        raise drawn.BrokenProcessPool

    config = ImageData("faces", resolution=SIDE, limit=20)
    monkeypatch.setattr(drawn, "MANY", 10)
    monkeypatch.setattr(drawn, "AT_ONCE", 8 * 3 * SIDE**2)
    monkeypatch.setattr(drawn.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(drawn, "_side_by_side", broken)
    assert torch.equal(open_images(config).train.images, faces(0, range(20), SIDE)[0])


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "name": ({"name": "cars"}, "name", "is not one of faces, digits"),
    "side": ({"name": "folder", "resolution": 48}, "resolution", "a power of two"),
    "large": ({"name": "folder", "resolution": 2048}, "resolution", "from 16 to 1024"),
    "small face": ({"resolution": 16}, "resolution", "drawn at 32 to 512"),
    "large face": ({"resolution": 1024}, "resolution", "drawn at 32 to 512"),
    "mirrored": ({"mirror": True}, "mirror", "endless"),
    "attribute": ({"labels": "age"}, "labels", "is not one of"),
    "range": ({"labels": "skin"}, "labels", "is not one of"),
    "class": ({"labels": "class"}, "labels", "is not one of"),
    "attribute of a folder": ({"name": "folder", "labels": "hat"}, "labels", "use 'class'"),
    "fit": ({"fit": "zoom"}, "fit", "is not one of crop, pad, stretch"),
    "share": ({"valid": 0.7}, "valid", "from 0 to 0.5"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings_get_a_sentence(case: str) -> None:
    settings, field, words = WRONG[case]
    with pytest.raises(InvalidInput, match=words) as caught:
        ImageData.from_dict(settings)
    assert caught.value.field == field


def test_settings_survive_json() -> None:
    config = ImageData("folder", path="cats.zip", resolution=128, labels="class", valid=0.1, mirror=True)
    assert ImageData.from_json(config.to_json()) == config
    assert all(ImageData(labels=name).labels == name for name in FACE_LABELS)
