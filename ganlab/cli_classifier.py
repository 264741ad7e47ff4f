"""The command `train-classifier`, which trains the classifier that faces are measured with."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ganlab import __version__
from ganlab.data.faces import ATTRIBUTES
from ganlab.features.faces import save_classifier
from ganlab.nn.devices import device_named
from ganlab.training.attributes import (
    HELD_OUT,
    ClassifierRun,
    ClassifierTraining,
    held_out_scores,
    train_classifier,
)

NAME = "faces-attributes.safetensors"
LICENCE = "Apache-2.0"
DEFAULTS = ClassifierRun()


@dataclass(frozen=True)
class TrainClassifier:
    """Train the classifier that reads the attributes of faces. It can be stopped, killed and resumed."""

    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]  # where the classifier and the state of its training go
    images: int = DEFAULTS.images  # portraits seen in all
    faces: int = DEFAULTS.faces  # different portraits among them
    batch: int = DEFAULTS.batch  # portraits in a step
    lr: float = DEFAULTS.lr  # highest learning rate
    width: int = DEFAULTS.width  # channels at 32 px
    seed: int = DEFAULTS.seed  # decides faces, first weights and all changes
    device: str = "cpu"  # cpu, or cuda: then in bfloat16
    processes: int = 1  # that draw the portraits
    held_out: int = HELD_OUT  # fresh portraits that the result is measured on
    resume: bool = False  # go on from the state in --out

    def main(self) -> int:
        """Trains, measures, writes; 0."""
        run = ClassifierRun(self.images, self.faces, self.batch, self.lr, width=self.width, seed=self.seed)
        device = device_named(self.device)
        began = time.monotonic()
        training = ClassifierTraining(run, device, self.processes)
        print(f"{run.faces:,} portraits drawn in {time.monotonic() - began:.0f} s", flush=True)
        if self.resume:
            training.restore(self.out)
        for told in train_classifier(training, self.out):
            left = f"{int(told.left // 60)}:{int(told.left % 60):02} left"
            print(f"{told.images:>10,}  loss {told.loss:7.3f}  {told.rate:,.0f} images/s, {left}", flush=True)
        scores = held_out_scores(training.average, self.held_out, processes=self.processes)
        about = {
            "data": "cartoon faces drawn by ganlab/data/faces",
            "ganlab": __version__,
            "run": asdict(run),
            "scores": {name: round(value, 4) for name, value in scores.items()},
        }
        path = self.out / NAME
        save_classifier(path, training.average, licence=LICENCE, about=about)
        print(f"\nOn {self.held_out:,} fresh portraits, of those who show it:")
        for name, value in scores.items():
            kind = "explained variance" if ATTRIBUTES[name].continuous else "right"
            print(f"  {name:17} {100 * value:5.1f} % {kind}")
        print(path)
        return 0
