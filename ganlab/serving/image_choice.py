"""What a browser may train: a preset on a named set or on uploaded images, bounded; never a path of this server."""

import re
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganlab.config import InvalidInput
from ganlab.data.images import DRAWN, FACE_LABELS, IMAGE_SETS, ImageData, data_folders
from ganlab.data.images.source import PICTURES
from ganlab.networks.table import TRAINABLE
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.run_images import ImageRun, from_link
from ganlab.serving.limits import ImageLimits

FACES = 1000  # are drawn before a training, unless the visitor asks for another number
MOST_IMAGES = 4000  # of a set: more take too long to open while someone waits
HELD_OUT = 0.1  # share of the data that shows whether a GAN copies the rest
ENOUGH = 160  # images from which a part is held out
UPLOADED = "folder"  # the name of a set that the visitor brings
RESOLUTIONS = (32, 64, 128)
BATCHES = (8, 16, 32)
MOST = {
    "channel_max": 256,
    "channel_base": 8192,
    "mapping_layers": 8,
    "batch": 64,
    "d_steps": 5,
    "z_dim": 512,
    "w_dim": 512,
}
LONGEST_NAME = 80  # characters of an uploaded file's name
MOST_FILES = 2000
MOST_SET = 200 << 20  # bytes of one visitor's images
UNUSED = 3600.0  # seconds after which uploaded images that no training uses are thrown away
Wish = Mapping[str, Any]


def available() -> dict[str, str]:
    """Sets that can be trained on without any file of the visitor: name -> title."""
    here = {name for name, row in IMAGE_SETS.items() if row.file and _lies(row.file)}
    return {name: row.title for name, row in IMAGE_SETS.items() if name in (*DRAWN, "digits") or name in here}


def chosen(wish: Wish, limits: ImageLimits, uploaded: int | None) -> ImageRun:
    """The run that the page's form asks for; `uploaded` images of theirs are here, None: none.

    The wish: `run` (a link), or `preset`, `data`, `resolution`, `labels`, `count`, `mirror`, `batch`, `seed`. Raises
    `InvalidInput` with a sentence for whatever is wrong or more than this server does.
    """
    if isinstance(wish.get("run"), str) and wish["run"]:
        run = from_link(wish["run"])
    else:
        run = _of_form(wish)
    if uploaded is not None and run.data.name == UPLOADED:
        run = replace(run, data=replace(run.data, valid=HELD_OUT if uploaded >= ENOUGH else 0.0))
    return confined(run, limits, uploaded is not None)


def confined(run: ImageRun, limits: ImageLimits, uploaded: bool) -> ImageRun:
    """The run, if a stranger may start it here: nothing of the server's disk, no downloads, bounded networks."""
    data = run.data
    if run.start:
        raise InvalidInput("start", "of this run is another generator's weights, which cannot be brought to this page")
    if data.path or data.hub:
        raise InvalidInput("data", "may not name a place on the server or the hub; choose a set, or upload images")
    if data.name == UPLOADED and not uploaded:
        raise InvalidInput("data", "of this run are someone's own images; upload yours to train with its settings")
    if data.name != UPLOADED and data.name not in available():
        raise InvalidInput("data", f"{data.name[:40]!r} is not on this server; choose another set")
    if data.resolution > limits.most_resolution:
        raise InvalidInput("resolution", f"{data.resolution} is more than the {limits.most_resolution} of this server")
    for gan in (run.gan, *(run.gan_at(event.step) for event in run.events)):
        for name, most in MOST.items():
            if getattr(gan, name) > most:
                raise InvalidInput(name, f"{getattr(gan, name)} is more than the {most} that this page trains")
    if data.name in DRAWN and not data.limit:  # endless ones are drawn anew for each batch, which takes longer
        data = replace(data, limit=FACES, valid=data.valid or HELD_OUT)
    if data.limit > MOST_IMAGES or not data.limit:
        data = replace(data, limit=MOST_IMAGES)
    return replace(run, data=data)


def _of_form(wish: Wish) -> ImageRun:
    key = str(wish.get("preset", ""))
    if key not in IMAGE_PRESETS:
        raise InvalidInput("preset", f"there is no {key[:40]!r}; choose one of the menu")
    row = IMAGE_PRESETS[key]
    name = str(wish.get("data", "faces"))
    if name not in (UPLOADED, *available()):
        raise InvalidInput("data", f"{name[:40]!r} is not on this server; choose another set, or upload images")
    side = _one_of(wish, "resolution", RESOLUTIONS)
    labels = str(wish.get("labels", "") or "")
    count = _whole(wish, "count", 0, MOST_IMAGES, 0)
    if row.data is not None and name == "faces" and not count:
        data = replace(row.data, resolution=side)
    else:
        limit = count or (FACES if name in DRAWN else 0)
        held = HELD_OUT if name in DRAWN or (name in IMAGE_SETS and name != UPLOADED) else 0.0
        data = ImageData(name, resolution=side, labels=labels, limit=limit, valid=held, mirror=bool(wish.get("mirror")))
    if labels and not TRAINABLE[row.gan.family].conditional:
        raise InvalidInput("labels", f"{row.title} knows no classes; leave them off, or choose another preset")
    run = row.on(data)
    gan = replace(run.gan, batch=_one_of(wish, "batch", BATCHES), part=0)
    return replace(run, gan=gan, seed=_whole(wish, "seed", 0, 2**31 - 1, 0))


def _one_of(wish: Wish, name: str, choices: tuple[int, ...]) -> int:
    value = wish.get(name, choices[0])
    if value not in choices:
        raise InvalidInput(name, f"must be one of {', '.join(map(str, choices))}")
    return int(value)


def _whole(wish: Wish, name: str, low: int, high: int, default: int) -> int:
    value = wish.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(name, f"must be a whole number from {low:,} to {high:,}")
    return value


def _lies(file: str) -> bool:
    return any((path if path.is_file() else path / file).is_file() for path in data_folders())


def classes_of(name: str) -> list[tuple[str, str]]:
    """What a set can be divided into: (label, words)."""
    if name == "faces":
        return [(label, label.replace("_", " ")) for label in FACE_LABELS]
    if name == UPLOADED:
        return [("class", "a class for each sub-folder or zip")]
    return [("class", "its classes")] if "classes" in IMAGE_SETS[name].title else []


def _inside(path: Path) -> int:
    """How many images a file holds, about."""
    if not zipfile.is_zipfile(path):
        return 1
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(name.lower().endswith(PICTURES) for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return 0  # what is wrong with it, opening it says


@dataclass
class Uploaded:
    """The images that one visitor has brought."""

    folder: Path
    paths: list[Path] = field(default_factory=list)
    size: int = 0  # bytes
    count: int = 0  # images, those in zips as their lists of names say
    used: float = 0.0  # when, on the monotonic clock
    trainings: int = 0  # that hold it


class Uploads:
    """Images of all visitors, each set in a folder of its own; names are made here, never taken from outside."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sets: dict[str, Uploaded] = {}
        self._root = tempfile.TemporaryDirectory(prefix="ganlab-images-", ignore_cleanup_errors=True)

    def open(self, name: str = "") -> str:
        """The set with this name; a new one's name if there is none."""
        self.tidy()
        if name not in self.sets:
            name = secrets.token_urlsafe(12)
            folder = Path(self._root.name) / name
            folder.mkdir()
            self.sets[name] = Uploaded(folder)
        self.sets[name].used = time.monotonic()
        return name

    def add(self, name: str, filename: str, body: bytes) -> None:
        """One more file of a set."""
        found = self.sets[name]
        if not body:
            raise InvalidInput("files", f"“{filename[:60]}” is empty")
        if len(found.paths) >= MOST_FILES:
            raise InvalidInput("files", f"are too many: {MOST_FILES:,} are the most; put them into a zip")
        if found.size + len(body) > MOST_SET:
            raise InvalidInput("files", f"have more than {MOST_SET >> 20} MB together; take smaller or fewer images")
        if sum(held.size for held in self.sets.values()) + len(body) > self.most:
            raise InvalidInput("files", "find no room: this server holds as many images as it may; try again later")
        leaf = re.sub(r"[^\w.-]+", "-", Path(filename.replace("\\", "/")).name).strip(".-")[-LONGEST_NAME:] or "image"
        path = found.folder / leaf
        if path.exists():
            path = found.folder / f"{len(found.paths)}-{leaf}"
        path.write_bytes(body)
        found.paths.append(path)
        found.size += len(body)
        found.count += _inside(path)

    def tidy(self) -> None:
        """Throws away what has been used for long by nobody."""
        old = time.monotonic() - UNUSED
        for name in [name for name, held in self.sets.items() if held.used < old and not held.trainings]:
            shutil.rmtree(self.sets.pop(name).folder, ignore_errors=True)
