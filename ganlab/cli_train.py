"""`train`: toy GANs and GANs for images, on the screen or in a folder that can be stopped, killed and resumed."""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import torch
import tyro

from ganlab import run_images
from ganlab.config import InvalidInput, replaced
from ganlab.features.frozen import SMALL, fetch_frozen
from ganlab.files import sha256_of
from ganlab.nn.devices import device_named
from ganlab.presets import preset_run
from ganlab.presets.images import RESOLUTIONS, image_preset, is_image_preset
from ganlab.run import from_link
from ganlab.run_images import ImageRun
from ganlab.training.arena import GUARD
from ganlab.training.folder import RUN, AnyRun, beside, checked_pace, opened, read_run
from ganlab.training.image_loop import ImageSnapshot, ImageTraining
from ganlab.training.loop import EVERY, Snapshot, Training
from ganlab.training.measure import Measures
from ganlab.training.processes import Accelerated, Alone, launched

DEFAULT = "toy-non-saturating"  # what is trained if nothing is named
TELL = 0.2  # seconds between updates of the progress line
ALONE = Alone()
Tick = Callable[[int], bool]
Name = Annotated[str | None, tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True)
class Train:
    """Train GANs, on points or on images, one line for each measurement. With --out it can be stopped, killed, resumed.

    Several GPUs or machines: `accelerate launch -m ganlab train ...`. Several processes of a CPU, or torchrun's way:
    `python -m torch.distributed.run --nproc_per_node 2 -m ganlab train ...`.
    """

    preset: Name = None  # one that `ganlab presets` lists, as toy-wgan-gp or stylegan2-64
    data: Name = None  # the density to learn; for images a set, a folder, a .zip, or hub:user/set
    labels: str = ""  # images: classes to learn; an attribute of the faces as hairstyle, or "class"
    run: Annotated[str | None, tyro.conf.arg(metavar="FILE|LINK")] = (
        None  # a whole run: a .json file, or a link from the laboratory
    )
    steps: int = 5000  # train until so many steps are made
    images: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None  # images: until D has seen so many, instead
    every: int = EVERY  # steps between measurements
    measure: int = 0  # images: steps between figures of quality (Fréchet distance, precision, recall); 0: none
    seed: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None  # decides initial weights and all random draws
    start: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = (
        None  # images: a generator whose weights G starts from; one for smaller images gives its blocks
    )
    settings: Annotated[
        tuple[str, ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(
            name="set",
            metavar="PATH=VALUE",
            help="a setting of all GANs, as lr_d=1e-4, or of the images, as data.mirror=true; may be repeated",
        ),
    ] = ()
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = (
        None  # folder for run.json, history.jsonl, checkpoints, and samples or pictures and the generator
    )
    save_every: int = 1000  # steps between checkpoints; for toy GANs a multiple of 50
    resume: bool = False  # go on from the newest checkpoint in --out
    stages: bool = False  # images: at 16 px (faces: 32) first, then at twice the size, each stage from the one before
    fetch: bool = False  # images: download the weights of the frozen network that D looks through, if they are not here
    device: str = "auto"  # images: cpu, cuda, mps, or auto
    compile: bool = False  # images: through torch.compile, which pays on a GPU after a minute; other last digits

    def main(self) -> int:
        """Trains; 128 + the signal's number if one ended it."""
        if self.resume and self.out is None:
            raise InvalidInput("resume", "needs --out, the folder to go on in")
        if self.stages:
            return self._in_stages()
        run = None if self.resume and not self.names_a_run else self.wanted()
        images = isinstance(run or (read_run(self.out / RUN) if self.out else None), ImageRun)
        with Stop() as stop:
            return self._on_images(run, stop) if images else self._on_points(run, stop)

    def _in_stages(self) -> int:
        """A training for each size, in folders of their own; each goes on from what the one before has made."""
        if self.out is None or self.preset is None or self.start is not None:
            raise InvalidInput("stages", "need --out and --preset, and make what --start would name")
        run = self.wanted()
        if not isinstance(run, ImageRun):
            raise InvalidInput("stages", "are for image presets; name one, as stylegan-xl-64")
        key = self.preset.rpartition("-")[0] if self.preset[-1].isdigit() else self.preset
        folders = {side: self.out / f"{side}px" for side in _sides(run)}
        made: list[Path] = []  # generators of the stage before
        for side, folder in folders.items():
            there = self.resume and (folder / RUN).is_file()
            later = [other for other in folders if other > side]
            if not (there and later and (folders[later[0]] / RUN).is_file()):  # else the next one has gone on from it
                stage = replace(self, preset=f"{key}-{side}", out=folder, stages=False, resume=there)
                begun = str(read_run(folder / RUN).start) if there else ""  # type: ignore[union-attr]
                start = next((path for path in made if sha256_of(path) == begun), made[-1] if made else None)
                if code := replace(stage, start=start).main():
                    return code
            made = sorted(folder.glob("generator-*.safetensors"))
        return 0

    def _on_points(self, run: AnyRun | None, stop: "Stop") -> int:
        if self.images is not None or self.labels:
            raise InvalidInput("images", "and labels are for image presets; name one, as stylegan2-64")
        torch.set_num_threads(1)  # two threads are slower than one on networks this small
        return self._followed(run, partial(Training, every=self.every), stop, self.steps, GUARD)

    def _on_images(self, run: AnyRun | None, stop: "Stop") -> int:
        processes = Accelerated(torch.device("cpu") if self.device == "cpu" else None) if launched() else Alone()
        device = processes.device if isinstance(processes, Accelerated) else device_named(self.device)
        torch.backends.cudnn.benchmark = True  # shapes stay the same
        make = partial(
            ImageTraining,
            every=self.every,
            measure=self.measure,
            device=device,
            processes=processes,
            compiled=self.compile,
            start=self.start,
        )
        run = _shared_out(run, processes.world)
        config = (run or read_run(self.out / RUN)).gan  # type: ignore[union-attr, operator]
        if self.fetch and not processes.rank:
            second = SMALL if config.second == run_images.AUTO else (config.second,)
            _fetch(*config.backbone.split("+"), *second)
        steps = self.steps if self.images is None else -(-self.images // (config.batch * config.d_steps))
        return self._followed(run, make, stop, steps, 1, processes)

    def _followed(
        self,
        run: AnyRun | None,
        make: Callable[[Any], Any],
        stop: "Stop",
        steps: int,
        quantum: int,
        processes: Alone = ALONE,
    ) -> int:
        checked_pace(steps, self.every, self.save_every, quantum)
        if self.out is None:
            training = make(run)
            screen = Screen(training, steps, stop, processes)
            screen.follow(_advance(training, steps, screen.tick))
            return stop.code
        both = beside(self.out, run, make) if processes.rank else opened(self.out, run, make, resume=self.resume)
        with both as folder:
            screen = Screen(folder.training, steps, stop, processes)
            screen.follow(folder.go(steps, self.save_every, screen.tick))
        return stop.code

    @property
    def names_a_run(self) -> bool:
        """Whether any option says what to train."""
        named = any(value is not None for value in (self.preset, self.data, self.run, self.seed))
        return named or bool(self.settings) or bool(self.labels)

    def wanted(self) -> AnyRun:
        """The run that the options describe."""
        if self.run is not None and self.preset is not None:
            raise InvalidInput("run", "cannot stand beside --preset; choose one")
        if self.run is not None and self.labels:
            raise InvalidInput("labels", "are part of this run; change them with --set data.labels=...")
        run = self._named()
        if self.seed is not None:
            run = replaced(run, "seed", self.seed)
        if self.start is not None:
            if not isinstance(run, ImageRun):
                raise InvalidInput("start", "is for image presets; name one, as stylegan2-64")
            run = replaced(run, "start", sha256_of(self.start))
        for text in self.settings:
            path, equals, value = text.partition("=")
            if not equals:
                raise InvalidInput("set", f"{text[:40]} must be a setting and its value, as lr_d=1e-4")
            for prefix in _owners(run, path.strip()):
                run = replaced(run, prefix + path.strip(), _value(value.strip()))
        return run

    def _named(self) -> AnyRun:
        if self.run is not None:
            run = _read(self.run)
            if self.data is None:
                return run
            if isinstance(run, ImageRun):
                raise InvalidInput("data", "is part of this run; change it with --set data.name=...")
            return replaced(run, "data", {"name": self.data})
        name = self.preset or DEFAULT
        return image_preset(name, self.data, self.labels) if is_image_preset(name) else preset_run(name, self.data)


class Stop:
    """Turns SIGINT and SIGTERM into a request to end; a second one ends at once."""

    def __init__(self) -> None:
        self.code = 0
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Stop":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.code:
            raise SystemExit(self.code)
        self.code = 128 + number


class Screen:
    """Prints a training: measurements and alarms on stdout, progress on stderr where that is a terminal."""

    def __init__(self, training: Any, steps: int, stop: Stop, processes: Alone) -> None:
        run, self.processes = training.run, processes
        self.names = [run.gan.name] if isinstance(run, ImageRun) else [gan.name for gan in run.gans]
        self.batch = run.gan.batch * run.gan.d_steps if isinstance(run, ImageRun) else 0
        self.first, self.steps, self.stop = training.at, steps, stop
        self.start = self.told = time.monotonic()
        self.live = sys.stderr.isatty() and not processes.rank
        if processes.world > 1 and not processes.rank:
            print(f"{processes.world} processes share each batch", flush=True)

    def tick(self, step: int) -> bool:
        """Called after each step; whether to end."""
        now = time.monotonic()
        if self.live and now - self.told > TELL:
            self.told = now
            left = (self.steps - step) * (now - self.start) / max(step - self.first, 1)
            share = 100 * step / self.steps
            pace = f", {self.rate(step) * self.batch:,.0f} images/s" if self.batch else ""
            self._progress(f"{share:3.0f} %  step {step:,} of {self.steps:,}{pace}, {_clock(left)} left")
        return self.processes.any(bool(self.stop.code))

    def rate(self, step: int) -> float:
        """Steps a second since the start."""
        return (step - self.first) / max(time.monotonic() - self.start, 1e-9)

    def follow(self, snapshots: Iterable[Any]) -> None:
        """Prints each snapshot as it comes."""
        for snapshot in snapshots:
            self._progress("")
            if self.processes.rank:
                continue
            if isinstance(snapshot, ImageSnapshot):
                print(f"{_told_images(snapshot)} | {self.rate(snapshot.step) * self.batch:,.0f} images/s", flush=True)
            else:
                self._points(snapshot)
        self._progress("")

    def _points(self, snapshot: Snapshot) -> None:
        gans = " | ".join(_told(name, m) for name, m in zip(self.names, snapshot.gans, strict=True))
        print(f"{snapshot.step:>7,}  {gans} | {self.rate(snapshot.step) * len(self.names):,.0f} GAN-it/s", flush=True)
        for alarm in snapshot.alarms:
            print(f"         ! {self.names[alarm.gan]}: {alarm.text}. {alarm.why}", flush=True)

    def _progress(self, text: str) -> None:
        if self.live:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _advance(training: Any, steps: int, tick: Tick) -> Iterator[Any]:
    while training.at < steps:
        snapshot = training.step()
        if snapshot:
            yield snapshot
        if tick(training.at):
            return


def _shared_out(run: AnyRun | None, world: int) -> AnyRun | None:
    """The run with a part of each batch for each process, where it says nothing of parts."""
    if not isinstance(run, ImageRun) or world == 1 or run.gan.part or run.gan.batch % world:
        return run
    return replaced(run, "gan.part", run.gan.batch // world)


def _sides(run: ImageRun) -> list[int]:
    """The sizes up to a run's that its data can have."""
    sides = []
    for side in (side for side in RESOLUTIONS if side <= run.data.resolution):
        with contextlib.suppress(InvalidInput):  # faces are not drawn so small
            sides.append(replaced(run.data, "resolution", side).resolution)
    return sides


def _fetch(*names: str) -> None:
    """The weights of frozen networks, with a line of progress."""

    def told(done: int, of: int | None) -> bool:
        if sys.stderr.isatty():
            print(f"\r\033[K{done >> 20:,} of {(of or done) >> 20:,} MB", end="", file=sys.stderr, flush=True)
        return True

    for name in names:
        fetch_frozen(name, told)


def _owners(run: AnyRun, path: str) -> list[str]:
    """What stands before the path of a setting."""
    if isinstance(run, ImageRun):
        return [""] if path.startswith(("data.", "gan.", "events")) else ["gan."]
    return [f"gans.{k}." for k in range(len(run.gans))]


def _read(text: str) -> AnyRun:
    """A run from a file's name, a link, or the text at a link's end."""
    if text.endswith(".json"):
        return read_run(Path(text))
    if "training=" in text:
        return run_images.from_link(text.rpartition("training=")[2].partition("&")[0])
    return from_link(text.rpartition("run=")[2].partition("&")[0])


def _value(text: str) -> object:
    """JSON where it is, a name otherwise: `loss=wgan` needs no quotes."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    return text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _told(name: str, m: Measures) -> str:
    parts = [name]
    if m.covered is not None and m.high_quality is not None:
        parts.append(f"{m.covered}/{m.modes} HQ {100 * m.high_quality:.0f}%")
    parts.append(f"JS {m.js:.3f}")
    parts += [f"{short} {value:.3f}" for short, value in (("D", m.d_loss), ("G", m.g_loss)) if value is not None]
    return " ".join(parts)


def _told_images(s: ImageSnapshot) -> str:
    named = (("D", s.d_loss), ("G", s.g_loss), ("r_t", s.r_t), ("p", s.p))
    parts = [f"{short} {value:.3f}" for short, value in named if value is not None]
    parts += [f"{name} {value:.3g}" for name, value in s.penalties.items()]
    parts += [f"{name} {value:.3g}" for name, value in s.figures.items()]
    if s.quality is not None:
        parts += [f"FD-{s.quality['name']} {s.quality['fd'][0]:.3g}"]
        parts += [f"{name} {s.quality[name][0]:.2f}" for name in ("precision", "recall")]
    return f"{s.step:>7,}  {s.images:>10,} images  {' '.join(parts)}"
