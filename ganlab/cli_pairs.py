"""The command `train-pairs`, which teaches a StyleGAN2 to draw faces without a discriminator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.networks import stylegan2
from ganlab.networks.table import TRAINABLE, Arguments, Shape
from ganlab.nn.supervised import STATE, trained
from ganlab.training.pairs import HAIRSTYLES, PairsRun, PairsTraining, Pupil, finished, lower

LICENCE = "Apache-2.0"
DEFAULT = PairsRun()


@dataclass(frozen=True)
class TrainPairs:
    """Teach a StyleGAN2 what the faces look like, with pairs of a latent and a face; `train --start` goes on from it.

    From 128 px on it writes the generators of the lower resolutions too, from 64 px up: they share their layers.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]  # where the generators and the state go
    resolution: int = 64  # pixels
    channel_base: int = 3072  # channels at resolution r are base / r
    channel_max: int = 128  # and at most so many
    mapping_width: int = 512  # features of the mapping network's hidden layers
    images: int = DEFAULT.images  # faces drawn in all
    batch: int = DEFAULT.batch  # faces in a step
    lr: float = DEFAULT.lr  # learning rate at its top
    mapping_lr: float = DEFAULT.mapping_lr  # that of the mapping network
    seed: int = DEFAULT.seed  # decides people and first weights
    device: str = "cpu"  # cpu, cuda or mps
    resume: bool = False  # go on from the state in --out

    def main(self) -> int:
        """Teaches and writes; 0."""
        if not self.resume and (self.out / STATE).exists():
            raise InvalidInput("out", f"already holds a training ({self.out.name}); add --resume")
        run = PairsRun(images=self.images, batch=self.batch, lr=self.lr, mapping_lr=self.mapping_lr, seed=self.seed)
        training = PairsTraining(run, Pupil(self._generator(), self.seed), self.device)
        if self.resume:
            training.restore(self.out)
        torch.backends.cudnn.benchmark = True  # shapes stay the same
        for told in trained(training, self.out, every=100, save_every=500):
            left = f"{int(told.left // 60)}:{int(told.left % 60):02} left"
            print(f"{told.images:>10,}  loss {told.loss:7.4f}  {told.rate:,.0f} images/s, {left}", flush=True)
        self._write(training)
        return 0

    def _write(self, training: PairsTraining) -> None:
        whole, images = finished(training.average, self.seed), training.run.images
        about = {
            "title": f"StyleGAN2, taught with pairs, {images:,} images",
            "data": "cartoon faces drawn by ganlab",
            "classes": list(HAIRSTYLES),
            "images": images,
            "run": training.run.to_dict(full=True),
        }
        for side in training.average.scales:
            config = self._arguments(side)
            path = self.out / f"pairs{side}.safetensors"
            weights.save(path, lower(whole, config), licence=LICENCE, about=about, config=config)
            print(path)

    def _arguments(self, resolution: int) -> Arguments:
        widths = (self.channel_base, self.channel_max, self.mapping_width)
        return TRAINABLE["stylegan2"].g_arguments(Shape(resolution, 3, len(HAIRSTYLES), 128, 128, 4, *widths))

    def _generator(self) -> stylegan2.Generator:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return stylegan2.Generator(**self._arguments(self.resolution))
