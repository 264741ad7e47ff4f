"""Words as numbers: the tokenizer of our own small CLIP, which knows a few hundred words and says which it does not."""

import difflib
import re
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

WORD = re.compile(r"[^\W\d_]+")
LONGEST = 2_000  # characters of a text that are looked at
PAD, UNKNOWN, FIRST = 0, 1, 2  # numbers of nothing, of an unknown word and of the first known one
SHORTEST = 4  # letters of a word that may be misspelt: "her" is not "here"
NEAR = 0.7  # how much alike a misspelt word and the meant one are, at least


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without marks and digits."""
    return WORD.findall(text[:LONGEST].lower())


class Vocabulary:
    """Known words and their numbers; a text is a start, its words and an end, padded with zeros.

    The end has the highest number: open_clip reads a text's vector where that stands (Radford et al. 2021).
    """

    def __init__(self, words: Sequence[str], context: int) -> None:
        self.words, self.context = tuple(words), context
        self.numbers = {word: FIRST + i for i, word in enumerate(words)}
        self.start, self.end = FIRST + len(words), FIRST + len(words) + 1

    def __len__(self) -> int:
        return self.end + 1

    def __call__(self, texts: Sequence[str]) -> Int[Tensor, "n context"]:
        """The numbers of each text, int64; unknown words are left out, and words beyond the context.

        (Unknown ones would say more than nothing: the model takes them for those that it heard least often.)
        """
        out = torch.full((len(texts), self.context), PAD)
        for row, text in zip(out, texts):
            numbers = [self.numbers[word] for word in words_of(text) if word in self.numbers][: self.context - 2]
            row[: len(numbers) + 2] = torch.tensor([self.start, *numbers, self.end])
        return out

    def unknown(self, text: str) -> list[str]:
        """The words of a text that are not known, each once."""
        return [word for word in dict.fromkeys(words_of(text)) if word not in self.numbers]

    def near(self, word: str, count: int = 3) -> list[str]:
        """Known words that are spelt much like this one, the likeliest first."""
        return difflib.get_close_matches(word[:40], self.words, count, NEAR) if len(word) >= SHORTEST else []

    def hint(self, text: str) -> str:
        """A sentence on the unknown words of a text, with near ones; "" where all are known."""
        return " ".join(_hint(word[:40], self.near(word)) for word in self.unknown(text)[:5])


def _hint(word: str, near: Iterable[str]) -> str:
    meant = " or ".join(f"“{other}”" for other in near)
    return f"“{word}” is not a word this model knows, and was left out" + (f"; did you mean {meant}?" if meant else ".")
