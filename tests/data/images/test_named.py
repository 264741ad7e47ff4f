"""Arrays, named sets and the hub: found where they lie, refused with what to do where they are not."""

import io
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.cli_zoo import DownloadData
from ganlab.config import InvalidInput
from ganlab.data.images import DRAWN, IMAGE_SETS, ImageData, ImageSet, download_images, open_images
from ganlab.data.images.sets import OPENERS

SIDE = 16


def opened(path: str, **settings: Any) -> ImageSet:
    return open_images(ImageData("folder", path=path, resolution=SIDE, **settings))


def numbers_of(images: torch.Tensor) -> list[int]:
    return images[:, 0, 0, 0].tolist()


def lying(path: Path, array: bytes) -> str:
    """A .npz with the bytes of an array as they are."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", array)
    return str(path)


def npz(path: Path, **arrays: Any) -> str:
    np.savez_compressed(path, **arrays)
    return str(path)


GREYS = np.arange(6, dtype=np.uint8)[:, None, None].repeat(12, 1).repeat(12, 2)  # [6, 12, 12]
ARRAYS = {
    "grey": {"images": GREYS},
    "one channel": {"train_images": GREYS[..., None], "test_images": GREYS[:2]},
    "three channels": {"x_train": GREYS[..., None].repeat(3, 3)},
    "four channels": {"images": np.concatenate((GREYS[..., None].repeat(3, 3), np.full((6, 12, 12, 1), 255, "u1")), 3)},
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_images(kind: str, tmp_path: Path) -> None:
    path = npz(tmp_path / "set.npz", **ARRAYS[kind], labels=np.array([[0], [1], [0], [2], [2], [1]]))
    found = opened(path, labels="class")
    assert numbers_of(found.train.images) == list(range(6)) and found.train.images.shape == (6, 3, SIDE, SIDE)
    assert found.classes == ("0", "1", "2") and found.train.targets.tolist() == [0, 1, 0, 2, 2, 1]
    assert opened(path, grey=True).train.images.shape == (6, 1, SIDE, SIDE)


BAD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "other names": ({"a": GREYS}, "no array called images; it holds a"),
    "floats": ({"images": GREYS / 255}, "must hold images as whole numbers"),
    "64 bits": ({"images": GREYS.astype(int)}, "must hold images as whole numbers"),
    "objects": ({"images": np.array([{}, {}])}, "Python objects"),
    "flat": ({"images": GREYS[0]}, "must hold images"),
    "channels": ({"images": GREYS[..., None].repeat(5, 3)}, "must hold images"),
    "none": ({"images": GREYS[:0]}, "must hold images"),
    "tiny": ({"images": GREYS[:, :3], "labels": np.zeros(6, int)}, "at least 8"),
    "no labels": ({"images": GREYS}, "no array called labels"),
    "few labels": ({"images": GREYS, "labels": np.arange(5)}, "5 of them for 6 images"),
    "wrong labels": ({"images": GREYS, "labels": np.arange(6) - 1}, "whole numbers from 0"),
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_bad_arrays_get_a_sentence(kind: str, tmp_path: Path) -> None:
    arrays, words = BAD_ARRAYS[kind]
    with pytest.raises(InvalidInput, match=words):
        opened(npz(tmp_path / "set.npz", **arrays), labels="class")


def test_an_array_that_lies_about_its_size_takes_no_memory(tmp_path: Path) -> None:
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 1000, 1000), }".ljust(117) + b"\n"
    fake = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    with pytest.raises(InvalidInput, match="an array of 9000"):
        opened(lying(tmp_path / "set.npz", fake))
    with pytest.raises(InvalidInput, match="damaged"):  # and one that is cut off
        opened(lying(tmp_path / "set.npz", fake.replace(b"9000000, 1000", b"9, 4         ")))


def test_every_set_has_an_opener() -> None:
    assert set(IMAGE_SETS) == {*DRAWN, *OPENERS}
    for row in IMAGE_SETS.values():
        assert row.title and row.licence and (bool(row.url or row.how) == bool(row.file))


@pytest.mark.parametrize("how", ["file", "folder", "GANLAB_DATA", "GANLAB_DATA file", "cache"])
def test_a_named_set_is_found_where_it_lies(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANLAB_DATA", raising=False)
    place = tmp_path / "cache" / "data" if how == "cache" else tmp_path / "here"
    place.mkdir(parents=True)
    file = npz(place / "mnist.npz", train_images=GREYS, train_labels=np.arange(6))
    if how.startswith("GANLAB_DATA"):
        monkeypatch.setenv("GANLAB_DATA", file if how.endswith("file") else str(place))
    path = {"file": file, "folder": str(place)}.get(how, "")
    found = open_images(ImageData("mnist", path=path, resolution=SIDE, grey=True, labels="class"))
    assert found.train.targets.tolist() == list(range(6)) and found.title.startswith("MNIST") and found.licence


def test_a_named_set_that_is_not_here_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("GANLAB_DATA", str(tmp_path / "mine"))
    for name, words in (("mnist", "python -m ganlab download-data mnist"), ("emoji", "name it emoji64.zip")):
        with pytest.raises(InvalidInput, match=words) as caught:
            open_images(ImageData(name))
        assert str(tmp_path / "mine") in str(caught.value) and str(tmp_path / "data") in str(caught.value)


def test_what_can_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist.npz").write_bytes(b"is here already")
    assert DownloadData("mnist").main() == 0 and capsys.readouterr().out.strip().endswith("mnist.npz")
    for name, words in (("emoji", "there is no one file"), ("faces", "such are mnist, clothes, emoji")):
        with pytest.raises(InvalidInput, match=words):
            download_images(name)


def test_digits_come_with_their_classes() -> None:
    pytest.importorskip("sklearn")
    found = open_images(ImageData("digits", resolution=SIDE, grey=True, labels="class", limit=400, valid=0.1))
    assert found.train.images.shape == (360, 1, SIDE, SIDE) and len(found.valid) == 40 and len(found.classes) == 10
    assert torch.bincount(found.train.targets).min() > 15 and found.train.images.max() > 250
    means = [found.train.images[found.train.targets == c].float().mean(0) for c in (0, 1)]
    middle = slice(SIDE // 2 - 1, SIDE // 2 + 1)
    assert means[1][0, middle, middle].mean() > means[0][0, middle, middle].mean() + 80  # a 0 is empty in its middle


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InvalidInput, match="pip install scikit-learn"):
        open_images(ImageData("digits"))


def packed(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (20, 20), shade).save(stream, "PNG")
    return stream.getvalue()


class Table:
    """As much of a set of the hub's library as is used."""

    def __init__(self, features: dict[str, Any], rows: list[Any]) -> None:
        self.features, self.rows = features, rows

    def cast_column(self, name: str, kind: Any) -> "Table":
        assert self.features[name].decode and not kind.decode
        return self

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | str) -> Any:
        return [row["kind"] for row in self.rows] if isinstance(key, str) else self.rows[key]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for the library `datasets`, with some sets."""
    (tmp_path / "4.png").write_bytes(packed(4))
    pictures = [{"bytes": packed(i)} for i in range(3)]
    pictures += [{"bytes": b"x"}, {"bytes": None, "path": str(tmp_path / "4.png")}, None, {"bytes": bytes(21 << 20)}]
    image = type("Image", (), {"__init__": lambda self, decode=True: setattr(self, "decode", decode)})
    label = type("ClassLabel", (), {"names": ["cat", "dog"]})
    rows = [{"photo": picture, "kind": i % 2} for i, picture in enumerate(pictures)]
    held = {
        ("user/set", "train"): Table({"id": object(), "photo": image(), "kind": label()}, rows),
        ("user/set", "test"): Table({"photo": image()}, rows[:1]),
        ("words", "train"): Table({"text": object()}, []),
    }

    def load_dataset(name: str, split: str) -> Table:
        if (name, split) not in held:
            raise ConnectionError("Couldn't reach the hub\n" + "x" * 1000)
        return held[name, split]

    module = ModuleType("datasets")
    vars(module).update(load_dataset=load_dataset, Image=image)
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_a_set_of_the_hub(hub: None) -> None:
    found = open_images(ImageData("hub", hub="user/set", resolution=SIDE, labels="class"))
    assert numbers_of(found.train.images) == [0, 1, 2, 4] and found.train.targets.tolist() == [0, 1, 0, 0]
    assert found.classes == ("cat", "dog") and len(found.skipped) == 3
    assert found.skipped[0].startswith("image 3: is not a readable") and "missing" in found.skipped[1]
    assert len(open_images(ImageData("hub", hub="user/set:test", resolution=SIDE)).train) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "must be the name of a data set"),
        ("../x", "must be the name of a data set"),
        ("/etc/x", "must be the name of a data set"),
        ("a/b/c", "must be the name of a data set"),
        ("user/none", "could not be loaded; check its name and your connection"),
        ("words", "has no column of images; it has text"),
        ("user/set:test", "no column of classes"),
    ],
)
def test_what_the_hub_cannot_give(hub: None, name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        open_images(ImageData("hub", hub=name, labels="class"))
    assert len(str(caught.value)) < 400


def test_the_hub_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InvalidInput, match="needs the package datasets"):
        open_images(ImageData("hub", hub="user/set"))
