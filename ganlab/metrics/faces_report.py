"""What is said of a generator of faces: distances on the faces' own features, and the kinds of people it makes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from ganlab.config import InvalidInput
from ganlab.data.faces import faces
from ganlab.data.faces.visible import visible
from ganlab.features.faces import Head, features_of, load_classifier
from ganlab.metrics.attributes import (
    Presence,
    Shares,
    as_asked,
    choices,
    combinations,
    histogram,
    presence,
    total_variation,
)
from ganlab.metrics.bootstrap import Interval, interval, intervals, mean_of
from ganlab.metrics.frechet import few, frechet_distance
from ganlab.metrics.manifold import density_coverage, precision_recall

REAL_SEED = (1 << 32) + 1  # of the portraits that generated ones are compared with; nobody trains on them
DRAWS = 8  # halves that an interval is taken from
BATCH = 100
KINDS = ("hat", "hairstyle", "hair_colour")  # whose combinations are counted
FEWEST = 0.001  # share of real portraits from which on a combination is expected


class Seen(NamedTuple):
    """What the classifier sees in a set of pictures."""

    features: Float[Tensor, "n d"]
    chosen: dict[str, Int[Tensor, "n"]]


@dataclass(frozen=True)
class Reference:
    """Real faces, as the classifier sees them and as they are."""

    seen: Seen
    shares: Shares  # the true ones
    resolution: int


@dataclass(frozen=True)
class FacesReport:
    """Figures of a generator of faces; intervals are those of `metrics.bootstrap`."""

    count: int
    n_real: int
    fd: Interval  # FD-faces: squared Fréchet distance on the features of the faces' classifier; no FID
    precision: Interval
    recall: Interval
    density: Interval
    coverage: Interval
    shares: Shares  # of options, as the classifier sees them
    distances: dict[str, float]  # total variation between these shares and the true ones of data, by attribute
    floor: dict[str, float]  # the same for real faces: what the classifier's mistakes and chance amount to
    present: dict[str, Presence]  # hats, hairstyles, ..., and "all" for their combinations
    accuracy: Interval | None = None  # share of pictures that show the class that was asked for
    warning: str | None = None

    def rows(self) -> list[tuple[str, str]]:
        """The figures in words, for a table."""
        found = [
            ("FD-faces", str(self.fd)),
            *((name, str(getattr(self, name))) for name in ("precision", "recall", "density", "coverage")),
        ]
        if self.accuracy is not None:
            found.append(("class as asked", self.accuracy.percent()))
        for name, kinds in self.present.items():
            title = "kinds of " + " x ".join(KINDS) if name == "all" else f"kinds of {name}"
            found.append((title, f"{kinds.present} of {kinds.total}"))
        mean, floor = (sum(values.values()) / len(values) for values in (self.distances, self.floor))
        found.append(("attributes off by (mean)", f"{mean:.1%} (real faces {floor:.1%})"))
        worst = sorted(self.distances, key=lambda name: self.floor[name] - self.distances[name])[:3]
        found.append(("farthest off", ", ".join(f"{name} {self.distances[name]:.0%}" for name in worst)))
        return found


def reference(n_real: int, resolution: int) -> Reference:
    """`n_real` real faces to compare with, drawn at a generator's resolution; a minute for 10,000 of 64 px."""
    true = []

    def pictures() -> Iterator[Tensor]:
        for start in range(0, n_real, BATCH):
            images, people = faces(REAL_SEED, range(start, min(start + BATCH, n_real)), resolution)
            true.append(people.values)
            yield images

    seen = look(pictures())
    values = {name: torch.cat([part[name] for part in true]) for name in true[0]}
    return Reference(seen, histogram(values, _options(), visible(values)), resolution)


def look(images: Iterable[Tensor] | Tensor) -> Seen:
    """What the classifier sees in pictures: uint8 [N, 3, H, W], one tensor or batches of any size."""
    classifier, options = load_classifier(), _options()
    parts = []
    for batch in images.split(BATCH) if isinstance(images, Tensor) else images:
        features = features_of(classifier, batch)
        parts.append(Seen(features, choices(classifier.read(features), options)))
    if not parts:
        raise InvalidInput("images", "are none")
    chosen = {name: torch.cat([part.chosen[name] for part in parts]) for name in options}
    return Seen(torch.cat([part.features for part in parts]), chosen)


def faces_report(
    fake: Seen,
    real: Reference,
    asked: Mapping[str, Int[Tensor, "n"]] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> FacesReport:
    """How near generated pictures, as `look` sees them, come to real faces.

    `asked`: the option of an attribute that each picture was to show, by the attribute's name.
    """
    rng = torch.Generator().manual_seed(seed)
    sets = real.seen.features, fake.features
    precision, recall = intervals(precision_recall, *sets, draws, rng)
    density, coverage = intervals(density_coverage, *sets, draws, rng)
    options = _options()
    shares, usual = (histogram(seen.chosen, options, visible(seen.chosen)) for seen in (fake, real.seen))
    right = [mean_of(as_asked(fake.chosen[name], wanted), rng) for name, wanted in (asked or {}).items()]
    return FacesReport(
        count=len(fake.features),
        n_real=len(real.seen.features),
        fd=interval(frechet_distance, *sets, draws, rng),
        precision=precision,
        recall=recall,
        density=density,
        coverage=coverage,
        shares=shares,
        distances=total_variation(shares, real.shares),
        floor=total_variation(usual, real.shares),
        present=_present(fake, real.seen, options),
        accuracy=right[0] if right else None,
        warning=few(min(len(fake.features), len(real.seen.features)), fake.features.shape[1]),
    )


@torch.inference_mode()
def pictures_of(
    G: nn.Module, count: int, psi: float, seed: int, odds: Sequence[float] = ()
) -> Iterator[tuple[UInt8[Tensor, "n 3 h w"], Int[Tensor, "n"]]]:
    """`count` pictures of a generator and the number of each one's class (0 where it has none), a batch at a time.

    `odds`: how likely each class is (empty: all are equally). The same pictures for the same seed.
    """
    rng = torch.Generator().manual_seed(seed)
    c_dim, z_dim = int(getattr(G, "c_dim", 0)), int(G.z_dim)  # type: ignore[arg-type]
    chances = torch.tensor(odds or [1.0] * max(c_dim, 1), dtype=torch.float32)
    if len(chances) != max(c_dim, 1):
        raise InvalidInput("odds", f"are {len(chances)}, for {c_dim} classes")
    device = next(G.parameters()).device
    noise = torch.Generator(device).manual_seed(seed)
    for start in range(0, count, BATCH):
        n = min(BATCH, count - start)
        z = torch.randn(n, z_dim, generator=rng).to(device)
        classes = torch.multinomial(chances, n, replacement=True, generator=rng)
        c = nn.functional.one_hot(classes, c_dim).float().to(device) if c_dim else None
        ws = G.mapping(z, c, truncation_psi=psi)  # type: ignore[operator]
        image = G.synthesis(ws, noise_mode="random", generator=noise)  # type: ignore[operator]
        yield (image * 127.5 + 128).clamp(0, 255).to(torch.uint8).cpu(), classes


def report(
    G: nn.Module, psi: float, count: int, real: Reference, classes: Sequence[str] = (), seed: int = 0
) -> FacesReport:
    """`faces_report` of a generator at a truncation psi.

    `classes` are the names of its classes: where they are options of an attribute, as many of each are made as data
    have, and it is counted how often the one that was asked for is seen.
    """
    if int(G.img_channels) != 3:  # type: ignore[arg-type]
        raise InvalidInput("model", "makes grey pictures; faces are compared in colour")
    head = attribute_of(classes)
    odds = [real.shares[head.name][name] for name in classes] if head else []
    asked: list[Tensor] = []

    def pictures() -> Iterator[Tensor]:
        for images, numbers in pictures_of(G, count, psi, seed, odds):
            asked.append(numbers)
            yield images

    fake = look(pictures())
    if head is None:
        return faces_report(fake, real, seed=seed)
    order = torch.tensor([head.options.index(name) for name in classes])
    return faces_report(fake, real, {head.name: order[torch.cat(asked)]}, seed=seed)


def attribute_of(classes: Sequence[str]) -> Head | None:
    """The attribute whose options a model's classes are; None where they are others, or there are none."""
    heads = load_classifier().heads
    return next((head for head in heads if classes and set(classes) <= set(head.options)), None)


def _options() -> dict[str, tuple[str, ...]]:
    return {head.name: head.options for head in load_classifier().heads if head.options}


def _present(fake: Seen, real: Seen, options: Mapping[str, Sequence[str]]) -> dict[str, Presence]:
    """Expected is what one in a thousand real faces is seen to have."""
    found = {}
    for key, names in (*((name, (name,)) for name in KINDS), ("all", KINDS)):
        usual = combinations(real.chosen, options, names, max(1, round(FEWEST * len(real.features))))
        found[key] = presence(combinations(fake.chosen, options, names), usual)
    return found
