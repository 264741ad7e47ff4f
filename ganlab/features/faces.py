"""The faces' own classifier: reads the attributes of a cartoon portrait, and its features measure other portraits.

It knows its heads from its file, so that it can be used without the code that draws faces. A Fréchet distance on its
features is no FID, which is defined by one Inception network: call it FD-faces.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganlab import files
from ganlab.config import Config, InvalidInput, knob

SIDE = 64  # pixels of a picture's side as the network sees it
GRID = 4  # cells of a side before the last layers: they know where things are
KEPT = (0, 0, 0, 0, 1, 0, 1, 1)  # layers of the body whose outputs are `maps`
MOST_BYTES = 32_000_000  # of a file; ours has 2 MB
FORMAT, FAMILY = "ganlab features 1", "faces-classifier"
SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "features" / "faces-attributes.safetensors"


@dataclass(frozen=True)
class Head(Config):
    """One attribute that is read: a choice where it has options, otherwise a number from `lo` to `hi`."""

    name: str = knob("", "the attribute", longest=64)
    options: tuple[str, ...] = knob((), "names of the options, in their order", longest=64)
    lo: float = knob(0.0, "smallest number", lo=-1e6, hi=1e6)
    hi: float = knob(1.0, "largest number", lo=-1e6, hi=1e6)

    @property
    def outputs(self) -> int:
        """How many numbers of the last layer belong to it."""
        return len(self.options) or 1


@dataclass(frozen=True)
class Layout(Config):
    """What a `FacesClassifier` is built from."""

    heads: tuple[Head, ...] = knob((), "the attributes", longest=128)
    width: int = knob(24, "channels at 32 px; 2, 4 and 6 times as many further down", lo=4, hi=96)
    dim: int = knob(192, "numbers in a feature vector", lo=8, hi=1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [head.name for head in self.heads]
        if len(set(names)) < len(names) or not names:
            raise InvalidInput("heads", "must be at least one, and no two of one name")
        for i, head in enumerate(self.heads):
            if len(head.options) == 1 or head.hi <= head.lo:
                raise InvalidInput(f"heads.{i}", "needs two options or more, or a range from low to high")


class FacesClassifier(nn.Module):
    """A residual network (He et al. 2016) of three halvings; about 0.7 million parameters at width 24.

    It is trained with batch normalisation (`norm`), which `fold` takes into the convolutions: files hold it folded.
    """

    def __init__(self, layout: Layout, norm: bool = False) -> None:
        super().__init__()
        self.layout = layout
        self.licence, self.about = "", dict[str, Any]()  # as its file says: about data, run and accuracies
        w = layout.width
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),  # [N, 12, 32, 32]: nothing is lost, and no layer works at 64 px
            _Conv(12, w, 1, norm),
            _Residual(w, norm),
            _Conv(w, 2 * w, 2, norm),  # 16 px
            _Residual(2 * w, norm),
            _Conv(2 * w, 4 * w, 2, norm),  # 8 px
            _Residual(4 * w, norm),
            _Conv(4 * w, 6 * w, 2, norm),  # 4 px
        )
        self.squeeze = nn.Conv2d(6 * w, 2 * w, 1)
        self.penultimate = nn.Linear(2 * w * GRID * GRID, layout.dim)
        self.last = nn.Linear(layout.dim, sum(head.outputs for head in layout.heads))

    @property
    def heads(self) -> tuple[Head, ...]:
        """What `forward` reads, in order."""
        return self.layout.heads

    def prepared(self, images: Shaped[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 64 64"]:
        """Pictures as the network sees them: 64 px, resized without aliasing, in [-1, 1].

        `images` are floats in [-1, 1] (what is beyond is clipped) or uint8 from 0 to 255, of any size.
        """
        x = images.to(self.last.weight.device)
        x = x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x.float().clamp(-1, 1)
        if x.shape[-2:] != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        return x.contiguous(memory_format=torch.channels_last)

    def features(self, images: Shaped[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Vectors [N, dim], float32, none below 0: the layer before the last. `images` as for `prepared`."""
        return self._penultimate(self.prepared(images)).float()

    def forward(self, images: Shaped[Tensor, "n 3 h w"]) -> dict[str, Float[Tensor, "n *options"]]:
        """Logits [N, options] of each choice, values [N] of each number, in its units. `images` as for `prepared`."""
        return self.read(self._penultimate(self.prepared(images)))

    def read(self, features: Float[Tensor, "n d"]) -> dict[str, Float[Tensor, "n *options"]]:
        """`forward`, where the features are known already."""
        parts = self.last(features).float().split([head.outputs for head in self.heads], 1)
        return {head.name: part if head.options else _value(head, part) for head, part in zip(self.heads, parts)}

    def fold(self) -> "FacesClassifier":
        """Takes batch normalisation, with its running statistics, into the convolutions; returns itself."""
        for module in self.modules():
            if isinstance(module, _Conv) and isinstance(module.norm, nn.BatchNorm2d):
                module.conv = fuse_conv_bn_eval(module.conv.eval(), module.norm.eval())
                module.norm = nn.Identity()
        return self

    @property
    def map_shapes(self) -> tuple[tuple[int, int], ...]:
        """Channels and side of each of `maps`."""
        w = self.layout.width
        return ((2 * w, 16), (4 * w, 8), (6 * w, 4))

    def maps(self, img: Shaped[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n channels side side"]]:
        """Feature maps at 16, 8 and 4 px of floats in [-1, 1]; no value is clipped, so that each has a gradient."""
        if img.shape[-2:] != (SIDE, SIDE):
            img = F.interpolate(img, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        out, x = [], img
        for module, kept in zip(self.body, KEPT):
            x = module(x)
            if kept:
                out.append(x)
        return out

    def above(self, middle: Float[Tensor, "n channels 8 8"]) -> Float[Tensor, "n d"]:
        """The features [N, dim] of a picture of which `middle` is the map at 8 px; with gradients."""
        x = F.relu(self.squeeze(self.body[len(KEPT) - 1](middle)))
        return F.relu(self.penultimate(x.flatten(1)))

    def _penultimate(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(self.body(x)))  # [N, 2 w, 4, 4]
        return F.relu(self.penultimate(x.flatten(1)))


class _Conv(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, norm: bool, rectified: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norm)
        self.norm: nn.Module = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return F.relu(x) if self.rectified else x


class _Residual(nn.Module):
    def __init__(self, channels: int, norm: bool) -> None:
        super().__init__()
        self.first = _Conv(channels, channels, 1, norm)
        self.second = _Conv(channels, channels, 1, norm, rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def _value(head: Head, output: Tensor) -> Tensor:
    """An output of the last layer, about -1 to 1, in the attribute's units."""
    return (head.lo + head.hi) / 2 + output[:, 0] * (head.hi - head.lo) / 2


@torch.inference_mode()
def in_batches(function: Callable[[Tensor], Any], images: Shaped[Tensor, "n 3 h w"], batch: int = 128) -> list[Any]:
    """What `function` (`features`, say) makes of some images at a time."""
    return [function(part) for part in images.split(batch)]


def features_of(classifier: FacesClassifier, images: Shaped[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
    """The features of any number of images, computed a batch at a time, on the CPU."""
    return torch.cat([part.cpu() for part in in_batches(classifier.features, images)])


def save_classifier(path: str | Path, classifier: FacesClassifier, *, licence: str, about: dict[str, Any]) -> None:
    """Writes a classifier, folded, as safetensors with its layout and licence in the header; all or nothing."""
    folded = copy.deepcopy(classifier).cpu().float().fold()
    header = {
        "format": FORMAT,
        "family": FAMILY,
        "licence": licence,
        "config": classifier.layout.to_dict(full=True),
        "about": about,
    }
    tensors = {name: value.detach().contiguous() for name, value in folded.state_dict().items()}
    files.write_atomic(Path(path), save_tensors(tensors, metadata={"ganlab": json.dumps(header)}))


def load_classifier(path: str | Path | None = None) -> FacesClassifier:
    """The classifier of a file, or the one that ships with ganlab: eval mode, no gradients, on the CPU.

    Read once and shared: do not change it. `InvalidInput` says what is wrong with a file.
    """
    return _loaded(Path(path or SHIPPED).resolve())


@lru_cache(maxsize=4)
def _loaded(path: Path) -> FacesClassifier:
    data = _bytes(path)
    header = _header(data)
    classifier = FacesClassifier(Layout.from_dict(header["config"]))  # small: its bounds are checked
    expected = classifier.state_dict()
    try:
        tensors = load_tensors(data)
    except SafetensorError:
        raise InvalidInput(path.name[:60], "is damaged: its tensors cannot be read") from None
    for name, wanted in expected.items():
        found = tensors.get(name)
        if found is None or found.shape != wanted.shape or found.dtype != wanted.dtype or not found.isfinite().all():
            raise InvalidInput(path.name[:60], f"is no faces classifier: {name} is missing, misshapen or not finite")
    classifier.load_state_dict({name: tensors[name] for name in expected})
    classifier.licence, classifier.about = str(header.get("licence", ""))[:200], header.get("about", {})
    return classifier.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput(path.name[:60], f"is larger than any faces classifier ({MOST_BYTES // 10**6} MB)")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("classifier", f"{path.name[:60]} cannot be read: {error.strerror}") from None


def _header(data: bytes) -> dict[str, Any]:
    """What the file says of itself; no tensor is looked at before it is known to be ours."""
    wrong = InvalidInput("classifier", "is not a faces classifier that ganlab has written")
    header = files.own_header(data)
    if header is None or header.get("format") != FORMAT or header.get("family") != FAMILY:
        raise wrong
    if not isinstance(header.get("config"), dict) or not isinstance(header.get("about", {}), dict):
        raise wrong
    return header
