"""The command line: `app` opens the laboratory, `train` trains toy GANs, `inspect` and `convert` read checkpoints."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from ganlab import __version__
from ganlab.cli_classifier import TrainClassifier
from ganlab.cli_clip import Learn, TrainClip
from ganlab.cli_evaluate import Evaluate
from ganlab.cli_metrics import Metrics
from ganlab.cli_pairs import TrainPairs
from ganlab.cli_study import Study
from ganlab.cli_train import Train
from ganlab.cli_weights import Convert, Inspect
from ganlab.cli_zoo import Download, DownloadData, Zoo
from ganlab.config import InvalidInput
from ganlab.data.images import IMAGE_SETS
from ganlab.data.toy2d import DENSITIES
from ganlab.losses import LOSSES
from ganlab.presets import EXPERIMENTS, PRESETS, run_names
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.images import image_run_names
from ganlab.regularizers import REGULARIZERS

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
    clip: str = ""  # what reads texts: ViT-B-32/openai, ViT-B-32:FILE, a FILE of train-clip; empty: our own, for faces

    def main(self) -> int:
        """Serves until it is stopped."""
        try:
            hub = importlib.import_module("apps.hub")  # by name: the library itself knows no user interface
        except ModuleNotFoundError as error:
            raise InvalidInput("app", f"needs the folder apps/ and its requirements; {error.name} is missing") from None
        if self.clip:
            from ganlab.serving.edits import CLIP_VARIABLE
            from ganlab.text.clip import load_clip

            load_clip(self.clip)  # what is wrong with it is said here, and not to a visitor
            os.environ[CLIP_VARIABLE] = self.clip
        hub.launch(hub.build(), server_name=self.host, server_port=self.port, share=self.share)
        return 0


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
            "Presets for images (train --preset)": [
                (name, f"{row.text} ({row.paper})") for name, row in zip(image_run_names(), IMAGE_PRESETS.values())
            ],
            "Images (--data)": [(name, row.title) for name, row in IMAGE_SETS.items()],
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
    | Annotated[TrainClassifier, tyro.conf.subcommand("train-classifier")]
    | Annotated[TrainClip, tyro.conf.subcommand("train-clip")]
    | Annotated[TrainPairs, tyro.conf.subcommand("train-pairs")]
    | Annotated[Learn, tyro.conf.subcommand("learn")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Metrics, tyro.conf.subcommand("metrics")]
    | Annotated[Study, tyro.conf.subcommand("study")]
    | Annotated[Presets, tyro.conf.subcommand("presets")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Zoo, tyro.conf.subcommand("zoo")]
    | Annotated[Download, tyro.conf.subcommand("download")]
    | Annotated[DownloadData, tyro.conf.subcommand("download-data")]
)


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


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
