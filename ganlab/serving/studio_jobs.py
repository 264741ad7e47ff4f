"""What the image labs' pages can ask for besides the current picture. Each job runs in a thread of its own."""

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from ganlab.config import InvalidInput
from ganlab.film import Film
from ganlab.recipe import Recipe
from ganlab.recipe_script import as_python
from ganlab.render import pictures
from ganlab.render.clip import check_length, clip
from ganlab.serving.asking import (
    Job,
    Message,
    Viewer,
    Workers,
    checked,
    chunks,
    link_to,
    model_of,
    numbers,
    recipe_of,
    recipes_of,
    settings_of,
    signed,
)
from ganlab.serving.models import Painter
from ganlab.serving.painting import Worker

MOST_TILES = 100  # pictures of one strip, table or grid
MOST_DRAWS = 256  # of the noise map
MOST_PSIS = 25
CHANNELS = 64  # of a layer on one page
COLUMNS = 8
TOGETHER = 2  # small pictures made in one go: between two goes come those that someone waits for
LARGE = 512  # pixels of a model from which tiles are its early pictures
LARGEST = 1024  # pixels of a film's side


def _models(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    viewer.say(ask, "models", models=studio.catalogue.menu(), public=studio.catalogue.public)


def _open(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    name = message.get("model", "")
    if not isinstance(name, str):
        raise InvalidInput("model", "must be a name")
    row = studio.catalogue.find(name)
    facts = studio.worker(row.name).ask(lambda painter: painter.facts()).result()
    viewer.model = row.name
    viewer.say(ask, "facts", facts={**facts, "name": row.name})


def _many(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    """Small pictures, each sent as soon as it is made."""
    worker = studio.worker(model_of(message, viewer))
    side = int(numbers(message, "side", 8, LARGEST, 128))
    recipes = worker.ask(lambda painter: recipes_of(message, painter, MOST_TILES)).result()
    sent = 0
    large = worker.ask(lambda painter: int(painter.facts()["resolution"])).result() >= LARGE
    for chunk in chunks(recipes, TOGETHER):
        if end.is_set():
            break
        for picture in worker.ask(functools.partial(_paint, recipes=chunk, side=side if large else None)).result():
            tile = pictures.shrunk(picture.image, side)
            viewer.show(ask, "tile", pictures.jpeg(tile), mime="image/jpeg", index=sent, of=len(recipes))
            sent += 1
    viewer.say(ask, "done", cancelled=end.is_set())


def _paint(painter: Painter, recipes: list[Recipe], side: int | None) -> list[Any]:
    """Pictures of at least `side` pixels where the model gives them early; None: of full size."""
    early = None if side is None else 1 << max(side - 1, 63).bit_length()
    return painter.pictures(recipes, preview=early, exact=False)


def _noise_map(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    worker = studio.worker(model_of(message, viewer))
    draws = int(numbers(message, "draws", 2, MOST_DRAWS, 32))

    def tick(done: int, of: int) -> bool:
        viewer.say(ask, "progress", done=done, of=of)
        return not end.is_set()

    def work(painter: Painter) -> Any:
        return painter.noise_map(recipe_of(message, painter), draws, tick=worker.between(painter, tick))

    values = 127.5 * worker.ask(work, long=True).result()  # in steps of 0 to 255
    high = float(np.percentile(values, 99.5))
    image = pictures.heat_map(values, 0.0, high)
    viewer.show(ask, "map", pictures.webp(image), mime="image/webp", high=high, mean=float(values.mean()), draws=draws)


def _diversity(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    worker = studio.worker(model_of(message, viewer))
    count = int(numbers(message, "count", 2, 200, 16))
    psis = message.get("psis")
    if not isinstance(psis, list) or not 1 <= len(psis) <= MOST_PSIS or not all(_is_psi(psi) for psi in psis):
        raise InvalidInput("psis", f"must be a list of at most {MOST_PSIS} numbers from -1 to 2")

    def tick(done: int, of: int) -> bool:
        viewer.say(ask, "progress", done=done, of=of)
        return not end.is_set()

    def work(painter: Painter) -> Any:
        from ganlab.latents.diversity import diversity

        renderer: Any = painter
        return diversity(renderer, recipe_of(message, painter), psis, count, worker.between(painter, tick))

    points = worker.ask(work, long=True).result()
    viewer.say(ask, "done", cancelled=end.is_set(), points=[[float(value) for value in point] for point in points])


def _is_psi(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 2


def _layer(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    worker = studio.worker(model_of(message, viewer))
    layer, page = int(numbers(message, "layer", 0, 100, 0)), int(numbers(message, "page", 0, 100, 0))
    tensor = worker.ask(lambda painter: painter.activations(recipe_of(message, painter), layer)).result()
    values = np.asarray(tensor.detach().cpu().float().numpy())
    shown = values[page * CHANNELS : (page + 1) * CHANNELS]
    if not len(shown):
        raise InvalidInput("page", f"{page} is out of range; this layer has {len(values)} channels")
    if message.get("fft"):
        spectrum = pictures.log_spectrum(values)
        low, high = float(np.percentile(spectrum, 1)), float(spectrum.max())
        image = pictures.heat_map(spectrum, low, high)
    else:
        low, high = float(shown.min()), float(shown.max())
        image = pictures.channel_grid(shown, COLUMNS, 640)
    facts = {"channels": len(values), "pages": -(-len(values) // CHANNELS), "resolution": values.shape[-1]}
    viewer.show(ask, "layer", pictures.webp(image), mime="image/webp", low=low, high=high, **facts)


def _python(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    viewer.say(ask, "python", text=as_python(settings_of(message)))


def _link(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    """Settings to a link, or a link to settings; JSON is checked on the way."""
    config = settings_of(message)
    if isinstance(config, Recipe):
        studio.worker(config.model or viewer.model).ask(lambda painter: checked(config, painter)).result()
    text = link_to(config) if message.get("want") == "link" else ""
    viewer.say(ask, "settings", link=text, settings=config.to_dict(full=True))


def _png(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    worker = studio.worker(model_of(message, viewer))

    def work(painter: Painter) -> tuple[Any, Recipe]:
        recipe = recipe_of(message, painter)
        return painter.pictures([recipe])[0].image, signed(recipe, painter)

    image, recipe = worker.ask(work).result()
    name = f"ganlab-{recipe.model or 'picture'}-{recipe.sources[0].seed}.png"
    viewer.show(ask, "file", pictures.png(image, recipe.to_json()), mime="image/png", name=name)


def _film(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    worker = studio.worker(model_of(message, viewer))
    film = Film.from_dict(message.get("film"))
    kind = message.get("kind", "mp4")
    fps, side = numbers(message, "fps", 1, 60, 24), int(numbers(message, "side", 16, LARGEST, 256))
    times = film.times(fps)
    check_length(len(times), side, kind if isinstance(kind, str) else "")
    data = b""
    with contextlib.closing(clip(_frames(worker, film, times, side), kind, fps)) as steps:
        for done, step in enumerate(steps, 1):
            if end.is_set():
                viewer.say(ask, "done", cancelled=True)
                return
            data = step
            viewer.say(ask, "progress", done=min(done, len(times)), of=len(times))
    mime = {"mp4": "video/mp4", "gif": "image/gif", "webp": "image/webp"}[kind]
    viewer.show(ask, "file", data, mime=mime, name=f"ganlab-film.{kind}", frames=len(times))


def _frames(worker: Worker, film: Film, times: list[float], side: int) -> Iterator[pictures.Pixels]:
    """The film's pictures, enlarged or shrunk to `side`."""

    def paint(at: list[float], painter: Painter) -> list[Any]:
        return painter.pictures([checked(film.at(second), painter) for second in at])

    for i in range(0, len(times), 2):
        for picture in worker.ask(functools.partial(paint, times[i : i + 2])).result():
            yield pictures.resized(picture.image, side)


def _download(studio: Workers, viewer: Viewer, ask: int, message: Message, end: threading.Event) -> None:
    name = message.get("name")
    if not isinstance(name, str):
        raise InvalidInput("model", "must be a name")

    def tick(done: int, of: int) -> bool:
        viewer.say(ask, "progress", done=done, of=of)
        return not end.is_set()

    studio.catalogue.download(name, tick)
    viewer.say(ask, "models", models=studio.catalogue.menu(), public=studio.catalogue.public)


JOBS: dict[str, Job] = {
    "models": _models,
    "open": _open,
    "many": _many,
    "noise_map": _noise_map,
    "diversity": _diversity,
    "layer": _layer,
    "python": _python,
    "link": _link,
    "png": _png,
    "film": _film,
    "download": _download,
}
