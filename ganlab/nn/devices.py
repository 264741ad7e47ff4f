"""The devices of this machine, by name."""

import torch

from ganlab.config import InvalidInput


def best_device() -> torch.device:
    """CUDA where there is one, else Apple's MPS, else the CPU."""
    return device_named("auto")


def device_named(name: str) -> torch.device:
    """cpu, cuda, cuda:1, mps; the best one there is for "auto". One that is not here raises `InvalidInput`."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if not there.get(name.partition(":")[0], False):
        raise InvalidInput("device", f"{name[:40]} is not here; here are {', '.join(k for k, v in there.items() if v)}")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        count = torch.cuda.device_count() if name.startswith("cuda") else 1
        raise InvalidInput("device", f"{name[:40]} is not here; there are {count} of its kind, from 0 on") from None
    return torch.device(name)
