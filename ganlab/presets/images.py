"""Runs on images by name: a preset, a resolution, and data."""

from dataclasses import replace
from pathlib import Path

from ganlab.config import InvalidInput
from ganlab.data.images import IMAGE_SETS, ImageData
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.run_images import ImageRun

RESOLUTIONS = (16, 32, 64, 128, 256, 512, 1024)
HUB = "hub:"  # before the id of a data set of the Hugging Face hub


def image_run_names() -> list[str]:
    """The names that `image_preset` knows, with a usual resolution."""
    return [f"{key}-{row.data.resolution if row.data else 64}" for key, row in IMAGE_PRESETS.items()]


def is_image_preset(name: str) -> bool:
    """Whether a name is one of an image preset, with or without a resolution."""
    return _divided(name)[0] in IMAGE_PRESETS


def image_preset(name: str, data: str | None = None, labels: str = "") -> ImageRun:
    """The run that `<preset>-<resolution>` names, as stylegan2-64, on the images that `data` names.

    `data`: a set (faces, digits, ...), a folder, .zip or .npz, or hub:user/set. What is not known raises
    `InvalidInput`.
    """
    key, resolution = _divided(name)
    if key not in IMAGE_PRESETS:
        raise InvalidInput("preset", f"there is no {name[:40]}; known for images are {', '.join(image_run_names())}")
    if resolution not in (0, *RESOLUTIONS):
        raise InvalidInput("preset", f"ends with {resolution}; resolutions are {', '.join(map(str, RESOLUTIONS))}")
    row = IMAGE_PRESETS[key]
    side = resolution or (row.data.resolution if row.data else 64)
    if row.data is not None and data is None:
        images = replace(row.data, resolution=side, labels=labels)
    else:
        name = data or "faces"
        known = IMAGE_SETS.get(name)
        usual = row.labels if name == "faces" else "class" if row.labels and known is not None and known.classes else ""
        images = image_data(name, side, labels or usual)
    if row.needs_classes and not images.labels:
        raise InvalidInput(
            "labels", f"are missing: {row.title} is about classes; say --labels class where {images.name} has some"
        )
    return row.on(images)


def _divided(name: str) -> tuple[str, int]:
    """("stylegan2", 64) of stylegan2-64; 0 where it ends without a number."""
    key, _, end = name.replace("_", "-").rpartition("-")
    return (key, int(end)) if key and end.isdecimal() and len(end) < 6 else (name.replace("_", "-"), 0)


def image_data(data: str, resolution: int, labels: str = "") -> ImageData:
    """The images that a name (faces, mnist, ...), a path or hub:user/set stands for; polygons-5 have five corners."""
    name, _, corners = data.partition("-")
    if name == "polygons" and corners.isdecimal() and len(corners) < 3:
        return ImageData(name, resolution=resolution, labels=labels, vertices=int(corners))
    if data in IMAGE_SETS and data not in ("folder", "hub"):
        return ImageData(data, resolution=resolution, labels=labels)
    if data.startswith(HUB):
        return ImageData("hub", hub=data[len(HUB) :], resolution=resolution, labels=labels)
    if not Path(data).exists():
        known = ", ".join(name for name in IMAGE_SETS if name not in ("folder", "hub"))
        raise InvalidInput("data", f"{data[-80:]} is neither a set ({known}), a folder or .zip here, nor hub:user/set")
    return ImageData("folder", path=str(Path(data).resolve()), resolution=resolution, labels=labels)
