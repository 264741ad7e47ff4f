"""A Recipe: everything that decides a picture, as one JSON object. Same recipe, same pixels."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ganlab.config import Config, InvalidInput, knob

MOST_LAYERS = 40  # rows of ws; StyleGAN2 at 1024 px has 18, StyleGAN3 16
MOST_CLASSES = 20_000
MOST_DEPTH = 4  # recipes inside recipes: a moment between two moments between two pictures
# what one recipe may ask of the machine: each about a second of one core with the largest public models
MOST_POINTS = 1000  # latents that are mapped, those of recipes inside included
MOST_PAINT = 24.0  # painted area, as a multiple of the picture's
MOST_CENTERS = 8  # classes whose centres are looked for
LONGEST_LATENT = 160_000  # characters: 18 x 1,024 float32 as base64 and some
LARGEST_MAP = 128  # pixels of a side up to which a recipe carries noise maps
LONGEST_MAPS = 60_000  # characters: two maps of each size up to the largest
HALF, MOST_HALF = "h", 60_000.0  # what marks latents in half precision, and the largest that are packed so
MAP_STEPS = 32  # steps of a noise map to one standard deviation; it ends at 4 of these
MOST_EDITS = 16
LONGEST_EDITS = 160_000  # characters of all directions of a recipe: what is saved must be short enough to be read
MOST_CHANNELS = 65_536  # of styles; StyleGAN2 at 1024 px has 9,088
MAP_ROW = 1000  # seeds between two rows of the latent map
SEEDS = 2**32
DAMAGED = "is damaged; choose the edit again"
SPACES = ("w", "z_slerp", "z_lerp")
CENTERS = ("mean", "class")
NOISES = ("const", "none", "random")
EDIT_SPACES = ("w", "s")
Latents = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassShare(Config):
    """A class and its part in a mixture; the parts of one source are normalised to sum to 1."""

    index: int = knob(0, "Number of the class", lo=0, hi=MOST_CLASSES - 1)
    share: float = knob(1.0, "Its part in the mixture", lo=0, hi=1)


@dataclass(frozen=True)
class Source(Config):
    """One point in latent space: a place on the map of seeds, uploaded latents, or another recipe's styles.

    The map has a seed at each whole (x, y), `map_seed`; between them the four neighbours are blended in W.
    """

    seed: int = knob(0, "Seed of z ~ N(0, I)", lo=0, hi=SEEDS - 1)
    x: float = knob(0.0, "Steps to the right on the map of seeds", lo=-1e6, hi=1e6)
    y: float = knob(0.0, "Steps down on the map of seeds", lo=-1e6, hi=1e6)
    weight: float = knob(1.0, "Its part in the blend; the parts are normalised to sum to 1", lo=-4, hi=4)
    classes: tuple[ClassShare, ...] = knob((), "Class or mixture of classes of a conditional model", longest=16)
    latent: str = knob("", "Uploaded w or ws, see `pack_latent`; replaces the seed", longest=LONGEST_LATENT)
    recipe: "Recipe | None" = knob(None, "Another picture, whose styles are taken as they are; replaces the seed")

    @property
    def is_seed(self) -> bool:
        """Whether this is a seed alone, a point that has a z."""
        return not self.latent and self.recipe is None and self.x == int(self.x) and self.y == int(self.y)

    @property
    def points(self) -> int:
        """Latents that are mapped for it: one at a whole place of the map, up to four between."""
        if self.recipe is not None:
            return self.recipe.points
        return 1 if self.latent else (1 + (self.x != int(self.x))) * (1 + (self.y != int(self.y)))


@dataclass(frozen=True)
class Mix(Config):
    """Style mixing: some layers take their style from another source."""

    source: Source = knob(Source, "Where the styles come from")
    layers: tuple[int, ...] = knob((), "Rows of ws that are replaced, counted from 0", longest=MOST_LAYERS, lo=0)
    strength: float = knob(1.0, "How far towards the other source", lo=0, hi=1)


@dataclass(frozen=True)
class Pin(Config):
    """A layer whose noise is held."""

    layer: int = knob(0, "Noise input, counted from 0", lo=0, hi=MOST_LAYERS - 1)
    seed: int | None = knob(None, "Seed it is held at; none: the noise that the model carries", lo=0, hi=SEEDS - 1)


@dataclass(frozen=True)
class Stroke(Config):
    """A dab of other noise on the picture."""

    x: float = knob(0.5, "Centre, from the left edge 0 to the right 1", lo=-1, hi=2)
    y: float = knob(0.5, "Centre, from the top edge 0 to the bottom 1", lo=-1, hi=2)
    radius: float = knob(0.1, "Radius as a part of the picture's width; the edge is soft", lo=0.001, hi=2)
    seed: int = knob(0, "Seed of the noise painted with", lo=0, hi=SEEDS - 1)
    strength: float = knob(1.0, "Times the layer's own strength; 0 wipes noise away", lo=-8, hi=8)
    layer: int | None = knob(None, "Noise input it is painted on; none: all", lo=0, hi=MOST_LAYERS - 1)


@dataclass(frozen=True)
class Noise(Config):
    """What stands at the noise inputs."""

    mode: str = knob("const", "const: the noise the model carries; none; random: drawn from the seed", choices=NOISES)
    seed: int = knob(0, "Seed of random noise", lo=0, hi=SEEDS - 1)
    strength: tuple[float, ...] = knob(
        (), "Factor per noise input; those left out are 1", longest=MOST_LAYERS, lo=-8, hi=8
    )
    pins: tuple[Pin, ...] = knob((), "Layers held while the seed changes", longest=MOST_LAYERS)
    strokes: tuple[Stroke, ...] = knob((), "Painted noise, later dabs over earlier ones", longest=200)
    maps: str = knob(
        "", "Maps in place of the noise that the model carries, as `pack_maps` has them", longest=LONGEST_MAPS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(min(1.0, 2 * stroke.radius) ** 2 for stroke in self.strokes) > MOST_PAINT:
            raise InvalidInput(
                "strokes", f"cover the picture more than {MOST_PAINT:g} times over; clear some or use a smaller brush"
            )


@dataclass(frozen=True)
class Place(Config):
    """Where a network that moves with its input (StyleGAN3) draws the picture; others draw it where it is."""

    right: float = knob(0.0, "Shift to the right, in widths of the picture", lo=-0.5, hi=0.5)
    down: float = knob(0.0, "Shift downwards", lo=-0.5, hi=0.5)
    turn: float = knob(0.0, "Turn clockwise, in degrees", lo=-180, hi=180)


@dataclass(frozen=True)
class Edit(Config):
    """A step along a direction of W, or of S, the styles that the layers make of w (StyleSpace, Wu et al. 2021)."""

    name: str = knob("", "What it changes", longest=120)
    space: str = knob("w", "What is moved: rows of ws, or single channels of the layers' styles", choices=EDIT_SPACES)
    direction: str = knob("", "In w as `pack_latent` has it, in s as `pack_channels`", longest=LONGEST_LATENT)
    strength: float = knob(1.0, "How many times the direction is added", lo=-100, hi=100)
    layers: tuple[int, ...] | None = knob(
        None, "Rows of ws that are moved, in s the layers they feed; none: all", longest=MOST_LAYERS, lo=0
    )
    muted: bool = knob(False, "Whether it is kept without effect")

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        return not self.muted and self.strength != 0 and self.layers != ()

    def rows(self) -> Latents:
        """The direction of an edit in w, [1 or L, w_dim]."""
        try:
            return unpack_latent(self.direction)
        except InvalidInput:
            raise InvalidInput("direction", DAMAGED) from None

    def channels(self) -> tuple[Indices, Latents]:
        """The direction of an edit in s: channels of all layers' styles one after the other, and their offsets."""
        return unpack_channels(self.direction)


@dataclass(frozen=True)
class Recipe(Config):
    """A picture. `ganlab.synthesis.render` makes it; every image lab edits it."""

    model: str = knob("", "Name of the model; empty: the one at hand", longest=200)
    sha256: str = knob("", "Checksum of its file; empty: any", longest=64)
    sources: tuple[Source, ...] = knob(lambda: (Source(),), "What the picture is blended from", longest=16)
    space: str = knob("w", "Where sources are blended: W, or Z by slerp or lerp", choices=SPACES)
    psi: float = knob(0.7, "Truncation: 1 leaves w alone, 0 gives the average picture", lo=-1, hi=2)
    cutoff: int | None = knob(None, "Only the first so many layers are truncated; none: all", lo=0, hi=MOST_LAYERS)
    center: str = knob("mean", "What truncation moves towards: the mean w, or the mean of the class", choices=CENTERS)
    mixes: tuple[Mix, ...] = knob((), "Style mixing, in this order", longest=MOST_LAYERS)
    noise: Noise = knob(Noise, "Noise inputs")
    place: Place = knob(Place, "Where StyleGAN3 draws it")
    edits: tuple[Edit, ...] = knob((), "Edits, after truncation and mixing, in this order", longest=MOST_EDITS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sources:
            raise InvalidInput("sources", "must name at least one seed, latent or recipe")
        if abs(sum(source.weight for source in self.sources)) < 1e-3:
            raise InvalidInput("sources", "have weights that sum to zero, so that nothing is left to blend")
        for i, source in enumerate(self.sources):
            if self.space != "w" and not (source.is_seed and source.weight >= 0):
                raise InvalidInput(
                    f"sources.{i}", "has no z of its own: blend in W, or use whole seeds with weights of at least 0"
                )
        if sum(len(edit.direction) for edit in self.edits) > LONGEST_EDITS:
            raise InvalidInput("edits", "are too large together; remove some, or save the picture's latents and go on")
        if self.depth > MOST_DEPTH:
            raise InvalidInput("sources", f"hold recipes nested more than {MOST_DEPTH} deep; save one as latents first")
        if self.points > MOST_POINTS:
            raise InvalidInput(
                "sources", f"and mixes name more than {MOST_POINTS:,} seeds, with recipes inside; save one as latents"
            )
        if len(_centers(self)) > MOST_CENTERS:
            raise InvalidInput("center", f"of the class is known for at most {MOST_CENTERS} classes at a time")

    @property
    def points(self) -> int:
        """Latents that are mapped for it, those of recipes inside included."""
        return sum(source.points for source in self.latent_sources())

    @property
    def depth(self) -> int:
        """How many recipes stand inside each other, this one included."""
        return 1 + max((s.recipe.depth for s in self.latent_sources() if s.recipe is not None), default=0)

    def latent_sources(self) -> tuple[Source, ...]:
        """All sources, those of style mixing included."""
        return (*self.sources, *(mix.source for mix in self.mixes))


def _centers(recipe: Recipe) -> set[int]:
    """Classes whose mean w is wanted, those of recipes inside included."""
    inside = [_centers(source.recipe) for source in recipe.latent_sources() if source.recipe is not None]
    ours = [] if recipe.center == "mean" else [s.classes for s in recipe.latent_sources() if s.recipe is None]
    return set().union(*inside, *({share.index for share in classes} for classes in ours))


def map_seed(seed: int, i: int, j: int) -> int:
    """The seed that stands `i` steps right and `j` steps down of `seed` on the latent map."""
    return (seed + i + MAP_ROW * j) % SEEDS


def pack_latent(ws: Latents, short: bool = False) -> str:
    """w [w_dim] or ws [L, w_dim] as text: base64 of its rows, its shape in front (`14x512:...`).

    short: in half precision (`14x512h:...`), half as long; for what was made here, and is used as it is packed.
    """
    rows = np.atleast_2d(np.ascontiguousarray(ws, dtype="<f4"))
    mark = HALF if short and np.abs(rows).max(initial=0) < MOST_HALF else ""
    body = rows.astype("<f2").tobytes() if mark else rows.tobytes()
    return f"{rows.shape[0]}x{rows.shape[1]}{mark}:{base64.b64encode(body).decode()}"


def unpack_latent(text: str) -> Latents:
    """What `pack_latent` packed, [1 or L, w_dim]; a damaged text raises `InvalidInput`."""
    shape, _, body = text.partition(":")
    try:
        rows, columns = (int(n) for n in shape.removesuffix(HALF).split("x"))
        dtype = "<f2" if shape.endswith(HALF) else "<f4"
        values = np.frombuffer(base64.b64decode(body, validate=True), dtype=dtype)
        latents = values.reshape(rows, columns).astype(np.float32)
    except (ValueError, binascii.Error):
        raise InvalidInput("latent", "is damaged; upload the latents again") from None
    if not 1 <= rows <= MOST_LAYERS or not np.isfinite(latents).all() or np.abs(latents).max(initial=0) > 1e6:
        raise InvalidInput("latent", "holds values that are not finite or far too large, or too many rows")
    return latents


def pack_maps(maps: Sequence[Latents | None]) -> str:
    """Noise maps [H, H], one for each input (None: what the model carries), as text: their sides (0 for None), base64.

    A byte for each value, in steps of 1/32 from -4 to 4: off by a hundredth of a deviation. None may be larger than
    `LARGEST_MAP`.
    """
    sides = [0 if m is None else len(m) for m in maps]
    if max(sides, default=0) > LARGEST_MAP:
        raise ValueError(f"a recipe carries maps of at most {LARGEST_MAP} x {LARGEST_MAP}")
    steps = [np.rint(m * MAP_STEPS).clip(-127, 127).astype(np.int8) for m in maps if m is not None]
    return f"{','.join(map(str, sides))}:{base64.b64encode(b''.join(m.tobytes() for m in steps)).decode()}"


@lru_cache(maxsize=32)  # each picture of a slider's way asks again
def unpack_maps(text: str) -> tuple[Latents | None, ...]:
    """What `pack_maps` packed, not to be changed; a damaged text raises `InvalidInput`."""
    head, _, body = text.partition(":")
    try:
        sides = [int(side) for side in head.split(",")]
        values = np.frombuffer(base64.b64decode(body, validate=True), dtype=np.int8)
        if not all(0 <= side <= LARGEST_MAP for side in sides) or sum(side**2 for side in sides) != len(values):
            raise ValueError("cut off")
    except (ValueError, binascii.Error):
        raise InvalidInput("maps", "of noise are damaged; look for the picture again") from None
    parts = np.split(values / MAP_STEPS, np.cumsum([side**2 for side in sides])[:-1])
    return tuple(part.astype(np.float32).reshape(side, side) if side else None for part, side in zip(parts, sides))


def pack_channels(indices: Indices, values: Latents) -> str:
    """Offsets of some channels of styles as text: their count, then base64 of indices (uint32) and values (float32)."""
    order = np.argsort(indices)
    body = np.asarray(indices)[order].astype("<u4").tobytes() + np.asarray(values)[order].astype("<f4").tobytes()
    return f"{len(order)}:{base64.b64encode(body).decode()}"


def unpack_channels(text: str) -> tuple[Indices, Latents]:
    """What `pack_channels` packed, indices rising; a damaged text raises `InvalidInput`."""
    count, _, body = text.partition(":")
    try:
        n = int(count)
        words = np.frombuffer(base64.b64decode(body, validate=True), dtype="<u4")
        if n < 0 or len(words) != 2 * n:
            raise ValueError("cut off")
    except (ValueError, binascii.Error):
        raise InvalidInput("direction", DAMAGED) from None
    indices, values = words[:n].astype(np.int64), words[n:].view("<f4").astype(np.float32)
    if not (np.diff(indices, prepend=-1) > 0).all() or indices.max(initial=0) >= MOST_CHANNELS:
        raise InvalidInput("direction", "names channels twice, out of order, or far too many")
    if not (np.abs(values) <= 1e6).all():  # NaN too
        raise InvalidInput("direction", "holds values that are not finite or far too large")
    return indices, values
