"""Memory for what is needed for a moment, kept for the next time: on a CPU fresh pages can cost more than the sums."""

import math
import threading
from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST = 64 << 20  # bytes that are kept under one name; what is larger is given back each time


class _Kept(threading.local):
    def __init__(self) -> None:
        self.buffers: dict[tuple[str, torch.dtype], Tensor] = {}


_KEPT = _Kept()


def scratch(name: str, shape: Sequence[int], like: Tensor) -> Tensor:
    """An uninitialised contiguous tensor of the dtype and device of `like`, for use without a gradient.

    It is valid until this thread asks for the same name again: that may be the same memory.
    """
    count = math.prod(shape)
    if like.device.type != "cpu" or count * like.element_size() > LARGEST:
        return like.new_empty(shape)
    key = (name, like.dtype)
    kept = _KEPT.buffers.get(key)
    if kept is None or kept.numel() < count:
        with torch.inference_mode(False):  # others may write to it outside of inference mode
            kept = _KEPT.buffers[key] = torch.empty(count, dtype=like.dtype)
    return kept[:count].view(*shape)
