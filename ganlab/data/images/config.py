"""The settings of a set of images, and the table of sets."""

from dataclasses import dataclass
from typing import NamedTuple

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.faces import ATTRIBUTES

FACE_SIDES = (32, 512)  # pixels


class ImageRow(NamedTuple):
    """What is known of a set before it is opened."""

    title: str
    licence: str
    file: str = ""  # the name that its file goes by, where it lies in one
    url: str = ""  # where that file can be downloaded
    sha256: str = ""  # of that file
    how: str = ""  # how to get the file where it cannot
    classes: bool = False  # whether its images are of classes


@dataclass(frozen=True)
class ImageData(Config):
    """Which images, how they are brought to one size, and how they are divided."""

    name: str = knob("faces", "The set of images", choices=lambda: tuple(IMAGE_SETS))
    path: str = knob("", "A folder, .zip or .npz of images; for a named set, where its file lies")
    hub: str = knob("", "Data set of the Hugging Face hub, as user/set or user/set:split", longest=200)
    resolution: int = knob(64, "Height and width in pixels, a power of two; faces from 32 to 512", lo=16, hi=1024)
    grey: bool = knob(False, "One channel instead of three")
    fit: str = knob("crop", "How an image that is not square becomes so", choices=("crop", "pad", "stretch"))
    mirror: bool = knob(False, "Each image a second time, mirrored; not for endless sets")
    labels: str = knob("", "Classes: an attribute of the faces as hairstyle, 'class' for other sets; empty: none")
    limit: int = knob(0, "Only so many images, chosen at random; 0: all", lo=0, hi=10_000_000)
    valid: float = knob(0.0, "Share held out for validation", lo=0, hi=0.5)
    vertices: int = knob(3, "Corners of each of the polygons; 3: triangles", lo=3, hi=8)
    seed: int = knob(0, "Which faces or polygons; which images `limit` and `valid` take", lo=0, hi=2**32 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution & (self.resolution - 1):
            raise InvalidInput("resolution", f"must be a power of two, as 32, 64 or 128, not {self.resolution}")
        if self.name in DRAWN and self.mirror and not self.limit:
            raise InvalidInput(
                "mirror", f"the {self.name} are endless and need no mirrored ones; set a limit to have them"
            )
        if self.name == "faces":
            self._check_faces()
        elif self.name in DRAWN and self.labels:
            raise InvalidInput("labels", f"are not known of {self.name}; leave it empty to learn without classes")
        elif self.labels not in ("", "class"):
            raise InvalidInput(
                "labels", f"{self.labels[:40]!r} is only known for faces; use 'class', or leave it empty"
            )

    def _check_faces(self) -> None:
        low, high = FACE_SIDES
        if not low <= self.resolution <= high:
            raise InvalidInput("resolution", f"faces are drawn at {low} to {high} pixels, not {self.resolution}")
        if self.labels and self.labels not in FACE_LABELS:
            raise InvalidInput("labels", f"{self.labels[:40]!r} is not one of {', '.join(FACE_LABELS)}")

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 1 if self.grey else 3

    def shape(self, count: int) -> tuple[int, int, int, int]:
        """The shape of `count` images."""
        return count, self.channels, self.resolution, self.resolution


DRAWN = ("faces", "polygons")  # without end, by code of ours
OWNER = "as its owner says"
FACE_LABELS: tuple[str, ...] = tuple(name for name, row in ATTRIBUTES.items() if not row.continuous)
IMAGE_SETS: dict[str, ImageRow] = {
    "faces": ImageRow("Cartoon faces, drawn without end", "Apache-2.0"),
    "digits": ImageRow("Handwritten digits, 8 px, 10 classes (UCI, in scikit-learn)", "CC BY 4.0", classes=True),
    "polygons": ImageRow("Convex polygons, drawn without end: triangles, and a manifold that is known", "Apache-2.0"),
    "mnist": ImageRow(
        "MNIST: handwritten digits, 28 px, 10 classes (LeCun, Cortes, Burges)",
        "CC BY-SA 3.0",
        file="mnist.npz",
        url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",  # as Keras publishes it
        classes=True,
    ),
    "clothes": ImageRow(
        "Photos of clothes, 64 px, 10 classes (clothing-dataset-small, A. Grigorev)",
        "the full data set is published as CC0; see its page",
        file="clothing64.zip",
        how="there is no one file to download: get clothing-dataset-small from its author's page, zip its folder "
        "`train` with a sub-folder for each class, and name it {file}",
        classes=True,
    ),
    "emoji": ImageRow(
        "Emoji, 64 px (Noto Emoji)",
        "Apache-2.0",
        file="emoji64.zip",
        how="there is no one file to download: get the PNG pictures of Noto Emoji, zip them, and name it {file}",
    ),
    "folder": ImageRow("Your own images: a folder, .zip or .npz", OWNER),
    "hub": ImageRow("A data set of the Hugging Face hub", OWNER),
}
