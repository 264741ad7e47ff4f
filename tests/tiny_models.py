"""Small models with random weights, saved as ours are."""

from pathlib import Path
from typing import Any

import torch

from ganlab import weights
from ganlab.networks import stylegan2, stylegan3

TINY: dict[str, Any] = {  # settings of a small image GAN; in float32 whatever the processor is made for
    "channel_base": 256,
    "channel_max": 8,
    "batch": 4,
    "z_dim": 8,
    "w_dim": 8,
    "mapping_layers": 2,
    "precision": "fp32",
}


def write_model(folder: Path, name: str = "tiny", resolution: int = 32, classes: int = 0) -> Path:
    """A generator whose noise shows."""
    torch.manual_seed(1)
    config = {
        "z_dim": 32,
        "c_dim": classes,
        "w_dim": 32,
        "img_resolution": resolution,
        "img_channels": 3,
        "mapping_kwargs": {"num_layers": 2},
        "synthesis_kwargs": {"channel_base": 512, "channel_max": 32},
    }
    G = stylegan2.Generator(**config)
    for key, parameter in G.named_parameters():
        if key.endswith("noise_strength"):
            parameter.data.fill_(0.3)
    path = folder / f"{name}.safetensors"
    names = [f"kind {i}" for i in range(classes)]
    weights.save(path, G, licence="CC0-1.0", about={"title": f"A {name} one, random", "classes": names}, config=config)
    return path


def write_free(folder: Path, name: str = "free") -> Path:
    """A StyleGAN3-R."""
    torch.manual_seed(1)
    config = {
        "z_dim": 16,
        "c_dim": 0,
        "w_dim": 16,
        "img_resolution": 32,
        "img_channels": 3,
        "channel_base": 512,
        "channel_max": 16,
        "num_layers": 6,
        "conv_kernel": 1,
        "use_radial_filters": True,
    }
    G = stylegan3.Generator(**config)
    path = folder / f"{name}.safetensors"
    weights.save(path, G, licence="CC0-1.0", about={"title": "A turning one, random"}, config=config)
    return path
