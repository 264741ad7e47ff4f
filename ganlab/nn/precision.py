"""Convolutions in bfloat16, and which devices are made for it."""

import contextlib
import functools
import platform
from pathlib import Path
from typing import Any, Literal, get_args

import torch

Precision = Literal["auto", "fp32", "bf16"]
PRECISIONS = get_args(Precision)


def convolving(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """A context with convolutions in one of `PRECISIONS`; auto: bfloat16 where the device is made for it."""
    if precision == "fp32" or (precision == "auto" and not has_bf16(device)):
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


@functools.cache
def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 faster than float32.

    A CPU without AVX-512 for it is a hundred times slower. One of Intel's has half the rate with it that it has for
    float32 (convolutions took 1.4 to 1.8 times as long), and gains with AMX alone, which virtual machines may lack.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not torch.cpu._is_avx512_bf16_supported():
        return False
    return torch.cpu._is_amx_tile_supported() or not _of_intel()


def _of_intel() -> bool:
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return "Intel" in platform.processor()
