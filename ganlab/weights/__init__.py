"""Weights: what a file holds, networks from files of all kinds, and our own safetensors with config and licence."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save as safetensors_bytes
from torch import nn

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.pickles import BadCheckpoint, Found, clip, read, refuse
from ganlab.weights.families import FAMILIES, FORMAT, UNBUILT, Plan, family_of, plan

__all__ = ["BadCheckpoint", "Holding", "Report", "convert", "inspect", "load", "save"]

WISHES = {"G": ("G_ema", "G"), "G_ema": ("G_ema",), "G_raw": ("G",), "D": ("D",)}
AS_ORIGINAL = "as the original file's; ask its source"


@dataclass(frozen=True)
class Holding:
    """One network of a file."""

    name: str  # G, D, G_ema
    title: str  # "StyleGAN2"
    parameters: int  # numbers in all its tensors
    config: dict[str, Any]  # constructor arguments as the file or its shapes give them
    loads: bool  # whether `load` can build it
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a file is."""

    file: str
    kind: str  # nvidia, tf, rosinality, lucidrains, torch, safetensors
    family: str  # of its generator (or its only network), as "stylegan2"
    networks: tuple[Holding, ...]
    licence: str | None = None  # of our own files
    about: dict[str, Any] | None = None
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """Arguments of the best generator: img_resolution, img_channels, z_dim, c_dim, ..."""
        return self.networks[0].config

    def sentences(self) -> list[str]:
        """The report as lines of text."""
        lines = [f"{self.file}: {KINDS[self.kind]}"]
        lines += [_told(holding) for holding in self.networks]
        lines += [f"Licence: {self.licence}"] if self.licence else []
        lines += [
            f"{key}: {value}" for key, value in (self.about or {}).items() if isinstance(value, str | int | float)
        ]
        lines += [f"Left out: {sentence}" for sentence in self.skipped]
        lines += [f"Warning: {sentence}" for sentence in self.warnings]
        return lines


def inspect(path: str | Path) -> Report:
    """What the file at `path` holds. Raises BadCheckpoint."""
    found = read(path)
    with _named(path):
        order = sorted(found.networks, key=["G_ema", "G", "D"].index if _usual(found) else str)
        plans = {name: plan(found, name) for name in order}
    holdings = tuple(_holding(name, row) for name, row in plans.items())
    first = plans[order[0]]
    return Report(
        Path(path).name,
        found.kind,
        first.family,
        holdings,
        first.header.get("licence"),
        first.header.get("about"),
        found.skipped,
        found.warnings,
    )


def load(path: str | Path, which: str = "G") -> nn.Module:
    """The network `which` of a file: G (G_ema before G), G_ema, G_raw or D; fp32, eval mode, no gradients.

    Its `init_kwargs` are the constructor arguments, its `load_warnings` sentences about its weights (NaN, no average),
    its `about` what our own files say of themselves. Raises BadCheckpoint.
    """
    return _load(path, which)[0]


def save(
    path: str | Path,
    module: nn.Module,
    *,
    licence: str,
    about: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
) -> None:
    """Writes a network as safetensors, all or nothing, with family, constructor arguments and licence in the header.

    `config` are the arguments that it was built with; a loaded network knows its own. `about` is free: data, run ...
    """
    arguments = getattr(module, "init_kwargs", None) if config is None else config
    if not isinstance(arguments, dict):
        raise InvalidInput("config", "the arguments that the network was built with are needed")
    header = {
        "format": FORMAT,
        "family": family_of(module),
        "licence": licence,
        "about": about or {},
        "config": arguments,
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    files.write_atomic(Path(path), safetensors_bytes(tensors, metadata={"ganlab": json.dumps(header)}))


def convert(
    source: str | Path,
    out: str | Path,
    which: str = "G",
    *,
    licence: str | None = None,
    about: dict[str, Any] | None = None,
) -> Report:
    """Writes a network of any file that is known as safetensors; the report is of the new file."""
    if Path(out).suffix != ".safetensors":
        raise InvalidInput("out", "the name of the new file must end with .safetensors")
    module, old = _load(source, which)
    licence = licence or old.header.get("licence") or AS_ORIGINAL
    about = {"source": Path(source).name, **(old.header.get("about") or {}), **(about or {})}
    save(out, module, licence=licence, about=about)
    return inspect(out)


def _load(path: str | Path, which: str) -> tuple[nn.Module, Plan]:
    if which not in WISHES:
        raise InvalidInput("which", f"must be one of {', '.join(WISHES)}")
    with _named(path):
        found = read(path, WISHES[which], first=True)
        row = plan(found, next(iter(found.networks)))
        role = FAMILIES[row.family].role if row.family in FAMILIES else which[0]
        if role != which[0]:
            refuse("holds no generator" if which != "D" else "holds no discriminator")
        module = row.module()
        module.load_warnings = (*found.warnings, *row.notes)  # type: ignore[assignment]
        about = row.header.get("about")
        module.about = about if isinstance(about, dict) else {}  # type: ignore[assignment]
        return module, row


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Puts the file's name into errors."""
    try:
        yield
    except BadCheckpoint as error:
        if error.field != "checkpoint":
            raise
        raise BadCheckpoint(clip(Path(path).name)[1:-1], error.problem) from None


def _usual(found: Found) -> bool:
    return found.networks.keys() <= {"G", "D", "G_ema"}


def _holding(name: str, row: Plan) -> Holding:
    title = FAMILIES[row.family].title if row.family in FAMILIES else f"{UNBUILT[row.family][0]} (cannot be rendered)"
    parameters = sum(value.numel() for value in row.state.values())
    return Holding(name, title, parameters, row.config, row.family in FAMILIES, row.notes)


def _told(holding: Holding) -> str:
    """One line about a network."""
    config = holding.config
    parts = [holding.title, f"{holding.parameters:,} numbers"]
    if "img_resolution" in config:
        side = config["img_resolution"]
        parts.append(f"{side} x {side} pixels" + (", grey" if config.get("img_channels") == 1 else ""))
    parts += [f"{key} {config[key]}" for key in ("z_dim", "w_dim") if key in config]
    if config.get("c_dim"):
        parts.append(f"{config['c_dim']} classes")
    return f"{holding.name}: {', '.join([*parts, *holding.notes])}"


KINDS = {
    "nvidia": "a pickle of NVIDIA's for PyTorch",
    "tf": "a pickle of NVIDIA's of TensorFlow days",
    "rosinality": "a checkpoint of rosinality's stylegan2-pytorch",
    "lucidrains": "a checkpoint of lucidrains' stylegan2-pytorch",
    "torch": "a file of torch.save",
    "safetensors": "a safetensors file",
}
