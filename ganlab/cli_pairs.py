"""The command `train-pairs`, which teaches a StyleGAN2 to draw faces before it meets a discriminator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from ganlab import weights, zoo
from ganlab.config import InvalidInput
from ganlab.networks import stylegan2
from ganlab.networks.table import TRAINABLE, Shape
from ganlab.nn.supervised import STATE, trained
from ganlab.training.pairs import HAIRSTYLES, LESSONS, PairsRun, PairsTraining, Pupil, finished

NAME = "pairs.safetensors"
LICENCE = "Apache-2.0"
RUNS = {
    "synthesis": PairsRun(),
    "mapping": PairsRun(lesson="mapping", images=4_000_000, batch=256, lr=0.03),
    "both": PairsRun(lesson="both", images=30_000, lr=0.003),
}


@dataclass(frozen=True)
class TrainPairs:
    """Teach a StyleGAN2 what the faces look like, with pairs of a latent and a face; `train --start` goes on from it.

    Three lessons, each of which can be stopped, killed and resumed: from people to pictures, from z to people, both.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]  # where the generator and the states of the lessons go
    start: Annotated[str | None, tyro.conf.arg(metavar="MODEL")] = None  # a StyleGAN2 whose layers are taken over
    resolution: int = 64  # pixels, without --start
    channel_base: int = 2048  # channels at resolution r are base / r, without --start
    channel_max: int = 96  # and at most so many
    mapping_width: int = 384  # features of the mapping network's hidden layers
    images: int = RUNS["synthesis"].images  # faces redrawn from their code
    latents: int = RUNS["mapping"].images  # latents that the mapping network learns from
    together: int = RUNS["both"].images  # faces drawn from latents at the end
    seed: int = 0  # decides people and first weights
    resume: bool = False  # go on from the states in --out

    def main(self) -> int:
        """Teaches and writes; 0."""
        pupil = Pupil(self._generator())
        counts = dict(zip(LESSONS, (self.images, self.latents, self.together)))
        for lesson, count in counts.items():
            run = PairsRun.from_dict(RUNS[lesson].to_dict(full=True) | {"images": count, "seed": self.seed})
            pupil = self._taught(PairsTraining(run, pupil), self.out / lesson)
        generator = finished(pupil, self.seed)
        about = {
            "title": f"StyleGAN2, taught with pairs, {self.images + self.together:,} images",
            "data": "cartoon faces drawn by ganlab",
            "classes": list(HAIRSTYLES),
            "images": self.images + self.together,
            "lessons": counts,
        }
        weights.save(self.out / NAME, generator, licence=LICENCE, about=about, config=self._arguments())
        print(self.out / NAME)
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
            print(f"{name} {told.images:>10,}  loss {told.loss:7.4f}  {told.rate:,.0f} images/s, {left}", flush=True)
        pupil: Pupil = training.average.requires_grad_(True)
        return pupil

    def _arguments(self) -> dict[str, object]:
        shape = Shape(
            self.resolution, 3, len(HAIRSTYLES), 128, 128, 4, self.channel_base, self.channel_max, self.mapping_width
        )
        return TRAINABLE["stylegan2"].g_arguments(shape)

    def _generator(self) -> stylegan2.Generator:
        """A new one; with --start it draws as that one does."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            generator = stylegan2.Generator(**self._arguments())  # type: ignore[arg-type]
        if self.start is not None:
            path = Path(self.start)
            other = weights.load(path if path.exists() else zoo.path_of(self.start))
            if not isinstance(other, stylegan2.Generator) or _shapes(other) != _shapes(generator):
                raise InvalidInput("start", "must be a StyleGAN2 of the same resolution, w_dim (128) and channels")
            generator.synthesis.load_state_dict(other.synthesis.state_dict())
        return generator


def _shapes(generator: stylegan2.Generator) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in generator.synthesis.state_dict().items()}
