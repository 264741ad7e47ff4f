"""The images that a generator is measured beside: those that a name stands for, at its size, with its classes."""

from dataclasses import replace
from typing import Any

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, ImageSet, open_images
from ganlab.metrics.faces_report import attribute_of
from ganlab.presets.images import image_data

HELD_OUT = 0.1  # of a set: what tells copies apart, unless the model's own training has held some out


def data_beside(G: Any, data: str, labels: str = "") -> ImageData:
    """The settings of the images `data` (a set, a folder, a .zip or hub:user/set) for a generator, some held out.

    `labels`: empty for those that the model's classes are. Raises: `InvalidInput` where there is no such data.
    """
    side = int(G.img_resolution)
    try:
        found = image_data(data, side, labels or labels_of(G, data))
    except InvalidInput as error:
        if labels or error.field != "labels":
            raise
        found = image_data(data, side)  # it has no classes
    own = _trained_on(G)
    if (own.name, own.path, own.hub) == (found.name, found.path, found.hub):
        found = replace(found, seed=own.seed, valid=own.valid)
    return replace(found, grey=int(G.img_channels) == 1, valid=found.valid or HELD_OUT)


def images_beside(config: ImageData, asked: bool = False, tick: Any = None) -> ImageSet:
    """The images; without classes where the set has none, unless somebody has asked for them."""
    try:
        return open_images(config, tick)
    except InvalidInput as error:
        if asked or not config.labels or error.field != "labels":
            raise
        return open_images(replace(config, labels=""), tick)


def same_classes(G: Any, images: ImageSet) -> bool:
    """Whether a model's classes are those of a set: of a stranger's model, which does not name them, as many."""
    names = _about(G, "classes")
    if isinstance(names, list) and names:
        return [str(name) for name in names] == [str(name) for name in images.classes]
    return int(getattr(G, "c_dim", 0)) == len(images.classes)


def learned_from(G: Any) -> str:
    """The name of the set that a model's file says it learned from; "" where it says nothing, or a set of one's own."""
    own = _trained_on(G).name
    return "" if own in ("folder", "hub") else own


def labels_of(G: Any, data: str) -> str:
    """Labels of the data that a model's classes are: an attribute of faces, the classes of another set, or none."""
    if not int(getattr(G, "c_dim", 0)):
        return ""
    if data != "faces":
        return "class"
    names = _about(G, "classes")
    head = attribute_of([str(name) for name in names]) if isinstance(names, list) else None
    return head.name if head else ""


def _about(G: Any, key: str) -> Any:
    """What a model's file says of itself; None where it says nothing."""
    about = getattr(G, "about", None)
    return about.get(key) if isinstance(about, dict) else None


def _trained_on(G: Any) -> ImageData:
    """What a model's file says that it was trained on; another set's name where it does not say."""
    run = _about(G, "run")
    try:
        return ImageData.from_dict(run["data"] if isinstance(run, dict) else None)
    except (InvalidInput, KeyError, TypeError):
        return ImageData("folder", path="/")
