"""Latent mappers (StyleCLIP, Patashnik et al. 2021, sec. 5): a small network learns what one sentence changes.

It is trained for a minute or so; then it gives every picture a step of its own, at once. Between the two other ways: a
direction is the same for all pictures, and an optimization is made for one.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ganlab import files
from ganlab.config import InvalidInput, knob
from ganlab.latents.directions import as_edit, w_direction
from ganlab.latents.inversion import pace
from ganlab.nn.style import FullyConnectedLayer, normalize_2nd_moment
from ganlab.recipe import SEEDS, Edit, Recipe
from ganlab.synthesis import Renderer
from ganlab.text.directions import Embedder, check_styles, coloured
from ganlab.text.optimize import TextAim, text_aim, varied

GROUPS = ("coarse", "middle", "fine")  # each has a network of its own
DEPTH = 4  # layers of each
SLOW = 0.01  # multiplies what the layers learn, as in the mapping network
SHARP = 12  # rows of ws from which the groups are split as in the paper, at rows 4 and 8; else in thirds
PSI = 0.7  # truncation of the latents it is trained on
SAMPLES = 1000  # of w, for its standard deviation
SHOWN = 4  # pictures of a sheet, the same ones all along
SHEETS = 20  # of a run
LONGEST_NAME = 120
FORMAT = "ganlab mapper 1"
MOST_BYTES = 32_000_000  # of a file; that of a model 512 wide has 6 MB
WHOLE = ("deviation", "mean")  # tensors that a file holds in full precision
See = Callable[[Tensor], Tensor]  # [N, 3, H, W] in [-1, 1] to vectors [N, D]


@dataclass(frozen=True)
class MapperRun(TextAim):
    """How a mapper is trained."""

    groups: tuple[str, ...] = knob(GROUPS, "Groups of layers that move", choices=GROUPS, longest=6)
    steps: int = knob(300, "Steps", lo=1, hi=5000)
    batch: int = knob(4, "Pictures of a step", lo=1, hi=32)
    lr: float = knob(
        0.3, "Learning rate of Adam, at its highest; 0.5 with Ranger in the paper", lo=1e-4, hi=10, log=True
    )
    l2: float = knob(0.8, "Weight of the step's mean square, in deviations of w", lo=0, hi=100)
    identity: float = knob(0.1, "Weight of the distance from the picture before", lo=0, hi=100)
    seed: int = knob(0, "Seed of the first weights and of the pictures", lo=0, hi=SEEDS - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.groups:
            raise InvalidInput("groups", "at least one of coarse, middle and fine must move")


class Mapper(nn.Module):
    """One network for each group of rows of ws: pixel norm, then four layers (sec. 5, fig. 3).

    The last layer begins at zero, so that an untrained mapper changes nothing.
    """

    deviation: Tensor  # [], one standard deviation of w, the unit of its steps
    mean: Tensor  # [w_dim], of w: what all pictures share would drown what they differ in

    def __init__(self, w_dim: int, num_ws: int, run: MapperRun, model: str = "", clip: str = "") -> None:
        super().__init__()
        self.w_dim, self.num_ws, self.run = w_dim, num_ws, run
        self.model, self.clip = model, clip  # sha256 of the model, name of the CLIP
        self.rows = {name: rows for name, rows in group_rows(num_ws).items() if name in run.groups and rows}
        with torch.random.fork_rng(devices=[]):  # layers draw their first weights from the global generator
            torch.manual_seed(run.seed)
            self.nets = nn.ModuleDict({name: _network(w_dim) for name in self.rows})
        self.register_buffer("deviation", torch.ones(()))
        self.register_buffer("mean", torch.zeros(w_dim))

    def forward(self, ws: Float[Tensor, "n num_ws w_dim"]) -> Float[Tensor, "n num_ws w_dim"]:
        """The step of each picture; zero in rows of other groups."""
        step = torch.zeros_like(ws)
        for name, rows in self.rows.items():
            part = normalize_2nd_moment((ws[:, rows] - self.mean).reshape(-1, self.w_dim))
            step[:, rows] = self.nets[name](part).view(len(ws), len(rows), self.w_dim) * self.deviation
        return step


@dataclass(frozen=True)
class MapperMoment:
    """A step of the training. The mapper goes on learning: the last moment's is the result."""

    step: int  # made so far
    clip: float  # 1 - cosine of pictures and aim, their mean
    l2: float  # weighted
    identity: float  # weighted
    mapper: Mapper
    sheet: tuple[Tensor, Tensor] | None  # now and then: pictures [k, C, H, W] before and after, on the CPU


def group_rows(num_ws: int) -> dict[str, list[int]]:
    """The rows of ws of each group."""
    first, second = (4, 8) if num_ws >= SHARP else (round(num_ws / 3), round(2 * num_ws / 3))
    return dict(zip(GROUPS, (list(range(first)), list(range(first, second)), list(range(second, num_ws)))))


def train_mapper(
    renderer: Renderer, clip: Embedder, run: MapperRun, identity: See | None = None
) -> Iterator[MapperMoment]:
    """Trains a mapper step by step (eq. 5 and 6); stop it by taking no more.

    identity: what tells whether it is the same picture (ArcFace in the paper), None: nothing does. On the CPU the same
    run gives the same mapper. `InvalidInput` where the model has no styles or a text is of no use.
    """
    check_styles(renderer)
    aim, device = text_aim(clip, run), renderer.engine.device
    mapper = Mapper(renderer.G.w_dim, renderer.engine.num_ws, run, renderer.sha256, clip.name)
    draw = torch.Generator().manual_seed(run.seed)
    w = renderer.latents.sample(SAMPLES, draw)
    mapper.deviation.copy_(w.std(0).square().mean().sqrt())
    mapper.mean.copy_(w.mean(0))
    shown = _samples(renderer, SHOWN, draw)
    mapper.to(device)
    optimizer = torch.optim.Adam(mapper.parameters(), lr=run.lr, betas=(0.9, 0.999))
    every = max(1, math.ceil(run.steps / SHEETS))
    for step in range(run.steps + 1):
        if step == run.steps:
            _round(mapper)
        ws = _samples(renderer, run.batch, draw)
        moved = mapper(ws)
        image = renderer.G.synthesis(ws + moved, noise_mode="const")
        seen = clip.embed_images(varied(coloured(image), step))
        away = (1 - (seen @ aim.to(seen.device)).mean()).to(device)
        l2 = run.l2 * (moved / mapper.deviation).square().mean()
        same = torch.zeros((), device=device)
        if identity is not None and run.identity > 0:
            before = identity(coloured(renderer.images(ws)).clone())  # a copy that gradients may meet
            same = run.identity * (1 - F.cosine_similarity(identity(coloured(image)), before)).mean()
        sheet = _sheet(renderer, mapper, shown) if step % every == 0 or step == run.steps else None
        yield MapperMoment(step, away.item(), l2.item(), same.item(), mapper, sheet)
        if step < run.steps:
            optimizer.param_groups[0]["lr"] = run.lr * pace(step / run.steps)
            optimizer.zero_grad()
            (away + l2 + same).backward()
            optimizer.step()


@torch.no_grad()
def mapped(mapper: Mapper, ws: Float[Tensor, "n num_ws w_dim"]) -> Float[Tensor, "n num_ws w_dim"]:
    """What a mapper adds to latents; `InvalidInput` where they are of another shape than it was trained on."""
    if ws.shape[1:] != (mapper.num_ws, mapper.w_dim):
        wanted = f"{mapper.num_ws} x {mapper.w_dim}"
        raise InvalidInput("mapper", f"it was trained on latents of {wanted}, not {ws.shape[1]} x {ws.shape[2]}")
    return mapper(ws.to(mapper.deviation.device).clone())


def mapper_edit(renderer: Renderer, mapper: Mapper, recipe: Recipe, strength: float = 1.0) -> Edit:
    """The step that a mapper gives this picture, as a part of its recipe, behind the edits that it has."""
    step = mapped(mapper, renderer.lower(recipe).ws[None])[0]
    return as_edit(w_direction(mapper.run.target.strip()[:LONGEST_NAME], step, "text"), strength)


def mapper_file(mapper: Mapper) -> bytes:
    """A mapper as the bytes of a safetensors file; in half precision, which a finished one has in full."""
    header = {
        "format": FORMAT,
        "model": mapper.model,
        "clip": mapper.clip,
        "w_dim": mapper.w_dim,
        "num_ws": mapper.num_ws,
        "run": mapper.run.to_dict(full=True),
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in mapper.state_dict().items()}
    halves = {name: value if name in WHOLE else value.half() for name, value in tensors.items()}
    return save_tensors(halves, metadata={"ganlab": json.dumps(header)})


def save_mapper(path: Path, mapper: Mapper) -> None:
    """Writes `mapper_file`, all or nothing."""
    files.write_atomic(path, mapper_file(mapper))


def load_mapper(path: Path, renderer: Renderer) -> Mapper:
    """What `save_mapper` wrote for this model; anything else raises `InvalidInput`."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput("file", f"is larger than any mapper ({MOST_BYTES // 10**6} MB)")
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput("file", f"cannot be read: {error.strerror}") from None
    return read_mapper(data, renderer)


def read_mapper(data: bytes, renderer: Renderer) -> Mapper:
    """`load_mapper` of the bytes of a file, which nobody needs to trust."""
    wrong = InvalidInput("file", "is not a mapper that ganlab has written, or is damaged")
    header = files.own_header(data) if len(data) <= MOST_BYTES else None
    if header is None or header.get("format") != FORMAT:
        raise wrong
    if header.get("model") != renderer.sha256:
        raise InvalidInput("file", "holds a mapper of another model; open that model first")
    if (header.get("w_dim"), header.get("num_ws")) != (renderer.G.w_dim, renderer.engine.num_ws):
        raise wrong
    try:
        run, tensors = MapperRun.from_dict(header.get("run")), load_tensors(data)
    except (InvalidInput, SafetensorError, KeyError, AssertionError, ValueError, TypeError):  # foreign dtypes too
        raise wrong from None
    mapper = Mapper(renderer.G.w_dim, renderer.engine.num_ws, run, renderer.sha256, str(header.get("clip"))[:200])
    expected = mapper.state_dict()
    if tensors.keys() != expected.keys():
        raise wrong
    for name, wanted in expected.items():
        kind = wanted.dtype if name in WHOLE else torch.float16
        found = tensors[name]
        if found.shape != wanted.shape or found.dtype != kind or not found.isfinite().all():
            raise wrong
    mapper.load_state_dict({name: value.float() for name, value in tensors.items()})
    return mapper.to(renderer.engine.device)


def _network(w_dim: int) -> nn.Sequential:
    layers = [FullyConnectedLayer(w_dim, w_dim, activation="lrelu", lr_multiplier=SLOW) for _ in range(DEPTH)]
    nn.init.zeros_(layers[-1].weight)
    return nn.Sequential(*layers)


def _samples(renderer: Renderer, n: int, generator: torch.Generator) -> Float[Tensor, "n num_ws w_dim"]:
    """Truncated latents, on the model's device."""
    w = renderer.latents.sample(n, generator)
    w = renderer.G.mapping.w_avg.detach().cpu().lerp(w, PSI)  # type: ignore[operator]
    return w[:, None].repeat(1, renderer.engine.num_ws, 1).to(renderer.engine.device)


def _sheet(renderer: Renderer, mapper: Mapper, ws: Tensor) -> tuple[Tensor, Tensor]:
    both = renderer.images(torch.cat([ws, ws + mapped(mapper, ws)])).cpu()
    return both[: len(ws)], both[len(ws) :]


@torch.no_grad()
def _round(mapper: Mapper) -> None:
    """Half precision is what a file holds: so it is read again as it was."""
    for parameter in mapper.parameters():
        parameter.copy_(parameter.half())
