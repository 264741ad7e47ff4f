"""Folders, zips and .npz files of strangers as sources of images. Nothing is ever unpacked to the disk."""

import contextlib
import io
import math
import os
import posixpath
import threading
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganlab.config import InvalidInput
from ganlab.data.images.source import MOST_NOTES, NOTES, Entry, Source, check_side, is_litter, numbered, shown
from ganlab.data.opening import MOST_BYTES, npy_header, read_file

MOST_FILES = 500_000
MOST_READ = 48 << 20  # bytes at once; the list of so many files in a zip is shorter
MOST_UNPACKED = (500 << 20, 20)  # bytes, and times the size of a zip: pictures are packed already and gain little
MOST_ARRAY = 8 << 30  # bytes
ZIP_MAGIC = b"PK\x03\x04"
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others can ask for gigabytes of memory
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
IMAGES = ("images", "train_images", "x_train")
LABELS = ("labels", "train_labels", "y_train")
NO_ARRAY = "must hold images as whole numbers from 0 to 255 (uint8) of shape (N, H, W) or (N, H, W, 1, 3 or 4)"


def in_folder(folder: Path) -> list[Entry]:
    """All files in a folder and its sub-folders; links to other folders are not followed."""
    entries: list[Entry] = []
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_litter(name))
        for file in files:
            name = (Path(at).relative_to(folder) / file).as_posix()
            if not is_litter(name):
                load = _notes if file == NOTES else read_file
                entries.append(Entry(name, partial(load, Path(at) / file, shown(name))))
        _check_count(len(entries))
    return entries


def _notes(path: Path, field: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_NOTES + 1)
    except OSError:
        raise InvalidInput(field, "could not be opened") from None
    if len(data) > MOST_NOTES:
        raise InvalidInput(field, f"is larger than {MOST_NOTES >> 20} MB")
    return data


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip does, whatever its name."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == ZIP_MAGIC
    except OSError:
        return False


class _Careful(io.BufferedReader):
    """A file of which nobody reads much at once: a zip's list of files is read whole before it can be counted."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = MOST_READ  # what is read to the end is the short end of a zip
        if size > MOST_READ:
            raise zipfile.BadZipFile("the list of files is too long")
        return super().read(size)


@contextlib.contextmanager
def opened_zip(path: Path, field: str = "path") -> Iterator[zipfile.ZipFile]:
    """A zip, opened after its bounds were checked."""
    try:
        with contextlib.ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(_Careful(io.FileIO(path)))))
            _check_count(len(archive.filelist))
            unpacked, (most, times) = sum(info.file_size for info in archive.filelist), MOST_UNPACKED
            if unpacked > max(most, times * path.stat().st_size):
                raise InvalidInput(field, f"unpacks to {unpacked / 1e9:.1f} GB, far more than pictures do")
            closing = stack.pop_all()
    except BROKEN as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(field, "is not a readable zip; it may be damaged or cut off") from None
    with closing:
        yield archive


def in_zip(archive: zipfile.ZipFile, under: str = "") -> list[Entry]:
    """The files of a zip; `under` is put before their names. The zip must stay open while they are read."""
    entries, one_at_a_time = [], threading.Lock()  # a ZipFile miscounts its readers where threads meet
    for info in archive.filelist:
        name = posixpath.normpath("/" + info.filename.replace("\\", "/")).lstrip("/")
        if not info.is_dir() and not is_litter(name):
            entries.append(Entry(under + name, partial(_member, archive, one_at_a_time, info, shown(name))))
    return entries


def _member(archive: zipfile.ZipFile, lock: threading.Lock, info: zipfile.ZipInfo, name: str) -> bytes:
    """The bytes of one file of a zip; never more than allowed, whatever the zip says of its size."""
    most = MOST_NOTES if name.rpartition("/")[2] == NOTES else MOST_BYTES
    if info.flag_bits & 1:
        raise InvalidInput(name, "is encrypted; zip it without a password")
    if info.compress_type not in PLAIN:
        raise InvalidInput(name, "is packed in an unusual way; zip it as usual (deflate)")
    if info.file_size > most:
        raise InvalidInput(name, f"is {info.file_size / 2**20:,.1f} MB large; at most {most >> 20} MB are read")
    try:
        with lock, archive.open(info) as member:
            return member.read(most)
    except BROKEN:
        raise InvalidInput(name, "is damaged in the zip") from None


def is_npz(archive: zipfile.ZipFile) -> bool:
    """Whether a zip holds numpy's arrays rather than pictures."""
    names = [info.filename for info in archive.filelist[:100]]
    return bool(names) and all(name.endswith(".npy") for name in names)


def of_npz(archive: zipfile.ZipFile, labelled: bool) -> Source:
    """The images `images` or `train_images` of a .npz, uint8 [N, H, W] or [N, H, W, C], with their labels."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.filelist}
    name = next((name for name in IMAGES if name in members), None)
    if name is None:
        raise InvalidInput("path", f"holds no array called images; it holds {', '.join(members)[:80]}")
    images = _array(archive, members[name], "u1")
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (3,), (4,)) or 0 in images.shape:
        raise InvalidInput("path", f"holds an array of shape {images.shape}; it {NO_ARRAY}")
    if not labelled:
        return of_array(images)
    name = next((name for name in LABELS if name in members), None)
    if name is None:
        raise InvalidInput("labels", "the file holds no array called labels; leave it empty to learn without classes")
    return of_array(images, _array(archive, members[name], "iu").reshape(-1))


def of_array(images: npt.NDArray[np.uint8], labels: npt.NDArray[Any] | None = None) -> Source:
    """The rows of an array, uint8 [N, H, W] or [N, H, W, C], with labels [N]."""
    check_side("path", *images.shape[1:3])
    squeezed = images[..., 0] if images.shape[3:] == (1,) else images

    def read(i: int, enough: int) -> Image.Image:
        return Image.fromarray(squeezed[i])

    if labels is None:
        return Source(len(images), read, ())
    if len(labels) != len(images):
        raise InvalidInput("labels", f"there are {len(labels):,} of them for {len(images):,} images")
    numbers: list[int] = labels.tolist()
    return Source(len(images), read, numbers, numbered(numbers, "labels"))


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, kinds: str) -> npt.NDArray[Any]:
    """An array of a .npz; its kind and size are known before room is made for it."""
    if info.flag_bits & 1 or info.compress_type not in PLAIN:
        raise InvalidInput("path", "is encrypted or packed in an unusual way; save it with numpy.savez")
    try:
        with archive.open(info) as member:
            assert isinstance(member, io.BufferedIOBase)  # as zipfile's documentation says, its types do not
            shape, dtype = npy_header(member, "path")
        if dtype.kind not in kinds or ("1" in kinds and dtype.itemsize != 1):
            raise InvalidInput("path", f"holds {str(dtype)[:40]} values in {info.filename[:40]}; it {NO_ARRAY}")
        size = math.prod(shape) * dtype.itemsize
        if size > min(MOST_ARRAY, info.file_size):
            raise InvalidInput("path", f"is damaged, or too large: an array of {size / 1e9:.1f} GB")
        with archive.open(info) as member:
            values: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    except BROKEN as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("path", "is a damaged .npz file; save it again") from None
    return values


def _check_count(count: int) -> None:
    if count > MOST_FILES:
        raise InvalidInput("path", f"holds more than {MOST_FILES:,} files; keep a part of them")
