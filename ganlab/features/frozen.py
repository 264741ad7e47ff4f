"""Frozen networks: our classifier of faces, and some of timm's. Discriminators look through them, metrics compare
what they see.

timm's weights are not shipped: `fetch_frozen` brings them once, when a user asks; they are read as safetensors.
"""

import copy
import logging
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from safetensors import safe_open
from torch import Tensor, nn

from ganlab.config import InvalidInput
from ganlab.download import Tick, Wanted, fetch
from ganlab.features.extractors import Extractor, in_colour
from ganlab.features.faces import load_classifier
from ganlab.files import cache_folder, sha256_of

OWN = "faces"  # the one that ships
AT_ONCE = 16  # pictures that DINOv2 sees at once
URL = "https://huggingface.co/timm/{}/resolve/main/model.safetensors"


@runtime_checkable
class Backbone(Protocol):
    """A frozen network: `maps(img)` are its feature maps, from large to small, with gradients to the pictures."""

    @property
    def map_shapes(self) -> tuple[tuple[int, int], ...]:
        """Channels and pixels of a side of each map; sides are powers of 2."""

    def maps(self, img: Shaped[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c s s"]]:
        """Of pictures in [-1, 1] of any size."""


class Network(NamedTuple):
    """One of timm's, trained on photographs."""

    title: str
    paper: str
    timm: str  # its name there, with the tag of its weights
    side: int  # pixels that it is shown
    taken: tuple[int, ...] | None  # which of its maps, from large to small; None: those that timm takes
    megabytes: int  # of its file


def frozen(name: str) -> Backbone:
    """The network with this name of `FROZEN`, a copy of one's own, in eval mode, without gradients of its own.

    Raises `InvalidInput` where its weights are not on this machine, or not what they should be.
    """
    if name not in FROZEN:
        raise InvalidInput("backbone", f"{name[:40]!r} is not one of {', '.join(FROZEN)}")
    row = FROZEN[name]
    if row is None:
        return copy.deepcopy(load_classifier())
    which = {} if row.taken is None else {"out_indices": row.taken}
    return TimmMaps(copy.deepcopy(_network(name, row, "backbone", features_only=True, **which)), row.side)


def dinov2(name: str) -> Extractor:
    """An extractor of `SEERS`: its vectors are those of the class token. Raises: as `frozen`."""
    row = SEERS[name]
    network = _network(name, row, "features", img_size=row.side, num_classes=0)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    mean, std = _normal(network)

    @torch.inference_mode()
    def features(pictures: Tensor) -> Tensor:
        here, out = next(network.parameters()).device, []
        for part in in_colour(pictures).split(AT_ONCE):
            x = part.to(here).float()
            x = shown_at(x / 127.5 - 1 if part.dtype == torch.uint8 else x, row.side)
            out.append(network((x - mean.to(here)) / std.to(here)).float().cpu())
        return torch.cat(out)

    return Extractor(name, features, None, features, sha256_of(weights_path(name)))


def at_hand() -> list[str]:
    """Names of those whose weights are on this machine, ours first."""
    return [name for name, row in FROZEN.items() if row is None or weights_path(name).is_file()]


def weights_path(name: str) -> Path:
    """Where a network's weights are looked for."""
    return cache_folder("models") / f"timm-{name}.safetensors"


def fetch_frozen(name: str, tick: Tick | None = None) -> None:
    """Downloads a network's weights; only for a user who asks. Nothing happens where they are here, or ship.

    Raises: as `ganlab.download.fetch`.
    """
    row = {**FROZEN, **SEERS}.get(name)
    if row is not None:
        fetch(Wanted(name, URL.format(row.timm), weights_path(name), kind="network"), tick)


class TimmMaps(nn.Module):
    """A network of timm as a `Backbone`: each map is brought to a power of 2, for those who halve it down to 4 px."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, side: int) -> None:
        """`network`: one that was made with features_only. `side`: pixels that it is shown."""
        super().__init__()
        self.network, self.side = network.eval().requires_grad_(False), side
        mean, std = _normal(network)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        info: Any = network.feature_info
        self.channels: list[int] = info.channels()
        self.map_shapes = tuple(
            (c, 2 ** round(math.log2(side / reduction))) for c, reduction in zip(self.channels, info.reduction())
        )

    def maps(self, img: Shaped[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c s s"]]:
        """As `Backbone.maps`."""
        shown = (shown_at(img, self.side) - self.mean) / self.std
        out = []
        for x, (channels, side) in zip(self.network(shown), self.map_shapes):
            x = x if x.shape[1] == channels else x.permute(0, 3, 1, 2)  # some keep channels last
            if x.shape[-1] != side:
                x = F.interpolate(x, (side, side), mode="bilinear", align_corners=False)
            out.append(x)
        return out


def shown_at(img: Shaped[Tensor, "n 3 h w"], side: int) -> Float[Tensor, "n 3 side side"]:
    """Pictures in [-1, 1] as networks for photographs take them: in [0, 1] and of a size."""
    x = (img.float() + 1) / 2
    if x.shape[-2:] != (side, side):
        x = F.interpolate(x, (side, side), mode="bicubic", antialias=True, align_corners=False)
    return x


def _normal(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the pictures that timm's network was trained with, [3, 1, 1] each."""
    known: Any = network.pretrained_cfg
    return torch.tensor(known["mean"]).view(3, 1, 1), torch.tensor(known["std"]).view(3, 1, 1)


def _network(name: str, row: Network, field: str, **how: Any) -> nn.Module:
    """A network of timm with its weights, read once and shared; `how` as `timm.create_model` has it.

    Raises `InvalidInput` where its file is missing or does not hold all weights.
    """
    path = weights_path(name)
    if not path.is_file():
        raise InvalidInput(
            field,
            f"the weights of {row.title} ({row.megabytes} MB) are not on this machine; --fetch on the command line "
            f"brings them, once; or take {OWN!r}, which ships with ganlab",
        )
    return _loaded(field, row.timm, path, path.stat().st_mtime_ns, tuple(sorted(how.items())))


@lru_cache(maxsize=2)
def _loaded(field: str, model: str, path: Path, stamp: int, how: tuple[tuple[str, Any], ...]) -> nn.Module:
    try:
        made = _of_timm(model, path, dict(how))
        with safe_open(path, "pt") as file:
            given = {_plain(key) for key in list(file.keys())}
    except Exception as error:  # a foreign library and a foreign file: whatever it is, the user hears it in a sentence
        words = " ".join(str(error).split())[:160]
        raise InvalidInput(field, f"{path.name} cannot be opened as timm's {model}: {words}") from None
    missing = [key for key in made.state_dict() if _plain(key) not in given and not key.endswith("num_batches_tracked")]
    if missing:  # timm leaves them as they are
        raise InvalidInput(field, f"{path.name} lacks weights of {model} ({missing[0]}); delete it, and fetch it anew")
    return made.eval().requires_grad_(False)


def _plain(key: str) -> str:
    """A weight's name, however timm has wrapped its network for maps."""
    return key.removeprefix("model.").replace("_", ".")


def _of_timm(model: str, path: Path, how: dict[str, Any]) -> nn.Module:
    import timm  # needs torchvision, and takes seconds

    told = logging.getLogger("timm")
    level, draws = told.level, torch.random.fork_rng(devices=[])
    told.setLevel(logging.ERROR)  # of weights that maps have no use for
    try:
        with draws:
            overlay = {"file": str(path)}
            made: nn.Module = timm.create_model(model, pretrained=True, pretrained_cfg_overlay=overlay, **how)
            return made
    finally:
        told.setLevel(level)


FROZEN: dict[str, Network | None] = {
    OWN: None,
    "efficientnet": Network(
        "EfficientNet-Lite1", "Tan and Le 2019", "tf_efficientnet_lite1.in1k", 256, (1, 2, 3, 4), 22
    ),  # Projected GAN's choice
    "vgg16": Network("VGG16", "Simonyan and Zisserman 2015", "vgg16.tv_in1k", 256, (3, 4, 5), 553),
    "swin": Network("Swin-T", "Liu et al. 2021", "swin_tiny_patch4_window7_224.ms_in1k", 224, None, 113),
    "dino": Network("DINO ViT-S/16", "Caron et al. 2021", "vit_small_patch16_224.dino", 224, None, 87),
    "clip": Network("CLIP ViT-B/32", "Radford et al. 2021", "vit_base_patch32_clip_224.openai", 224, None, 351),
    "deit": Network("DeiT-B", "Touvron et al. 2021", "deit_base_distilled_patch16_224.fb_in1k", 224, None, 349),
}  # those of Vision-aided GAN (its table 1) and StyleGAN-XL (sec. 3.1), as far as timm has them
SMALL = tuple(name for name, row in FROZEN.items() if row is not None and row.megabytes < 150)  # a choice's candidates
SEERS: dict[str, Network] = {
    "dinov2": Network("DINOv2 ViT-L/14", "Oquab et al. 2023", "vit_large_patch14_dinov2.lvd142m", 224, None, 1217),
    "dinov2-small": Network("DINOv2 ViT-S/14", "Oquab et al. 2023", "vit_small_patch14_dinov2.lvd142m", 224, None, 88),
}  # whose vectors metrics compare; FD on the large one is FD-DINOv2 of Stein et al. 2023
