"""Sets of the Hugging Face hub, by its library `datasets`, which is asked for only here."""

import re
from typing import Any

import numpy as np
from PIL import Image

from ganlab.config import InvalidInput
from ganlab.data.images.source import Source, numbered, opened
from ganlab.data.opening import MOST_BYTES, read_file

NAME = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*(?::[\w.-]+)?")
INSTALL = "needs the package datasets: pip install 'ganlab[data]'"


def of_hub(name: str, labelled: bool) -> Source:
    """The images of "user/set" or "user/set:split" (the split "train" if none is named), downloaded when not yet here.

    No code of the set is run. The first column of images is taken, and the first of classes.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput("hub", "must be the name of a data set, as user/set or user/set:split")
    try:
        import datasets
    except ImportError:
        raise InvalidInput("hub", INSTALL) from None
    identity, _, split = name.partition(":")
    try:
        table: Any = datasets.load_dataset(identity, split=split or "train")
    except Exception as error:  # whatever the network, the hub and a dozen readers raise
        words = " ".join(str(error).split())[:160] or type(error).__name__
        raise InvalidInput(
            "hub", f"{identity} could not be loaded; check its name and your connection ({words})"
        ) from error
    column = next((key for key, kind in table.features.items() if type(kind).__name__ == "Image"), None)
    if column is None:
        raise InvalidInput("hub", f"{identity} has no column of images; it has {', '.join(table.features)[:80]}")
    packed = table.cast_column(column, datasets.Image(decode=False))  # the bytes: we open strangers' pictures ourselves

    def read(i: int, enough: int) -> Image.Image:
        return opened(_bytes(packed[i][column], f"image {i}"), f"image {i}", enough)

    if not labelled:
        return Source(len(packed), read, ())
    label = next((key for key, kind in table.features.items() if type(kind).__name__ == "ClassLabel"), None)
    if label is None:
        raise InvalidInput("labels", f"{identity} has no column of classes; leave it empty to learn without")
    numbers: list[int] = np.asarray(table[label], dtype=np.int64).tolist()
    return Source(len(packed), read, numbers, numbered(numbers, "labels", table.features[label].names))


def _bytes(record: Any, name: str) -> bytes:
    """What a column of undecoded images holds: the bytes, or where they lie."""
    if not isinstance(record, dict) or not (record.get("bytes") or record.get("path")):
        raise InvalidInput(name, "is missing in the data set")
    data: bytes = record.get("bytes") or read_file(record["path"], name)
    if len(data) > MOST_BYTES:
        raise InvalidInput(name, f"is larger than {MOST_BYTES >> 20} MB")
    return data
