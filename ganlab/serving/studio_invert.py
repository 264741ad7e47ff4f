"""A picture of one's own in the editing lab: read, or drawn for those who have none, and looked for in a model."""

import base64
import binascii
import io
import math
import threading
import time
from pathlib import Path
from typing import Any, cast

from ganlab.config import InvalidInput
from ganlab.render import pictures
from ganlab.serving.asking import Job, Message, Viewer, Workers, model_of, numbers
from ganlab.serving.edits import makes_faces
from ganlab.serving.limits import check_edit_steps
from ganlab.serving.models import Painter, Tick

PHOTO_SIDE = 512  # pixels of a picture's side as a page keeps it
MOST_PHOTO = 4 << 20  # characters of it as data
FACES_SEED = 1 << 32  # held out: no run's seed
MOST_FACES = 1 << 31
BETWEEN = 0.2  # seconds between two pictures of the search
SIDE = 256  # pixels of such a picture
STARTS = 500 * 64**2  # random latents that are tried first, times the pixels of each
FEWEST_STARTS = 8
LIKENESS = (  # error as a part of the mean picture's, and what that looks like
    (0.2, "Hard to tell apart."),
    (0.4, "A good likeness."),
    (0.7, "Alike in shape and colours."),
    (math.inf, "Not found: this model may not make such pictures."),
)
DATA = "data:image/png;base64,"
GAIN = 0.98  # of the error without them, from which on noise maps are left out of a recipe
Event = threading.Event


def photo_of(path: Path) -> str:
    """An uploaded picture as a page keeps it, a PNG as a data URL: its middle square of at most 512 px, on white.

    `InvalidInput` says what is wrong with the file.
    """
    from PIL import Image

    from ganlab.data.opening import on_white, read_file
    from ganlab.latents.inversion import open_photo

    image = open_photo(read_file(path, "picture"), "picture", 2 * PHOTO_SIDE)
    short = min(image.size)
    left, top = ((length - short) // 2 for length in image.size)
    box, side = (left, top, left + short, top + short), min(short, PHOTO_SIDE)
    small = image.crop(box) if side == short else image.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return _as_data(on_white(small))


def _inversion(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """What the panel needs to know of a model: whether a cartoon face is a fitting picture."""
    faces = studio.worker(model_of(message, viewer)).ask(makes_faces).result()
    viewer.say(ask, "inversion", faces=faces)


def _draw(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """A cartoon face that no model has learned from."""
    from PIL import Image

    from ganlab.data.faces import faces
    from ganlab.data.images.config import FACE_SIDES

    index = int(numbers(message, "index", 0, MOST_FACES, 0))
    facts = studio.worker(model_of(message, viewer)).ask(lambda painter: painter.facts()).result()
    low, high = FACE_SIDES
    images, _ = faces(FACES_SEED, [index], min(max(int(facts["resolution"]), low), high))
    viewer.say(ask, "photo", photo=_as_data(Image.fromarray(images[0].permute(1, 2, 0).numpy())))


def _invert(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """Looks for a picture in the model, shows how far it is, and ends with a recipe; a stop keeps the best so far."""
    from ganlab.latents.inversion import Inversion

    worker, photo = studio.worker(model_of(message, viewer)), _photo(message)
    how = Inversion.from_dict(message.get("how", {}))
    check_edit_steps(how.steps)

    def tick(done: int, of: int) -> bool:
        viewer.say(ask, "progress", done=done, of=of, trying=True)
        return not end.is_set()

    def work(painter: Painter) -> dict[str, Any]:
        go_on = worker.between(painter, lambda done, of: not end.is_set())
        eyes = studio.editing.eyes(painter)
        return _search(viewer, ask, painter, photo, how, eyes, worker.between(painter, tick), go_on)

    found = worker.ask(work, long=True).result()
    viewer.say(ask, "inverted", **found, stopped=end.is_set())


def _search(
    viewer: Viewer, ask: int, painter: Painter, photo: bytes, how: Any, eyes: Any, tick: Tick, go_on: Tick
) -> dict[str, Any]:
    """The search itself, in the model's thread; what is told of its best step."""
    from dataclasses import replace

    from ganlab.latents.inversion import average_of, error_of, inverted, read_target, recipe_of
    from ganlab.recipe import Noise, Recipe
    from ganlab.render.sheet import to_pixels

    renderer, (by, maps) = cast(Any, painter), eyes or ("", None)
    target = read_target(photo, renderer)
    how = replace(how, starts=min(how.starts, max(FEWEST_STARTS, STARTS // target[0].numel())))
    average = error_of(renderer, target, average_of(renderer), maps)
    shown = 0.0
    for moment in inverted(renderer, target, how, maps, tick):
        last = moment.step == how.steps or not go_on(moment.step, how.steps)
        if last or time.monotonic() - shown > BETWEEN:
            shown = time.monotonic()
            terms = {"perceptual": moment.perceptual, "pixel": moment.pixel, "noise": moment.noise}
            image = pictures.shrunk(to_pixels(moment.image[None])[0], SIDE)
            told = {"done": moment.step, "of": how.steps, "terms": terms, "error": moment.error.rmse}
            viewer.show(ask, "tile", pictures.webp(image), mime="image/webp", **told)
        if last:
            break
    recipe = recipe_of(moment, Recipe(painter.facts()["name"]))
    error, more = moment.error.rmse, ""
    if moment.maps:
        plain = replace(recipe, noise=Noise())
        error, without = (error_of(renderer, target, made, maps).rmse for made in (recipe, plain))
        more = f" Without the noise that was found: {without / 2:.1%}."
        if error > GAIN * without:
            recipe, error, more = plain, without, " Noise of its own brings it no nearer, so it was left out."
    seen = f" Compared by pixels{by and f' and by what {by} sees'}."
    return {"recipe": recipe.to_dict(full=True), "error": error, "text": in_words(error, average.rmse) + more + seen}


def in_words(error: float, average: float) -> str:
    """What a root mean square error in [-1, 1] means, beside that of the model's mean picture."""
    part = error / max(average, 1e-6)
    said = next((words for most, words in LIKENESS if part < most), LIKENESS[-1][1])
    return f"{said} Off by {error / 2:.1%} of the range (root mean square); the average picture by {average / 2:.1%}."


def _photo(message: Message) -> bytes:
    """The picture in a message, a data URL."""
    text = message.get("photo")
    if not isinstance(text, str) or not text:
        raise InvalidInput("picture", "is missing: choose a file, or draw a face")
    if len(text) > MOST_PHOTO:
        raise InvalidInput("picture", "is too large here; choose its file again")
    try:
        return base64.b64decode(text.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("picture", "was damaged on its way; choose it again") from None


def _as_data(image: Any) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return DATA + base64.b64encode(out.getvalue()).decode()


INVERT_JOBS: dict[str, Job] = {"inversion": _inversion, "draw": _draw, "invert": _invert}
