"""The metrics lab's server side: a model beside data, the truncation curve, a distance over disturbances."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.images import DRAWN, ImageData, open_images
from ganlab.data.images.source import PICTURES
from ganlab.features import frozen
from ganlab.features.extractors import EXTRACTORS, Extractor, usual
from ganlab.features.frozen import SEERS
from ganlab.features.inception import weights_path
from ganlab.files import Cancelled
from ganlab.metrics.disturbance import DISTURBANCES, disturbed
from ganlab.metrics.frechet import few, frechet_between, frechet_stats
from ganlab.render.sheet import Pixels, sheet
from ganlab.serving.edits import clip_name
from ganlab.serving.following import Tick
from ganlab.serving.image_choice import UPLOADED, Uploads, available
from ganlab.serving.models import Catalogue
from ganlab.text.features import KIND, any_extractor
from ganlab.training.beside import data_beside, images_beside
from ganlab.training.full_report import Figure, distances_at, full_report
from ganlab.training.quality import FEWEST, QualityMeter, to_bytes

MOST_COUNT, MOST_PUBLIC = 5000, 500  # pictures of each side
MOST_PSIS = 12
KEPT = 4  # sets whose features stay in memory
SHOWN, ACROSS = 8, 4  # pictures of a disturbance that are shown, and in a row
ENLARGED = 3  # times
SIDE = 64  # pixels at which data are disturbed
LEVELS = 4
OWN = "own:"  # before the name of a set that a visitor has brought
MOST_OWN = 1 << 30  # bytes of all visitors' sets


class Asked(NamedTuple):
    """What a page asks to be measured, as it comes; nothing in it is checked yet."""

    model: Any
    data: Any
    count: Any
    seed: Any = 0
    features: Any = ""  # the name of an extractor; empty: the usual one of the data


class Report(NamedTuple):
    """The figures of one model, what is wrong with them, and what was measured."""

    figures: list[Figure]
    warning: str | None
    title: str


class Curve(NamedTuple):
    """The figures at each psi."""

    psis: list[float]
    figures: list[list[Figure]]
    warning: str | None
    title: str


class Disturbed(NamedTuple):
    """What a distance says of each level of some disturbances."""

    name: str  # of the distance
    values: dict[str, list[float]]  # by disturbance, one for each level
    warning: str | None


class Measuring:
    """All measurements of a server; its methods are slow and may be called from any thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._meters: OrderedDict[tuple[str, int], QualityMeter] = OrderedDict()
        self._clean: OrderedDict[tuple[str, int], Tensor] = OrderedDict()
        self._found: OrderedDict[tuple[str, int, str], tuple[str, list[float]]] = OrderedDict()
        self._lock = threading.Lock()
        self.uploads, self._bringing = Uploads(MOST_OWN), threading.Lock()  # nobody's images wait for a measurement

    @property
    def most(self) -> int:
        """Pictures that one measurement may take."""
        return MOST_PUBLIC if self.catalogue.public else MOST_COUNT

    def models(self) -> list[tuple[str, str]]:
        """(title, name) of all that can be measured now."""
        rows = [row for row in self.catalogue.menu() if row["ready"]]
        return [(f"{row['title']} ({row['kind']})", row["name"]) for row in rows]

    def sets(self) -> list[tuple[str, str]]:
        """(title, name) of the images that are here."""
        return [(title, name) for name, title in available().items()]

    def bring(self, paths: Sequence[str]) -> tuple[str, str]:
        """(title, name) of a new set of a visitor's files, images or zips of them. Raises `InvalidInput`."""
        if not any(path.lower().endswith((*PICTURES, ".zip")) for path in paths):
            raise InvalidInput("files", "hold no picture: choose images, or a zip of them")
        with self._bringing:
            name = self.uploads.open()
            for path in map(Path, paths):
                self.uploads.add(name, path.name, path.read_bytes())
            count = self.uploads.sets[name].count
        return f"Your {count:,} image{'s' * (count != 1)}", OWN + name

    def _data(self, data: Any) -> ImageData:
        """What a page's name of a set stands for; `InvalidInput` where it is none, or no longer here."""
        if not isinstance(data, str) or not data.startswith(OWN):
            return ImageData(_known(data))
        name = data.removeprefix(OWN)
        if name not in self.uploads.sets:
            raise InvalidInput("data", "these images of yours are no longer here; bring them again")
        self.uploads.open(name)  # used now: kept for another while
        return ImageData(UPLOADED, path=str(self.uploads.sets[name].folder))

    def features(self) -> list[tuple[str, str]]:
        """(title, name) of what pictures can be compared by; of those that do not ship what is on this machine."""
        found = [("usual", ""), *((name, name) for name in EXTRACTORS), ("CLIP", KIND)]
        found += [(row.title, name) for name, row in SEERS.items() if frozen.weights_path(name).is_file()]
        return [*found, ("Inception (FID, KID, IS)", "inception")] if weights_path().is_file() else found

    def report(self, asked: Asked, psi: Any, latents: bool, tick: Tick) -> Report:
        """All figures at one truncation. Raises `InvalidInput`; what `tick` raises ends it."""
        psi, count, seed = _number("psi", psi, 0, 2), self._count(asked.count), _seed(asked)
        G = self._generator(asked.model, tick)
        meter = self._meter(G, asked, count, tick)
        figures, warning = full_report(G, meter, psi, count, seed, tick, latents)
        return Report(figures, warning, _title(asked, meter, f" at ψ {psi:g}"))

    def curve(self, asked: Asked, psis: Sequence[Any], tick: Tick) -> Curve:
        """Distances, precision and recall at several truncations."""
        if not 2 <= len(psis) <= MOST_PSIS:
            raise InvalidInput("psi", f"must be from 2 to {MOST_PSIS} different numbers")
        chosen = [_number("psi", psi, 0, 2) for psi in psis]
        count, seed = self._count(asked.count), _seed(asked)
        G = self._generator(asked.model, tick)
        meter = self._meter(G, asked, count, tick)
        found = []
        for i, psi in enumerate(chosen):

            def part(what: str, done: int, of: int, i: int = i, psi: float = psi) -> None:
                tick(f"ψ {psi:g}, {what}", i * of + done, len(chosen) * of)

            found.append(distances_at(G, meter, psi, count, seed, part))
        warning = few(min(count, len(meter.real.small)), meter.real.small.shape[1])
        return Curve(chosen, found, warning, _title(asked, meter))

    def sample(self, name: str, data: Any, level: int, seed: int = 0) -> tuple[Pixels, Pixels]:
        """Some clean pictures, and the same disturbed."""
        clean = self._images(data, SHOWN, _unheard)
        others = self._others(name, data, SHOWN, _unheard)
        worse = disturbed(name, clean, int(level), _rng(seed), others)
        return _large(sheet(clean, ACROSS)), _large(sheet(worse, ACROSS))

    def disturbances(self, names: Sequence[str], data: Any, count: Any, tick: Tick) -> Disturbed:
        """A Fréchet distance between clean pictures and the same disturbed, at every level (Heusel et al. 2017)."""
        count, eye = self._count(count), usual(self._data(data).name)
        clean = self._images(data, count, tick)
        if len(clean) < FEWEST:
            raise InvalidInput("data", f"holds {len(clean)} pictures; {FEWEST} or more are needed")
        values: dict[str, list[float]] = {}
        for i, name in enumerate(names):
            key = (data, count, name)
            if key not in self._found:
                self._found[key] = eye.named("FD"), self._levels(name, data, clean, eye, tick, (i, len(names)))
                _trim(self._found, 8 * len(DISTURBANCES))
            values[name] = self._found[key][1]
        return Disturbed(eye.named("FD"), values, few(len(clean), _statistics(eye, clean[:2]).shape[1]))

    def _levels(
        self, name: str, data: str, clean: Tensor, eye: Extractor, tick: Tick, place: tuple[int, int]
    ) -> list[float]:
        others = self._others(name, data, len(clean), tick)
        real = frechet_stats(_statistics(eye, clean))
        found = []
        for level in range(LEVELS):
            tick(f"{DISTURBANCES[name].title}, level {level}", LEVELS * place[0] + level, LEVELS * place[1])
            worse = disturbed(name, clean, level, _rng(0), None if others is None else others[: len(clean)])
            found.append(frechet_between(real, frechet_stats(_statistics(eye, worse))))
        return found

    def _others(self, name: str, data: str, count: int, tick: Tick) -> Tensor | None:
        """As many pictures of another set, for the disturbance that mixes some in."""
        if name not in DISTURBANCES or not DISTURBANCES[name].needs_others:
            return None
        other = next((known for known in available() if known != data), None)
        if other is None:
            raise InvalidInput("data", "must be two sets for this one, and only one is here; install scikit-learn")
        images = self._images(other, count, tick)
        return images.repeat(-(-count // len(images)), 1, 1, 1)[:count]

    def _images(self, data: Any, count: int, tick: Tick) -> Tensor:
        """The first pictures of a set, in colour, [N, 3, 64, 64] in [-1, 1]."""
        with self._lock:
            key = (data, count)
            if key not in self._clean:
                config = replace(self._data(data), resolution=SIDE, limit=count if data in DRAWN else 0)
                images = open_images(config, _heard(tick, "pictures of the data")).train
                at = range(0, len(images), max(1, len(images) // count))[:count]
                self._clean[key] = images.get(at)[0].float() / 127.5 - 1
                _trim(self._clean, KEPT)
            return self._clean[key]

    def _generator(self, model: Any, tick: Tick) -> Any:
        tick("the model", 0, 1)
        if not isinstance(model, str) or not model:
            raise InvalidInput("model", "is missing: choose one of the menu")
        G = getattr(self.catalogue.load(model), "G", None)
        if G is None:
            raise InvalidInput("model", f"“{model[:60]}” is none that can be measured; choose another one")
        return G

    def _meter(self, G: Any, asked: Asked, count: int, tick: Tick) -> QualityMeter:
        """The data's features; one at a time, for two visitors often ask for the same."""
        config = self._beside(G, asked.data)
        if asked.features not in dict(self.features()).values():
            raise InvalidInput("features", "are not known here; choose some of the menu")
        name = f"{KIND}:{clip_name()}" if asked.features == KIND else asked.features
        eye = any_extractor(name, config.name)
        if config.name in DRAWN:
            config = replace(config, limit=math.ceil(count / (1 - config.valid)))
        key = (config.to_json() + eye.name, count)
        with self._lock:
            if key not in self._meters:
                images = images_beside(config, tick=_heard(tick, "pictures of the data"))
                self._meters[key] = QualityMeter(images, count, eye, tick)
                _trim(self._meters, KEPT)
            self._meters.move_to_end(key)
            return self._meters[key]

    def _beside(self, G: Any, data: Any) -> ImageData:
        """On a server of one's own a path is a set too."""
        if isinstance(data, str) and data.startswith(OWN):
            return replace(data_beside(G, self._data(data).path), labels="")  # nobody has said what their classes are
        return data_beside(G, _known(data) if self.catalogue.public or not isinstance(data, str) else data)

    def _count(self, count: Any) -> int:
        return int(_number("count", count, FEWEST, self.most))


def _known(data: Any) -> str:
    if not isinstance(data, str) or data not in available():
        raise InvalidInput("data", f"{str(data or 'nothing')[:40]!r} is not on this server; choose one of the menu")
    return data


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(name, f"must be a number from {low:g} to {high:,g}")
    return float(value)


def _seed(asked: Asked) -> int:
    return int(_number("seed", asked.seed, 0, 2**31 - 1))


def _title(asked: Asked, meter: QualityMeter, at: str = "") -> str:
    count = f"{int(asked.count):,} pictures, {len(meter.real.pictures):,} real ones"
    data = "your images" if str(asked.data).startswith(OWN) else asked.data
    return f"{asked.model} beside {data}{at}: {count}"


def _large(pixels: Pixels) -> Pixels:
    """Each pixel as a square, so that a page need not smooth the disturbance away."""
    return pixels.repeat(ENLARGED, 0).repeat(ENLARGED, 1)


def _statistics(eye: Extractor, images: Tensor) -> Tensor:
    return (eye.small or eye.near)(to_bytes(images))


def _rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _heard(tick: Tick, what: str) -> Any:
    """The tick of an opener: progress is told, and to be cancelled is to say no."""

    def told(done: int, of: int) -> bool:
        try:
            tick(what, done, of)
        except Cancelled:
            return False
        return True

    return told


def _unheard(what: str, done: int, of: int) -> None:
    """Tells nobody."""


def _trim(found: "OrderedDict[Any, Any]", most: int) -> None:
    while len(found) > most:
        found.popitem(last=False)
