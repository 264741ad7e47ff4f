"""Folders, zips and uploads of images: what is read, what is left out and told, what is refused."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, ImageSet, archives, open_images, pictures
from ganlab.files import Cancelled

SIDE = 16
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def packed(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def flat(shade: int | tuple[int, ...], size: tuple[int, int] = (20, 20)) -> bytes:
    """A picture of one colour."""
    return packed(Image.new("L" if isinstance(shade, int) else "RGB", size, shade))


def folder_of(path: Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return str(path)


def zip_of(path: Path, files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def opened(path: str, **settings: Any) -> ImageSet:
    return open_images(ImageData("folder", path=path, resolution=SIDE, **settings))


def one(path: Path, data: bytes, **settings: Any) -> torch.Tensor:
    """The only image of a folder, [C, H, W]."""
    return opened(folder_of(path / "one", {"a": data}), **settings).train.images[0]


def shades(count: int) -> dict[str, bytes]:
    """Pictures whose brightness is their number."""
    return {f"{number:04}.png": flat(number) for number in range(count)}


def numbers_of(images: torch.Tensor) -> list[int]:
    return images[:, 0, 0, 0].tolist()


PLACES: dict[str, Callable[[Path, dict[str, bytes]], str]] = {"folder": folder_of, "zip": zip_of}


@pytest.mark.parametrize("place", PLACES)
def test_images_are_read_in_the_order_of_their_names(place: str, tmp_path: Path) -> None:
    files = {"b/2.png": flat(30), "a.jpg": flat(10), "b/1.webp": packed(Image.new("RGB", (9, 9), (20, 20, 20)), "WEBP")}
    found = opened(PLACES[place](tmp_path / "set", files))
    assert found.train.images.shape == (3, 3, SIDE, SIDE) and found.train.images.dtype == torch.uint8
    assert np.abs(np.array(numbers_of(found.train.images)) - [10, 20, 30]).max() <= 2
    assert found.classes == () and found.skipped == () and found.valid is None
    pixels, targets = found.train.get([2, 0])
    assert torch.equal(pixels, found.train.images[[2, 0]]) and targets.tolist() == [0, 0]
    assert len(found.train) == 3 and not found.train.endless
    with pytest.raises(IndexError):
        found.train.get([3])


@pytest.mark.parametrize("place", PLACES)
def test_bad_files_are_left_out_and_told(place: str, tmp_path: Path) -> None:
    wide = Image.new("L", (20_000, 8))
    files = {
        "good.png": flat(7),
        "cut.png": packed(Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90), dtype=np.uint8)))[:900],
        "notes.txt": b"hello",
        "moving.gif": packed(Image.new("L", (9, 9)), "GIF"),
        "empty.png": b"",
        "dot.png": flat(1, (3, 30)),
        "wide.png": packed(wide),
        "heavy.png": bytes(21 << 20),
        ".hidden": b"",
        "__MACOSX/good.png": b"",
        "Thumbs.db": b"",
    }
    found = opened(PLACES[place](tmp_path / "set", files))
    told = dict(line.split(": ", 1) for line in found.skipped)
    assert numbers_of(found.train.images) == [7]
    assert set(told) == {"cut.png", "notes.txt", "moving.gif", "empty.png", "dot.png", "wide.png", "heavy.png"}
    assert "at most 40 megapixels" in told["wide.png"] and "at most 20 MB" in told["heavy.png"]
    assert "not a readable PNG" in told["notes.txt"] and "at least 8" in told["dot.png"]


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    bad = folder_of(tmp_path / "bad", {"a.png": b"x", "b.png": b""})
    for path, words in (
        ("", "name a folder"),
        (str(tmp_path / "none"), "there is nothing at"),
        (str(tmp_path / "empty"), "there are no images"),
        (bad, "none of the images can be used; the first of them: a.png: is not a readable"),
        (bad + "/a.png", "neither a folder nor"),
    ):
        with pytest.raises(InvalidInput, match=words):
            opened(path)


def half(mode: str = "L") -> Image.Image:
    """Black on the left, white on the right."""
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:, 16:] = 255
    return Image.fromarray(pixels).convert(mode)


def see_through() -> Image.Image:
    image = Image.new("RGBA", (32, 32), (90, 0, 0, 0))  # invisible: white on the right
    image.paste((0, 0, 0, 255), (0, 0, 16, 32))
    return image


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return packed(half().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=100)


KINDS = {
    "grey": packed(half()),
    "colours": packed(half("RGB")),
    "palette": packed(half("RGB").quantize(2)),
    "one bit": packed(half("1")),
    "16 bits": packed(Image.fromarray(np.asarray(half()).astype(np.uint16) * 257)),
    "alpha": packed(see_through()),
    "grey alpha": packed(see_through().convert("LA")),
    "palette alpha": packed(half("P"), transparency=255),
    "cmyk": packed(half("CMYK"), "JPEG", quality=100),
    "turned": turned(),
    "large jpeg": packed(half("RGB").resize((1600, 1600)), "JPEG", quality=95),
    "moving": packed(half("RGB"), "WEBP", save_all=True, append_images=[Image.new("RGB", (32, 32))], lossless=True),
}


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_comes_out_right(kind: str, grey: bool, tmp_path: Path) -> None:
    image = one(tmp_path, KINDS[kind], grey=grey)
    assert image.shape == (1 if grey else 3, SIDE, SIDE)
    assert image[:, :, : SIDE // 2 - 2].max() < 12 and image[:, :, SIDE // 2 + 2 :].min() > 243


@pytest.mark.parametrize(
    ("fit", "size", "row"),  # a row through the middle: a white picture with 8 px of black at each end
    [
        ("crop", (48, 16), [255] * 16),
        ("pad", (48, 16), [*[0] * 2, *[255] * 12, *[0] * 2]),
        ("stretch", (48, 16), [*[0] * 2, *[255] * 12, *[0] * 2]),
    ],
)
def test_wide_and_tall_pictures_become_square(fit: str, size: tuple[int, int], row: list[int], tmp_path: Path) -> None:
    wide = np.full(size[::-1], 255, np.uint8)
    wide[:, :8] = wide[:, -8:] = 0
    for name, picture in (("wide", wide), ("tall", wide.T)):
        image = one(tmp_path / name, packed(Image.fromarray(picture)), fit=fit, grey=True)[0].int()
        line = image[SIDE // 2] if name == "wide" else image[:, SIDE // 2]
        inner = [0, 1, 4, 8, 11, 14, 15]  # edges are soft
        assert (line[inner] - torch.tensor(row)[inner]).abs().max() <= 40
        border = image[0] if name == "wide" else image[:, 0]
        assert (border[[0, 15]].max() < 40) == (fit == "stretch")  # what is added around a picture is white


def test_fine_lines_become_grey_not_stripes(tmp_path: Path) -> None:
    lines = np.tile(np.array([0, 255], np.uint8), (128, 64))
    assert (one(tmp_path, packed(Image.fromarray(lines)))[:, 2:-2, 2:-2].int() - 127).abs().max() <= 6


@pytest.mark.parametrize("place", PLACES)
def test_sub_folders_are_classes(place: str, tmp_path: Path) -> None:
    files = {f"mine/{name}/deep/{i}.png": flat(colour) for name, colour in COLOURS.items() for i in range(2)}
    files |= {"mine/loose.png": flat(0), "mine/read me.txt": b"hello", "about.txt": b"hello"}
    found = opened(PLACES[place](tmp_path / "set", files), labels="class")
    assert found.classes == ("blue", "green", "red") and found.train.targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert torch.equal(found.train.images.float().mean((2, 3)).argmax(1), 2 - found.train.targets)
    assert sorted(line.split(":")[0] for line in found.skipped) == ["about.txt", "mine/loose.png", "mine/read me.txt"]
    assert found.shares.tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("place", PLACES)
def test_one_folder_is_no_class(place: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="needs from 2 to"):
        opened(PLACES[place](tmp_path / "set", {"a/1.png": flat(1), "a/2.png": flat(2)}), labels="class")


NAMES = ["00000/img00000000.png", "00000/img00000001.png", "00001/img00000002.png"]
NOTES: dict[str, tuple[Any, list[int], tuple[str, ...]]] = {
    "official": ({"labels": [[NAMES[0], 1], [NAMES[1], 0], [NAMES[2], 2]]}, [1, 0, 2], ("0", "1", "2")),
    "named": ({"labels": [[n, 1] for n in NAMES], "classes": ["cat", "dog"]}, [1, 1, 1], ("cat", "dog")),
    "dict": ({"labels": dict(zip(NAMES, [0, 1, 0])), "class_names": ["cat", "dog"]}, [0, 1, 0], ("cat", "dog")),
    "partly": ({"labels": [[NAMES[2], 1]]}, [1], ("0", "1")),
}


@pytest.mark.parametrize("under", ["", "data/train/"])
@pytest.mark.parametrize("notes", NOTES)
@pytest.mark.parametrize("place", PLACES)
def test_official_labels_are_classes(place: str, notes: str, under: str, tmp_path: Path) -> None:
    content, targets, classes = NOTES[notes]
    files = {under + name: flat(number) for number, name in enumerate(NAMES)}
    path = PLACES[place](tmp_path / "set", {**files, under + "dataset.json": json.dumps(content).encode()})
    found = opened(path, labels="class")
    assert found.train.targets.tolist() == targets and found.classes == classes
    assert len(found.skipped) == 3 - len(targets) and all("no label in dataset.json" in line for line in found.skipped)
    plain = opened(path)
    assert (
        plain.classes == ()
        and plain.train.targets.tolist() == [0, 0, 0]
        and numbers_of(plain.train.images) == [0, 1, 2]
    )


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        (b'{"labels": null, "captions": []}', "there are no classes"),
        (b'{"labels": [["a.png"]]}', "must hold"),
        (b'{"labels": [["a.png", true]]}', "must hold"),
        (b'{"labels": [["a.png", [0.5, 0.5]]]}', "must hold"),
        (b'{"labels": 3}', "must hold"),
        (b"[1]", "must hold"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"labels": [["a.png", -1]]}', "whole numbers from 0"),
        (b'{"labels": [["a.png", 99999999]]}', "whole numbers from 0"),
        (b'{"labels": [["b.png", 1]]}', "not for any file that is here"),
    ],
)
def test_bad_labels_get_a_sentence(notes: bytes, words: str, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "set.zip", {"a.png": flat(1), "dataset.json": notes})
    with pytest.raises(InvalidInput, match=words):
        opened(path, labels="class")
    assert len(opened(path).train) == 1  # without classes nobody asks for them


def test_mirrored_images_follow_their_originals_into_one_part(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, SIDE, SIDE), dtype=np.uint8)
    path = folder_of(
        tmp_path / "set", {f"{i:02}.png": packed(Image.fromarray(pixels)) for i, pixels in enumerate(noise)}
    )
    found = opened(path, mirror=True, valid=0.2, grey=True)
    assert len(found.train) == 32 and len(found.valid) == 8 and len(found.valid.targets) == 8
    for split in (found.train, found.valid):
        assert torch.equal(split.images[1::2], split.images[::2].flip(3))
    seen = torch.cat((found.train.images[::2], found.valid.images[::2]))[:, 0].numpy()
    assert sorted(map(bytes, seen)) == sorted(map(bytes, noise))


def test_limit_and_validation_are_the_seeds_choice(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "set", {**shades(100), "bad.png": b"x"})

    def parts(**settings: Any) -> tuple[list[int], list[int]]:
        found = opened(path, **settings)
        return numbers_of(found.train.images), numbers_of(found.valid.images)

    train, valid = parts(valid=0.25, seed=1)
    assert len(valid) == 25 and sorted(train + valid) == list(range(100))
    assert parts(valid=0.25, seed=1) == (train, valid) and parts(valid=0.25, seed=2)[1] != valid
    few, held_out = parts(valid=0.5, limit=10, seed=1)
    assert len(few) == len(held_out) == 5 and not set(few) & set(held_out) and max(few + held_out) > 20
    assert numbers_of(opened(path).train.images) == list(range(100))
    for settings in ({"limit": 1, "valid": 0.5}, {"valid": 0.001}):
        with pytest.raises(InvalidInput, match="leaves one part empty"):
            opened(path, **settings)


def test_a_limit_is_filled_up_where_files_are_bad(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "set", {**shades(10), **{f"bad{i}.png": b"x" for i in range(30)}})
    found = opened(path, limit=10)
    assert sorted(numbers_of(found.train.images)) == list(range(10)) and 0 < len(found.skipped) <= 30


def test_progress_is_told_and_can_be_stopped(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "set", shades(150))
    heard: list[tuple[int, int]] = []
    open_images(ImageData("folder", path=path), lambda done, of: heard.append((done, of)) is None)
    assert heard[-1] == (150, 150) and len(heard) > 1
    with pytest.raises(Cancelled):
        open_images(ImageData("folder", path=path), lambda done, of: False)


def test_too_many_pixels_for_memory_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlab.data.images.room.MOST_MEMORY", 20 * 3 * SIDE**2)
    path = folder_of(tmp_path / "set", shades(21))
    with pytest.raises(InvalidInput, match="or set a limit of 20 images"):
        opened(path)
    assert len(opened(path, limit=20).train) == 20
    with pytest.raises(InvalidInput, match="or set a limit of 10 images"):
        opened(path, mirror=True)


def encrypted(data: bytes) -> bytes:
    """A zip whose files say that they need a password."""
    raw = bytearray(data)
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = raw.find(magic)
        while at >= 0:
            raw[at + offset] |= 1
            at = raw.find(magic, at + 4)
    return bytes(raw)


def test_files_of_a_zip_that_cannot_be_unpacked_are_told(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    zip_of(path, {"a.png": flat(1)}, zipfile.ZIP_LZMA)
    with pytest.raises(InvalidInput, match="packed in an unusual way"):
        opened(str(path))
    zip_of(path, {"a.png": flat(1)})
    path.write_bytes(encrypted(path.read_bytes()))
    with pytest.raises(InvalidInput, match="is encrypted"):
        opened(str(path))
    zip_of(path, {"a.png": flat(1), "b.png": flat(2)}, zipfile.ZIP_STORED)
    hurt = bytearray(path.read_bytes())
    hurt[hurt.find(b"IDAT") + 6] ^= 255
    path.write_bytes(hurt)
    found = opened(str(path))
    assert numbers_of(found.train.images) == [2] and found.skipped == ("a.png: is damaged in the zip",)


def test_hostile_zips_are_refused_and_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.zip"
    zip_of(path, {"../../up.png": flat(1), "/abs.png": flat(2), "C:\\x\\y.png": flat(3), "a/../b.png": flat(4)})
    before = sorted(os.walk(tmp_path.parent))
    assert sorted(numbers_of(opened(str(path)).train.images)) == [1, 2, 3, 4]
    assert sorted(os.walk(tmp_path.parent)) == before

    zip_of(path, {f"{i}.png": bytes(19 << 20) for i in range(3)})
    monkeypatch.setattr(archives, "MOST_UNPACKED", (50 << 20, 20))
    with pytest.raises(InvalidInput, match="far more than pictures do"):
        opened(str(path))

    monkeypatch.setattr(archives, "MOST_FILES", 5)
    for place in (folder_of, zip_of):
        with pytest.raises(InvalidInput, match="holds more than 5 files"):
            opened(place(tmp_path / place.__name__, shades(6)))

    whole = Path(zip_of(path, shades(5))).read_bytes()
    for data in (whole[:-30], whole[: len(whole) // 2], b"PK\3\4" + bytes(50)):
        path.write_bytes(data)
        with pytest.raises(InvalidInput, match="not a readable zip"):
            opened(str(path))
    path.write_bytes(whole)
    monkeypatch.setattr(archives, "MOST_READ", 100)
    with pytest.raises(InvalidInput, match="not a readable zip"):
        opened(str(path))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on what it finds
def test_damaged_zips_raise_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    zip_of(path, {**shades(4), "dataset.json": b'{"labels": [["0000.png", 1], ["0001.png", 0]]}'})
    whole, noise = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        hurt = bytearray(whole)
        for place in noise.integers(0, len(hurt), 4):
            hurt[place] = noise.integers(256)
        path.write_bytes(hurt)
        try:
            assert len(opened(str(path), labels="class").train) <= 4
        except InvalidInput as error:
            assert len(str(error)) < 500


def test_uploads_are_pictures_and_zips(tmp_path: Path) -> None:
    folder_of(tmp_path, {"1.png": flat(1), "2.upload": flat(2), "3.txt": b"hello"})
    zip_of(tmp_path / "more.zip", {"in/4.png": flat(4), "5.png": flat(5)})
    paths = sorted(path for path in tmp_path.iterdir())
    found = pictures(paths, ImageData("folder", resolution=SIDE))
    assert numbers_of(found.train.images) == [1, 2, 5, 4] and found.skipped[0].startswith("3.txt: is not a readable")
    with pytest.raises(InvalidInput, match="1 image that can be used; at least 2"):
        pictures(paths[:1], ImageData("folder", resolution=SIDE))
    (tmp_path / "cut.zip").write_bytes(b"PK\3\4" + bytes(9))
    with pytest.raises(InvalidInput, match=r"cut\.zip: is not a readable zip"):
        pictures([*paths, tmp_path / "cut.zip"], ImageData("folder", resolution=SIDE))
    with pytest.raises(InvalidInput, match="there are no images"):
        pictures([], ImageData("folder", resolution=SIDE))


def test_uploaded_zips_are_classes(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        zip_of(tmp_path / f"{name}.zip", {f"{name}/1.png": flat(1), f"{name}/2.png": flat(2)})
    two = pictures([tmp_path / "dogs.zip", tmp_path / "cats.zip"], ImageData("folder", resolution=SIDE, labels="class"))
    assert two.classes == ("cats", "dogs") and two.train.targets.tolist() == [0, 0, 1, 1]
    zip_of(tmp_path / "all.zip", {"cats/1.png": flat(1), "dogs/1.png": flat(2)})
    one_zip = pictures([tmp_path / "all.zip"], ImageData("folder", resolution=SIDE, labels="class"))
    assert one_zip.classes == ("cats", "dogs") and one_zip.train.targets.tolist() == [0, 1]
