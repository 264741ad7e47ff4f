"""The training of one GAN on images: a generator of snapshots. It knows no screen and no name of a GAN."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganlab import files, weights
from ganlab.config import InvalidInput
from ganlab.data.images import ImageSet, open_images
from ganlab.networks.table import TRAINABLE
from ganlab.render.pictures import png
from ganlab.render.sheet import sheet
from ganlab.run_images import ImageRun
from ganlab.training import checkpoint
from ganlab.training.example_gan import ExampleGan
from ganlab.training.figures import figures
from ganlab.training.image_draws import ImageDraws
from ganlab.training.image_gan import ImageGan
from ganlab.training.image_state import State
from ganlab.training.processes import Alone
from ganlab.training.quality import FEWEST, Quality, QualityMeter
from ganlab.training.step import d_phase, g_phase

EVERY = 100  # steps between measurements
GRID = 36  # pictures of fixed latents that each snapshot shows
MEASURED = 1000  # fakes whose quality is measured
LOOKED_AT = 256  # images whose logits tell of overfitting
MADE_AT_ONCE = 64
TOLD = ("d_loss", "g_loss", "d_grad", "g_grad", "real", "fake")
DIVERGED = (
    "has diverged: {what} not a number at step {step:,}; go on from the last checkpoint with lower learning rates"
)
PICTURES = "pictures"  # folder of a training's sheets


class Diverged(InvalidInput):
    """A training whose numbers are no numbers any more; what it saved before is good."""


@dataclass(frozen=True)
class ImageSnapshot:
    """A training at one step. None: nothing of the kind was there to measure."""

    step: int
    images: int  # that D has seen, real ones
    d_loss: float | None = None
    g_loss: float | None = None
    d_grad: float | None = None  # norm of D's gradient, penalties included
    g_grad: float | None = None
    real: float | None = None  # D's mean logit on data
    fake: float | None = None  # and on fakes
    penalties: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)  # of this system alone: `training.figures`
    path_length: float | None = None  # its mean
    p: float | None = None  # of ADA
    r_t: float | None = None  # E[sign D(data)]: 0 no overfitting, 1 complete (Karras et al. 2020)
    r_v: float | None = None  # the same by D on held-out images
    quality: dict[str, Any] | None = None  # `quality.Quality` as JSON, where it was measured

    def to_dict(self) -> dict[str, Any]:
        """As JSON, one line of a history."""
        return {name: value for name, value in asdict(self).items() if value is not None and value != {}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ImageSnapshot":
        """The inverse of `to_dict`."""
        return cls(**data)


class ImageTraining:
    """A run that goes on; `at` steps have been made."""

    quantum = 1  # states may be saved at any step
    snapshot_class = ImageSnapshot

    def __init__(
        self,
        run: ImageRun,
        *,
        every: int = EVERY,
        measure: int = 0,
        device: torch.device | str = "cpu",
        images: ImageSet | None = None,
        processes: Alone | None = None,
        compiled: bool = False,
        start: Path | None = None,
    ) -> None:
        """`images`: the run's data, if it is open already. `measure`: steps between figures of quality; 0: none.

        `start`: the file that `run.start` is the sha256 of; needed at step 0 alone.
        """
        if every < 1:
            raise InvalidInput("every", f"{every} is out of range; it must be a whole number of at least 1")
        processes = processes or Alone()
        if run.gan.parts % processes.world:
            raise InvalidInput(
                "part", f"makes {run.gan.parts} parts of a batch, which {processes.world} processes cannot share evenly"
            )
        self.run, self.every, self.measure, self.at = run, every, measure, 0
        self.images = images if images is not None else open_images(run.data)
        self.draws = ImageDraws(self.images, run.seed, torch.device(device))
        if measure and len(self.images.train) < FEWEST:
            raise InvalidInput("measure", f"needs {FEWEST} images or more; the data has {len(self.images.train)}")
        kind = ImageGan if TRAINABLE[run.gan.family].whole else ExampleGan
        self.gan: ImageGan = kind(run, self.draws, processes, compiled)
        self._event_steps = {event.step for event in run.events}
        self._meter: QualityMeter | None = None
        self._taken_over = False
        if start is not None:
            self._take_over(start)

    def _take_over(self, path: Path) -> None:
        if files.sha256_of(path) != self.run.start:
            raise InvalidInput("start", f"{path.name} is not the file that this run starts from")
        self.gan.take_over(weights.load(path).state_dict())
        self._taken_over = True

    def step(self) -> ImageSnapshot | None:
        """One D- and G-step; a snapshot where one is due."""
        if self.at in self._event_steps:
            self.gan.change(self.run, self.at)
        if self.at == 0 and self.run.start and not self._taken_over:
            raise InvalidInput("start", "this run begins with another generator's weights; give its file with --start")
        d_phase(self.gan, self.at)
        g_phase(self.gan, self.at)
        self.at += 1
        return self.look() if self.at % self.every == 0 else None

    def look(self, held_out: bool = True) -> ImageSnapshot:
        """Measures now; r_v, which takes twenty times as long as the rest, where `held_out` asks for it.

        Raises `Diverged` where losses are no numbers any more.
        """
        numbers = {name: float(value) for name, value in self.gan.measured.items()}
        bad = next((name for name, value in numbers.items() if not math.isfinite(value)), None)
        if bad is not None:
            raise Diverged("training", DIVERGED.format(what=f"{bad} is", step=self.at))
        c, gan = self.gan.config, self.gan
        return ImageSnapshot(
            self.at,
            self.run.images_at(self.at),
            **{name: _rounded(numbers.get(name)) for name in TOLD},
            penalties={item.name: _digits(numbers[item.name]) for item in c.penalties if item.name in numbers},
            figures={name: _digits(value) for name, value in figures(gan, numbers, held_out).items()},
            path_length=_rounded(float(gan.path_mean)) if c.path_length else None,
            p=gan.ada.p if gan.pipe is not None else None,
            r_t=_rounded(gan.r_t),
            r_v=_rounded(self._r_v()) if held_out else None,
            quality=self.quality().to_dict() if self.measure and self.at % self.measure == 0 else None,
        )

    def change(self, path: str, value: object) -> None:
        """One more event of the run, in force from the next step on; a wrong one raises `InvalidInput`."""
        self.run = self.run.changed(self.at, path, value)
        self._event_steps = {event.step for event in self.run.events}

    def quality(self, count: int = MEASURED) -> Quality:
        """Figures of G's average against the data."""
        if self._meter is None:
            self._meter = QualityMeter(self.images)
        fakes = self._pictures(count, "quality", self.draws.labels(count, "quality"))
        return self._meter.measure(fakes, self.run.seed)

    def grid(self, count: int = GRID) -> Tensor:
        """Pictures of G's average for latents that stay the same, [count, C, H, W] about in [-1, 1], on the CPU."""
        return self._pictures(count, "grid", self._each_class(count))

    def reconstructions(self, count: int = GRID // 2) -> Tensor | None:
        """Pictures that are held out (or data, where none are), each followed by its reconstruction; None: no encoder.

        [2 count, C, H, W], about in [-1, 1], on the CPU.
        """
        if not self.gan.reconstructs:
            return None
        images, _ = self.draws.held_out(count) or self.draws.real(0, count)
        return torch.stack([images, self.gan.reconstructed(images)], 1).flatten(0, 1).cpu()

    def _pictures(self, count: int, key: str, labels: Tensor | None, average: bool = True) -> Tensor:
        """Pictures for the latents of a key, some at a time."""
        latents, made = self.draws.latents(count, self.gan.config.z_dim, key), []
        for part in self._few(count):
            c = None if labels is None else labels[part]
            made.append(self.gan.images(latents[part], c, average=average).cpu())
        return torch.cat(made)

    def _few(self, count: int) -> list[slice]:
        """Slices of as many images as are computed at once."""
        most = min(MADE_AT_ONCE, self.gan.size)
        return [slice(i, i + most) for i in range(0, count, most)]

    def augmented(self, count: int) -> Tensor:
        """Data as D sees it in the next step, [count, C, H, W], on the CPU."""
        real, _ = self.draws.real(0, count)
        return self.gan.augmented(real, self.at, 0, 0, 0).float().cpu()

    def state(self) -> State:
        """All that the next steps depend on, but for the run; raises `Diverged` if it is not finite."""
        if not self.gan.finite():
            raise Diverged("training", DIVERGED.format(what="a weight is", step=self.at))
        return self.gan.state()

    def restore(self, step: int, state: State) -> None:
        """Puts the training where it was after `step` steps."""
        self.gan.change(self.run, max(step - 1, 0))
        self.gan.load(state, step)
        self.at = step

    def save(self, folder: Path) -> None:
        """Writes a checkpoint, a sheet of pictures and G's average, as every lab opens it; one process does.

        Raises `Diverged`, and leaves what is there, where weights are no numbers.
        """
        if self.gan.processes.rank == 0:
            state = self.state()
            files.write_atomic(folder / PICTURES / f"step-{self.at:09d}.png", png(sheet(self.grid())))
            rebuilt = self.reconstructions()
            if rebuilt is not None:
                files.write_atomic(folder / PICTURES / f"reconstructed-{self.at:09d}.png", png(sheet(rebuilt)))
            self.save_generator(folder / f"generator-{self.at:09d}.safetensors")
            for old in sorted(folder.glob("generator-*.safetensors"))[: -checkpoint.KEPT]:
                old.unlink(missing_ok=True)
            meta = {"run": self.run.to_dict(), "images": len(self.images.train)}
            checkpoint.write(folder, self.at, state, meta)
        self.gan.processes.wait()

    def save_generator(self, path: Path) -> None:
        """G's average as safetensors, with its settings, data and licence in the header."""
        data = replace(self.run.data, path=Path(self.run.data.path).name)  # folders are nobody else's business
        about = {
            "title": f"{self.gan.family.title}, {self.images.title}, {self.run.images_at(self.at):,} images",
            "data": self.images.title,
            "classes": list(self.images.classes) if self.gan.G.c_dim else [],
            "images": self.run.images_at(self.at),
            "run": replace(self.run, data=data).to_dict(full=True),
        }
        weights.save(path, self.gan.ema, licence=self.images.licence, about=about, config=self.gan.g_arguments)

    def resume(self, folder: Path) -> None:
        """Goes to the newest good checkpoint of this run in `folder`, where there is one."""

        def ours(meta: checkpoint.Meta) -> bool:
            before = int(meta["step"]) - 1
            return ImageRun.from_dict(meta["run"]).until(before) == self.run.until(before)

        processes = self.gan.processes
        if processes.rank:
            processes.wait()  # the first one sets damaged files aside
        found = checkpoint.newest(folder, ours)
        if not processes.rank:
            processes.wait()
        if found is None:
            return
        _, state, meta = found
        if meta["images"] != len(self.images.train):
            raise InvalidInput(
                "data", f"holds {len(self.images.train):,} images now, and {meta['images']:,} when the training began"
            )
        self.restore(int(meta["step"]), state)

    def recall(self, snapshot: ImageSnapshot) -> None:
        """Nothing here depends on earlier measurements."""

    def leave(self, folder: Path) -> None:
        """The checkpoint of the last step is all that a finished training leaves."""

    def _each_class(self, count: int) -> Tensor | None:
        classes = self.draws.classes
        return torch.eye(classes, device=self.draws.device)[torch.arange(count) % classes] if classes else None

    @torch.no_grad()
    def _r_v(self) -> float | None:
        """(D(train) - D(held out)) / (D(train) - D(fakes)), means (Karras et al. 2020, eq. 1)."""
        valid = self.images.valid
        if valid is None:
            return None
        n = min(LOOKED_AT, len(valid), len(self.images.train))
        labels = self.draws.labels(n, "r_v")
        fakes = self._pictures(n, "r_v", labels, average=False).to(self.draws.device)
        train, out = (self._score(*self.draws.real(0, n, kind)) for kind in ("train", "valid"))
        fake = self._score(fakes, labels)
        return (train - out) / (train - fake) if train != fake else None

    def _score(self, images: Tensor, labels: Tensor | None) -> float:
        """D's mean logit."""
        parts = self._few(len(images))
        known = labels is not None and self.draws.classes > 0
        scores = [
            self.gan.score(images[part], labels[part] if known and labels is not None else None) for part in parts
        ]
        return float(torch.cat(scores).mean())


def train_images(run: ImageRun, steps: int, *, every: int = EVERY, device: str = "cpu") -> Iterator[ImageSnapshot]:
    """Trains a run from its start; yields a snapshot each `every` steps. On a CPU: same run, same snapshots."""
    training = ImageTraining(run, every=every, device=device)
    while training.at < steps:
        snapshot = training.step()
        if snapshot is not None:
            yield snapshot


def _rounded(value: float | None) -> float | None:
    return None if value is None else _digits(value)


def _digits(value: float) -> float:
    """With 7 digits, so that what was written and read again is the same."""
    return float(f"{value:.7g}")
