"""Saving and resuming a training: one safetensors file with a checksum beside it, written all or nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.run import Run
from ganlab.training.arena import Arena

KEPT = 3  # newest checkpoints that stay
FORMAT = "ganlab run 1"
NAME = re.compile(r"step-(\d{9})\.safetensors")
Meta = dict[str, Any]


def write(folder: Path, step: int, tensors: dict[str, Tensor], meta: Meta) -> Path:
    """Writes a moment of a training into `folder` and drops all but the newest few."""
    header = json.dumps({"format": FORMAT, "step": step, **meta})
    data = save_tensors({name: value.contiguous() for name, value in tensors.items()}, metadata={"ganlab": header})
    path = folder / f"step-{step:09d}.safetensors"
    files.write_atomic(path, data)
    files.write_atomic(_checksum(path), files.sha256(data).encode())
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    for left in folder.glob("step-*.sha256"):  # of those, and of one that a kill left
        if not left.with_suffix("").exists():
            left.unlink(missing_ok=True)
    return path


def newest(folder: Path, ours: Callable[[Meta], bool]) -> tuple[Path, dict[str, Tensor], Meta] | None:
    """The newest good checkpoint in `folder`: its path, tensors and meta; None if there is none.

    A damaged one is set aside (`.damaged`), never deleted, and the next older one is taken. One that is not `ours`,
    of another run, raises `InvalidInput`.
    """
    for path in reversed(checkpoints(folder)):
        data = path.read_bytes()
        if not _checksum(path).exists() or _checksum(path).read_bytes() != files.sha256(data).encode():
            path.replace(path.with_name(path.name + ".damaged"))
            continue
        meta = _meta(data)
        if meta.get("format") != FORMAT or not ours(meta):
            raise InvalidInput("folder", f"{folder} holds checkpoints of another run; choose a new folder")
        return path, load_tensors(data), meta
    return None


def save(arena: Arena, folder: Path) -> Path:
    """Writes the arena's moment into `folder`."""
    tensors = {f"{k}.{name}": v for k, state in enumerate(arena.states()) for name, v in state.items()}
    frozen = {str(k): step for k, step in arena.frozen.items()}
    return write(folder, arena.step, tensors, {"frozen": frozen, "run": arena.run.to_dict()})


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*.safetensors") if NAME.fullmatch(path.name))


def resume(arena: Arena, folder: Path) -> Path | None:
    """Puts the arena where the newest good checkpoint of its run is; None if there is none."""
    files.sweep(folder)
    found = newest(folder, lambda meta: Run.from_dict(meta["run"]) == arena.run)
    if found is None:
        return None
    path, tensors, meta = found
    states: list[dict[str, Tensor]] = [{} for _ in arena.configs]
    for name, value in tensors.items():
        k, rest = name.split(".", 1)
        states[int(k)][rest] = value
    arena.restore(int(meta["step"]), states, {int(k): int(step) for k, step in meta["frozen"].items()})
    return path


def _meta(data: bytes) -> Meta:
    size = int.from_bytes(data[:8], "little")
    return dict(json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["ganlab"]))


def _checksum(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
