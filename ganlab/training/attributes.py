"""Training of the faces' classifier: portraits and their attributes, drawn once, seen again with small changes."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.config import Config, knob
from ganlab.data.faces import ATTRIBUTES
from ganlab.data.faces.many import changed, drawn
from ganlab.data.faces.visible import visible
from ganlab.features.faces import FacesClassifier, Head, Layout, in_batches
from ganlab.nn.supervised import Progress, Supervised, trained

HELD_OUT = 5_000  # fresh faces that accuracies are measured on
HELD_OUT_SEED = 1 << 32  # no run's seed
FEWEST_EACH = 10  # people who show an attribute, so that something is said about it


@dataclass(frozen=True)
class ClassifierRun(Config):
    """Everything that decides the training of a classifier."""

    images: int = knob(300_000, "Portraits seen in all", lo=1, hi=1_000_000_000)
    faces: int = knob(60_000, "Different portraits among them", lo=1, hi=2_000_000)
    batch: int = knob(64, "Portraits in a step", lo=2, hi=8192)
    lr: float = knob(1.5e-3, "Learning rate of AdamW at its top, falling along a cosine", lo=1e-6, hi=1, log=True)
    decay: float = knob(0.01, "Weight decay", lo=0, hi=1)
    ema: float = knob(0.998, "How much the averaged weights keep in a step", lo=0, hi=0.99999)
    width: int = knob(24, "Channels at 32 px", lo=4, hi=96)
    dim: int = knob(192, "Numbers in a feature vector", lo=8, hi=1024)
    seed: int = knob(0, "Decides faces, weights and changes", lo=0, hi=1 << 31)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return -(-self.images // self.batch)


def layout_of(run: ClassifierRun) -> Layout:
    """A head for every attribute of the faces."""
    heads = (
        Head(row.name, lo=row.lo, hi=row.hi) if row.continuous else Head(row.name, tuple(row.options))
        for row in ATTRIBUTES.values()
    )
    return Layout(tuple(heads), run.width, run.dim)


class ClassifierTraining(Supervised):
    """A classifier, its average and its optimizer; step k depends on the run and the states before it alone."""

    def __init__(self, run: ClassifierRun, device: torch.device | str = "cpu", processes: int = 1) -> None:
        self.run, self.device, self.step = run, torch.device(device), 0
        images, people = drawn(run.seed, run.faces, processes)
        self.images = images.to(self.device)
        seen = visible(people.values)
        self.targets = {name: value.to(self.device) for name, value in people.values.items()}
        self.seen = {name: value.to(self.device) for name, value in seen.items()}
        with torch.random.fork_rng(devices=[]):  # layers draw their first weights from the global generator
            torch.manual_seed(run.seed)
            model = FacesClassifier(layout_of(run), norm=True)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), run.lr, weight_decay=run.decay)

    def advance(self) -> Tensor:
        """One step; its loss, still on the device."""
        rng = torch.Generator().manual_seed((self.run.seed << 32) + self.step)
        rows = torch.randint(len(self.images), (self.run.batch,), generator=rng).to(self.device)
        images = self.images[rows].float() / 127.5 - 1
        images, moved = changed(images, rng)
        targets = {name: value[rows] for name, value in self.targets.items()}
        place = {"x": targets["x"], "y": targets["y"], "scale": targets["scale"]}
        targets |= _placed(place, moved.to(self.device))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            out = self.model(images)
        loss = attribute_loss(self.model.heads, out, targets, {name: value[rows] for name, value in self.seen.items()})
        self.learn(loss)
        self.follow()
        return loss.detach()


def train_classifier(
    training: ClassifierTraining, folder: Path | None = None, every: int = 100, save_every: int = 500
) -> Iterator[Progress]:
    """Trains to the end of the run; reports every `every` steps, and saves its state in `folder` to be resumed."""
    return trained(training, folder, every, save_every)


def _placed(place: Mapping[str, Tensor], moved: Tensor) -> dict[str, Tensor]:
    """Where the heads are after `changed`."""
    dx, dy, zoom = moved.unbind(1)
    return {"x": place["x"] * zoom + dx, "y": place["y"] * zoom + dy, "scale": place["scale"] * zoom}


def attribute_loss(
    heads: tuple[Head, ...], out: Mapping[str, Tensor], targets: Mapping[str, Tensor], seen: Mapping[str, Tensor]
) -> Tensor:
    """The sum over attributes of cross-entropy or Huber loss, over those who show the attribute.

    An error of a number counts in quarters of its range: in sixths, kinds are read less well after as many pictures, in
    halves numbers hardly at all.
    """
    total = torch.zeros((), device=next(iter(out.values())).device)
    for head in heads:
        mask = seen[head.name].float()
        if head.options:
            each = F.cross_entropy(out[head.name].float(), targets[head.name], reduction="none")
        else:
            unit = (head.hi - head.lo) / 4
            each = F.huber_loss(out[head.name] / unit, targets[head.name] / unit, reduction="none")
        total = total + (each * mask).sum() / mask.sum().clamp(min=1)
    return total


@torch.inference_mode()
def held_out_scores(
    classifier: nn.Module, count: int = HELD_OUT, seed: int = HELD_OUT_SEED, processes: int = 1
) -> dict[str, float]:
    """How well attributes are read in fresh faces, among those who show them.

    For a choice the share of right answers, for a number the explained variance (1 perfect, 0 no better than the mean).
    """
    images, people = drawn(seed, count, processes)
    parts = in_batches(classifier, images)
    seen, scores = visible(people.values), {}
    for name, row in ATTRIBUTES.items():
        mask, true = seen[name], people[name]
        if name not in parts[0] or int(mask.sum()) < FEWEST_EACH:
            continue
        out = torch.cat([part[name].cpu() for part in parts])
        if row.continuous:
            error = (out - true)[mask].square().mean()
            scores[name] = float(1 - error / true[mask].var(correction=0))
        else:
            scores[name] = float((out.argmax(1) == true)[mask].float().mean())
    return scores
