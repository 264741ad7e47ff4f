"""Inception v3 as FID, KID and IS are defined by (Szegedy et al. 2016; Heusel et al. 2017): the TensorFlow graph of
2015-12-05, whose weights are published for PyTorch. They are not shipped: give their file, or have it fetched.

It differs from the network that is usually called Inception v3: 1,008 classes; average pools do not count what lies
beyond the edge; the last block pools by the maximum; batch normalisation has an epsilon of 0.001. Pictures are enlarged
to 299 pixels as that graph does it: without half-pixel centres and without smoothing.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ganlab import pickles
from ganlab.config import InvalidInput
from ganlab.download import Tick, Wanted, fetch
from ganlab.features.extractors import EXTRACTORS, Extractor, extractor, in_colour, usual
from ganlab.features.frozen import SEERS, dinov2
from ganlab.files import cache_folder, sha256_of

SIDE, DIM, CLASSES = 299, 2048, 1008
EPSILON = 1e-3
AT_ONCE = 16
FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
Pair = tuple[int, int]


class Inception(nn.Module):
    """The network up to its logits; names of parameters are those of the published file."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b = _Mixed35(192, 32)
        self.Mixed_5c = _Mixed35(256, 64)
        self.Mixed_5d = _Mixed35(288, 64)
        self.Mixed_6a = _Smaller17(288)
        self.Mixed_6b = _Mixed17(768, 128)
        self.Mixed_6c = _Mixed17(768, 160)
        self.Mixed_6d = _Mixed17(768, 160)
        self.Mixed_6e = _Mixed17(768, 192)
        self.Mixed_7a = _Smaller8(768)
        self.Mixed_7b = _Mixed8(1280, by_maximum=False)
        self.Mixed_7c = _Mixed8(2048, by_maximum=True)
        self.fc = nn.Linear(DIM, CLASSES)

    def features(self, images: Shaped[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2048"]:
        """Vectors of uint8 pictures, or of floats in [-1, 1], of any size."""
        x = images.to(self.fc.weight.device)
        x = (x.float() - 128) / 128 if x.dtype == torch.uint8 else x.float().clamp(-1, 1) * (127.5 / 128)
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(self._maps(x)[-1]))).mean((2, 3))  # of [N, 2048, 8, 8]

    def maps(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c s s"]]:
        """Feature maps of pictures about in [-1, 1], with 64, 192, 288 and 768 channels, 147 to 17 px, on their device.

        Nothing is clipped, so that all has a gradient.
        """
        return [x.to(images.device) for x in self._maps(images.to(self.fc.weight.device) * (127.5 / 128))]

    def _maps(self, x: Tensor) -> list[Tensor]:
        first = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(enlarged(x, SIDE))))  # [N, 64, 147, 147]
        second = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(first, 3, 2)))  # [N, 192, 71, 71]
        third = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(second, 3, 2))))  # [N, 288, 35, 35]
        fourth = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(third)))))  # [N, 768, 17, 17]
        return [first, second, third, fourth]

    def logits(self, features: Float[Tensor, "n 2048"]) -> Float[Tensor, "n 1008"]:
        """Logits of the classes, without the bias: the published Inception scores are of a graph that leaves it out."""
        return features @ self.fc.weight.T


def enlarged(images: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n c side side"]:
    """Bilinear as TensorFlow 1 did it: output pixel i lies at i * (old side / new side), the first on the first."""
    height, width = images.shape[-2:]
    if (height, width) == (side, side):
        return images
    rows, columns = (_between(old, side).to(images) for old in (height, width))
    return rows @ images @ columns.T


def _between(old: int, new: int) -> Tensor:
    """The weights [new, old] of such an interpolation along one axis."""
    at = torch.arange(new, dtype=torch.float64) * (old / new)
    low = at.floor().long().clamp(max=old - 1)
    high = (low + 1).clamp(max=old - 1)
    part = at - low
    weights = torch.zeros(new, old, dtype=torch.float64)
    weights[torch.arange(new), low] += 1 - part
    weights[torch.arange(new), high] += part
    return weights


class _Conv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int | Pair, stride: int = 1, padding: int | Pair = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Mixed35(nn.Module):
    """Blocks at 35 x 35 (figure 5 of the paper, with 5 x 5 kept whole)."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = _Conv(inputs, 48, 1), _Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(inputs, 64, 1), _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, padding=1)
        self.branch_pool = _Conv(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(mean_pool(x))], 1)


class _Smaller17(nn.Module):
    """35 x 35 to 17 x 17 (figure 10)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = _Conv(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(inputs, 64, 1), _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, 2)], 1)


class _Mixed17(nn.Module):
    """Blocks at 17 x 17, whose 7 x 7 convolutions are rows and columns (figure 6)."""

    def __init__(self, inputs: int, c: int) -> None:
        super().__init__()
        row: tuple[Pair, int, Pair] = (1, 7), 1, (0, 3)  # kernel, stride, padding
        column: tuple[Pair, int, Pair] = (7, 1), 1, (3, 0)
        self.branch1x1 = _Conv(inputs, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = _Conv(inputs, c, 1), _Conv(c, c, *row)
        self.branch7x7_3 = _Conv(c, 192, *column)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = _Conv(inputs, c, 1), _Conv(c, c, *column)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = _Conv(c, c, *row), _Conv(c, c, *column)
        self.branch7x7dbl_5 = _Conv(c, 192, *row)
        self.branch_pool = _Conv(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), seven, twice, self.branch_pool(mean_pool(x))], 1)


class _Smaller8(nn.Module):
    """17 x 17 to 8 x 8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = _Conv(inputs, 192, 1), _Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Conv(inputs, 192, 1)
        self.branch7x7x3_2 = _Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = _Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = _Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), self.branch7x7x3_4(seven), F.max_pool2d(x, 3, 2)], 1)


class _Mixed8(nn.Module):
    """Blocks at 8 x 8, wide at their ends (figure 7)."""

    def __init__(self, inputs: int, by_maximum: bool) -> None:
        super().__init__()
        self.by_maximum = by_maximum
        self.branch1x1 = _Conv(inputs, 320, 1)
        self.branch3x3_1 = _Conv(inputs, 384, 1)
        self.branch3x3_2a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(inputs, 448, 1), _Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = _Conv(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, 1, 1) if self.by_maximum else mean_pool(x)
        parts = (self.branch3x3_2a(once), self.branch3x3_2b(once))
        others = (self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice))
        return torch.cat([self.branch1x1(x), *parts, *others, self.branch_pool(pooled)], 1)


def mean_pool(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """The mean of the pixels around each, of those that there are: nothing beyond the edge is counted."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def weights_path() -> Path:
    """Where the weights are looked for when no file is named."""
    return cache_folder("models") / FILE


def fetch_weights(tick: Tick | None = None) -> Path:
    """Downloads the weights (96 MB), checked; only for a user who asks. Raises: as `ganlab.download.fetch`."""
    return fetch(Wanted("inception", URL, weights_path(), SHA256), tick)


def load_inception(path: str | Path) -> Inception:
    """The network with the weights of a file, read as data; eval mode, no gradients. Read once and shared.

    Raises: `InvalidInput` says what is wrong with the file.
    """
    return _loaded(Path(path).resolve())


@lru_cache(1)
def _loaded(path: Path) -> Inception:
    if not path.is_file():
        raise InvalidInput(
            "features",
            f"Inception's weights are not at {str(path)[-160:]}; name their file, or add --fetch once (96 MB)",
        )
    networks = pickles.read(path).networks
    tensors = next(iter(networks.values())).tensors if networks else {}
    with torch.device("meta"):
        network = Inception()
    found, problems = {}, []
    for name, wanted in network.state_dict().items():
        tensor = tensors.get(name)
        if name.endswith("num_batches_tracked"):
            found[name] = torch.zeros((), dtype=torch.int64)
        elif tensor is None or tensor.shape != wanted.shape or not tensor.is_floating_point():
            problems.append(name)
        else:
            found[name] = tensor.float()
    if problems:
        raise InvalidInput(path.name[:80], f"is not {FILE}: {_listed(problems)} missing or misshapen")
    network.load_state_dict(found, assign=True)
    return network.eval().requires_grad_(False)


def _listed(names: Sequence[str]) -> str:
    return f"{names[0]} is" if len(names) == 1 else f"{names[0]} and {len(names) - 1} others are"


def extractor_named(name: str, data: str) -> Extractor:
    """The extractor that a user names; `data`: the name of the set, which decides where `name` is empty.

    `name`: a key of `EXTRACTORS`, one of `frozen.SEERS`, "inception" for weights that were fetched, or the file of such
    weights. Raises: `InvalidInput` for anything else.
    """
    if not name:
        return usual(data)
    if name in EXTRACTORS:
        return extractor(name)
    if name in SEERS:
        return dinov2(name)
    if name != "inception" and not Path(name).is_file():
        known = ", ".join([*EXTRACTORS, *SEERS, "inception"])
        raise InvalidInput("features", f"{name[-160:]!r} is neither one of {known} nor a file of Inception's weights")
    return inception_extractor(weights_path() if name == "inception" else name)


def inception_extractor(path: str | Path) -> Extractor:
    """The extractor whose figures are called FID, KID and IS. Raises: as `load_inception`."""
    network = load_inception(path)
    network.to("cuda" if torch.cuda.is_available() else "cpu")

    @torch.inference_mode()
    def features(images: Tensor) -> Tensor:
        return torch.cat([network.features(in_colour(part)).cpu() for part in images.split(AT_ONCE)])

    @torch.inference_mode()
    @torch.inference_mode()
    def logits(near: Tensor) -> Tensor:
        return torch.cat([network.logits(part.to(network.fc.weight.device)).cpu() for part in near.split(AT_ONCE)])

    return Extractor("inception", features, None, features, sha256_of(Path(path)), logits)
