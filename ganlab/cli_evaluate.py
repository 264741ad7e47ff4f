"""The command `evaluate`: figures of a generator, as a table in Markdown."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro

from ganlab import zoo
from ganlab.config import InvalidInput
from ganlab.presets.images import image_data

Rows = list[tuple[str, str]]
SHEET_SIDE = 8  # pictures in a row and in a column of a contact sheet


@dataclass(frozen=True)
class Evaluate:
    """Compare what a generator makes with real pictures: FD-faces, precision, recall, and the kinds of faces."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]  # a file, or a name of `ganlab zoo`
    data: str = "faces"  # what it was trained on: a set, a folder, a .zip, or hub:user/set
    psi: tuple[float, ...] = (1.0,)  # truncations; 1 is none
    count: int = 10_000  # pictures made for each psi
    real: int = 10_000  # real pictures to compare with
    seed: int = 0  # decides latents and noise
    histogram: bool = False  # faces: also print how often each option of each attribute comes
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png")] = (
        None  # also write 64 of the pictures, of each psi
    )

    def main(self) -> int:
        """Prints the table."""
        from ganlab import weights  # slow to import, and other commands have no use for them
        from ganlab.nn.devices import best_device

        if min(self.count, self.real) < SHEET_SIDE**2 or not self.psi:
            raise InvalidInput("count", f"needs {SHEET_SIDE**2} pictures or more, of one psi or more")
        if self.sheet is not None and self.sheet.suffix != ".png":
            raise InvalidInput("sheet", "the name of the picture must end with .png")
        if self.histogram and self.data != "faces":
            raise InvalidInput("histogram", "is of the faces' attributes; leave it off for other data")
        path = Path(self.model)
        G = weights.load(path if path.exists() else zoo.path_of(self.model)).to(best_device())
        columns, histograms = self._of_faces(G) if self.data == "faces" else (self._of_images(G), [])
        print(f"{path.stem}: {self.count:,} pictures and at most {self.real:,} real ones, seed {self.seed}\n")
        print("| | " + " | ".join(f"psi {psi:g}" for psi in self.psi) + " |")
        print("|---" * (len(self.psi) + 1) + "|")
        for rows in zip(*columns, strict=True):
            print(f"| {rows[0][0]} | " + " | ".join(text for _, text in rows) + " |")
        if self.histogram:
            print("", *histograms, sep="\n")
        if self.sheet is not None:
            self._write_sheet(G, self.sheet)
        return 0

    def _of_faces(self, G: Any) -> tuple[list[Rows], list[str]]:
        """A column for each psi, on the features of the faces' classifier; and the lines of the attributes' table."""
        from ganlab.metrics.faces_report import reference, report

        classes = G.about.get("classes")
        names = [str(name) for name in classes] if isinstance(classes, list) else []
        real = reference(self.real, int(G.img_resolution))
        reports = [report(G, psi, self.count, real, names, self.seed) for psi in self.psi]
        columns = [[*found.rows(), *([("note", found.warning)] if found.warning else [])] for found in reports]
        table = [["", "data", *(f"psi {psi:g}" for psi in self.psi)], ["---"] * (2 + len(self.psi))]
        for name in real.shares:
            every = [real.shares[name], *(found.shares[name] for found in reports)]
            table.append([name, *(", ".join(f"{key} {share:.1%}" for key, share in each.items()) for each in every)])
        return columns, ["| " + " | ".join(cells) + " |" for cells in table]

    def _of_images(self, G: Any) -> list[Rows]:
        """A column for each psi, on the features that `training.quality` has for such data."""
        from ganlab.data.images import open_images
        from ganlab.metrics.bootstrap import mean_of
        from ganlab.metrics.faces_report import pictures_of
        from ganlab.training.quality import QualityMeter

        classes = int(getattr(G, "c_dim", 0))
        data = image_data(self.data, int(G.img_resolution), "class" if classes else "")
        meter = QualityMeter(open_images(replace(data, grey=G.img_channels == 1)), self.real)
        columns: list[Rows] = []
        for psi in self.psi:
            images, asked = map(torch.cat, zip(*pictures_of(G, self.count, psi, self.seed)))
            found = meter.measure(images.float() / 127.5 - 1, self.seed)
            rows = [(f"FD-{found.name}", str(found.fd)), ("precision", str(found.precision))]
            rows.append(("recall", str(found.recall)))
            if classes:
                right = mean_of(
                    meter.class_as_asked(meter.features(images)[0], asked), torch.Generator().manual_seed(self.seed)
                )
                rows.append(("class as asked", f"{right.percent()} ({meter.reader})"))
            columns.append([*rows, *([("note", found.warning)] if found.warning else [])])
        return columns

    def _write_sheet(self, G: Any, path: Path) -> None:
        from ganlab.files import write_atomic
        from ganlab.metrics.faces_report import pictures_of
        from ganlab.render.pictures import png
        from ganlab.render.sheet import sheet

        parts = (next(pictures_of(G, SHEET_SIDE**2, psi, self.seed))[0] for psi in self.psi)
        tall = [sheet(part.float() / 127.5 - 1, SHEET_SIDE) for part in parts]
        write_atomic(path, png(np.concatenate(tall, 1)))
        print(f"\n{path}")
