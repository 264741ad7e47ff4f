"""How good an edit is, for the editing lab: measured on the pictures that the page shows, with it and without."""

import threading
from dataclasses import replace
from typing import Any, cast

from ganlab.config import InvalidInput
from ganlab.recipe import Edit, Recipe, unpack_channels, unpack_latent
from ganlab.serving.asking import Job, Message, Viewer, Workers, model_of, recipes_of
from ganlab.serving.edits import makes_faces
from ganlab.serving.models import Painter

MOST = 24  # pictures that an edit is measured on
NEUTRAL = "a person"
Event = threading.Event


def _quality(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """Figures of edit number `at` of each of some pictures, and what of the model it moves."""
    worker, at = studio.worker(model_of(message, viewer)), message.get("at")
    neutral = message.get("neutral")

    def work(painter: Painter) -> dict[str, Any]:
        recipes = recipes_of(message, painter, MOST)
        edits = [recipe.edits[at] for recipe in recipes if type(at) is int and 0 <= at < len(recipe.edits)]
        if len(edits) < len(recipes):
            raise InvalidInput("at", "must be the number of an edit that all pictures have")
        neutral_text = neutral if isinstance(neutral, str) and neutral.strip() else NEUTRAL
        figures = _figures(studio, painter, recipes, cast(int, at), neutral_text)
        return {"figures": figures, "moved": moved(painter, edits[0])}

    viewer.say(ask, "quality", **worker.ask(work).result())


def _figures(studio: Workers, painter: Painter, recipes: list[Recipe], at: int, neutral: str) -> dict[str, Any] | None:
    """`text.quality.EditQuality` as JSON; None where nothing can be said of this model."""
    from ganlab.text.aims import aims_of
    from ganlab.text.directions import text_change
    from ganlab.text.quality import edit_quality

    if studio.editing.texts.missing():
        return None
    clip, reader = studio.editing.clip(), studio.editing.reader() if makes_faces(painter) else None
    edit = recipes[0].edits[at]
    before = [replace(recipe, edits=_without(recipe, at)) for recipe in recipes]
    after = [replace(recipe, edits=_unmuted(recipe, at)) for recipe in recipes]
    try:
        change = text_change(clip, neutral, edit.name)
    except InvalidInput:  # a name that the CLIP cannot read, or says what is there already
        change = None
    aims = aims_of(edit.name) if reader is not None else ()
    pictures = [_tensor(painter.pictures(some)) for some in (before, after)]
    return edit_quality(pictures[0], pictures[1], change, clip, reader, aims).to_dict()


def moved(painter: Painter, edit: Edit) -> list[dict[str, Any]]:
    """How much of an edit each layer takes, the most 1; in S also how many of its channels move."""
    facts = painter.facts()
    if edit.space == "w":
        rows = unpack_latent(edit.direction)
        at = [row if len(rows) > 1 else 0 for row in range(facts["num_ws"])]
        sizes = [float((rows[i] ** 2).sum()) ** 0.5 for i in at]
        sizes = [size if edit.layers is None or row in edit.layers else 0.0 for row, size in enumerate(sizes)]
        parts: list[tuple[str, float, int | None]]
        parts = [(str(row["name"]), size, None) for row, size in zip(facts["rows"], sizes)]
    else:
        channels, values = unpack_channels(edit.direction)
        parts = []
        for layer in facts["style_space"] or ():
            inside = (channels >= layer["first"]) & (channels < layer["first"] + layer["channels"])
            parts.append((str(layer["name"]), float((values[inside] ** 2).sum()) ** 0.5, int(inside.sum())))
    most = max((size for _, size, _ in parts), default=0.0) or 1.0
    return [{"name": name, "part": round(size / most, 4), "channels": number} for name, size, number in parts]


def _without(recipe: Recipe, at: int) -> tuple[Edit, ...]:
    return recipe.edits[:at] + recipe.edits[at + 1 :]


def _unmuted(recipe: Recipe, at: int) -> tuple[Edit, ...]:
    return (*recipe.edits[:at], replace(recipe.edits[at], muted=False), *recipe.edits[at + 1 :])


def _tensor(pictures: list[Any]) -> Any:
    """Pictures as CLIPs and classifiers take them, in [-1, 1], [N, 3, H, W]."""
    import numpy as np
    import torch

    images = np.stack([picture.image for picture in pictures])
    images = images[..., None] if images.ndim == 3 else images
    return (torch.from_numpy(images.transpose(0, 3, 1, 2)) / 127.5 - 1).expand(-1, 3, -1, -1)


QUALITY_JOBS: dict[str, Job] = {"quality": _quality}
