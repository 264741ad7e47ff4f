"""A recipe or film as the Python that makes it: what "show me the Python" prints."""

from dataclasses import replace

from ganlab.config import Config
from ganlab.film import Film
from ganlab.recipe import Recipe
from ganlab.spelling import classes_in, spelled

HOMES = {"Film": "ganlab.film", "Keyframe": "ganlab.film"}  # the others live in ganlab.recipe


def as_python(config: Config) -> str:
    """A script that makes the picture, or the frames of the film; running it needs only ganlab and the model."""
    assert isinstance(config, Recipe | Film)
    film = config if isinstance(config, Film) else None
    model = film.keyframes[0].recipe.model if film else getattr(config, "model", "")
    if isinstance(config, Recipe):
        config = replace(config, sha256="")  # the file that is loaded is the one that is meant
    always = ("keyframes",) if film else ("sources", "psi")
    head = (
        "from PIL import Image\n\n"
        "from ganlab import weights, zoo\n"
        f"{_imports(classes_in(config, always))}"
        "from ganlab.synthesis import Renderer\n\n"
        f"path = zoo.path_of({model!r})  # or the path of a file of your own\n"
        "renderer = Renderer(weights.load(path))\n\n"
    )
    if film:
        return (
            f"{head}film = {spelled(config, always)}\n\n"
            "for i, second in enumerate(film.times(fps=24)):\n"
            "    picture = renderer.pictures([film.at(second)])[0]\n"
            '    Image.fromarray(picture.image).save(f"frame{i:04d}.png")\n'
        )
    return (
        f"{head}recipe = {spelled(config, always)}\n\n"
        'Image.fromarray(renderer.pictures([recipe])[0].image).save("picture.png")\n'
    )


def _imports(names: list[str]) -> str:
    by_home: dict[str, list[str]] = {}
    for name in names:
        by_home.setdefault(HOMES.get(name, "ganlab.recipe"), []).append(name)
    return "".join(f"from {home} import {', '.join(by_home[home])}\n" for home in sorted(by_home))
