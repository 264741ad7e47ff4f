"""The commands about files of weights: `inspect` says what one holds, `convert` writes it as safetensors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

File = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]


@dataclass(frozen=True)
class Inspect:
    """Say what a checkpoint holds: NVIDIA's .pkl, rosinality's .pt, safetensors. Nothing in it is run."""

    file: File  # the checkpoint

    def main(self) -> int:
        """Prints the report."""
        from ganlab import weights  # slow to import, and other commands have no use for it

        print("\n".join(weights.inspect(self.file).sentences()))
        return 0


@dataclass(frozen=True)
class Convert:
    """Write a network of a checkpoint as safetensors, with its configuration and licence in the header."""

    file: File  # the checkpoint
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.safetensors")]  # the new file
    which: str = "G"  # G (the averaged one before the other), G_ema, G_raw or D
    licence: Annotated[str | None, tyro.conf.arg(metavar="TEXT")] = None  # of the weights, as their source states it

    def main(self) -> int:
        """Writes the new file and prints its report."""
        from ganlab import weights

        print("\n".join(weights.convert(self.file, self.out, self.which, licence=self.licence).sentences()))
        return 0
