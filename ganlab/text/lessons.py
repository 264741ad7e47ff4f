"""What a step of the small CLIP's training shows: portraits, texts for them, and which is true of which.

A function of the run and the step alone, so that other processes can write the texts of later steps: on a GPU writing
them takes longer than learning from them.
"""

import multiprocessing
import random
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.faces.attributes import Attributes
from ganlab.text.sayings import TRAINED, Saying, Text, claims, described, long_captions, sayings
from ganlab.text.words import UNKNOWN, Vocabulary

UNHEARD = 0.02  # of the words of a long caption: the word for unknown words is learnt from them
AHEAD = 3  # lessons that each process may be ahead


class Lesson(NamedTuple):
    """Of N portraits with M texts, the short ones first."""

    rows: Int[Tensor, "n"]  # which portraits
    tokens: Int[Tensor, "m context"]
    owner: Int[Tensor, "m"]  # whose each text is
    true: Bool[Tensor, "n m"]  # of which portraits each text is true


class Lessons:
    """The lessons of a run, in turn; made here, or ahead by `processes` others, with the same result."""

    def __init__(self, run: Any, people: Attributes, processes: int = 1) -> None:
        """`run`: a `training.ClipRun`."""
        self._make = _Maker(run, {name: value.numpy() for name, value in people.values.items()})
        self._steps, self._ahead = run.steps, AHEAD * processes
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: deque[tuple[int, Future[Any]]] = deque()
        if processes > 1:
            # a fork of a process whose threads hold locks can hang: fresh ones are slower to start, and safe
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(processes, spawn, _begin, (self._make,))

    def lesson(self, step: int) -> Lesson:
        """That of a step; cheap where steps are asked for in turn."""
        if self._pool is None:
            return self._make(step)
        if not self._waiting or self._waiting[0][0] != step:
            self._waiting.clear()
        first = self._waiting[-1][0] + 1 if self._waiting else step
        for later in range(first, min(step + 1 + self._ahead, max(self._steps, step + 1))):
            self._waiting.append((later, self._pool.submit(_made, later)))
        arrays = self._waiting.popleft()[1].result()
        if step + 1 >= self._steps:
            self.close()
        return Lesson(*(torch.from_numpy(array) for array in arrays))

    def close(self) -> None:
        """Ends the other processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


class _Maker:
    """Makes the lesson of a step; travels to other processes."""

    def __init__(self, run: Any, people: dict[str, Any]) -> None:
        self.run, self.people = run, people
        self._groups = _alike(people, run.drilled) if run.drilled else {}

    def __call__(self, step: int) -> Lesson:
        run = self.run
        draws = torch.Generator().manual_seed((run.seed << 32) + step)
        count = len(next(iter(self.people.values())))
        rows = torch.randint(count, (run.batch,), generator=draws)
        rng = random.Random(f"{run.seed}/{step}")
        drilled = self._drilled(rows, rng)
        people = Attributes({name: torch.from_numpy(value[rows.numpy()]) for name, value in self.people.items()})
        known = sayings(people)
        texts = [
            described(_plainest(one, drilled[row]) if row in drilled and not number else one, TRAINED, rng)
            for row, one in enumerate(known)
            for number in range(run.short)
        ]
        some = round(run.batch * run.long)
        texts += long_captions(people.rows(slice(some)), run.seed, rows[:some].tolist(), step, TRAINED)
        owner = torch.cat((torch.arange(run.batch).repeat_interleave(run.short), torch.arange(some)))
        return Lesson(rows, self._tokens(texts, step), owner, true_pairs(claims(people, known), texts))

    def _drilled(self, rows: Tensor, rng: random.Random) -> dict[int, str]:
        """Puts people into every second row of whom there is something to say of a drilled attribute: which, by row.

        All that can be said of an attribute is drawn alike often, however rare it is.
        """
        about = {}
        for row in range(0, len(rows) if self._groups else 0, 2):  # `changed` treats the first rows differently
            about[row] = rng.choice(self.run.drilled)
            rows[row] = rng.choice(rng.choice(self._groups[about[row]]))
        return about

    def _tokens(self, texts: Sequence[Text], step: int) -> Tensor:
        words = Vocabulary(self.run.layout.words, self.run.layout.context)
        tokens = words([text.text for text in texts])
        rng = torch.Generator().manual_seed((self.run.seed << 32) + (1 << 31) + step)
        unheard = (torch.rand(tokens.shape, generator=rng) < UNHEARD) & (tokens > UNKNOWN) & (tokens < words.start)
        unheard[: self.run.batch * self.run.short] = False  # without "without" a short one would say the opposite
        return tokens.masked_fill(unheard, UNKNOWN)


def true_pairs(shown: Sequence[frozenset[str]], texts: Sequence[Text]) -> Bool[Tensor, "n m"]:
    """Of which pictures (rows) each text (columns) is true: those that show all it says."""
    number = {claim: i for i, claim in enumerate(sorted({claim for text in texts for claim in text.says}))}
    missing = torch.ones(len(shown), len(number))
    for row, all_shown in zip(missing, shown):
        row[[number[claim] for claim in all_shown if claim in number]] = 0
    says = torch.zeros(len(texts), len(number))
    for row, text in zip(says, texts):
        row[[number[claim] for claim in text.says]] = 1
    return missing @ says.T == 0


def _alike(people: dict[str, Any], attributes: Sequence[str]) -> dict[str, list[list[int]]]:
    """For each attribute, the people of whom the same is said of it."""
    known = sayings(Attributes({name: torch.from_numpy(value) for name, value in people.items()}))
    found: dict[str, dict[str, list[int]]] = {name: {} for name in attributes}
    for row, one in enumerate(known):
        for name, groups in found.items():
            for saying in _plainest(one, name):
                groups.setdefault(saying.claim, []).append(row)
    if empty := [name for name, groups in found.items() if not groups]:
        raise InvalidInput("drilled", f"nothing is ever said of {empty[0]!r}; choose another attribute")
    return {name: list(groups.values()) for name, groups in found.items()}


def _plainest(known: Sequence[Saying], attribute: str) -> list[Saying]:
    """What tells most of an attribute, if anything does: "round glasses" comes before "glasses"."""
    return [saying for saying in known if saying.attribute == attribute][:1]


_maker: _Maker | None = None  # of this process, where it is one of those that work ahead


def _begin(maker: _Maker) -> None:
    global _maker
    torch.set_num_threads(1)
    _maker = maker


def _made(step: int) -> tuple[Any, ...]:
    """Plain arrays: torch would share memory by open files."""
    assert _maker is not None
    return tuple(value.numpy() for value in _maker(step))
