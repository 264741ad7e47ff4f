"""The processes that share a training: one alone, or several of Hugging Face Accelerate (`accelerate launch`)."""

import importlib
import os
from typing import Any

import torch
from torch import Tensor

from ganlab.config import InvalidInput


class Alone:
    """One process."""

    rank, world = 0, 1

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        return values

    def any(self, flag: bool) -> bool:
        """Whether it is true in one of them."""
        return flag

    def wait(self) -> None:
        """Until all processes are here."""


class Accelerated(Alone):
    """One of several processes, on as many GPUs, machines or cores as `accelerate launch` says."""

    def __init__(self, device: torch.device | None = None) -> None:
        try:
            accelerate: Any = importlib.import_module("accelerate")
        except ModuleNotFoundError:
            raise InvalidInput(
                "processes", "several need Accelerate; install it with: pip install accelerate"
            ) from None
        self._accelerator = accelerate.Accelerator(cpu=device is not None and device.type == "cpu")
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes
        self.device: torch.device = self._accelerator.device

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        reduced: Tensor = self._accelerator.reduce(values.to(self.device), "mean")
        return reduced.to(values.device)

    def any(self, flag: bool) -> bool:
        """Whether it is true in one of them."""
        return bool(self.mean(torch.tensor([float(flag)])) > 0)

    def wait(self) -> None:
        """Until all processes are here."""
        self._accelerator.wait_for_everyone()


def launched() -> bool:
    """Whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
