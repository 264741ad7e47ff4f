"""The command line: `app` opens the laboratory, `train` trains toy GANs, `inspect` and `convert` read checkpoints."""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import torch
import tyro

from ganlab import __version__
from ganlab.cli_weights import Convert, Inspect
from ganlab.cli_zoo import Download, Zoo
from ganlab.config import InvalidInput, replaced
from ganlab.data.toy2d import DENSITIES
from ganlab.losses import LOSSES
from ganlab.presets import EXPERIMENTS, PRESETS, preset_run, run_names
from ganlab.regularizers import REGULARIZERS
from ganlab.run import Run, from_link
from ganlab.training.folder import checked_pace, opened, read_run
from ganlab.training.loop import EVERY, Snapshot, Training
from ganlab.training.measure import Measures

DEFAULT = "toy-non-saturating"  # what is trained if nothing is named
TELL = 0.2  # seconds between updates of the progress line
Tick = Callable[[int], bool]
Name = Annotated[str | None, tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True)
class App:
    """Open the laboratory in a browser."""

    host: str = "127.0.0.1"  # address to listen on; 0.0.0.0 lets other machines in
    port: int = 7860  # port to listen on
    share: bool = False  # also open a public link through Gradio's servers

    def main(self) -> int:
        """Serves until it is stopped."""
        try:
            hub = importlib.import_module("apps.hub")  # by name: the library itself knows no user interface
        except ModuleNotFoundError as error:
            raise InvalidInput("app", f"needs the folder apps/ and its requirements; {error.name} is missing") from None
        hub.launch(hub.build(), server_name=self.host, server_port=self.port, share=self.share)
        return 0


@dataclass(frozen=True)
class Train:
    """Train toy GANs, one line for each measurement. With --out it can be stopped, killed and resumed."""

    preset: Name = None  # a preset or experiment that `ganlab presets` lists
    data: Name = None  # the density to learn
    run: Annotated[str | None, tyro.conf.arg(metavar="FILE|LINK")] = (
        None  # a whole run: a .json file, or a link from the laboratory
    )
    steps: int = 5000  # train until so many steps are made
    every: int = EVERY  # steps between measurements
    seed: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None  # decides initial weights and all random draws
    settings: Annotated[
        tuple[str, ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(name="set", metavar="PATH=VALUE", help="a setting of all GANs, as lr_d=1e-4; may be repeated"),
    ] = ()
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = (
        None  # folder for run.json, history.jsonl, checkpoints and samples.csv
    )
    save_every: int = 1000  # steps between checkpoints, a multiple of 50
    resume: bool = False  # go on from the newest checkpoint in --out

    def main(self) -> int:
        """Trains; 128 + the signal's number if one ended it."""
        checked_pace(self.steps, self.every, self.save_every)
        if self.resume and self.out is None:
            raise InvalidInput("resume", "needs --out, the folder to go on in")
        torch.set_num_threads(1)  # two threads are slower than one on networks this small
        with Stop() as stop:
            if self.out is None:
                training = Training(self.wanted(), every=self.every)
                screen = Screen(training, self.steps, stop)
                screen.follow(_advance(training, self.steps, screen.tick))
            else:
                run = None if self.resume and not self.names_a_run else self.wanted()
                with opened(self.out, run, every=self.every, resume=self.resume) as folder:
                    screen = Screen(folder.training, self.steps, stop)
                    screen.follow(folder.go(self.steps, self.save_every, screen.tick))
        return stop.code

    @property
    def names_a_run(self) -> bool:
        """Whether any option says what to train."""
        return any(value is not None for value in (self.preset, self.data, self.run, self.seed)) or bool(self.settings)

    def wanted(self) -> Run:
        """The run that the options describe."""
        if self.run is not None and self.preset is not None:
            raise InvalidInput("run", "cannot stand beside --preset; choose one")
        if self.run is None:
            run = preset_run(self.preset or DEFAULT, self.data)
        else:
            run = _read(self.run)
            run = run if self.data is None else replaced(run, "data", {"name": self.data})
        if self.seed is not None:
            run = replaced(run, "seed", self.seed)
        for text in self.settings:
            path, equals, value = text.partition("=")
            if not equals:
                raise InvalidInput("set", f"{text[:40]} must be a setting and its value, as lr_d=1e-4")
            for k in range(len(run.gans)):
                run = replaced(run, f"gans.{k}.{path.strip()}", _value(value.strip()))
        return run


@dataclass(frozen=True)
class Presets:
    """List the presets, experiments, losses, regularizers and densities."""

    def main(self) -> int:
        """Prints the tables."""
        names = run_names()
        rows: dict[str, list[tuple[str, ...]]] = {
            "Presets (train --preset)": [(name, p.text) for name, p in zip(names, PRESETS.values())],
            "Experiments (train --preset)": [
                (name, e.title) for name, e in zip(names[len(PRESETS) :], EXPERIMENTS.values())
            ],
            "Losses (--set loss=)": [(name, row.title, row.paper) for name, row in LOSSES.items()],
            'Regularizers (--set penalties=[{"name":"r1","weight":1}])': [
                (name, row.title, row.paper) for name, row in REGULARIZERS.items()
            ],
            "Densities (--data)": [(name, f"{row.title}, {row.dim}D") for name, row in DENSITIES.items()],
        }
        print("\n\n".join(f"{title}\n{_aligned(lines)}" for title, lines in rows.items()))
        return 0


Command = (
    Annotated[App, tyro.conf.subcommand("app")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Presets, tyro.conf.subcommand("presets")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Zoo, tyro.conf.subcommand("zoo")]
    | Annotated[Download, tyro.conf.subcommand("download")]
)


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

    def __init__(self, training: Training, steps: int, stop: Stop) -> None:
        self.names = [gan.name for gan in training.arena.run.gans]
        self.first, self.steps, self.stop = training.arena.step, steps, stop
        self.start = self.told = time.monotonic()
        self.live = sys.stderr.isatty()

    def tick(self, step: int) -> bool:
        """Called after each step; whether to end."""
        now = time.monotonic()
        if self.live and now - self.told > TELL:
            self.told = now
            left = (self.steps - step) * (now - self.start) / max(step - self.first, 1)
            share = 100 * step / self.steps
            self._progress(
                f"{share:3.0f} %  step {step:,} of {self.steps:,}, {int(left // 60)}:{int(left % 60):02} left"
            )
        return bool(self.stop.code)

    def follow(self, snapshots: Iterable[Snapshot]) -> None:
        """Prints each snapshot as it comes."""
        for snapshot in snapshots:
            self._progress("")
            rate = (snapshot.step - self.first) * len(self.names) / max(time.monotonic() - self.start, 1e-9)
            gans = " | ".join(_told(name, m) for name, m in zip(self.names, snapshot.gans, strict=True))
            print(f"{snapshot.step:>7,}  {gans} | {rate:,.0f} GAN-it/s", flush=True)
            for alarm in snapshot.alarms:
                print(f"         ! {self.names[alarm.gan]}: {alarm.text}. {alarm.why}", flush=True)
        self._progress("")

    def _progress(self, text: str) -> None:
        if self.live:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; 0 if it went well, 2 for wrong input, 1 for a disk or network that fails."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args == ["--version"]:
        print(f"ganlab {__version__}")
        return 0
    about = "A laboratory for generative adversarial networks. Try: ganlab train --preset NAME, or ganlab presets."
    flags = (tyro.conf.FlagCreatePairsOff,)  # --resume, but no --no-resume
    command: Any = tyro.cli(Command, prog="ganlab", description=about, args=args, config=flags)
    try:
        return command.main()
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, `head` perhaps, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"error: {error.filename or 'writing'}: {error.strerror or error}", file=sys.stderr)
        return 1


def _advance(training: Training, steps: int, tick: Tick) -> Iterator[Snapshot]:
    while training.arena.step < steps:
        snapshot = training.step()
        if snapshot:
            yield snapshot
        if tick(training.arena.step):
            return


def _read(text: str) -> Run:
    """A run from a file's name, a link, or the text at a link's end."""
    if text.endswith(".json"):
        return read_run(Path(text))
    return from_link(text.rpartition("run=")[2].partition("&")[0])


def _value(text: str) -> object:
    """JSON where it is, a name otherwise: `loss=wgan` needs no quotes."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    return text


def _told(name: str, m: Measures) -> str:
    parts = [name]
    if m.covered is not None and m.high_quality is not None:
        parts.append(f"{m.covered}/{m.modes} HQ {100 * m.high_quality:.0f}%")
    parts.append(f"JS {m.js:.3f}")
    parts += [f"{short} {value:.3f}" for short, value in (("D", m.d_loss), ("G", m.g_loss)) if value is not None]
    return " ".join(parts)


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
