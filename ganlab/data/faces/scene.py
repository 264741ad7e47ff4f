"""What a painter is given: a few canvases, where the heads are on them, and who is to be painted.

The picture reaches from -1 to 1, x to the right and y down. A head has its own coordinates: origin between the eyes,
tilted with it and of its size. `Scene.at(depth)` shifts them as the head turns and nods: 1 is the front of the face, 0
the axis, below 0 the back of the head.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.data.faces.attributes import ATTRIBUTES, Attributes
from ganlab.data.faces.draws import Grain
from ganlab.data.faces.palette import colours
from ganlab.data.faces.shapes import Number

YAW, PITCH, LOWER = 0.13, 0.06, 0.08  # shift of the nose's depth at most; the heads' place below the middle
FACE_HEIGHT = 0.47  # half of it


class Style(NamedTuple):
    """What a hairstyle's number stands for; lengths in the head's coordinates."""

    up: float = 0.0  # above the skull
    side: float = 0.0  # beside the face
    low: float = 0.0  # where the front hair ends
    longer: float = 0.0  # by how much lower for the longest
    hang: float = 0.0  # 1 where it falls past the ears
    flare: float = 0.0  # how much wider at the bottom
    curls: float = 0.0  # how wavy the outline is
    spikes: float = 0.0  # how high they stand


STYLES: dict[str, Style] = {
    "bald": Style(),
    "short": Style(up=0.07, side=0.032, low=0.04, longer=0.07),
    "spiky": Style(up=0.09, side=0.028, low=0.03, spikes=0.20),
    "bob": Style(up=0.085, side=0.085, low=0.30, longer=0.14, hang=1, flare=0.10),
    "long": Style(up=0.075, side=0.065, low=0.58, longer=0.34, hang=1, flare=0.07),
    "curly": Style(up=0.15, side=0.13, low=0.12, longer=0.16, curls=1),
    "bun": Style(up=0.07, side=0.03, low=0.02),
    "pigtails": Style(up=0.06, side=0.045, low=0.03),
}


@dataclass(frozen=True)
class Scene:
    """B canvases or cut-outs of them, with what their painters need. `image` is painted in place."""

    image: Float[Tensor, "b 3 h w"]
    gx: Float[Tensor, "1 1 w"]  # places of the pixels in the picture
    gy: Float[Tensor, "1 h 1"]
    x: Float[Tensor, "b h w"]  # and in the head's coordinates
    y: Float[Tensor, "b h w"]
    pixel: float  # size of one in the picture
    numbers: Mapping[str, int]  # columns of `of`
    of: Float[Tensor, "b numbers"]
    paints: Mapping[str, int]  # columns of `tones`
    tones: Float[Tensor, "b paints 3"]
    grain: Grain

    def __getitem__(self, name: str) -> Float[Tensor, "b 1 1"]:
        """A number of each person: an attribute, or one derived from them by `open_scene`."""
        return self.of[:, self.numbers[name], None, None]

    def has(self, name: str, *options: str) -> Tensor:
        """Who has one of the options, bool [B]."""
        value, row = self.of[:, self.numbers[name]], ATTRIBUTES[name]
        found = value == row.index(options[0])
        for option in options[1:]:
            found = found | (value == row.index(option))
        return found

    def flag(self, name: str, *options: str) -> Float[Tensor, "b 1 1"]:
        """1 for those who have one of the options, 0 for the others."""
        return self.has(name, *options).float()[:, None, None]

    def colour(self, name: str) -> Float[Tensor, "b 3 1 1"]:
        """A colour of each person, one of `palette.colours`."""
        return self.tones[:, self.paints[name], :, None, None]

    def phase(self, i: int) -> Float[Tensor, "b 1 1"]:
        """A random number of each picture in [0, 1)."""
        return self.grain.phases[:, i, None, None]

    def at(self, depth: float) -> tuple[Tensor, Tensor]:
        """The head's coordinates [B, H, W] at a depth, turned and nodded."""
        return self.x - self["turn"] * depth, self.y - self["nod"] * depth

    def body(self) -> tuple[Float[Tensor, "b 1 w"], Float[Tensor, "b h 1"]]:
        """The coordinates below the head: of its size and place, but upright."""
        return (self.gx - self["cx"]) / self["scale"] - self["turn"] * 0.1, (self.gy - self["cy"]) / self["scale"]

    def strands(self, u: Tensor, v: Tensor) -> Tensor:
        """Random streaks in [-1, 1] that run along v, [B, H, W]; one is 0.02 wide in u."""
        grid = torch.stack((u, v), -1)
        mode, edge = "bilinear", "reflection"
        return F.grid_sample(self.grain.strands, grid, mode, edge, align_corners=False)[:, 0] * 2 - 1

    def cover(self, d: Tensor) -> Tensor:
        """How much of each pixel a shape covers, from its distance in the head's coordinates: antialiasing."""
        return (0.5 - d * self["sharp"]).clamp_(0, 1)

    def tint(self, mask: Tensor, colour: Tensor) -> None:
        """Paints a colour where `mask` [B, h, w] is 1, and partly where it is between 0 and 1."""
        self.image.lerp_(colour, mask[:, None])

    def fill(self, d: Tensor, colour: Tensor, opacity: Number = 1.0) -> None:
        """Paints a shape, given by its distance, with a colour."""
        mask = self.cover(d)
        self.tint(mask if isinstance(opacity, float) and opacity == 1 else mask * opacity, colour)

    def only(self, who: Tensor, painter: Callable[["Scene"], None]) -> None:
        """Lets a painter paint some of the pictures, bool [B]."""
        rows = who.nonzero()[:, 0]
        if len(rows) == len(self.image):
            painter(self)
        elif len(rows):
            part = replace(
                self,
                image=self.image[rows],
                x=self.x[rows],
                y=self.y[rows],
                of=self.of[rows],
                tones=self.tones[rows],
                grain=self.grain.rows(rows),
            )
            painter(part)
            self.image[rows] = part.image

    def crop(self, left: float, right: float, top: float, bottom: float) -> "Scene":
        """The same canvases around a box of the head's coordinates, however the heads are turned."""
        turn, nod = 1.3 * YAW, 1.3 * PITCH  # nothing is drawn at a greater depth
        u = torch.tensor([left - turn, right + turn]).repeat(2)
        v = torch.tensor([top - nod, bottom + nod]).repeat_interleave(2)
        scale, cos, sin = self["scale"][:, 0], self["cos"][:, 0], self["sin"][:, 0]
        columns = self._range(self["cx"][:, 0] + scale * (cos * u - sin * v))
        rows = self._range(self["cy"][:, 0] + scale * (sin * u + cos * v))
        return replace(
            self,
            image=self.image[:, :, rows, columns],
            gx=self.gx[:, :, columns],
            gy=self.gy[:, rows],
            x=self.x[:, rows, columns],
            y=self.y[:, rows, columns],
        )

    def _range(self, places: Tensor) -> slice:
        """The pixels of a whole canvas from the first to the last of `places`, with one to spare."""
        first, last = ((end.item() + 1) / self.pixel for end in (places.min(), places.max()))
        return slice(max(0, int(first) - 1), max(0, int(last) + 2))


def open_scene(attributes: Attributes, grain: Grain, resolution: int) -> Scene:
    """Empty canvases for some people, with all that is the same for every painter worked out once."""
    values = {name: value.float() for name, value in attributes.values.items()}
    values |= _derived(values, resolution)
    styles = torch.tensor(list(STYLES.values()))[attributes["hairstyle"]]  # [B, fields]
    values |= {f"hair_{name}": styles[:, i] for i, name in enumerate(Style._fields)}
    tones = colours(attributes.values)
    pixel = 2 / resolution
    places = (torch.arange(resolution) + 0.5) * pixel - 1
    of = torch.stack(list(values.values()), 1)
    column = {name: of[:, i, None, None] for i, name in enumerate(values)}
    dx, dy = places - column["cx"], places[:, None] - column["cy"]  # [B, 1, W] and [B, H, 1]
    cos, sin = column["cos"] / column["scale"], column["sin"] / column["scale"]
    return Scene(
        image=torch.empty(len(attributes), 3, resolution, resolution),
        gx=places.view(1, 1, -1),
        gy=places.view(1, -1, 1),
        x=cos * dx + sin * dy,
        y=cos * dy - sin * dx,
        pixel=pixel,
        numbers={name: i for i, name in enumerate(values)},
        of=of,
        paints={name: i for i, name in enumerate(tones)},
        tones=torch.stack(list(tones.values()), 1),
        grain=grain,
    )


def _derived(values: Mapping[str, Tensor], resolution: int) -> dict[str, Tensor]:
    """Numbers of the person [B] that several painters use."""
    roll = values["roll"]
    square = roll * roll  # a tilt is small: three terms of the series
    size = values["eye_size"] * 0.030 + 0.088
    return {
        "cx": values["x"],
        "cy": values["y"] + LOWER,
        "sin": roll * (1 - square / 6 * (1 - square / 20)),
        "cos": 1 - square / 2 * (1 - square / 12),
        "sharp": values["scale"] * resolution / 2,  # pixels in a unit of the head
        "turn": values["yaw"] * YAW,
        "nod": values["pitch"] * PITCH,
        "half_width": 0.375 + 0.085 * values["face_width"],  # of the face
        "eye": size,  # half width of an eye
        "hatted": (values["hat"] > 0).float(),
    }
