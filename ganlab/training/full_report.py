"""Everything that can be measured of a generator beside its data, at one truncation: what `ganlab metrics` prints.

The name of the features is part of a figure's name: FD-pyramid is no FID, KD-faces no KID, PPL-faces not LPIPS's.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.images.drawn import VALID_SEEDS
from ganlab.data.polygons import rendered, vertices
from ganlab.metrics import METRICS
from ganlab.metrics.bootstrap import Interval, bootstrap, interval, intervals, mean_of
from ganlab.metrics.equivariance import decibels, eq_r, eq_t
from ganlab.metrics.faces_report import pictures_of
from ganlab.metrics.frechet import few, frechet_distance
from ganlab.metrics.inception import inception_score
from ganlab.metrics.kernel import mmd2
from ganlab.metrics.manifold import density_coverage, f_score, precision_recall
from ganlab.metrics.nearest import copying
from ganlab.metrics.path_length import path_lengths, trimmed_mean
from ganlab.metrics.polygons import THRESHOLD, distance_by_inversion, nearest_polygon, polygon_score
from ganlab.metrics.ssim import similarities, weights_of
from ganlab.networks import stylegan3
from ganlab.training.beside import learned_from, same_classes
from ganlab.training.quality import FEWEST, QualityMeter

DRAWS = 8  # halves that an interval is taken from
PATHS, STEP = 256, 1e-3  # of path lengths; a shorter step drowns in the rounding of float32 features
AT_ONCE = 32  # pictures drawn together
PAIRS = 500  # of MS-SSIM
SOME = 1000  # pictures that are kept themselves, for it and for polygons
POLYGONS, SOUGHT = 64, 32  # pictures whose nearest polygon, polygons whose nearest picture is looked for
SCORES = 50  # resamplings of an Inception score, which has a thousand classes
SPLITS = 10  # parts of an Inception score (Salimans et al. 2016)
MOVES = 8  # of equivariance
MOVED = 8  # pictures that are moved together
Tick = Callable[[str, int, int], None]  # (what, done, of)


class Figure(NamedTuple):
    """One row: its name with its features, and the figure with its uncertainty, in numbers and in words."""

    name: str
    interval: Interval
    text: str

    @property
    def value(self) -> float:
        """The figure alone."""
        return self.interval.value


def silent(what: str, done: int, of: int) -> None:
    """Tells nobody."""


def full_report(
    G: Any, meter: QualityMeter, psi: float, count: int, seed: int = 0, tick: Tick = silent, latents: bool = True
) -> tuple[list[Figure], str | None]:
    """Figures of `count` pictures beside the meter's, and a warning where they are too few.

    `latents`: also path lengths and equivariance, for which many more pictures are made.
    """
    _check_count(meter, count)
    near, small, classes, pictures = _made(G, meter, count, psi, seed, tick)
    rng = torch.Generator().manual_seed(seed)
    alike = same_classes(G, meter.images) and bool(meter.images.classes)
    figures = _distances(meter, near, small, rng, tick)
    figures += _diversity(meter, pictures, classes[: len(pictures)] if alike else None, seed)
    if meter.extractor.logits is not None:
        figures += _score(meter, meter.extractor.logits(near), rng)
    if meter.held is not None:
        figures.append(_copying(meter, meter.held, near, rng))
    missing = None
    if int(getattr(G, "c_dim", 0)) and not alike:
        missing = "The model's classes are not those of this data, so they are not looked at."
    elif int(getattr(G, "c_dim", 0)):
        of_classes, missing = _of_classes(meter, near, small, classes)
        figures += of_classes
    if meter.images.config.name == "polygons":
        figures += _of_polygons(G, meter, pictures, rng, tick)
    if latents:
        figures += _of_latents(G, meter, seed, tick)
    learned, here = learned_from(G), meter.images.config.name
    other = f"This model learned from {learned}, not from {here}." if learned and learned != here else None
    warnings = [other, few(min(count, len(meter.real.small)), small.shape[1]), missing]
    return figures, " ".join(text for text in warnings if text) or None


def distances_at(
    G: Any, meter: QualityMeter, psi: float, count: int, seed: int = 0, tick: Tick = silent
) -> list[Figure]:
    """Only distances, precision, recall and their like at one truncation: a point of the truncation curve."""
    _check_count(meter, count)
    made = _made(G, meter, count, psi, seed, tick)
    return _distances(meter, made.near, made.small, torch.Generator().manual_seed(seed), tick)


def _check_count(meter: QualityMeter, count: int) -> None:
    if min(count, len(meter.real.pictures)) < FEWEST:
        raise InvalidInput("count", f"needs {FEWEST} pictures or more, of the generator and of the data")


class _Made(NamedTuple):
    """What is kept of generated pictures, which come and go a batch at a time."""

    near: Float[Tensor, "n d"]
    small: Float[Tensor, "n k"]
    classes: Int[Tensor, "n"]
    some: UInt8[Tensor, "m c h w"]  # the first of them


def _made(G: Any, meter: QualityMeter, count: int, psi: float, seed: int, tick: Tick) -> _Made:
    """The features of pictures, each class as often as in the data where the data has as many."""
    shares = meter.images.shares.tolist() if meter.images.classes else []
    odds = shares if len(shares) == int(getattr(G, "c_dim", 0)) else []
    parts: list[tuple[Tensor, ...]] = []
    some: list[Tensor] = []
    done = 0
    for pictures, numbers in pictures_of(G, count, psi, seed, odds):
        near, small = meter.features(pictures)
        parts.append((near, numbers) if small is near else (near, numbers, small))
        if done < SOME:
            some.append(pictures)
        done += len(pictures)
        tick("pictures", done, count)
    near, numbers, *rest = (torch.cat(column) for column in zip(*parts, strict=True))
    return _Made(near, rest[0] if rest else near, numbers, torch.cat(some)[:SOME])


def _distances(meter: QualityMeter, near: Tensor, small: Tensor, rng: torch.Generator, tick: Tick) -> list[Figure]:
    def manifolds(real: Tensor, fake: Tensor) -> tuple[float, ...]:
        pair = precision_recall(real, fake)
        return (*pair, f_score(*pair), *density_coverage(real, fake))

    def distances(real: Tensor, fake: Tensor) -> tuple[float, float]:
        return frechet_distance(real, fake), mmd2(real, fake)

    tick("distances", 0, 2)
    found = intervals(distances, meter.real.small, small, DRAWS, rng)
    tick("distances", 1, 2)
    found += intervals(manifolds, meter.real.near, near, DRAWS, rng)
    tick("distances", 2, 2)
    names = map(meter.extractor.named, METRICS)  # each as its function there gives it; here they share their work
    return [Figure(name, row, str(row)) for name, row in zip(names, found, strict=True)]


def _copying(meter: QualityMeter, held: Tensor, near: Tensor, rng: torch.Generator) -> Figure:
    """Whether pictures are nearer to what was learned than held-out ones are."""

    def share(held: Tensor, fake: Tensor) -> float:
        return copying(fake, meter.real.near, held).share

    found, z = interval(share, held, near, DRAWS, rng), copying(near, meter.real.near, held).z
    return Figure(meter.extractor.named("copying"), found, f"{found} (z {z:.1f}; 0.5 is right)")


def _diversity(meter: QualityMeter, pictures: Tensor, classes: Tensor | None, seed: int) -> list[Figure]:
    """MS-SSIM of random pairs of generated pictures, and of real ones; within classes, where there are some, the mean
    over them (Odena et al. 2017, sec. 4.2)."""
    values: list[Interval] = []
    for images, of in ((pictures, classes), (meter.real.pictures, meter.real.targets)):
        rng, usual = torch.Generator().manual_seed(seed), weights_of(images.shape[-1])
        groups = [images] if classes is None else [images[of == k] for k in range(len(meter.images.classes))]
        groups = [group for group in groups if len(group) > 1] or [images]
        pairs = max(1, min(PAIRS, 2 * len(images)) // len(groups))
        found = [similarities(group.float(), pairs, rng, span=255.0, weights=usual) for group in groups]
        values.append(bootstrap(_mean_of_means, found, rng))
    within = "" if classes is None else " within classes"
    return [Figure(f"MS-SSIM of pairs{within}", values[0], f"{values[0]} (data {values[1]})")]


def _mean_of_means(*groups: Tensor) -> float:
    return sum(float(group.mean()) for group in groups) / len(groups)


def _score(meter: QualityMeter, logits: Tensor, rng: torch.Generator) -> list[Figure]:
    """The Inception score over ten parts, where the parts are not tiny, of classes of whichever network looks."""
    splits = SPLITS if len(logits) >= SPLITS * SPLITS else 1
    found = logits[torch.randperm(len(logits), generator=rng)]
    score = bootstrap(lambda rows: inception_score(rows, splits).mean, [found], rng, SCORES)
    told = f"{score} (deviation of {splits} parts {inception_score(found, splits).deviation:.2g})"
    return [Figure(meter.extractor.named("IS"), score, told if splits > 1 else str(score))]


def _of_classes(meter: QualityMeter, near: Tensor, small: Tensor, classes: Tensor) -> tuple[list[Figure], str | None]:
    """Whether the class is as asked, and the mean distance within classes (Miyato and Koyama 2018, sec. 4).

    And why there is no such distance, where there is none.
    """
    rng = torch.Generator().manual_seed(len(near))
    right = mean_of(meter.class_as_asked(near, classes), rng)
    rows = [Figure("class as asked", right, f"{right.percent()} ({meter.reader})")]
    sizes = [(int((classes == k).sum()), int((meter.real.targets == k).sum())) for k in range(int(classes.max()) + 1)]
    fewest, distance = min(min(pair) for pair in sizes), meter.extractor.named("FD")
    if fewest < small.shape[1]:  # the distance would be of noise
        return (
            rows,
            f"No {distance} within classes: of one there are {fewest:,} pictures, and {small.shape[1]:,} are needed.",
        )
    real = meter.real
    within = [
        interval(frechet_distance, real.small[real.targets == k], small[classes == k], DRAWS, rng)
        for k in range(len(sizes))
    ]
    mean = sum(found.value for found in within) / len(within)
    far = math.hypot(*(found.far for found in within)) / len(within)  # classes are drawn apart
    found = Interval(mean, mean - far, mean + far)
    return [*rows, Figure(f"intra-class {distance}", found, f"{found} ({fewest} or more of each class)")], None


def _of_polygons(G: Any, meter: QualityMeter, pictures: Tensor, rng: torch.Generator, tick: Tick) -> list[Figure]:
    """Precision and recall by distances to the manifold itself, which is known of polygons."""
    config, device = meter.images.config, next(G.parameters()).device

    def flat(images: Tensor) -> Tensor:
        return images.float().mean(1, keepdim=True)

    def heard(what: str) -> Callable[[int, int], None]:
        return lambda done, of: tick(what, done, of)

    some = flat(pictures[:POLYGONS].float() / 127.5 - 1)
    off = nearest_polygon(some, config.vertices, heard("nearest polygons")).distance
    if int(getattr(G, "c_dim", 0)):
        share = mean_of((off <= THRESHOLD).float(), rng)
        return [Figure("manifold precision", share, f"{share} (of {len(some)} pictures)")]

    def draw(z: Tensor) -> Tensor:
        return flat(G.synthesis(G.mapping(z), noise_mode="const"))

    corners = vertices(config.seed + VALID_SEEDS, range(SOUGHT), config.vertices)
    targets = rendered(corners, config.resolution).to(device)
    missed = distance_by_inversion(draw, int(G.z_dim), targets, rng, tick=heard("polygons sought by inversion"))
    found, sets = polygon_score(off, missed.cpu()), (off, missed.cpu())
    precision, recall, f1 = (
        bootstrap(lambda *rows: getattr(polygon_score(*rows), name), sets, rng)  # noqa: B023
        for name in ("precision", "recall", "f1")
    )
    return [
        Figure("manifold precision", precision, f"{precision} (off by {found.off:.3f} on average)"),
        Figure("manifold recall", recall, f"{recall} (off by {found.missed:.3f} on average)"),
        Figure("manifold F1", f1, f"{f1} (within {THRESHOLD:g})"),
    ]


@torch.inference_mode()
def _of_latents(G: Any, meter: QualityMeter, seed: int, tick: Tick) -> list[Figure]:
    """Path lengths in Z and W, full and at their ends, and equivariance where the input can be moved."""
    device, rng = next(G.parameters()).device, torch.Generator().manual_seed(seed)
    z = torch.randn(2, PATHS, int(G.z_dim), generator=rng).to(device)
    c_dim = int(getattr(G, "c_dim", 0))
    numbers = torch.randint(max(c_dim, 1), (PATHS,), generator=rng)
    c = torch.nn.functional.one_hot(numbers, c_dim).float().to(device) if c_dim else None
    t = torch.rand(PATHS, generator=rng).to(device)

    def drawn(ws: Tensor) -> Tensor:
        return torch.cat([G.synthesis(part, noise_mode="const").cpu() for part in ws.split(AT_ONCE)])

    def far(a: Tensor, b: Tensor) -> Tensor:
        return (meter.of_floats(a) - meter.of_floats(b)).square().sum(1)

    def lengths(space: str, place: Tensor) -> Tensor:
        if space == "z":
            usual = int(G.z_dim) ** 0.5  # great circles are of length 1; not every family brings z to one length
            return path_lengths(
                z[0], z[1], lambda x: drawn(G.mapping(usual * x, c)), far, place, space="z", epsilon=STEP
            )
        a, b = G.mapping(z[0], c), G.mapping(z[1], c)
        shape = a.shape[1:]
        return path_lengths(
            a.flatten(1), b.flatten(1), lambda x: drawn(x.unflatten(1, shape)), far, place, epsilon=STEP
        )

    kinds = [(f"{s.upper()} {name}", s, place) for s in "zw" for name, place in (("full", t), ("end", 0 * t))]
    kinds[-1] = ("W end (ppl2)", *kinds[-1][1:])  # as Karras et al. 2020 measure it
    rows = []
    for done, (name, space, place) in enumerate(kinds):
        tick("path lengths", done, len(kinds))
        found = bootstrap(trimmed_mean, [lengths(space, place)], rng)
        rows.append(Figure(f"PPL-{meter.name} {name}", found, str(found)))
    return [*rows, *_equivariance(G, z[0, :MOVED], None if c is None else c[:MOVED], seed)]


def _equivariance(G: Any, z: Tensor, c: Tensor | None, seed: int) -> list[Figure]:
    if not stylegan3.takes_places(G):
        return []
    ws = G.mapping(z, c)

    def draw(right: float, down: float, turn: float) -> Tensor:
        images: Tensor = G.synthesis(ws, transform=stylegan3.placed(right, down, turn)[None]).cpu()
        return images

    rows = []
    for name, errors in (("EQ-T", eq_t), ("EQ-R", eq_r)):
        rng = torch.Generator().manual_seed(seed)
        found = bootstrap(decibels, [errors(draw, MOVES, rng)], rng)
        rows.append(Figure(name, found, f"{found.value:.1f} ± {found.far:.2g} dB"))
    return rows
