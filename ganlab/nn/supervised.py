"""What trainings with targets share: an average of the weights, the learning rate's course, a state to be resumed."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganlab import files
from ganlab.config import InvalidInput

WARMUP = 200  # steps until the learning rate is at its top
STATE = "state.safetensors"


@dataclass(frozen=True)
class Progress:
    """What `trained` tells now and then."""

    step: int
    images: int
    loss: float  # mean over the steps since the last report
    rate: float  # images per second
    left: float  # seconds to the end, about


class Supervised:
    """A model, its average and its optimizer, made by a subclass; step k depends on what was before it alone."""

    run: Any  # a `Config` with steps, batch, lr and ema (how much the average keeps in a step)
    step: int
    model: Any
    average: Any
    optimizer: torch.optim.Optimizer
    warmup = WARMUP

    def advance(self) -> Tensor:
        """One step; its loss, still on the device."""
        raise NotImplementedError

    def learn(self, loss: Tensor) -> None:
        """Moves the weights, at the learning rate of this step, `scale` times as high for a group that has one."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.run.lr * group.get("scale", 1) * _schedule(self.step, self.run.steps, self.warmup)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1

    @torch.no_grad()
    def follow(self) -> None:
        """Lets the average follow the weights, closely at first."""
        keep = min(self.run.ema, (1 + self.step) / (10 + self.step))
        pairs = list(zip(self.average.state_dict().values(), self.model.state_dict().values()))
        real = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([slow for slow, _ in real], [fast for _, fast in real], weight=1 - keep)
        for slow, fast in pairs:
            if not slow.is_floating_point():
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
        if type(self.run).from_json(meta.get("run", "{}")) != self.run:
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


def trained(training: Supervised, folder: Path | None, every: int, save_every: int) -> Iterator[Progress]:
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


def _schedule(step: int, steps: int, warmup: int) -> float:
    """The learning rate's part: it rises, then falls along a cosine."""
    return min(1.0, (step + 1) / warmup) * (1 + math.cos(math.pi * step / steps)) / 2


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
