"""Opening a set of images: the one of a name, or the files that a user has uploaded."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ganlab import download
from ganlab.config import InvalidInput
from ganlab.data.images.archives import in_folder, in_zip, is_npz, is_zip, of_array, of_npz, opened_zip
from ganlab.data.images.config import DRAWN, IMAGE_SETS, ImageData
from ganlab.data.images.decoding import decoded
from ganlab.data.images.drawn import classes_of, drawn_splits
from ganlab.data.images.hub import of_hub
from ganlab.data.images.room import Tick
from ganlab.data.images.source import Entry, Source, of_entries, shown
from ganlab.data.images.split import ImageSet
from ganlab.data.opening import read_file
from ganlab.files import cache_folder

FEWEST = 2  # images that a user must give


def open_images(config: ImageData, tick: Tick | None = None) -> ImageSet:
    """The images that `config` describes; a finite set is decoded once and held in memory.

    `tick` hears of the progress. Raises: `InvalidInput` with a sentence, `Cancelled` (`ganlab.files`) when `tick`
    returns False.
    """
    if config.name in DRAWN:
        row = IMAGE_SETS[config.name]
        train, valid = drawn_splits(config, tick or _on)
        return ImageSet(config, row.title, row.licence, classes_of(config), train, valid)
    with OPENERS[config.name](config) as source:
        return _opened(source, config, tick)


def pictures(paths: Sequence[Path], config: ImageData, tick: Tick | None = None) -> ImageSet:
    """The files that a user uploaded as one set: pictures, and zips of pictures; the name in `config` is not asked.

    With classes, each zip is one where there are several of them; a single zip is read as a folder is.
    """
    with contextlib.ExitStack() as stack:
        zips = [path for path in paths if is_zip(path)]
        entries = [Entry(path.name, partial(read_file, path, shown(path.name))) for path in paths if path not in zips]
        for number, path in enumerate(zips):
            under = f"{path.stem}/" if len({path.stem for path in zips}) == len(zips) else f"{path.stem}-{number}/"
            entries += in_zip(stack.enter_context(opened_zip(path, shown(path.name))), under)
        found = _opened(of_entries(entries, bool(config.labels)), config, tick)
    count = len(found.train) + len(found.valid or ())
    if count < FEWEST:
        raise InvalidInput("files", f"hold {count} image that can be used; at least {FEWEST} are needed")
    return found


def download_images(name: str, tick: download.Tick | None = None) -> Path:
    """Fetches the file of a named set into the cache, where `open_images` finds it.

    Raises: as `ganlab.download.fetch`; for a set that cannot be downloaded, `InvalidInput` says how to get it.
    """
    files = {known: row for known, row in IMAGE_SETS.items() if row.file}
    if name not in files:
        raise InvalidInput("data", f"{name[:40]!r} is not a set in a file; such are {', '.join(files)}")
    row = files[name]
    if not row.url:
        raise InvalidInput(name, row.how.format(file=row.file))
    wanted = download.Wanted(name, row.url, _cached() / row.file, row.sha256 or None, "data set")
    return download.fetch(wanted, tick)


def _cached() -> Path:
    return cache_folder() / "data"


def data_folders() -> tuple[Path, ...]:
    """Where the files of named sets are looked for, besides the path of the settings."""
    given = os.environ.get("GANLAB_DATA")
    return (*([Path(given)] if given else []), _cached())


def _on(done: int, of: int) -> bool:
    return True


def _opened(source: Source, config: ImageData, tick: Tick | None) -> ImageSet:
    row = IMAGE_SETS[config.name]
    if config.labels and not source.classes:
        raise InvalidInput("labels", "these images have no classes; leave it empty to learn without")
    found = decoded(source, config, tick or _on)
    return ImageSet(config, row.title, row.licence, source.classes, found.train, found.valid, found.skipped)


@contextlib.contextmanager
def _path(config: ImageData) -> Iterator[Source]:
    if not config.path:
        raise InvalidInput("path", "name a folder, a .zip or a .npz file of images")
    with _lying(Path(config.path).expanduser(), bool(config.labels)) as source:
        yield source


@contextlib.contextmanager
def _lying(path: Path, labelled: bool) -> Iterator[Source]:
    """What lies at a path; the content of a file decides, not its name."""
    if not os.path.lexists(path):
        raise InvalidInput("path", f"there is nothing at {str(path)[-200:]}")
    if path.is_dir():
        yield of_entries(in_folder(path), labelled)
    elif is_zip(path):
        with opened_zip(path) as archive:
            yield of_npz(archive, labelled) if is_npz(archive) else of_entries(in_zip(archive), labelled)
    else:
        raise InvalidInput("path", f"{path.name[-80:]} is neither a folder nor a .zip or .npz file")


@contextlib.contextmanager
def _named(config: ImageData) -> Iterator[Source]:
    """A set that is one file, wherever that lies."""
    row = IMAGE_SETS[config.name]
    given = [Path(config.path).expanduser()] if config.path else []
    places = [path if path.is_file() else path / row.file for path in (*given, *data_folders())]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        how = f"get it with: python -m ganlab download-data {config.name}" if row.url else row.how.format(file=row.file)
        looked = ", ".join(map(str, places))[:400]
        raise InvalidInput("path", f"{row.file} is not here (looked for {looked}); {how}, or give its path")
    with _lying(path, bool(config.labels)) as source:
        yield source


@contextlib.contextmanager
def _digits(config: ImageData) -> Iterator[Source]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InvalidInput("name", "the digits come with scikit-learn: pip install scikit-learn") from None
    found = load_digits()
    images = (found.images * (255 / 16)).round().astype(np.uint8)  # 17 levels
    yield of_array(images, found.target if config.labels else None)


@contextlib.contextmanager
def _hub(config: ImageData) -> Iterator[Source]:
    yield of_hub(config.hub, bool(config.labels))


OPENERS: dict[str, Callable[[ImageData], contextlib.AbstractContextManager[Source]]] = {
    "digits": _digits,
    "mnist": _named,
    "clothes": _named,
    "emoji": _named,
    "folder": _path,
    "hub": _hub,
}
