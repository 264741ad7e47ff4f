"""Latents from a user's file, read safely: .npz and .npy of projectors and editors, .pt of rosinality's projector.

Whatever cannot be used raises `InvalidInput` with a sentence.
"""

import io
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ganlab import pickles
from ganlab.config import InvalidInput
from ganlab.data.uploads import NPY_MAGIC, read_npy
from ganlab.recipe import MOST_LAYERS, pack_latent

MOST_LATENTS = 16  # of one file
MOST_BYTES = 20 << 20
WIDTHS = (16, 1024)  # smallest and largest w
NAMES = ("w", "ws", "latent", "latents", "w_plus", "dlatents", "projected_w")
SHAPES = "latents are [N, 512] or [N, layers, 512]"
ZIP_MAGIC = b"PK\x03\x04"


def read_latents(path: Path) -> list[str]:
    """The latents of a file, packed for a recipe (`ganlab.recipe.pack_latent`), at most 16.

    .npz with `w` [N, L, w_dim] (StyleGAN2-ADA's projector), .npy [N, w_dim], [N, L, w_dim] (InterFaceGAN), and
    .pt with `latent` (rosinality's projector).
    """
    data = path.read_bytes()
    if not data:
        raise InvalidInput("file", "is empty (0 bytes)")
    if len(data) > MOST_BYTES:
        raise InvalidInput("file", "is larger than 20 MB; latents are far smaller")
    if data.startswith(NPY_MAGIC):
        arrays = [_array(data)]
    elif data.startswith(ZIP_MAGIC) and _is_npz(data):
        arrays = [_from_npz(data)]
    else:
        arrays = list(_from_pickle(path))
    rows = [row for values in arrays for row in _rows(values)]
    if len(rows) > MOST_LATENTS:
        raise InvalidInput("file", f"holds {len(rows):,} latents; at most {MOST_LATENTS} are read")
    return [pack_latent(row) for row in rows]


def _array(data: bytes) -> npt.NDArray[np.float64]:
    return read_npy(data, _check_shape)


def _check_shape(shape: tuple[int, ...]) -> None:
    if not 1 <= len(shape) <= 4 or math.prod(shape) > MOST_LATENTS * MOST_LAYERS * WIDTHS[1] or 0 in shape:
        raise InvalidInput("file", f"holds an array of shape {str(shape)[:40]}; {SHAPES}")
    if not WIDTHS[0] <= shape[-1] <= WIDTHS[1]:
        raise InvalidInput("file", f"holds rows of {shape[-1]:,} numbers; a w has {WIDTHS[0]} to {WIDTHS[1]:,}")


def _rows(values: npt.NDArray[np.float64]) -> Iterator[npt.NDArray[np.float32]]:
    """[w_dim] or [L, w_dim] for each latent in an array of 1 to 4 dimensions."""
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 4:
        raise InvalidInput("file", f"holds an array of shape {values.shape}; {SHAPES}")
    if not (np.abs(values) <= 1e6).all():  # NaN too
        raise InvalidInput("file", "holds latents with NaN, infinite or huge values")
    latents = values.astype(np.float32)
    if values.ndim == 1:
        yield latents
        return
    yield from latents


def _is_npz(data: bytes) -> bool:
    """Whether a zip is numpy's (torch's files are zips too)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.endswith(".npy") for name in archive.namelist()[:100])
    except zipfile.BadZipFile:
        raise InvalidInput("file", "is damaged or cut off; save it again") from None


def _from_npz(data: bytes) -> npt.NDArray[np.float64]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        held = {name.removesuffix(".npy") for name in archive.namelist()[:100]}
        if {"act_comp", "lat_comp"} & held:
            raise InvalidInput("file", "holds directions (GANSpace), not latents")
        name = next((name for name in NAMES if name in held), None)
        if name is None and len(held) == 1:
            name = next(iter(held))
        if name is None:
            raise InvalidInput("file", f"has no array called w; it holds {', '.join(sorted(held))[:80]}")
        info = archive.getinfo(name + ".npy")
        if info.file_size > MOST_BYTES:  # a zip of a few kB can unpack to gigabytes
            raise InvalidInput("file", "unpacks to more than 20 MB; latents are far smaller")
        try:
            with archive.open(info) as member:
                return _array(member.read(MOST_BYTES))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
            raise InvalidInput("file", "is damaged, or packed in an unknown way; save it again") from None


def _from_pickle(path: Path) -> Iterator[npt.NDArray[np.float64]]:
    """The latents of a .pt file, read as data: nothing in it is executed."""
    found = pickles.read(path)
    tensors = [
        tensor
        for network in found.networks.values()
        for name, tensor in network.tensors.items()
        if name.rsplit(".", 1)[-1] in NAMES
    ]
    if not tensors:
        raise InvalidInput("file", "holds no latents; they are expected under w or latent")
    for tensor in tensors:
        _check_shape(tuple(tensor.shape))
        values = np.asarray(tensor.double().numpy())
        yield values[None] if values.ndim == 2 else values  # one picture's layers
