"""How good an edit is, for the editing lab: measured on the pictures that the page shows, with it and without.

And how strong it is to be.
"""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ganlab.config import InvalidInput
from ganlab.recipe import SEEDS, Edit, Recipe, Source, unpack_channels, unpack_latent
from ganlab.serving.asking import Job, Message, Viewer, Workers, chunks, model_of, recipe_of, recipes_of
from ganlab.serving.edits import check_words, makes_faces
from ganlab.serving.models import Painter
from ganlab.serving.studio_edits import about_text, layers_in, text_wish

MOST = 24  # pictures that an edit is measured on
AT_ONCE = 4  # pictures that are made together
NEUTRAL = "a person"
NUMBERED = re.compile(r"(?:PCA|SeFa) \d+[^:]*(?:: (.*))?")
Event = threading.Event


def _quality(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """Figures of edit number `at` of each of some pictures, of `own` by itself, and what of the model it moves.

    Edits of the same name are one: an optimization, and the direction that it began at.
    """
    worker, at = studio.worker(model_of(message, viewer)), message.get("at")

    def look(painter: Painter) -> tuple[list[Recipe], list[dict[str, Any]], bool]:
        recipes = recipes_of(message, painter, MOST)
        if message.get("own") is not None:
            recipes = [*recipes, recipe_of({"recipe": message["own"]}, painter)]
        edits = [recipe.edits[at] for recipe in recipes if type(at) is int and 0 <= at < len(recipe.edits)]
        if len(edits) < len(recipes):
            raise InvalidInput("at", "must be the number of an edit that all pictures have")
        return recipes, moved(painter, edits[0]), makes_faces(painter)

    def pictures(recipes: list[Recipe]) -> Any:
        import torch

        return torch.cat(list(_pictures(worker, recipes, end)))

    recipes, layers, faces = worker.ask(look).result()
    figures = own = None
    if not studio.editing.texts.missing():
        before = pictures([replace(recipe, edits=_without(recipe, cast(int, at))) for recipe in recipes])
        after = pictures([replace(recipe, edits=_unmuted(recipe, cast(int, at))) for recipe in recipes])
        name, neutral = recipes[0].edits[cast(int, at)].name, message.get("neutral")
        neutral = neutral if isinstance(neutral, str) and neutral.strip() else NEUTRAL
        many = len(recipes) - (message.get("own") is not None)
        figures = _figures(studio, before[:many], after[:many], neutral, _said(name), faces)
        if many < len(recipes):
            own = _figures(studio, before[many:], after[many:], neutral, _said(name), faces)
    viewer.say(ask, "quality", figures=figures, own=own, moved=layers)


def _fit(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """A text as an edit of one picture, as strong as suits it, of whichever channels that are known suit it best."""
    import torch

    from ganlab.latents.directions import as_edit
    from ganlab.metrics.editing import directional_similarity
    from ganlab.text.directions import text_change
    from ganlab.text.strength import FINALISTS, OTHERS, STRENGTHS, betas, settled, worth

    worker, clip, editing = studio.worker(model_of(message, viewer)), studio.editing.clip(), studio.editing
    neutral, target, beta, hows = text_wish(message)
    layers = layers_in(message)

    def work(painter: Painter) -> tuple[Recipe, list[tuple[str, Any]]]:
        ready = [how for how in hows if editing.ready(painter, clip, how)] or hows[:1]
        found, refused = [], None
        for way, threshold in [(how, each) for how in ready for each in betas(how, beta)]:
            try:
                found.append((way, editing.text(painter, clip, neutral, target, threshold, way)))
            except InvalidInput as error:  # beta leaves no channel of those that were learnt in this way
                refused = refused or error
        if refused and not found:
            raise refused
        return recipe_of(message, painter), found

    recipe, found = worker.ask(work).result()
    tries = [replace(as_edit(direction, s), layers=layers) for _, direction in found for s in STRENGTHS]
    change = text_change(clip, neutral, target)

    best_of = min(FINALISTS, len(tries))
    of, done = 1 + len(tries) + OTHERS * (1 + best_of), 0

    def tried(one: Recipe, edits: list[Edit]) -> tuple[Any, Any]:
        nonlocal done
        seen = []
        for images in _pictures(worker, [one, *(replace(one, edits=(*one.edits, edit)) for edit in edits)], end):
            seen.append(clip.embed_images(images))
            done += len(images)
            viewer.say(ask, "progress", done=done, of=of)
        vectors = torch.cat(seen)
        like = directional_similarity(vectors[:1].expand(len(edits), -1), vectors[1:], change)
        return worth(vectors[:1], vectors[1:], change), like

    values, like = tried(recipe, tries)
    own, best = values.topk(best_of)
    others = [tried(one, [tries[i] for i in best])[0] for one in _others(recipe)]
    at = int(best[settled(own, torch.stack(others))])
    how, direction = found[at // len(STRENGTHS)]
    told = about_text(clip, neutral, target, direction)
    viewer.say(ask, "fit", how=how, strength=tries[at].strength, similarity=round(float(like[at]), 3), **told)


def _others(recipe: Recipe) -> list[Recipe]:
    """Other pictures of the same kind."""
    from ganlab.text.strength import OTHERS

    first = recipe.sources[0]
    sources = [Source((first.seed + 1 + k) % SEEDS, classes=first.classes) for k in range(OTHERS)]
    return [replace(recipe, sources=(source,), mixes=()) for source in sources]


def _pictures(worker: Any, recipes: list[Recipe], end: Event) -> Iterator[Any]:
    """Some at a time: others' pictures come between."""
    for some in chunks(recipes, AT_ONCE):
        if end.is_set():
            raise InvalidInput("picture", "was not measured")
        yield _tensor(worker.ask(partial(_made, some)).result())


def _made(recipes: list[Recipe], painter: Painter) -> list[Any]:
    return painter.pictures(recipes, exact=False)


def _figures(studio: Workers, before: Any, after: Any, neutral: str, said: str, faces: bool) -> dict[str, Any]:
    """`text.quality.EditQuality` as JSON."""
    from ganlab.text.aims import aims_of
    from ganlab.text.directions import text_change
    from ganlab.text.quality import edit_quality

    clip, reader = studio.editing.clip(), studio.editing.reader() if faces else None
    try:
        check_words(clip, target=said)
        change = text_change(clip, neutral, said)
    except InvalidInput:  # a name that is no text, or says what is there already
        change = None
    aims = aims_of(said) if reader is not None else ()
    return edit_quality(before, after, change, clip, reader, aims).to_dict()


def _said(name: str) -> str:
    """The text in an edit's name: of "PCA 3: long hair, or backwards bald" the first half; "" where there is none."""
    numbered = NUMBERED.fullmatch(name)
    if numbered is None:
        return name
    towards = (numbered[1] or "").partition(", or backwards ")[0]
    return "" if towards.startswith("less ") else towards


def moved(painter: Painter, edit: Edit) -> list[dict[str, Any]]:
    """How much of an edit each layer takes, the most 1; in S also how many of its channels move, which, and how far.

    `ticks`: for each channel that moves (its place among its layer's, from 0 to 1; how far, the farthest of all 1).
    """
    facts, ticks = painter.facts(), list[list[tuple[float, float]]]()
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
            inside &= edit.layers is None or layer["row"] in edit.layers
            parts.append((str(layer["name"]), float((values[inside] ** 2).sum()) ** 0.5, int(inside.sum())))
            own = zip(((channels[inside] - layer["first"]) / layer["channels"]).tolist(), values[inside].tolist())
            ticks.append([(round(place, 4), value) for place, value in own])
    most = max((size for _, size, _ in parts), default=0.0) or 1.0
    farthest = max((abs(value) for layer in ticks for _, value in layer), default=0.0) or 1.0
    told: list[dict[str, Any]] = [
        {"name": name, "part": round(size / most, 4), "channels": number} for name, size, number in parts
    ]
    for row, layer in zip(told, ticks):
        row["ticks"] = [(place, round(value / farthest, 3)) for place, value in layer]
    return told


def _same(recipe: Recipe, at: int) -> list[bool]:
    """Which edits go by the name of edit number `at`."""
    return [edit.name == recipe.edits[at].name for edit in recipe.edits]


def _without(recipe: Recipe, at: int) -> tuple[Edit, ...]:
    return tuple(edit for edit, same in zip(recipe.edits, _same(recipe, at)) if not same)


def _unmuted(recipe: Recipe, at: int) -> tuple[Edit, ...]:
    return (*recipe.edits[:at], replace(recipe.edits[at], muted=False), *recipe.edits[at + 1 :])


def _tensor(pictures: list[Any]) -> Any:
    """Pictures as CLIPs and classifiers take them, in [-1, 1], [N, 3, H, W]."""
    import numpy as np
    import torch

    images = np.stack([picture.image for picture in pictures])
    images = images[..., None] if images.ndim == 3 else images
    return (torch.from_numpy(images.transpose(0, 3, 1, 2)) / 127.5 - 1).expand(-1, 3, -1, -1)


QUALITY_JOBS: dict[str, Job] = {"quality": _quality, "fit": _fit}
