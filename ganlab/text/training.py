"""Training of our own small CLIP on drawn faces and what can be said of them."""

import copy
import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.faces.attributes import ATTRIBUTES
from ganlab.data.faces.many import changed, drawn
from ganlab.nn.supervised import WARMUP, Progress, Supervised, trained
from ganlab.text.clip import build_small, encode_texts
from ganlab.text.lessons import Lessons
from ganlab.text.sayings import vocabulary
from ganlab.text.small import ClipLayout

HOTTEST = math.log(100)  # largest logit scale, as in Radford et al. 2021, section 2.5


@dataclass(frozen=True)
class ClipRun(Config):
    """Everything that decides the training of a small CLIP."""

    images: int = knob(300_000, "Portraits seen in all", lo=1, hi=1_000_000_000)
    faces: int = knob(24_000, "Different portraits among them", lo=2, hi=2_000_000)
    batch: int = knob(128, "Portraits in a step", lo=2, hi=8192)
    lr: float = knob(1.5e-3, "Learning rate of AdamW at its top, falling along a cosine", lo=1e-6, hi=1, log=True)
    decay: float = knob(0.05, "Weight decay of matrices", lo=0, hi=1)
    ema: float = knob(0.998, "How much the averaged weights keep in a step", lo=0, hi=0.99999)
    short: int = knob(2, "Short descriptions of each portrait in a step", lo=1, hi=16)
    long: float = knob(0.5, "Part of the portraits that have a long caption as well", lo=0, hi=1)
    drilled: tuple[str, ...] = knob(
        (), "Attributes that half of the portraits of a step are chosen for and described by", longest=32
    )
    start: str = knob("", "sha256 of the file whose weights it began with")
    seed: int = knob(0, "Decides faces, weights, texts and changes", lo=0, hi=1 << 31)
    layout: ClipLayout = knob(lambda: ClipLayout(words=vocabulary()), "What is trained")

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := sorted(set(self.drilled) - set(ATTRIBUTES)):
            near = difflib.get_close_matches(unknown[0], ATTRIBUTES, 1, 0)[0]
            raise InvalidInput("drilled", f"{unknown[0][:40]!r} is no attribute of a face; did you mean {near!r}?")

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return -(-self.images // self.batch)


class ClipTraining(Supervised):
    """A small CLIP, its average and its optimizer; step k depends on the run and the states before it alone."""

    def __init__(
        self,
        run: ClipRun,
        device: torch.device | str = "cpu",
        processes: int = 1,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        """`weights`: of a file of the same layout, to go on from; drawn from the run's seed where there are none."""
        self.run, self.device, self.step = run, torch.device(device), 0
        self.warmup = min(WARMUP, max(1, run.steps // 10))
        images, people = drawn(run.seed, run.faces, processes)
        self.images = images.to(self.device)
        self._lessons = Lessons(run, people, processes)
        with torch.random.fork_rng(devices=[]):  # layers draw their first weights from the global generator
            torch.manual_seed(run.seed)
            model = build_small(run.layout)
        if weights is not None:
            model.load_state_dict(dict(weights))
        self.model: Any = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": run.decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, run.lr, betas=(0.9, 0.98))

    def advance(self) -> Tensor:
        """One step; its loss, still on the device."""
        run = self.run
        rows, tokens, owner, true = self._lessons.lesson(self.step)
        rng = torch.Generator().manual_seed((run.seed << 32) + (1 << 30) + self.step)
        images = self.images[rows.to(self.device)].float() / 127.5 - 1
        images, _ = changed(images, rng)
        side = (run.layout.side, run.layout.side)
        if images.shape[-2:] != side:
            images = F.interpolate(images, side, mode="bicubic", antialias=True, align_corners=False)
        pictures = F.normalize(self.model.encode_image(images.contiguous(memory_format=torch.channels_last)), dim=-1)
        logits = self.model.logit_scale.exp() * pictures @ self._embedded(tokens).T
        loss = contrastive_loss(logits, true.to(self.device), owner.to(self.device))
        self.learn(loss)
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, HOTTEST)
        self.follow()
        return loss.detach()

    def _embedded(self, tokens: Int[Tensor, "m context"]) -> Float[Tensor, "m dim"]:
        """Unit vectors of the texts; short and long ones apart, since padding costs as much as words."""
        short = self.run.batch * self.run.short
        parts = [part.to(self.device) for part in (tokens[:short], tokens[short:]) if len(part)]
        return F.normalize(torch.cat([encode_texts(self.model, part) for part in parts]), dim=-1)


def contrastive_loss(
    logits: Float[Tensor, "n m"], true: Bool[Tensor, "n m"], owner: Int[Tensor, "m"]
) -> Float[Tensor, ""]:
    """The mean of the losses from pictures to texts and back (Radford et al. 2021, figure 3).

    Text k belongs to picture `owner[k]`; a picture may have several. Where a text is `true` of a picture without being
    the one that is asked for, it is neither right nor wrong there, and left out of the sum: a short description fits
    a quarter of all portraits.
    """
    texts = torch.arange(len(owner), device=logits.device)
    own = owner[:, None] == torch.arange(len(logits), device=logits.device)  # [M, N]
    to_picture = logits.T.masked_fill(true.T & ~own, -torch.inf)
    to_text = logits[owner].masked_fill(true[owner] & (texts != texts[:, None]), -torch.inf)  # [M, M]
    return (F.cross_entropy(to_picture, owner) + F.cross_entropy(to_text, texts)) / 2


def train_clip(
    training: ClipTraining, folder: Path | None = None, every: int = 50, save_every: int = 200
) -> Iterator[Progress]:
    """Trains to the end of the run; reports every `every` steps, and saves its state in `folder` to be resumed."""
    return trained(training, folder, every, save_every)
