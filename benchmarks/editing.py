"""How well a text changes cartoon faces: 30 sentences, by a global direction, a mapper and an optimization.

    python benchmarks/editing.py [--model faces64] [--faces 100] [--mapped 30] [--optimized 100] [--ways ...]

What is asked for, and what else changed, is read from the pictures by the classifier of faces, not by the CLIP that
made the edit. A table for each way, a row for each strength, means over sentences: how many pictures show what was
asked for (before and after), which part of the other attributes flipped, attribute dependency (Wu et al. 2021), change
of the person (1: as between two people), directional CLIP similarity. Strengths mean something else in each way, so
the last table compares them where they change equally much beside the aim: a tenth of the other attributes flipped.

A sentence counts if the model can make what it asks for: at least one in a hundred of its pictures at psi 1 shows it.
All of it takes hours on one core; `--ways`, `--mapped` and `--optimized` make it shorter.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ganlab import zoo
from ganlab.config import InvalidInput
from ganlab.features.faces import FacesClassifier, load_classifier
from ganlab.synthesis import Renderer, open_renderer
from ganlab.text import HOWS
from ganlab.text.aims import aims_of
from ganlab.text.clip import load_clip
from ganlab.text.directions import ChannelEffects, Embedder, known_effects, text_change, text_offsets
from ganlab.text.joint import find_effects
from ganlab.text.mapper import MapperRun, mapped, train_mapper
from ganlab.text.optimize import Optimization, optimized_together
from ganlab.text.quality import EditQuality, edit_quality
from ganlab.text.strength import FINALISTS, OTHERS, STRENGTHS, betas, settled, worth
from ganlab.text.suggestions import IDEAS as SENTENCES
from ganlab.text.suggestions import NEUTRAL

CAN = 0.01  # of a model's pictures that show it, so that it can make it
PSI = 0.7
TIMES = (0.5, 1.0, 1.5)  # a mapper's step
WAYS = ("speed", "direction", "fit", "optimization", "fitted", "mapper")
PARTS = (0.3, 0.6, 1.0)  # of an optimization's way
AT_ONCE = 10  # faces that are optimized together
ALLOWED = 0.1  # of the other attributes flipped
HEAD = (
    "| strength | asked for: before | after | others flipped | dependency | person | similarity |\n" + "|---" * 7 + "|"
)
Found = dict[float, list[EditQuality]]  # by strength, one for each sentence


class Bench:
    """A model, faces of it, and what judges edits."""

    def __init__(self, model: str, faces: int) -> None:
        self.renderer: Renderer = open_renderer(zoo.path_of(model))
        self.clip: Embedder = load_clip()
        self.reader: FacesClassifier = load_classifier()
        w = self.renderer.latents.sample(1000, torch.Generator().manual_seed(5))
        mean = w.mean(0)
        self.ws = self.spread(mean + PSI * (w[:faces] - mean))
        self.before = self.pictures(self.ws)
        read = self.reader(self.pictures(self.spread(w)))
        shown = {text: torch.stack([aim.reached(read) for aim in aims_of(text)]).all(0) for text in SENTENCES}
        self.sentences = [text for text in SENTENCES if float(shown[text].float().mean()) >= CAN]

    def spread(self, w: Tensor) -> Tensor:
        """One w for all layers."""
        return w[:, None].expand(-1, self.renderer.engine.num_ws, -1)

    def pictures(self, ws: Tensor, offsets: Tensor | None = None) -> Tensor:
        """Pictures of latents [N, num_ws, w_dim]."""
        parts = [slice(i, i + 25) for i in range(0, len(ws), 25)]
        rows = [None if offsets is None else offsets.expand(len(ws), -1)[part] for part in parts]
        return torch.cat([self.renderer.images(ws[part], offsets=row).clone() for part, row in zip(parts, rows)])

    def judged(self, text: str, after: Tensor, before: Tensor | None = None) -> EditQuality:
        """What an edit did."""
        before = self.before if before is None else before
        change = text_change(self.clip, NEUTRAL, text)
        return edit_quality(before, after, change, self.clip, self.reader, aims_of(text))


def by_direction(bench: Bench, beta: float, how: str) -> Found:
    """Global directions of StyleSpace."""
    (effects,) = all_effects(bench, [how])
    found: Found = {alpha: [] for alpha in STRENGTHS}
    for text in bench.sentences:
        offsets = text_offsets(effects, text_change(bench.clip, NEUTRAL, text), beta)
        for alpha in STRENGTHS:
            found[alpha].append(bench.judged(text, bench.pictures(bench.ws, (alpha * offsets)[None])))
    return found


def all_effects(bench: Bench, hows: Sequence[str]) -> list[ChannelEffects]:
    """What is known of the model's channels, or found now."""
    model, clip = bench.renderer, bench.clip
    return [known_effects(model, clip, how) or find_effects(model, clip, how)[0] for how in hows]


def directions(effects: Sequence[ChannelEffects], change: Tensor, beta: float) -> Iterator[Tensor]:
    """Those that the lab tries."""
    for known, threshold in [(one, each) for one in effects for each in betas(one.how, beta)]:
        with suppress(InvalidInput):  # it leaves no channel
            yield text_offsets(known, change, threshold)


@torch.inference_mode()
def fitted(
    bench: Bench, text: str, faces: int, beta: float, effects: Sequence[ChannelEffects]
) -> tuple[Tensor, Tensor]:
    """(offsets, pictures) of the first faces: of the channels and as strong as suits each best, as in the lab."""
    change = text_change(bench.clip, NEUTRAL, text)
    some = slice(faces + OTHERS)
    start = bench.clip.embed_images(bench.before[some])
    tries = torch.stack([s * way for way in directions(effects, change, beta) for s in STRENGTHS])
    ends = [bench.clip.embed_images(bench.pictures(bench.ws[some], one[None])) for one in tries]
    values = torch.stack([worth(start, end, change) for end in ends], 1)  # [faces, tries]
    own, best = values[:faces].topk(FINALISTS)
    others = [values.roll(-k, 0)[:faces].gather(1, best) for k in range(1, OTHERS + 1)]  # the next ones
    chosen = [settled(one, other) for one, other in zip(own, torch.stack(others, 1))]
    offsets = tries[best[torch.arange(faces), chosen]]
    return offsets, bench.pictures(bench.ws[:faces], offsets)


def by_fit(bench: Bench, beta: float, effects: Sequence[ChannelEffects]) -> Found:
    """Directions that are as strong as suits each picture."""
    faces = len(bench.ws)
    return {1.0: [bench.judged(t, fitted(bench, t, faces, beta, effects)[1]) for t in bench.sentences]}


def by_mapper(bench: Bench, sentences: Sequence[str], steps: int) -> Found:
    """A mapper for each of some sentences."""
    found: Found = {strength: [] for strength in TIMES}
    for text in sentences:
        run = MapperRun(target=text, neutral=NEUTRAL, steps=steps)
        *_, last = train_mapper(bench.renderer, bench.clip, run, bench.reader.features)
        step = mapped(last.mapper, bench.ws)
        for strength in TIMES:
            found[strength].append(bench.judged(text, bench.pictures(bench.ws + strength * step)))
    return found


def by_optimization(bench: Bench, faces: int, steps: int, beta: float, effects: Sequence[ChannelEffects] = ()) -> Found:
    """An optimization for each sentence and each of some faces; with `effects` it begins at the direction that fits."""
    found: Found = {part: [] for part in PARTS}
    for text in bench.sentences:
        how = Optimization(target=text, neutral=NEUTRAL, steps=steps)
        begun = fitted(bench, text, faces, beta, effects)[0] if effects else None
        ways = [_way(bench, some, how, begun) for some in torch.arange(faces).split(AT_ONCE)]
        for k, part in enumerate(PARTS):
            after = torch.cat([way[k] for way in ways])
            found[part].append(bench.judged(text, after, bench.before[:faces]))
    return found


def _way(bench: Bench, some: Tensor, how: Optimization, begun: Tensor | None) -> list[Tensor]:
    """The pictures of an optimization of some faces at `PARTS` of it."""
    offsets = None if begun is None else begun[some]
    moments = optimized_together(bench.renderer, bench.clip, bench.ws[some], offsets, how)
    images = {at.step: at.images.cpu() for at in moments}
    return [images[round(part * how.steps)] for part in PARTS]


def rows(found: Found) -> Iterator[str]:
    """A row for each strength: means over sentences."""
    for strength, each in found.items():
        names = ("had", "reached", "flipped", "dependency", "identity", "similarity")
        had, reached, flips, others, person, similarity = (mean([getattr(q, name) for q in each]) for name in names)
        yield (
            f"| {strength:g} | {100 * had:.0f} % | {100 * reached:.0f} % | {100 * flips:.1f} % | {others:.2f} "
            f"| {person:.2f} | {similarity:.2f} |"
        )


class Equal(NamedTuple):
    """Success where at most `ALLOWED` of the other attributes are flipped."""

    one: float  # with one strength for all sentences, on the line between those that were tried
    each: float  # with the best strength for each sentence
    good: float  # sentences that reach 80 % of the pictures with it, as a part


def equal(found: Found) -> Equal:
    """Ways compared where they change equally much beside the aim."""
    flips = [0.0, *(mean([q.flipped for q in each]) for each in found.values())]
    reach = [mean([q.had for q in next(iter(found.values()))]), *(mean([q.reached for q in e]) for e in found.values())]
    at = next((k for k in range(1, len(flips)) if flips[k] > ALLOWED), len(flips) - 1)
    span = flips[at] - flips[at - 1]
    t = min(1.0, (ALLOWED - flips[at - 1]) / span) if span > 0 else 1.0
    best = [
        max([q.reached or 0 for q in tried if (q.flipped or 0) <= ALLOWED], default=0.0)
        for tried in zip(*found.values())
    ]
    one = reach[at - 1] + t * (reach[at] - reach[at - 1])
    return Equal(one, mean(best), mean([float(value >= 0.8) for value in best]))


def mean(values: Sequence[float | None]) -> float:
    """Of what could be said."""
    known = [value for value in values if value is not None]
    return sum(known) / max(1, len(known))


def told(title: str, make: Callable[[], Found], bench: Bench, summary: dict[str, Equal]) -> None:
    """Measures one way and prints its table, and how each sentence fares at its best."""
    begun = time.perf_counter()
    found = make()
    count = len(next(iter(found.values())))
    print(f"\n## {title} ({count} sentences, {time.perf_counter() - begun:.0f} s)\n\n{HEAD}")
    print("\n".join(rows(found)))
    for text, tried in zip(bench.sentences, zip(*found.values())):
        q = max(tried, key=_worth)
        before, after, others = (100 * (value or 0) for value in (q.had, q.reached, q.flipped))
        print(f"    {text:36} {before:3.0f} -> {after:3.0f} %, others {others:4.1f} %")
    summary[title] = equal(found)


def _worth(q: EditQuality) -> float:
    """Success, less what is flipped beyond what is allowed: the strength a visitor would choose."""
    return (q.reached or 0) - 2 * max(0.0, (q.flipped or 0) - ALLOWED)


def speed(bench: Bench, steps: int = 60) -> str:
    """Of one picture's optimization, as in the lab, and of what a model must be learnt by."""
    how = Optimization(target=SENTENCES[0], neutral=NEUTRAL, steps=steps)
    begun = time.perf_counter()
    for _ in optimized_together(bench.renderer, bench.clip, bench.ws[:1], None, how):
        pass
    paced, begun = steps / (time.perf_counter() - begun), time.perf_counter()
    find_effects(bench.renderer, bench.clip)
    return f"optimization {paced:.1f} steps/s; the model learnt in {time.perf_counter() - begun:.0f} s"


def chosen(bench: Bench, given: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Found]]]:
    """Titles and measurements of the ways that are asked for."""
    if "direction" in given.ways:
        for how in given.how:
            yield f"Global directions, channels {how}", partial(by_direction, bench, given.beta, how)
    effects = all_effects(bench, given.how) if {"fit", "fitted"} & {*given.ways} else []
    if "fit" in given.ways:
        title = f"Strength fitted to each picture, channels {' or '.join(given.how)}"
        yield title, partial(by_fit, bench, given.beta, effects)
    if "optimization" in given.ways:
        yield "Optimization", partial(by_optimization, bench, given.optimized, given.steps, given.beta)
    if "fitted" in given.ways:
        title = "Optimization that begins at the fitted direction"
        yield title, partial(by_optimization, bench, given.optimized, given.short, given.beta, effects)
    if "mapper" in given.ways:
        yield "Mapper", partial(by_mapper, bench, bench.sentences[: given.mapped], given.mapper_steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="faces64")
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--how", nargs="+", default=list(HOWS), choices=HOWS, help="how channels were learnt")
    parser.add_argument("--mapped", type=int, default=30, help="sentences that a mapper is trained for")
    parser.add_argument("--mapper-steps", type=int, default=200)
    parser.add_argument("--optimized", type=int, default=100, help="faces that are optimized for each sentence")
    parser.add_argument("--steps", type=int, default=100, help="of an optimization")
    parser.add_argument("--short", type=int, default=30, help="of one that begins at the direction that fits")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, help="parts of it that are run")
    given = parser.parse_args()
    bench, summary = Bench(given.model, given.faces), dict[str, Equal]()
    without = [text for text in SENTENCES if text not in bench.sentences]
    print(f"{given.model}: {len(bench.sentences)} of {len(SENTENCES)} sentences count; it cannot make: {without}")
    if "speed" in given.ways:
        print(f"{torch.get_num_threads()} thread(s): {speed(bench)}")
    for title, make in chosen(bench, given):
        told(title, make, bench, summary)
    print("\n| way, at most 10 % of others flipped | success | each at its best strength | sentences that reach 80 % |")
    print("|---|---|---|---|")
    for title, parts in summary.items():
        print(f"| {title} | " + " | ".join(f"{100 * part:.0f} %" for part in parts) + " |")


if __name__ == "__main__":
    main()
