"""The commands `train-clip`, for the small CLIP that knows faces and words for them, and `learn`, for edits with it."""

import copy
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from ganlab import __version__, zoo
from ganlab.config import InvalidInput
from ganlab.features.faces import load_classifier
from ganlab.nn.devices import device_named
from ganlab.serving.edits import makes_faces
from ganlab.synthesis import open_renderer
from ganlab.text import HOWS
from ganlab.text.clip import OWN, load_clip, save_clip, small_clip
from ganlab.text.directions import keep_effects, save_effects
from ganlab.text.evaluate import FACES, ClipScores, evaluate_clip
from ganlab.text.joint import find_effects
from ganlab.text.sayings import vocabulary
from ganlab.text.small import ClipLayout
from ganlab.text.suggestions import suggested
from ganlab.text.training import ClipRun, ClipTraining, train_clip

NAME = "faces-clip.safetensors"
LICENCE = "Apache-2.0"
LAYOUT = ClipLayout(words=("a",))
RUN = ClipRun(layout=LAYOUT)


@dataclass(frozen=True)
class TrainClip:
    """Train the small CLIP that edits by text are guided by. It can be stopped, killed and resumed."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None  # where the model and its state go
    images: int = RUN.images  # portraits seen in all
    faces: int = RUN.faces  # different portraits among them
    batch: int = RUN.batch  # portraits in a step
    lr: float = RUN.lr  # highest learning rate
    short: int = RUN.short  # short descriptions of each portrait in a step
    long: float = RUN.long  # part of the portraits that have a long caption as well
    side: int = LAYOUT.side  # pixels that pictures are resized to, a multiple of 32
    width: int = LAYOUT.width  # channels of the picture tower
    blocks: tuple[int, ...] = LAYOUT.blocks  # of the picture tower, at each of four resolutions
    text_layers: int = LAYOUT.text_layers  # of the text tower
    drill: tuple[str, ...] = ()  # attributes that half of the portraits of a step are chosen for and described by
    start: str | None = None  # a model to go on from, which decides the layout: faces, FILE
    seed: int = RUN.seed  # decides faces, first weights, texts and all changes
    device: str = "cpu"  # cpu or cuda
    processes: int = 1  # that draw the portraits
    held_out: int = FACES  # fresh portraits that the result is measured on
    resume: bool = False  # go on from the state in --out
    evaluate: Annotated[str | None, tyro.conf.arg(metavar="MODEL")] = None  # only measure: faces, FILE, ViT-B-32/openai

    def main(self) -> int:
        """Trains, measures, writes; 0."""
        if self.evaluate is not None:
            clip = load_clip(self.evaluate or OWN, device_named(self.device))
            print(_table(evaluate_clip(clip, self.held_out, processes=self.processes)))
            return 0
        if self.out is None:
            raise InvalidInput("out", "name a folder for the result: --out FOLDER")
        return self._train(self.out)

    def _train(self, out: Path) -> int:
        begun = None if self.start is None else load_clip(self.start)
        if begun is None:
            layout = ClipLayout(
                side=self.side, width=self.width, blocks=self.blocks, text_layers=self.text_layers, words=vocabulary()
            )
        elif begun.layout is None:
            raise InvalidInput("start", f"{begun.name[:60]} is none of ganlab's own models, which alone can be trained")
        else:
            layout = begun.layout
        run = ClipRun(
            self.images,
            self.faces,
            self.batch,
            self.lr,
            short=self.short,
            long=self.long,
            drilled=self.drill,
            start=begun.sha256 if begun else "",
            seed=self.seed,
            layout=layout,
        )
        began = time.monotonic()
        weights = begun.network.state_dict() if begun else None
        training = ClipTraining(run, device_named(self.device), self.processes, weights)
        print(f"{run.faces:,} portraits drawn in {time.monotonic() - began:.0f} s", flush=True)
        if self.resume:
            training.restore(out)
        for told in train_clip(training, out):
            left = f"{int(told.left // 60)}:{int(told.left % 60):02} left"
            print(f"{told.images:>10,}  loss {told.loss:7.3f}  {told.rate:,.0f} images/s, {left}", flush=True)
        path = out / NAME
        about: dict[str, Any] = {
            "data": "cartoon faces drawn and described by ganlab",
            "ganlab": __version__,
            "run": {key: value for key, value in asdict(run).items() if key != "layout"},
        }
        kept = training.average.half()
        clip = small_clip(path.stem, copy.deepcopy(kept).float(), layout)  # as it comes back from the file
        scores = evaluate_clip(clip, self.held_out, processes=self.processes)
        about["scores"] = {name: asdict(each) for name, each in scores.items()}
        save_clip(path, kept, layout, licence=LICENCE, about=about)
        print(f"\n{_table(scores)}\n{path}")
        return 0


@dataclass(frozen=True)
class Learn:
    """Find out, as a CLIP sees it, what each channel of a model's styles does; then texts edit it at once.

    The editing lab does it too, the first time. What is found is kept in the cache.
    """

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]  # a file, or a name `ganlab zoo` lists
    clip: str = OWN  # a CLIP: faces, FILE, ViT-B-32/openai
    how: Annotated[str, tyro.conf.arg(metavar="|".join(HOWS))] = HOWS[
        0
    ]  # by what each channel adds, by what is expected of a picture seen so, or one channel after the other
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None  # where else it goes, a .safetensors

    def main(self) -> int:
        """Learns, keeps, writes; 0."""
        path = Path(self.model)
        renderer, clip = open_renderer(path if path.exists() else zoo.path_of(self.model)), load_clip(self.clip)
        begun = time.monotonic()
        found, *more = find_effects(renderer, clip, self.how)
        if makes_faces(renderer):
            found = replace(found, suggestions=suggested(renderer, clip, found, load_classifier()))
        kept = [keep_effects(renderer, clip, one) for one in (found, *more)]
        if self.out is not None:
            save_effects(self.out, found)
        if found.suggestions:
            print(f"works well: {', '.join(found.suggestions)}")
        moved = int(found.effects.any(1).sum())
        print(f"{moved:,} of {len(found.effects):,} channels move something; {time.monotonic() - begun:.0f} s")
        print(
            f"kept in {kept[0].parent}"
            if kept[0]
            else "nowhere to keep them: neither beside the model nor in the cache"
        )
        return 0


def _table(scores: dict[str, ClipScores]) -> str:
    """Percentages on fresh portraits, a column for each set of wordings."""
    columns = list(scores.values())
    rows: dict[str, list[float]] = {
        "text found, first": [each.retrieval.text_at_1 for each in columns],
        "text found, in five": [each.retrieval.text_at_5 for each in columns],
        "picture found, first": [each.retrieval.picture_at_1 for each in columns],
        "picture found, in five": [each.retrieval.picture_at_5 for each in columns],
        **{name: [each.zero_shot[name] for each in columns] for name in columns[0].zero_shot},
        "mean of attributes": [each.mean for each in columns],
    }
    head = f"{'% on fresh portraits':24}" + "".join(f"{name:>10}" for name in scores)
    return "\n".join([head, *(f"{name:24}" + "".join(f"{100 * v:10.1f}" for v in row) for name, row in rows.items())])
