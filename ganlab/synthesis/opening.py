"""From a model's file or name to its `Renderer`, and from a recipe alone to its picture."""

import contextlib
import functools
from pathlib import Path
from typing import Any

import torch

from ganlab import weights, zoo
from ganlab.config import InvalidInput
from ganlab.files import sha256_of
from ganlab.nn.devices import best_device
from ganlab.recipe import Recipe, Source
from ganlab.synthesis.renderer import Pixels, Renderer

MOST_OPEN = 2  # models that `render` keeps
LONGEST = 80  # characters of a title or of a class's name


def open_renderer(
    path: str | Path, name: str = "", title: str = "", precision: str = "", device: torch.device | None = None
) -> Renderer:
    """The renderer of a checkpoint; our own files carry a title, which replaces `title`, and the names of classes.

    precision: as `Engine` has it; empty: half precision on CUDA where the model declares it, else float32.
    """
    device = device or best_device()
    path = Path(path)
    G = weights.load(path)
    about: dict[str, Any] = G.about  # type: ignore[assignment]
    own, classes = about.get("title"), about.get("classes")
    renderer = Renderer(
        G,
        name or path.stem,
        sha256_of(path),
        own[:LONGEST] if isinstance(own, str) else title,
        [str(c)[:LONGEST] for c in classes] if isinstance(classes, list) else (),
        precision or ("fp16" if device.type == "cuda" else "fp32"),
        device,
    )
    renderer.path = path.resolve()
    with contextlib.suppress(InvalidInput):  # a stranger's file may say anything
        renderer.first = Source.from_dict(about.get("first"))
    return renderer


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
