"""Files of ours, changed as a stranger might."""

import json
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors


def with_header(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """With other words in our part of the header."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["ganlab"])
    change(header)
    return save_tensors(load_tensors(data), metadata={"ganlab": json.dumps(header)})


def with_tensor(data: bytes, name: str, value: torch.Tensor | None) -> bytes:
    """With one tensor exchanged, or without it."""
    size = int.from_bytes(data[:8], "little")
    tensors = load_tensors(data)
    tensors.pop(name)
    tensors |= {} if value is None else {name: value}
    return save_tensors(tensors, metadata=json.loads(data[8 : 8 + size])["__metadata__"])
