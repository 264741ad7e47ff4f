"""The command `evaluate`: figures of a generator, as a table in Markdown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from ganlab import zoo
from ganlab.config import InvalidInput

SHEET_SIDE = 8  # pictures in a row and in a column of a contact sheet


@dataclass(frozen=True)
class Evaluate:
    """Compare what a generator makes with real pictures: FD-faces, precision, recall, and the kinds of faces."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]  # a file, or a name of `ganlab zoo`
    data: Literal["faces"] = "faces"  # what it was trained on
    psi: tuple[float, ...] = (1.0,)  # truncations; 1 is none
    count: int = 10_000  # pictures made for each psi
    real: int = 10_000  # real pictures to compare with
    seed: int = 0  # decides latents and noise
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png")] = (
        None  # also write 64 of the pictures, of each psi
    )

    def main(self) -> int:
        """Prints the table."""
        from ganlab import weights  # slow to import, and other commands have no use for them
        from ganlab.metrics.faces_report import reference, report
        from ganlab.synthesis.opening import best_device

        if min(self.count, self.real) < SHEET_SIDE**2 or not self.psi:
            raise InvalidInput("count", f"needs {SHEET_SIDE**2} pictures or more, of one psi or more")
        if self.sheet is not None and self.sheet.suffix != ".png":
            raise InvalidInput("sheet", "the name of the picture must end with .png")
        path = Path(self.model)
        G = weights.load(path if path.exists() else zoo.path_of(self.model)).to(best_device())
        classes = G.about.get("classes")  # type: ignore[union-attr, operator]
        names = [str(name) for name in classes] if isinstance(classes, list) else []
        real = reference(self.real, int(G.img_resolution))  # type: ignore[arg-type]
        reports = [report(G, psi, self.count, real, names, self.seed) for psi in self.psi]
        print(f"{path.stem}: {self.count:,} pictures and {self.real:,} real ones, seed {self.seed}\n")
        print("| | " + " | ".join(f"psi {psi:g}" for psi in self.psi) + " |")
        print("|---" * (len(self.psi) + 1) + "|")
        for rows in zip(*(found.rows() for found in reports), strict=True):
            print(f"| {rows[0][0]} | " + " | ".join(text for _, text in rows) + " |")
        if reports[0].warning:
            print(f"\n{reports[0].warning}")
        if self.sheet is not None:
            self._write_sheet(G, self.sheet)
        return 0

    def _write_sheet(self, G: object, path: Path) -> None:
        from ganlab.files import write_atomic
        from ganlab.metrics.faces_report import pictures_of
        from ganlab.render.pictures import png

        tall = []
        for psi in self.psi:
            images = next(pictures_of(G, SHEET_SIDE**2, psi, self.seed))[0].numpy()  # type: ignore[arg-type]
            _, c, h, w = images.shape
            cells = images.reshape(SHEET_SIDE, SHEET_SIDE, c, h, w).transpose(0, 3, 1, 4, 2)
            tall.append(cells.reshape(SHEET_SIDE * h, SHEET_SIDE * w, c))
        write_atomic(path, png(np.concatenate(tall, 1)))
        print(f"\n{path}")
