"""The command `train-pairs`, which teaches a StyleGAN2 to draw faces from pairs of a latent and a face."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.networks import stylegan2
from ganlab.networks.arguments import Arguments, Shape
from ganlab.networks.table import TRAINABLE
from ganlab.nn.devices import device_named
from ganlab.nn.precision import Precision
from ganlab.nn.supervised import STATE, trained
from ganlab.recipe import ClassShare, Source
from ganlab.training.pairs import HAIRSTYLES, LESSONS, PairsRun, PairsTraining, Pupil, finished, lower

LICENCE = "Apache-2.0"
RUNS = {
    "mapping": PairsRun(lesson="mapping", images=4_000_000, batch=256, lr=0.03),
    "drawing": PairsRun(),
    "rival": PairsRun(lesson="rival", images=50_000, lr=0.0025),
}


@dataclass(frozen=True)
class TrainPairs:
    """Teach a StyleGAN2 what the faces look like, with pairs of a latent and a face; `train --start` goes on from it.

    Three lessons, each of which can be stopped, killed and resumed: from z to w, from w to pictures, both against a
    discriminator. From 128 px on it writes the generators of the lower resolutions too, from 64 px up, whose layers
    are the same.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]  # where the generators and the states of the lessons go
    resolution: int = 64  # pixels
    channel_base: int = 3072  # channels at resolution r are base / r
    channel_max: int = 128  # and at most so many
    mapping_width: int = 512  # features of the mapping network's hidden layers
    latents: int = RUNS["mapping"].images  # latents that the mapping network learns from
    latents_batch: int = RUNS["mapping"].batch  # of them in a step
    images: int = RUNS["drawing"].images  # faces drawn without a discriminator
    rival_images: int = RUNS["rival"].images  # faces drawn against one; 0: without that lesson
    batch: int = RUNS["drawing"].batch  # faces in a step
    noise: float = 0.03  # of the noise inputs, from 16 px on, in deviations of what the layers make
    first: tuple[int, int] = (2, 4)  # seed and hairstyle, from 0, of the face that labs begin with
    seed: int = 0  # decides people and first weights
    device: str = "cpu"  # cpu, cuda or mps
    precision: Precision = "auto"  # of convolutions; auto: bf16 where the device is made for it
    resume: bool = False  # go on from the states in --out

    def main(self) -> int:
        """Teaches and writes; 0."""
        if not 0 <= self.first[1] < len(HAIRSTYLES):
            raise InvalidInput("first", f"the second number must be a hairstyle from 0 to {len(HAIRSTYLES) - 1}")
        torch.backends.cudnn.benchmark = True  # shapes stay the same
        device, pupil = device_named(self.device), self._pupil()
        sizes = zip((self.latents, self.images, self.rival_images), (self.latents_batch, self.batch, self.batch))
        runs = []
        for lesson, (images, batch) in zip(LESSONS, sizes):
            if not images:
                continue
            changes = {"images": images, "batch": batch, "seed": self.seed, "precision": self.precision}
            runs.append(PairsRun.from_dict(RUNS[lesson].to_dict(full=True) | changes))
            pupil = self._taught(PairsTraining(runs[-1], pupil, device), self.out / lesson)
        self._write(pupil, runs)
        return 0

    def _taught(self, training: PairsTraining, folder: Path) -> Pupil:
        """The lesson's average, once it is over; a lesson that was begun is gone on with."""
        if (folder / STATE).exists():
            if not self.resume:
                raise InvalidInput("out", f"already holds a lesson ({folder.name}); add --resume")
            training.restore(folder)
        for told in trained(training, folder, every=100, save_every=500):
            left = f"{int(told.left // 60)}:{int(told.left % 60):02} left"
            name = training.run.lesson
            print(f"{name} {told.images:>10,}  loss {told.loss:7.4f}  {told.rate:,.0f} a second, {left}", flush=True)
        pupil: Pupil = training.average.requires_grad_(True)
        return pupil

    def _write(self, pupil: Pupil, runs: list[PairsRun]) -> None:
        seed, hairstyle = self.first
        first = Source(seed=seed, classes=(ClassShare(index=hairstyle),))
        whole, images = finished(pupil, self.seed, self.noise), self.images + self.rival_images
        about = {
            "data": "cartoon faces drawn by ganlab",
            "classes": list(HAIRSTYLES),
            "images": images,
            "first": first.to_dict(),
            "lessons": [run.to_dict(full=True) for run in runs],
        }
        for side in pupil.scales:
            config = TRAINABLE["stylegan2"].g_arguments(self._shape(side))
            path = self.out / f"pairs{side}.safetensors"
            title = {"title": f"Cartoon faces, {side} px, {len(HAIRSTYLES)} hairstyles"}
            weights.save(path, lower(whole, config), licence=LICENCE, about=title | about, config=config)
            print(path)

    def _shape(self, resolution: int) -> Shape:
        widths = (self.channel_base, self.channel_max, self.mapping_width)
        return Shape(resolution, 3, len(HAIRSTYLES), 128, 128, 4, *widths)

    def _pupil(self) -> Pupil:
        row = TRAINABLE["stylegan2"]
        rival: Arguments = row.d_arguments(self._shape(self.resolution)) | {"c_dim": 0}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            generator = stylegan2.Generator(**row.g_arguments(self._shape(self.resolution)))
            return Pupil(generator, stylegan2.Discriminator(**rival), self.seed)
