"""The golden files of the official code, and the rule that their weights follow (README.md)."""

import zlib
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.pkl"))
AS_CONSTRUCTED = ("resample_filter", "up_filter", "down_filter", "transform")


def path_of(name: str) -> Path:
    """The checkpoint of a case."""
    return FOLDER / f"{name}.pkl"


def by_rule(name: str, shape: tuple[int, ...]) -> torch.Tensor | None:
    """The entry `name` of a state dict; None for what stays as it was constructed, and for phases."""
    last = name.rpartition(".")[2]
    x = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if last in (*AS_CONSTRUCTED, "phases"):
        return None
    if last in ("noise_strength", "w_avg"):
        x = np.float32(0.1) * x
    elif last == "magnitude_ema":
        x = np.exp(np.float32(0.2) * x)
    elif last == "bias":
        x = np.float32(0.1) * x + np.float32("affine" in name and "input" not in name)
    return torch.from_numpy(np.asarray(x))
