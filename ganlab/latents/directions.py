"""Directions without text: principal axes of W (GANSpace), axes that layers are most sensitive to (SeFa), and normals
of boundaries between pictures with an attribute and without (InterFaceGAN); kept in one list, used as edits.

A direction of W is as long as one standard deviation of W along it, so that strengths mean the same everywhere.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ganlab import files
from ganlab.config import JSON_LIMIT, Config, InvalidInput, knob
from ganlab.features.faces import Head
from ganlab.recipe import EDIT_SPACES, LONGEST_LATENT, MOST_LAYERS, Edit, pack_channels, pack_latent, unpack_latent
from ganlab.synthesis import Cancelled, Renderer
from ganlab.synthesis.renderer import Tick

KINDS = ("pca", "sefa", "boundary", "text", "other")
MOST_DIRECTIONS = 256
FEWEST = 24  # pictures on either side of a boundary
HELD_OUT = 4  # every so many of the pictures measures a boundary and is not learned from
DECAY = 0.1  # of a boundary's weights; measured on faces64: held-out accuracy 0.76, 0.75 with 0.01, 0.73 with 0.001
TOGETHER = 32  # pictures painted at a time


@dataclass(frozen=True)
class Direction(Config):
    """A way to change pictures of one model."""

    name: str = knob("", "What it changes", longest=120)
    kind: str = knob("other", "How it was found", choices=KINDS)
    space: str = knob("w", "What it moves: rows of ws, or channels of styles", choices=EDIT_SPACES)
    vector: str = knob("", "In w as `pack_latent` has it, in s as `pack_channels`", longest=LONGEST_LATENT)
    layers: tuple[int, ...] | None = knob(None, "Rows of ws that it moves; none: all", longest=MOST_LAYERS, lo=0)
    score: float = knob(
        0.0,
        "How good it is, from 0 to 1: its part of the variance (pca, sefa), or how often its boundary is right about "
        "new pictures, where 0.5 is guessing",
        lo=0,
        hi=1,
    )


@dataclass(frozen=True)
class Directions(Config):
    """The directions of one model: what a file holds."""

    model: str = knob("", "Name of the model", longest=200)
    sha256: str = knob("", "Checksum of its file; empty: any", longest=64)
    directions: tuple[Direction, ...] = knob((), "The directions, the best first", longest=MOST_DIRECTIONS)


@runtime_checkable
class Reader(Protocol):
    """What tells attributes of pictures, as `features.faces.FacesClassifier` does."""

    @property
    def heads(self) -> tuple[Head, ...]:
        """What it reads."""

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Logits [N, options] or values [N] of each head, of images [N, 3, H, W] in [-1, 1]."""


def as_edit(direction: Direction, strength: float = 1.0) -> Edit:
    """The direction as a part of a recipe."""
    return Edit(direction.name, direction.space, direction.vector, strength, direction.layers)


def w_direction(name: str, vector: Float[Tensor, "*rows w_dim"], kind: str = "other", score: float = 0.0) -> Direction:
    """A direction in W, the same for all layers, or [num_ws, w_dim]."""
    return Direction(
        name, kind, "w", pack_latent(vector.detach().cpu().float().numpy(), short=True), score=_score(score)
    )


def s_direction(name: str, offsets: Float[Tensor, " channels"], kind: str = "other", score: float = 0.0) -> Direction:
    """A direction in S: an offset for each channel of all layers' styles; those that are 0 are left out."""
    values = offsets.detach().cpu().float().numpy()
    (used,) = np.nonzero(values)
    return Direction(name, kind, "s", pack_channels(used, values[used]), score=_score(score))


def save_directions(path: str | Path, directions: Directions) -> None:
    """Writes them as JSON, all or nothing; `InvalidInput` where they are more than `load_directions` would read."""
    text = directions.to_json()
    if len(text) > JSON_LIMIT:
        raise InvalidInput("directions", f"are {len(text):,} characters long; keep fewer than {JSON_LIMIT:,}")
    files.write_atomic(Path(path), text.encode())


def load_directions(path: str | Path) -> Directions:
    """What `save_directions` wrote. A file that is not that, or damaged, raises `InvalidInput`."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(JSON_LIMIT + 1)
        text = data.decode("ascii")
    except OSError as error:
        raise InvalidInput("directions", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput("directions", "are not a file of directions that ganlab has written") from None
    return Directions.from_json(text)


def principal_axes(w: Float[Tensor, "n d"], count: int) -> tuple[Tensor, Tensor, Tensor]:
    """(axes [k, d] of unit length, standard deviations [k], parts of the variance [k]) of samples, the largest first.

    GANSpace (Härkönen et al. 2020, sec. 2.1): the principal components of W.
    """
    values, vectors = torch.linalg.eigh(torch.cov(w.double().T))
    return _leading(values, vectors, count)


def sensitive_axes(weight: Float[Tensor, "c d"], count: int) -> tuple[Tensor, Tensor, Tensor]:
    """(axes [k, d], root mean square change of the c outputs for a unit step [k], parts of all change [k]).

    SeFa (Shen and Zhou 2021, eq. 6): the eigenvectors of A^T A, where A are the weights that styles are made with.
    """
    weight = weight.double()
    values, vectors = torch.linalg.eigh(weight.T @ weight / max(1, len(weight)))
    return _leading(values, vectors, count)


def boundary(w: Float[Tensor, "n d"], labels: Bool[Tensor, " n"], generator: torch.Generator) -> tuple[Tensor, float]:
    """(unit normal [d] that points to the pictures with a label of true, mean accuracy of both sides when held out).

    InterFaceGAN (Shen et al. 2020, sec. 3.1), with logistic regression for the linear classifier; both sides count the
    same, however many there are. `InvalidInput` where one side has fewer than `FEWEST` pictures.
    """
    if min(int(labels.sum()), int((~labels).sum())) < FEWEST:
        raise InvalidInput("attribute", f"needs {FEWEST} pictures with it and {FEWEST} without; draw more of them")
    order = torch.cat([_shuffled(labels, generator), _shuffled(~labels, generator)])
    held = torch.arange(len(order)) % HELD_OUT == 0
    x = w.double()
    x = (x - x[order[~held]].mean(0)) / x.std(0).square().mean().sqrt()
    normal, bias = _logistic(x[order[~held]], labels[order[~held]])
    right = (x[order[held]] @ normal + bias > 0) == labels[order[held]]
    sides = [right[labels[order[held]] == side].double().mean() for side in (True, False)]
    return normal / normal.norm(), float(sum(sides) / 2)


def orthogonal(axis: Float[Tensor, " d"], others: Float[Tensor, "k d"]) -> Float[Tensor, " d"]:
    """A unit axis without what lies along others (Shen et al. 2020, sec. 3.2); `InvalidInput` if nothing is left."""
    basis = torch.linalg.qr(others.double().T)[0]  # [d, k]
    rest = axis.double() - basis @ (basis.T @ axis.double())
    if rest.norm() < 1e-3 * axis.norm():
        raise InvalidInput("conditions", "leave nothing of the direction: it lies along them")
    return rest / rest.norm()


def conditioned(direction: Direction, others: Sequence[Direction]) -> Direction:
    """The direction of W without what lies along others, as long as it was."""
    rows = [torch.from_numpy(unpack_latent(d.vector)) for d in (direction, *others) if d.space == "w"]
    if len(rows) < 1 + len(others) or any(row.shape != rows[0].shape for row in rows):
        raise InvalidInput("conditions", "must be directions in W, of the same model and shape as this one")
    axes = torch.stack([r.flatten() for r in rows])
    rest = orthogonal(axes[0], axes[1:]) * axes[0].norm()
    names = ", ".join(other.name for other in others)
    vector = pack_latent(rest.view_as(rows[0]).float().numpy())
    return replace(direction, name=f"{direction.name} without {names}"[:120], vector=vector)


def pca_directions(
    renderer: Renderer,
    generator: torch.Generator,
    count: int = 16,
    samples: int = 10_000,
    label: int | None = None,
) -> list[Direction]:
    """The first principal axes of a model's W; label: of one class of a conditional model."""
    axes, deviations, parts = principal_axes(renderer.latents.sample(samples, generator, label), count)
    return [
        w_direction(f"PCA {i + 1}", axis * deviation, "pca", float(part))
        for i, (axis, deviation, part) in enumerate(zip(axes, deviations, parts))
    ]


def sefa_directions(
    renderer: Renderer,
    generator: torch.Generator,
    count: int = 16,
    layers: tuple[int, ...] | None = None,
    samples: int = 10_000,
) -> list[Direction]:
    """The axes of W that the styles of some layers (rows of ws; None: all) are most sensitive to; they move those.

    `InvalidInput` where the model has no styles.
    """
    weight = style_weights(renderer, layers)
    w = renderer.latents.sample(samples, generator)
    axes, _, parts = sensitive_axes(weight, count)
    place = "" if layers is None else f", layers {', '.join(map(str, layers))}"
    found = []
    for i, (axis, part) in enumerate(zip(axes, parts)):
        made = w_direction(f"SeFa {i + 1}{place}"[:120], _scaled(axis, w), "sefa", float(part))
        found.append(replace(made, layers=layers))
    return found


def style_weights(renderer: Renderer, layers: tuple[int, ...] | None = None) -> Float[Tensor, "c d"]:
    """The matrix that makes styles of w: of all layers, or of those that some rows of ws feed."""
    if renderer.space.missing:
        raise InvalidInput("model", f"has no styles: {renderer.space.missing}")
    rows = renderer.space.rows
    if layers is not None and not (layers and all(0 <= row < renderer.space.num_ws for row in layers)):
        raise InvalidInput("layers", f"must be from 0 to {renderer.space.num_ws - 1}, the layers of this model")
    unit = torch.eye(renderer.G.w_dim)[:, None].expand(-1, renderer.space.num_ws, -1)
    styles = renderer.engine.styles(torch.cat([torch.zeros_like(unit[:1]), unit])).cpu()
    weight = (styles[1:] - styles[:1]).T  # styles are affine in w
    return weight if layers is None else weight[torch.isin(rows, torch.tensor(layers))]


def attribute_directions(
    renderer: Renderer,
    reader: Reader,
    generator: torch.Generator,
    samples: int = 2000,
    label: int | None = None,
    names: Sequence[str] | None = None,
    tick: Tick | None = None,
) -> list[Direction]:
    """Boundaries in W for what `reader` reads from pictures of the model, the most certain first.

    There is one for each number ("smile": more of it), for each option of a choice ("hair: red"), and one for a choice
    of two. What fewer than `FEWEST` pictures show is left out. names: only heads with these names. `tick` hears of the
    progress and may end it by returning False.
    """
    if renderer.G.img_channels != 3:
        raise InvalidInput("model", "makes no colour pictures, which the attributes are read from")
    w = renderer.latents.sample(samples, generator, label)
    read = _read(renderer, reader, w, tick)
    found = []
    for name, labels, counted in _questions(reader.heads, read):
        if names is not None and name.partition(":")[0] not in names:
            continue
        if min(int(labels[counted].sum()), int((~labels[counted]).sum())) >= FEWEST:
            normal, accuracy = boundary(w[counted], labels[counted], generator)
            found.append(w_direction(name[:120], _scaled(normal, w), "boundary", accuracy))
    return sorted(found, key=lambda direction: -direction.score)


def painted(
    renderer: Renderer, w: Float[Tensor, "n w_dim"], tick: Tick | None = None
) -> Iterator[Float[Tensor, "k c h w"]]:
    """Pictures of latents, a few at a time; `tick` returning False raises `Cancelled`."""
    together = max(1, min(TOGETHER, TOGETHER * 128**2 // renderer.G.img_resolution**2))  # a large one takes a second
    for k, some in enumerate(w.split(together)):
        if tick is not None and not tick(k * together, len(w)):
            raise Cancelled
        yield renderer.images(some[:, None].expand(-1, renderer.engine.num_ws, -1))


@torch.no_grad()
def _read(renderer: Renderer, reader: Reader, w: Tensor, tick: Tick | None) -> Mapping[str, Tensor]:
    """What is read from the pictures of w [n, d]: of each head [n, options] or [n]."""
    parts: list[dict[str, Tensor]] = []
    for images in painted(renderer, w, tick):
        parts.append({name: value.cpu() for name, value in reader(images).items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _questions(heads: Sequence[Head], read: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(name, whether each picture has it, which pictures count) of each attribute."""
    for head in heads:
        values = read[head.name]
        if not head.options:  # the halves that are clearly more and clearly less
            low, high = values.quantile(0.3), values.quantile(0.7)
            yield head.name, values > (low + high) / 2, (values <= low) | (values >= high)
            continue
        chosen = values.argmax(1)
        for i, option in enumerate(head.options):
            if len(head.options) > 2 or i == 1:
                yield f"{head.name}: {option}", chosen == i, torch.ones(len(values), dtype=torch.bool)


def _leading(values: Tensor, vectors: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The largest eigenvalues' axes; the largest number of each is positive, so that a sign is no accident."""
    values, axes = values.clamp_min(0).flip(0), vectors.flip(1).T
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    return axes[:count], values[:count].sqrt(), values[:count] / values.sum().clamp_min(1e-30)


def _logistic(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(weights [d], bias) of logistic regression with both labels of the same weight, and a little decay."""
    theta = torch.zeros(x.shape[1] + 1, dtype=x.dtype, requires_grad=True)
    weight = torch.where(labels, 0.5 / labels.double().mean(), 0.5 / (~labels).double().mean())
    optimizer = torch.optim.LBFGS([theta], max_iter=200, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = x @ theta[:-1] + theta[-1]
        value = F.binary_cross_entropy_with_logits(logits, labels.to(x.dtype), weight)
        value = value + DECAY / 2 * theta[:-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return theta[:-1].detach(), theta[-1].detach()


def _shuffled(labels: Tensor, generator: torch.Generator) -> Tensor:
    """The places where labels are true, in an order drawn by the generator."""
    places = labels.nonzero()[:, 0]
    return places[torch.randperm(len(places), generator=generator)]


def _scaled(axis: Tensor, w: Tensor) -> Tensor:
    """A unit axis as long as one standard deviation of w along it."""
    return axis * (w.double() @ axis.double()).std()


def _score(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
