"""Features of data, computed once and kept on the disk: safetensors, read within bounds, never trusted for more.

A file's name is a checksum of all that decides its content. What cannot be read, or is not what was asked for, is
computed again; a full disk keeps nothing, and is no error.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganlab.features.extractors import Extractor, Tick, distances_of
from ganlab.files import cache_folder, own_header, sha256, write_atomic

FORMAT = "ganlab features of data 1"
MOST_BYTES = 1 << 30  # of all files together; those that were not used for the longest time go first
MOST_FILE = 256 << 20
Both = tuple[Float[Tensor, "n d"], Float[Tensor, "n k"]]


def folder() -> Path:
    """Where features are kept."""
    return cache_folder() / "features"


def kept_features(
    extractor: Extractor, pictures: UInt8[Tensor, "n c h w"], data: Mapping[str, Any], tick: Tick | None = None
) -> Both:
    """(vectors for distances, vectors for statistics) of pictures: read where they are known, else made and kept.

    `data`: the settings of the set, for whoever looks into the file. The pictures' own checksum is part of the key,
    so features of a folder whose files have changed are never taken for those of the new ones.
    """
    if not extractor.version:
        return distances_of(extractor, pictures, tick)
    key = {
        "data": dict(data),
        "pictures": sha256(pictures.contiguous().numpy().tobytes()),
        "shape": list(pictures.shape),
        "extractor": extractor.name,
        "version": extractor.version,
    }
    path = folder() / f"{sha256(json.dumps(key, sort_keys=True).encode())}.safetensors"
    found = _read(path, key)
    if found is not None:
        return found
    near, small = distances_of(extractor, pictures, tick)
    with contextlib.suppress(OSError):  # a full or a read-only disk
        _write(path, key, near, small)
    return near, small


def _read(path: Path, key: Mapping[str, Any]) -> Both | None:
    """What is kept for `key`, or None."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_FILE else b""
        header = own_header(data)
        if header is None or header.get("format") != FORMAT or header.get("key") != key:
            return None
        tensors = load_tensors(data)
    except (OSError, SafetensorError, ValueError):
        return None
    near = tensors.get("near")
    small = tensors.get("small", near)
    count = key["shape"][0]
    for x in (near, small):
        if x is None or x.dtype != torch.float32 or x.ndim != 2 or len(x) != count or not x.isfinite().all():
            return None
    assert near is not None and small is not None
    with contextlib.suppress(OSError):
        os.utime(path)  # used just now
    return near, small


def _write(path: Path, key: Mapping[str, Any], near: Tensor, small: Tensor) -> None:
    tensors = {"near": near.float().contiguous()}
    if small is not near:
        tensors["small"] = small.float().contiguous()
    data = save_tensors(tensors, metadata={"ganlab": json.dumps({"format": FORMAT, "key": key})})
    if len(data) <= MOST_FILE:
        write_atomic(path, data)
        _make_room(path.parent, path)


def _make_room(at: Path, newest: Path) -> None:
    """Removes the files that were not used for the longest time until the rest has room; never the newest."""
    files = []
    for path in at.glob("*.safetensors"):
        with contextlib.suppress(OSError):  # another process tidies up too
            status = path.stat()
            files.append((path == newest, status.st_mtime, status.st_size, path))
    total = sum(size for _, _, size, _ in files)
    for is_newest, _, size, path in sorted(files):
        if total <= MOST_BYTES or is_newest:
            break
        path.unlink(missing_ok=True)
        total -= size
