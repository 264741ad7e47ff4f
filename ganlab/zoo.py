"""Models by name: those that ship with ganlab, and well-known public checkpoints, downloaded only when asked for."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ganlab.config import InvalidInput
from ganlab.download import PINS as PINS
from ganlab.download import Tick, Wanted, fetch
from ganlab.files import Cancelled as Cancelled
from ganlab.files import cache_folder

SHIPPED_FOLDER = Path(__file__).resolve().parents[1] / "checkpoints"


class ZooRow(NamedTuple):
    """A public checkpoint."""

    title: str
    url: str
    resolution: int
    licence: str
    megabytes: int | None  # about
    classes: int = 0
    sha256: str | None = None  # None: pinned by the first download


def shipped() -> dict[str, Path]:
    """The models that come with ganlab, by name."""
    return {path.stem: path for path in sorted(SHIPPED_FOLDER.glob("*.safetensors"))}


def folder() -> Path:
    """Where downloads are kept: GANLAB_CACHE, or a folder of the user's cache."""
    return cache_folder("models")


def downloaded(name: str) -> Path | None:
    """The file of a model of the table if it is here."""
    path = _target(name)
    return path if path.is_file() else None


def path_of(name: str) -> Path:
    """The file of a shipped or downloaded model; `InvalidInput` says how to get one that is not here."""
    ours = shipped()
    if name in ours:
        return ours[name]
    if name not in ZOO:
        known = ", ".join([*ours, *ZOO])
        raise InvalidInput("model", f"there is no file and no model called {name[:60]!r}; known are {known}")
    path = downloaded(name)
    if path is None:
        raise InvalidInput("model", f"{name} is not downloaded yet; get it with: python -m ganlab download {name}")
    return path


def download(name: str, tick: Tick | None = None) -> Path:
    """Fetches a model of the table, or goes on with what an earlier try left; returns its file.

    Raises: as `ganlab.download.fetch`.
    """
    if name not in ZOO:
        raise InvalidInput("model", f"there is no model called {name[:60]!r} in the list; known are {', '.join(ZOO)}")
    return fetch(Wanted(name, ZOO[name].url, _target(name), ZOO[name].sha256), tick)


def _target(name: str) -> Path:
    return folder() / f"{name}{Path(urlsplit(ZOO[name].url).path).suffix}"


NVIDIA = "NVIDIA Source Code License (research, non-commercial)"
ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/"
SG2 = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files/"
SG3 = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan3/versions/1/files/"
ZOO: dict[str, ZooRow] = {
    "ffhq-256": ZooRow("Faces, 256 px (StyleGAN2)", SG2 + "stylegan2-ffhq-256x256.pkl", 256, NVIDIA, 300),
    "ffhq-512": ZooRow("Faces, 512 px (StyleGAN2)", SG2 + "stylegan2-ffhq-512x512.pkl", 512, NVIDIA, 360),
    "ffhq-1024": ZooRow("Faces, 1024 px (StyleGAN2)", SG2 + "stylegan2-ffhq-1024x1024.pkl", 1024, NVIDIA, 380),
    "ffhq-ada": ZooRow("Faces, 1024 px (StyleGAN2-ADA)", ADA + "ffhq.pkl", 1024, NVIDIA, 380),
    "celebahq-256": ZooRow("Celebrities, 256 px (StyleGAN2)", SG2 + "stylegan2-celebahq-256x256.pkl", 256, NVIDIA, 300),
    "metfaces": ZooRow("Portraits in art, 1024 px (StyleGAN2-ADA)", ADA + "metfaces.pkl", 1024, NVIDIA, 380),
    "afhq-cat": ZooRow("Cats, 512 px (StyleGAN2-ADA)", ADA + "afhqcat.pkl", 512, NVIDIA, 360),
    "afhq-dog": ZooRow("Dogs, 512 px (StyleGAN2-ADA)", ADA + "afhqdog.pkl", 512, NVIDIA, 360),
    "afhq-wild": ZooRow("Wild animals, 512 px (StyleGAN2-ADA)", ADA + "afhqwild.pkl", 512, NVIDIA, 360),
    "afhq-v2": ZooRow("Animals, 512 px (StyleGAN2)", SG2 + "stylegan2-afhqv2-512x512.pkl", 512, NVIDIA, 360),
    "church-256": ZooRow("Churches, 256 px (StyleGAN2)", SG2 + "stylegan2-lsunchurch-256x256.pkl", 256, NVIDIA, 360),
    "horse-256": ZooRow("Horses, 256 px (StyleGAN2)", SG2 + "stylegan2-lsunhorse-256x256.pkl", 256, NVIDIA, 360),
    "cat-256": ZooRow("Cats, 256 px (StyleGAN2)", SG2 + "stylegan2-lsuncat-256x256.pkl", 256, NVIDIA, 360),
    "car-512": ZooRow("Cars, 512 px (StyleGAN2)", SG2 + "stylegan2-lsuncar-512x384.pkl", 512, NVIDIA, 360),
    "cifar10": ZooRow(
        "CIFAR-10, 32 px, 10 classes (StyleGAN2)", SG2 + "stylegan2-cifar10-32x32.pkl", 32, NVIDIA, 160, 10
    ),
    "stylegan3-t-ffhq": ZooRow(
        "Faces, 1024 px (StyleGAN3-T)", SG3 + "stylegan3-t-ffhq-1024x1024.pkl", 1024, NVIDIA, 300
    ),
    "stylegan3-r-ffhq": ZooRow(
        "Faces, 1024 px (StyleGAN3-R)", SG3 + "stylegan3-r-ffhq-1024x1024.pkl", 1024, NVIDIA, 210
    ),
}
