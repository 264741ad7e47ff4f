"""From a model's file or name to its `Renderer`, and from a recipe alone to its picture."""

import functools
import hashlib
from pathlib import Path

import torch

from ganlab import weights, zoo
from ganlab.config import InvalidInput
from ganlab.recipe import Recipe
from ganlab.synthesis.renderer import Pixels, Renderer

MOST_OPEN = 2  # models that `render` keeps
CHUNK = 1 << 20


def best_device() -> torch.device:
    """CUDA where there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def open_renderer(
    path: str | Path, name: str = "", precision: str = "", device: torch.device | None = None
) -> Renderer:
    """The renderer of a checkpoint; title and names of classes are those that our own files carry.

    precision: as `Engine` has it; empty: half precision on CUDA where the model declares it, else float32.
    """
    device = device or best_device()
    path = Path(path)
    G = weights.load(path)
    about = weights.inspect(path).about or {}
    title, classes = about.get("title"), about.get("classes")
    return Renderer(
        G,
        name or path.stem,
        _sha256(path),
        title if isinstance(title, str) else "",
        [str(c) for c in classes] if isinstance(classes, list) else (),
        precision or ("fp16" if device.type == "cuda" else "fp32"),
        device,
    )


def render(recipe: Recipe, model: str | Path | None = None) -> Pixels:
    """The picture of a recipe, [H, W, 3] uint8: the same pixels as in the laboratory.

    `model` is a file or the name of a model; None: the one that the recipe names. Raises `InvalidInput`.
    """
    given = model if model is not None else recipe.model
    if not given:
        raise InvalidInput("model", "is missing: name one in the recipe, or give a file")
    path = Path(given)
    return _opened(path if path.exists() else zoo.path_of(str(given))).pictures([recipe])[0].image


@functools.lru_cache(MOST_OPEN)
def _opened(path: Path) -> Renderer:
    return open_renderer(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
