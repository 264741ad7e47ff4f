"""Texts that take their time: a picture's latents are moved live, and mappers are trained, kept and used."""

import base64
import binascii
import math
import re
import threading
from typing import Any, cast

import numpy as np

from ganlab.config import InvalidInput
from ganlab.render import pictures
from ganlab.serving.asking import Job, Message, Viewer, Workers, model_of, recipe_of, recipes_of
from ganlab.serving.edits import check_words
from ganlab.serving.limits import check_edit_steps
from ganlab.serving.models import Painter

WAYPOINTS = 20  # of the way that a slider walks
PICTURES = 60  # of a run that are shown as it goes
SIDE = 256  # pixels of such a picture
TILE = 96  # of one on a sheet
USUAL_BATCH = 4  # of a mapper: larger ones take longer for each step
MOST_APPLIED = 24  # pictures that a mapper is used on at a time
Event = threading.Event


class Waypoints:
    """The moments of a run that are kept, about evenly spread, however long it will be; the last one always."""

    def __init__(self, most: int = WAYPOINTS) -> None:
        self._most, self._stride, self._kept, self._last = most, 1, list[Any](), None

    def add(self, moment: Any) -> None:
        """One more step."""
        self._last = moment
        if moment.step % self._stride == 0:
            self._kept.append(moment)
        if len(self._kept) > 2 * self._most:
            self._stride *= 2
            self._kept = [kept for kept in self._kept if kept.step % self._stride == 0]

    def moments(self) -> list[Any]:
        """At most so many, behind the start, which changes nothing."""
        if self._last is None or self._last.step == 0:
            return []
        on = [kept for kept in self._kept if 0 < kept.step < self._last.step]
        places = np.linspace(0, len(on) - 1, min(self._most - 1, len(on))).round().astype(int)
        return [*(on[i] for i in places), self._last]


def _optimize(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """Moves a picture's latents until the text fits, or until it is told to stop; answers with edits along the way."""
    from ganlab.render.sheet import to_pixels
    from ganlab.text.optimize import Optimization, edit_of, optimized

    worker, clip = studio.worker(model_of(message, viewer)), studio.editing.clip()
    how = Optimization.from_dict(message.get("how"))
    check_edit_steps(how.steps)
    check_words(clip, **_texts(how))
    every = max(1, how.steps // PICTURES)

    def work(painter: Painter) -> list[Any]:
        way, recipe = Waypoints(), recipe_of(message, painter)
        go_on = worker.between(painter, lambda done, of: not end.is_set())
        for moment in optimized(cast(Any, painter), clip, recipe, how):
            _check_terms(moment.step, moment.clip, moment.l2, moment.beside)
            way.add(moment)
            if moment.step % every == 0 or moment.step == how.steps:
                image = pictures.shrunk(to_pixels(moment.image[None])[0], SIDE)
                viewer.show(ask, "tile", pictures.jpeg(image), mime="image/jpeg")
            terms = {"clip": moment.clip, "distance": moment.l2, "beside": moment.beside}
            viewer.say(ask, "progress", done=moment.step, of=how.steps, terms=terms)
            if not go_on(moment.step, how.steps):
                break
        return way.moments()

    moments = worker.ask(work, long=True).result()
    edits = [edit_of(moment, how.target.strip()).to_dict(full=True) for moment in moments]
    steps = [moment.step for moment in moments]
    viewer.say(ask, "way", edits=edits, steps=steps, cancelled=end.is_set(), hint=_hint(clip, how))


def _mapper_train(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """Trains a mapper; one that is stopped is kept as far as it has come."""
    from ganlab.text.mapper import MapperRun, mapper_file, train_mapper

    worker, clip = studio.worker(model_of(message, viewer)), studio.editing.clip()
    run = MapperRun.from_dict(message.get("run"))
    check_edit_steps(math.ceil(run.steps * max(run.batch, USUAL_BATCH) / USUAL_BATCH))
    check_words(clip, **_texts(run))

    def work(painter: Painter) -> tuple[int, bytes]:
        go_on = worker.between(painter, lambda done, of: not end.is_set())
        step, mapper = 0, None
        for moment in train_mapper(cast(Any, painter), clip, run, studio.editing.identity(painter, clip)):
            _check_terms(moment.step, moment.clip, moment.l2, moment.identity)
            step, mapper = moment.step, moment.mapper
            if moment.sheet is not None:
                viewer.show(ask, "tile", pictures.jpeg(_sheet(*moment.sheet)), mime="image/jpeg")
            terms = {"clip": moment.clip, "distance": moment.l2, "identity": moment.identity}
            viewer.say(ask, "progress", done=step, of=run.steps, terms=terms)
            if not go_on(step, run.steps):
                break
        return step, mapper_file(mapper) if mapper is not None and step else b""

    step, data = worker.ask(work, long=True).result()
    if not data:
        viewer.say(ask, "done", cancelled=True)
        return
    name, mapper = worker.ask(lambda painter: studio.editing.take_mapper(painter, data)).result()
    viewer.say(ask, "mapper", **_about(name, mapper), step=step, cancelled=end.is_set(), hint=_hint(clip, run))


def _mapper_apply(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """What a mapper does to each of some pictures, as an edit behind those that they have."""

    def work(painter: Painter) -> list[dict[str, Any]]:
        from ganlab.text.mapper import mapper_edit

        mapper = studio.editing.mapper(painter, message.get("mapper"))
        recipes = recipes_of(message, painter, MOST_APPLIED)
        return [mapper_edit(cast(Any, painter), mapper, recipe).to_dict(full=True) for recipe in recipes]

    viewer.say(ask, "edits", edits=studio.worker(model_of(message, viewer)).ask(work).result())


def _mapper_save(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """A mapper as a file."""

    def work(painter: Painter) -> tuple[bytes, str]:
        from ganlab.text.mapper import mapper_file

        mapper = studio.editing.mapper(painter, message.get("mapper"))
        words = re.sub(r"[^a-z0-9]+", "-", mapper.run.target.lower()).strip("-")[:40]
        return mapper_file(mapper), f"ganlab-mapper-{words or 'text'}.safetensors"

    data, name = studio.worker(model_of(message, viewer)).ask(work).result()
    viewer.show(ask, "file", data, mime="application/octet-stream", name=name)


def _mapper_open(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """A file of a mapper, as base64."""
    text = message.get("data")
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("file", "was damaged on its way; open it again") from None
    worker = studio.worker(model_of(message, viewer))
    name, mapper = worker.ask(lambda painter: studio.editing.take_mapper(painter, data)).result()
    viewer.say(ask, "mapper", **_about(name, mapper))


def _about(name: str, mapper: Any) -> dict[str, Any]:
    """What a page shows of a mapper."""
    return {"mapper": name, "target": mapper.run.target, "groups": list(mapper.rows)}


def _texts(settings: Any) -> dict[str, str]:
    """The texts that are used: the neutral one for a change only."""
    return {name: getattr(settings, name) for name in ("neutral", "target")[settings.aim != "change" :]}


def _hint(clip: Any, settings: Any) -> str:
    """What the CLIP says of words that it does not know."""
    return str(clip.hint(" ".join(_texts(settings).values()))) if hasattr(clip, "hint") else ""


def _check_terms(step: int, *terms: float) -> None:
    if not all(math.isfinite(term) for term in terms):
        raise InvalidInput("lr", f"the picture fell apart at step {step}; try a smaller learning rate")


def _sheet(before: Any, after: Any) -> pictures.Pixels:
    """Small pictures in two rows, before over after."""
    import torch

    from ganlab.render.sheet import sheet

    both = sheet(torch.cat([before, after]), columns=len(before))
    return pictures.shrunk(both, TILE * max(2, len(before)))


TEXT_JOBS: dict[str, Job] = {
    "optimize": _optimize,
    "mapper_train": _mapper_train,
    "mapper_apply": _mapper_apply,
    "mapper_save": _mapper_save,
    "mapper_open": _mapper_open,
}
