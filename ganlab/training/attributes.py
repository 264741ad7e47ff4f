"""Training of the faces' classifier: portraits and their attributes, drawn once, seen again with small changes."""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ganlab import files
from ganlab.config import Config, InvalidInput, knob
from ganlab.data.faces import ATTRIBUTES
from ganlab.data.faces.many import changed, drawn
from ganlab.data.faces.visible import visible
from ganlab.features.faces import FacesClassifier, Head, Layout, in_batches

WARMUP = 200  # steps until the learning rate is at its top
HELD_OUT = 5_000  # fresh faces that accuracies are measured on
HELD_OUT_SEED = 1 << 32  # no run's seed
FEWEST_EACH = 10  # people who show an attribute, so that something is said about it
STATE = "state.safetensors"


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


@dataclass(frozen=True)
class Progress:
    """What `train_classifier` tells now and then."""

    step: int
    images: int
    loss: float  # mean over the steps since the last report
    rate: float  # images per second
    left: float  # seconds to the end, about


def layout_of(run: ClassifierRun) -> Layout:
    """A head for every attribute of the faces."""
    heads = (
        Head(row.name, lo=row.lo, hi=row.hi) if row.continuous else Head(row.name, tuple(row.options))
        for row in ATTRIBUTES.values()
    )
    return Layout(tuple(heads), run.width, run.dim)


class ClassifierTraining:
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
        for group in self.optimizer.param_groups:
            group["lr"] = self.run.lr * _schedule(self.step, self.run.steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            out = self.model(images)
        loss = attribute_loss(self.model.heads, out, targets, {name: value[rows] for name, value in self.seen.items()})
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self._average()
        return loss.detach()

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.run.ema, (1 + self.step) / (10 + self.step))
        for slow, fast in zip(self.average.state_dict().values(), self.model.state_dict().values()):
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - keep)
            else:
                slow.copy_(fast)

    def save(self, folder: Path) -> None:
        """Writes the whole state, all or nothing."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        plain = {name: value.cpu().contiguous() for name, value in tensors.items()}
        meta = {"run": self.run.to_json(), "step": str(self.step)}
        files.write_atomic(folder / STATE, save_tensors(plain, metadata=meta))

    def restore(self, folder: Path) -> None:
        """Goes on where `save` was called; raises `InvalidInput` where that is not possible."""
        path = folder / STATE
        if not path.is_file():
            raise InvalidInput("resume", f"there is no {STATE} in {folder.name}; start without --resume")
        try:
            with safe_open(path, "pt") as file:
                meta = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        except SafetensorError:
            raise InvalidInput("resume", f"{STATE} is damaged; start again without --resume") from None
        if ClassifierRun.from_json(meta.get("run", "{}")) != self.run:
            raise InvalidInput("resume", "the folder holds another run; give the same settings or another folder")
        self.model.load_state_dict(_under(tensors, "model."))
        self.average.load_state_dict(_under(tensors, "average."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimizer.").items():
            number, _, rest = name.partition(".")
            state.setdefault(int(number), {})[rest] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step = int(meta["step"])


def train_classifier(
    training: ClassifierTraining, folder: Path | None = None, every: int = 100, save_every: int = 500
) -> Iterator[Progress]:
    """Trains to the end of the run; reports every `every` steps, and saves its state in `folder` to be resumed."""
    run, first, began, losses = training.run, training.step, time.monotonic(), []
    while training.step < run.steps:
        losses.append(training.advance())
        step, last = training.step, training.step == run.steps
        if folder is not None and (step % save_every == 0 or last):
            training.save(folder)
        if step % every == 0 or last:
            rate = (step - first) / max(time.monotonic() - began, 1e-9)
            loss = float(torch.stack(losses).mean())
            if not math.isfinite(loss):
                raise InvalidInput("lr", "the loss is no number any more; a lower learning rate may help")
            yield Progress(step, step * run.batch, loss, rate * run.batch, (run.steps - step) / rate)
            losses = []


def _placed(place: Mapping[str, Tensor], moved: Tensor) -> dict[str, Tensor]:
    """Where the heads are after `changed`."""
    dx, dy, zoom = moved.unbind(1)
    return {"x": place["x"] * zoom + dx, "y": place["y"] * zoom + dy, "scale": place["scale"] * zoom}


def attribute_loss(
    heads: tuple[Head, ...], out: Mapping[str, Tensor], targets: Mapping[str, Tensor], seen: Mapping[str, Tensor]
) -> Tensor:
    """The sum over attributes of cross-entropy or Huber loss, over those who show the attribute.

    An error of a number counts in sixths of its range: one standard deviation where the middle is likelier.
    """
    total = torch.zeros((), device=next(iter(out.values())).device)
    for head in heads:
        mask = seen[head.name].float()
        if head.options:
            each = F.cross_entropy(out[head.name].float(), targets[head.name], reduction="none")
        else:
            unit = (head.hi - head.lo) / 6
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


def _schedule(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
