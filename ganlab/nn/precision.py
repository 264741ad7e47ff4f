"""Which devices are made for bfloat16."""

import functools

import torch


@functools.cache
def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 faster than float32; a CPU without AVX-512 is a hundred times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
