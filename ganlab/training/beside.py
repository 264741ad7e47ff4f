"""The images that a generator is measured beside: those that a name stands for, at its size, with its classes."""

from dataclasses import replace
from typing import Any

from ganlab.data.images import ImageData
from ganlab.metrics.faces_report import attribute_of
from ganlab.presets.images import image_data


def data_beside(G: Any, data: str, labels: str = "") -> ImageData:
    """The settings of the images `data` (a set, a folder, a .zip or hub:user/set) for a generator.

    `labels`: empty for those that the model's classes are. Raises: `InvalidInput` where there is no such data.
    """
    found = image_data(data, int(G.img_resolution), labels or labels_of(G, data))
    return replace(found, grey=int(G.img_channels) == 1)


def labels_of(G: Any, data: str) -> str:
    """Labels of the data that a model's classes are: an attribute of faces, the classes of another set, or none."""
    if not int(getattr(G, "c_dim", 0)):
        return ""
    if data != "faces":
        return "class"
    names = G.about.get("classes")
    head = attribute_of([str(name) for name in names]) if isinstance(names, list) else None
    return head.name if head else ""
