"""The models of a server: shipped, from a folder, uploaded, from the zoo; those in use are kept loaded."""

import functools
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ganlab import zoo
from ganlab.config import InvalidInput
from ganlab.recipe import Recipe
from ganlab.serving.limits import is_public

MOST_LOADED = 3 << 30  # bytes of model files that stay loaded
MOST_UPLOADED = 8 << 30  # bytes on the disk of models that visitors opened
MOST_TRAINED = 60  # models of the training lab at a time
SAFE = (".safetensors",)  # what a public server opens
FOREIGN = (".pkl", ".pt", ".pth")  # official and rosinality's checkpoints, read as data by `ganlab.pickles`
Tick = Callable[[int, int], bool]  # (done, of) -> whether to go on


@runtime_checkable
class Painter(Protocol):
    """What makes pictures: `ganlab.synthesis.Renderer`, or a stand-in in a test. For one thread at a time."""

    def facts(self) -> dict[str, Any]:
        """What a page needs to know of the model."""

    def pictures(
        self, recipes: list[Recipe], memory: Any = None, preview: int | None = None, exact: bool = True
    ) -> list[Any]:
        """A picture for each recipe; `exact`: the same pixels as if each were made alone."""

    def activations(self, recipe: Recipe, layer: int) -> Any:
        """What a layer gives, [C, H, W]."""

    def noise_map(self, recipe: Recipe, draws: int, tick: Tick) -> npt.NDArray[np.float32]:
        """Standard deviation of each pixel over draws of the noise, [H, W], of images in [-1, 1]."""


class Model(NamedTuple):
    """A row of the model menu."""

    name: str
    title: str
    kind: str  # shipped, local, uploaded, trained, zoo
    path: Path | None  # None: not on this machine yet
    text: str = ""  # data, licence, size


TAKEN_IN = ("uploaded", "trained")  # kinds of models that leave with the server


class Catalogue:
    """Finds, loads, takes in and downloads models. All of it may be called from any thread."""

    def __init__(
        self,
        load: Callable[[Model], Painter],
        folder: Path | None = None,
        public: bool = False,
        shipped: Path = zoo.SHIPPED_FOLDER,
    ) -> None:
        self.public = public
        self._load, self._folder, self._shipped = load, folder, shipped
        self._loaded: OrderedDict[str, tuple[Painter, int]] = OrderedDict()
        self._uploaded: dict[str, Model] = {}
        self.on_drop: Callable[[str], None] = lambda name: None  # hears of models that are no longer there
        self._uploads = tempfile.TemporaryDirectory(prefix="ganlab-models-", ignore_cleanup_errors=True)
        self._lock, self._loading = threading.Lock(), threading.Lock()

    def models(self) -> dict[str, Model]:
        """All models by name; where two have one name the shipped one wins."""
        rows = [*_files(self._shipped, "shipped", SAFE)]
        if self._folder is not None:
            rows += _files(self._folder, "local", SAFE if self.public else SAFE + FOREIGN)
        found = {row.name: row for row in reversed(rows)}
        return {**({} if self.public else _zoo()), **self._uploaded, **found}

    def menu(self) -> list[dict[str, Any]]:
        """The rows as a page shows them, shipped ones first."""
        order = ("shipped", "local", "trained", "uploaded", "zoo")
        shown = [row for row in self.models().values() if not (self.public and row.kind == "trained")]  # not others'
        rows = sorted(shown, key=lambda row: (order.index(row.kind), row.name))
        return [{**row._asdict(), "path": None, "ready": row.path is not None} for row in rows]

    def find(self, name: str) -> Model:
        """The model with this name; the first one for an empty name."""
        models = self.models()
        if not any(row.path for row in models.values()):
            raise InvalidInput("model", "is missing: this server has none; open a model file, or train one")
        if not name:
            name = next(row["name"] for row in self.menu() if row["ready"])
        row = models.get(name)
        if row is None:
            raise InvalidInput("model", f"“{name[:60]}” is not on this server; open its file, or choose another one")
        if row.path is None:
            raise InvalidInput("model", f"“{row.title}” is not on this computer yet; download it first")
        return row

    def load(self, name: str) -> Painter:
        """The loaded model; the longest unused ones make room for it."""
        with self._lock:
            if name in self._loaded:
                self._loaded.move_to_end(name)
                return self._loaded[name][0]
        with self._loading:  # one at a time: loading doubles a model's memory for a moment
            with self._lock:
                if name in self._loaded:
                    return self._loaded[name][0]
            row = self.find(name)
            assert row.path is not None
            size = row.path.stat().st_size
            painter = self._load(row)
            with self._lock:
                self._loaded[name] = painter, size
                while len(self._loaded) > 1 and sum(size for _, size in self._loaded.values()) > MOST_LOADED:
                    self._loaded.popitem(last=False)
            return painter

    def download(self, name: str, tick: Tick) -> None:
        """Fetches a model of the zoo."""
        if self.public:
            raise InvalidInput("model", "cannot be downloaded on a public server; run ganlab at home")
        zoo.download(name, lambda done, of: tick(done, of or 0))

    def add(self, path: Path, filename: str) -> str:
        """Takes in an uploaded file if it can be loaded; its name in the menu."""
        suffix = re.sub(r"[^\w.]", "", Path(filename).suffix)[:12]  # for people: what it is, its content says
        if self.public:
            raise InvalidInput("model", "cannot be uploaded to a public server; run ganlab at home to open your own")
        if not path.stat().st_size:
            raise InvalidInput("file", "is empty (0 bytes), not a model")
        stem = re.sub(r"[^\w.-]+", "-", Path(filename).stem)[:60].strip(".") or "model"
        with self._lock:  # two visitors may bring a file of one name at once
            held = sum(row.path.stat().st_size for row in self._uploaded.values() if row.path)
            if held + path.stat().st_size > MOST_UPLOADED:
                raise InvalidInput("file", "finds no room: this server holds as many opened models as it may")
            taken = self.models()
            name = next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, 10_000))) if n not in taken)
            target = self._room() / (name + suffix)
            shutil.move(path, target)
            self._uploaded[name] = Model(name, stem, "uploaded", target)
        try:
            self.load(name)
        except BaseException:
            self.drop(name)
            raise
        return name

    def adopt(self, path: Path, title: str) -> str:
        """Copies in a generator that was trained on this server; its name, which nobody can guess."""
        name = f"trained-{secrets.token_urlsafe(9)}"
        with self._lock:
            if sum(row.kind == "trained" for row in self._uploaded.values()) >= MOST_TRAINED:
                raise InvalidInput("model", "finds no room: too many trained ones are open; try again later")
            target = self._room() / f"{name}.safetensors"
            self._uploaded[name] = Model(name, title, "trained", target, "trained here")
        try:
            shutil.copyfile(path, target)
            self.load(name)
        except BaseException:
            self.drop(name)
            raise
        return name

    def drop(self, name: str) -> None:
        """Forgets a model that was taken in."""
        with self._lock:
            row = self._uploaded.pop(name, None)
            self._loaded.pop(name, None)
        if row is not None and row.path is not None:
            shutil.rmtree(row.path.parent, ignore_errors=True)
            self.on_drop(name)

    def _room(self) -> Path:
        """A new folder for a model that is taken in; no name of a visitor's is part of it."""
        return Path(tempfile.mkdtemp(dir=self._uploads.name))


def _files(folder: Path, kind: str, suffixes: tuple[str, ...]) -> list[Model]:
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.suffix in suffixes and path.is_file())
    return [Model(path.stem, path.stem, kind, path, f"{path.stat().st_size / 2**20:.0f} MB") for path in paths]


def _zoo() -> dict[str, Model]:
    """Public checkpoints; those that were downloaded have a path."""
    return {
        name: Model(name, row.title, "zoo", zoo.downloaded(name), f"{row.licence}, {row.megabytes or '?'} MB")
        for name, row in zoo.ZOO.items()
    }


def open_model(model: Model) -> Painter:
    """Loads a model's file of any kind that is known, and makes a renderer of it."""
    import torch  # and the networks: only when a picture is wanted

    from ganlab.synthesis import open_renderer

    if model.path is None:
        raise InvalidInput("model", "is not on this computer yet; download it first")
    # a core is left for the server and for trainers: where one is busy, threads wait for each other ten times as long
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    renderer = open_renderer(model.path, model.name, model.title)
    if model.kind in TAKEN_IN:  # its folder goes with it: what is learnt of it is kept in the user's cache
        renderer.path = None
    return renderer


def folder_from_environment() -> Path | None:
    """The folder named by GANLAB_MODELS, whose models are in the menu too."""
    name = os.environ.get("GANLAB_MODELS", "")
    return Path(name) if name else None


@functools.lru_cache(1)
def server_catalogue() -> Catalogue:
    """The models of this server, which all labs share."""
    return Catalogue(open_model, folder_from_environment(), is_public())
