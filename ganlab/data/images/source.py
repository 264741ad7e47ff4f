"""Where images come from, before any is decoded: files one by one, rows of an array, records of a library."""

import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from PIL import Image

from ganlab.config import InvalidInput
from ganlab.data.opening import open_picture

NOTES = "dataset.json"  # labels beside the images, as StyleGAN's official tool writes them
MOST_NOTES = 32 << 20  # bytes; half a million images have some 20 MB
MOST_CLASSES = 10_000
SMALLEST_SIDE = 8  # pixels
MOST_NAME = 120  # characters of a file's name in a report
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
LITTER = ("thumbs.db", "desktop.ini", "__macosx")  # what systems leave in folders
BAD_NOTES = 'must hold {"labels": [["folder/name.png", 3], ...]}, or null instead of the list'


@dataclass(frozen=True)
class Source:
    """Images that can be opened one by one; some may turn out to be unreadable.

    `read(i, enough)` opens image i (see `open_picture`) and raises `InvalidInput` where it cannot be used; it may be
    called by several threads at once.
    """

    count: int
    read: Callable[[int, int], Image.Image]
    targets: Sequence[int]  # a class for each; () where unconditional
    classes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()  # what was left out already, and why


class Entry(NamedTuple):
    """A file that may be a picture: its name with folders, by slashes, and how to get its bytes."""

    name: str
    load: Callable[[], bytes]


def is_litter(name: str) -> bool:
    """Whether a file is hidden, or one that systems leave behind; such are passed over in silence."""
    return any(part.startswith(".") or part.lower() in LITTER for part in PurePosixPath(name).parts)


def of_entries(found: Sequence[Entry], labelled: bool) -> Source:
    """The files as a source, in the order of their names.

    Where classes are wanted, they are those of dataset.json (in it, names are relative to where it lies), else the
    names of the outermost sub-folders.
    """
    notes = [entry for entry in found if _leaf(entry.name) == NOTES]
    entries = [entry for entry in found if _leaf(entry.name) != NOTES]
    ordered = sorted(entries, key=lambda entry: entry.name)
    if not ordered:
        raise InvalidInput("path", "there are no images; PNG, JPEG and WebP pictures are read, also in sub-folders")
    targets: list[int | None] = [0] * len(ordered)
    classes: tuple[str, ...] = ()
    reason = ""
    if labelled:
        names = [entry.name for entry in ordered]
        targets, classes, reason = _noted(names, notes) or _by_folder(names)
    kept = [i for i, target in enumerate(targets) if target is not None]
    left_out = tuple(f"{shown(ordered[i].name)}: {reason}" for i, target in enumerate(targets) if target is None)

    def read(i: int, enough: int) -> Image.Image:
        entry = ordered[kept[i]]
        return opened(entry.load(), shown(entry.name), enough)

    chosen = [target for target in targets if target is not None] if classes else []
    return Source(len(kept), read, chosen, classes, left_out)


def opened(data: bytes, name: str, enough: int) -> Image.Image:
    """`open_picture` of a picture that is large enough to learn from."""
    image = open_picture(data, name, enough)
    check_side(name, *image.size)
    return image


def check_side(name: str, width: int, height: int) -> None:
    """Refuses images that are too small."""
    if min(width, height) < SMALLEST_SIDE:
        raise InvalidInput(name, f"has {width} x {height} pixels; at least {SMALLEST_SIDE} on each side are needed")


def numbered(values: Sequence[int], field: str, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of classes that are numbers from 0 up; the numbers themselves where there are none."""
    count = max(values, default=-1) + 1
    if not values or min(values) < 0 or count > MOST_CLASSES:
        raise InvalidInput(field, f"has labels that are not whole numbers from 0 to {MOST_CLASSES - 1:,}")
    return tuple(names) if len(names) >= count else tuple(map(str, range(count)))


def shown(name: str) -> str:
    """A file's name, fit for a report."""
    return name if len(name) <= MOST_NAME else "..." + name[3 - MOST_NAME :]


Labelling = tuple[list[int | None], tuple[str, ...], str]  # classes of the images, their names, why some have none


def _noted(names: Sequence[str], notes: Sequence[Entry]) -> Labelling | None:
    """The classes that dataset.json gives, or None where it gives none."""
    labels: dict[str, int] = {}
    words: list[str] = []
    for note in notes:
        folder = note.name.removesuffix(NOTES)
        numbers, named = _parsed(note.load())
        if not numbers:
            raise InvalidInput("labels", f"{NOTES} says that there are no classes; leave it empty to learn without")
        labels.update({folder + name: number for name, number in numbers.items()})
        words = words or named
    if not labels:
        return None
    classes = numbered(list(labels.values()), NOTES, words)
    targets = [labels.get(name) for name in names]
    if all(target is None for target in targets):
        raise InvalidInput(NOTES, "has labels, but not for any file that is here")
    return targets, classes, f"has no label in {NOTES}"


def _leaf(name: str) -> str:
    return name.rpartition("/")[2]


def _parsed(notes: bytes) -> tuple[dict[str, int], list[str]]:
    """The number of each name, and the names of the classes where there are some."""
    try:
        data = json.loads(notes)
    except (ValueError, RecursionError):
        raise InvalidInput(NOTES, "is not valid JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("labels"), list | dict | None):
        raise InvalidInput(NOTES, BAD_NOTES)
    labels = data.get("labels") or []
    pairs = list(labels.items()) if isinstance(labels, dict) else labels
    if not all(map(_is_pair, pairs)):
        raise InvalidInput(NOTES, BAD_NOTES)
    return {name.replace("\\", "/"): label for name, label in pairs}, _words(data)


def _is_pair(pair: Any) -> bool:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return False
    return isinstance(pair[0], str) and isinstance(pair[1], int) and not isinstance(pair[1], bool)


def _words(data: Mapping[str, Any]) -> list[str]:
    words = data.get("classes") or data.get("class_names") or []
    honest = isinstance(words, list) and len(words) <= MOST_CLASSES and all(isinstance(word, str) for word in words)
    return [word[:MOST_NAME] for word in words] if honest else []


def _by_folder(names: Sequence[str]) -> Labelling:
    """The outermost sub-folders as classes; folders that all images share are none."""
    prefix = _shared([name for name in names if name.lower().endswith(PICTURES)] or names)
    folders = [name[len(prefix) :].rpartition("/")[0].partition("/")[0] for name in names]
    inside = [name.startswith(prefix) and bool(folder) for name, folder in zip(names, folders)]
    held = {folder for folder, here, name in zip(folders, inside, names) if here and name.lower().endswith(PICTURES)}
    classes = tuple(sorted(held))
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise InvalidInput(
            "labels",
            f"needs from 2 to {MOST_CLASSES:,} sub-folders with images, one for each class, or a {NOTES}; "
            f"there are {len(classes):,}: leave it empty to learn without classes",
        )
    places = {folder: i for i, folder in enumerate(classes)}
    targets = [places.get(folder) if here else None for folder, here in zip(folders, inside)]
    return targets, classes, "lies in no sub-folder that is a class"


def _shared(names: Sequence[str]) -> str:
    """The folders that all names begin with, with a slash at their end."""
    shared = posixpath.commonpath([posixpath.dirname(min(names)), posixpath.dirname(max(names))])
    return shared and shared + "/"
