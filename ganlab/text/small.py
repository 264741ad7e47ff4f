"""Our own small CLIP as data: what it is built from, and its file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganlab import files
from ganlab.config import Config, InvalidInput, knob
from ganlab.text.words import words_of

MOST_BYTES = 64_000_000  # of a file; ours has a few MB
FORMAT, FAMILY = "ganlab text 1", "small-clip"
SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "clip" / "faces-clip.safetensors"


@dataclass(frozen=True)
class ClipLayout(Config):
    """What a small CLIP is built from: open_clip's ModifiedResNet for pictures, its transformer for words."""

    side: int = knob(64, "Pixels of a picture's side, a multiple of 32", lo=32, hi=256)
    dim: int = knob(128, "Numbers in a vector", lo=4, hi=512)
    blocks: tuple[int, ...] = knob((1, 1, 1, 1), "Residual blocks at each of four resolutions", lo=1, hi=4, longest=4)
    width: int = knob(16, "Channels of the first blocks inside; a multiple of 2", lo=2, hi=48)
    text_width: int = knob(128, "Channels of the words; a multiple of the heads", lo=4, hi=512)
    text_heads: int = knob(4, "Heads of the words' attention", lo=1, hi=16)
    text_layers: int = knob(2, "Layers of the words' transformer", lo=1, hi=8)
    context: int = knob(48, "Words of a text, with its start and end", lo=4, hi=128)
    words: tuple[str, ...] = knob((), "The words it knows", longest=8_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side % 32 or len(self.blocks) != 4:
            raise InvalidInput("side", "must be a multiple of 32, and there must be four numbers of blocks")
        if self.width % 2 or self.text_width % self.text_heads:
            raise InvalidInput("width", "must be even, and text_width a multiple of text_heads")
        if not self.words or len(set(self.words)) < len(self.words):
            raise InvalidInput("words", "must be one or more, and no two the same")
        if any(len(word) > 40 or words_of(word) != [word] for word in self.words):
            raise InvalidInput("words", "must each be one word of at most 40 letters in lower case")


class SmallFile(NamedTuple):
    """What the file of a small CLIP holds."""

    layout: ClipLayout
    licence: str
    about: dict[str, Any]  # data, run and measures
    tensors: dict[str, Tensor]


def write_small(path: Path, file: SmallFile) -> None:
    """Writes a small CLIP as safetensors with its layout, words and licence in the header; all or nothing."""
    config = file.layout.to_dict(full=True)
    header = {
        "format": FORMAT,
        "family": FAMILY,
        "licence": file.licence,
        "vocabulary": config.pop("words"),
        "config": config,
        "about": file.about,
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in file.tensors.items()}
    files.write_atomic(path, save_tensors(tensors, metadata={"ganlab": json.dumps(header)}))


def read_small(path: Path) -> SmallFile:
    """What `write_small` wrote. `InvalidInput` says what is wrong with a file; sizes are not compared yet."""
    data = _bytes(path)
    header = _header(data, path.name[:60])
    layout = ClipLayout.from_dict({**header["config"], "words": header["vocabulary"]})
    try:
        tensors = load_tensors(data)
    except SafetensorError:
        raise InvalidInput(path.name[:60], "is damaged: its tensors cannot be read") from None
    return SmallFile(layout, str(header.get("licence", ""))[:200], header.get("about", {}), tensors)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput(path.name[:60], f"is larger than any small CLIP ({MOST_BYTES // 10**6} MB)")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("clip", f"{path.name[:60]} cannot be read: {error.strerror}") from None


def _header(data: bytes, name: str) -> dict[str, Any]:
    """What the file says of itself; no tensor is looked at before it is known to be ours."""
    wrong = InvalidInput(
        name,
        "is no CLIP that ganlab has written; for a safetensors file of one of open_clip's models, name the model too: "
        "ViT-B-32:FILE.safetensors",
    )
    header = files.own_header(data)
    if header is None or header.get("format") != FORMAT or header.get("family") != FAMILY:
        raise wrong
    kinds = {"config": dict, "vocabulary": list, "about": dict}
    if any(not isinstance(header.get(key, {} if key == "about" else None), kind) for key, kind in kinds.items()):
        raise wrong
    return header
