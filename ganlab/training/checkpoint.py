"""Saving and resuming a run: one safetensors file with a checksum beside it, written all or nothing."""

import json
import re
from pathlib import Path

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.run import Run
from ganlab.training.arena import Arena

KEPT = 3  # newest checkpoints that stay
FORMAT = "ganlab run 1"
NAME = re.compile(r"step-(\d{9})\.safetensors")


def save(arena: Arena, folder: Path) -> Path:
    """Writes the arena's moment into `folder` and drops all but the newest few."""
    tensors = {f"{k}.{name}": v.contiguous() for k, state in enumerate(arena.states()) for name, v in state.items()}
    meta = {
        "format": FORMAT,
        "step": arena.step,
        "frozen": {str(k): step for k, step in arena.frozen.items()},
        "run": arena.run.to_dict(),
    }
    data = save_tensors(tensors, metadata={"ganlab": json.dumps(meta)})
    path = folder / f"step-{arena.step:09d}.safetensors"
    files.write_atomic(path, data)
    files.write_atomic(_checksum(path), files.sha256(data).encode())
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
        _checksum(old).unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*.safetensors") if NAME.fullmatch(path.name))


def resume(arena: Arena, folder: Path) -> Path | None:
    """Puts the arena where the newest good checkpoint of its run is; None if there is none.

    A damaged one is set aside (`.damaged`), never deleted, and the next older one is taken. A checkpoint of another
    run raises `InvalidInput`.
    """
    files.sweep(folder)
    for path in reversed(checkpoints(folder)):
        data = path.read_bytes()
        if not _checksum(path).exists() or _checksum(path).read_bytes() != files.sha256(data).encode():
            path.replace(path.with_name(path.name + ".damaged"))
            continue
        meta = _meta(data)
        if meta.get("format") != FORMAT or Run.from_dict(meta["run"]) != arena.run:
            raise InvalidInput("folder", f"{folder} holds checkpoints of another run; choose a new folder")
        states: list[dict[str, object]] = [{} for _ in arena.configs]
        for name, value in load_tensors(data).items():
            k, rest = name.split(".", 1)
            states[int(k)][rest] = value
        frozen = {int(k): int(step) for k, step in meta["frozen"].items()}
        arena.restore(int(meta["step"]), states, frozen)  # type: ignore[arg-type]
        return path
    return None


def _meta(data: bytes) -> dict:  # type: ignore[type-arg]
    size = int.from_bytes(data[:8], "little")
    return dict(json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["ganlab"]))


def _checksum(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
