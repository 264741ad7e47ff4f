"""Faces as a latent space: whom a vector of normal numbers stands for, and who somebody is as a vector.

`people` lets a generator's z decide attributes, `code` writes attributes as numbers: together they say what a generator
should have drawn for a z, so that it can be taught with pairs.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.faces.attributes import ATTRIBUTES, EXCLUSIONS, TABLE, Attribute, Attributes, settled
from ganlab.data.faces.draws import PHASES, Grain, grain

LABEL = "hairstyle"  # what the class says, not z
HATLESS = next(tuple(rule.instead) for rule in EXCLUSIONS if rule.where == "hat" and rule.name == LABEL)
LEVELS = ("coarse", "middle", "fine")
DETAIL_SEED = 12345  # of the one grain that all faces of latents have, but for its phases
HARD = 2.0  # how far apart the options of a choice are in a code, for numbers of deviation 1


def _places(width: dict[str, int]) -> dict[str, slice]:
    ends, at = {}, 0
    for name, count in width.items():
        ends[name] = slice(at, at + count)
        at += count
    return ends


def _numbers(row: Attribute) -> int:
    """Numbers of z that decide an attribute: one, or two whose angle decides among three options and more."""
    return 1 if len(row.options) <= 2 else 2


IN_Z = _places({row.name: _numbers(row) for row in TABLE if row.name != LABEL} | {"phases": PHASES})
IN_CODE = _places({row.name: max(1, len(row.options)) for row in TABLE} | {"phases": PHASES})
Z_DIM, CODE_DIM = IN_Z["phases"].stop, IN_CODE["phases"].stop
LEVEL_OF = {row.name: LEVELS.index(row.level) for row in TABLE}


def people(z: Float[Tensor, "n z_dim"], hairstyle: Int[Tensor, "n"]) -> tuple[Attributes, Float[Tensor, "n 6"]]:
    """Whom latents stand for, as likely as the table says, and the phases of their detail.

    z [N, Z_DIM or more] is taken at length sqrt(z_dim), as mapping networks do; numbers beyond `Z_DIM` mean nothing.
    """
    if z.shape[1] < Z_DIM:
        raise InvalidInput("z_dim", f"must be at least {Z_DIM} for faces, not {z.shape[1]}")
    z = z * z.square().mean(1, keepdim=True).rsqrt()
    values = {row.name: _decided(row, z[:, IN_Z[row.name]]) for row in TABLE if row.name != LABEL}
    values = {name: hairstyle if name == LABEL else values[name] for name in ATTRIBUTES}
    hatless = torch.stack([hairstyle == ATTRIBUTES[LABEL].index(style) for style in HATLESS]).any(0)
    values["hat"] = values["hat"].masked_fill(hatless, ATTRIBUTES["hat"].index("none"))  # else the class would change
    return Attributes(settled(values)), _share(z[:, IN_Z["phases"]])


def detail(phases: Float[Tensor, "n 6"]) -> Grain:
    """The random detail of faces of latents: one for all, so that it can be learned, but for the phases."""
    one, n = grain(DETAIL_SEED, [0]), len(phases)
    every = [part.to(phases.device).expand(n, -1, -1, -1) for part in (one.strands, one.freckles, one.spots)]
    return Grain(every[0], every[1], every[2], phases)


def code(attributes: Attributes, phases: Float[Tensor, "n 6"]) -> Float[Tensor, "n CODE_DIM"]:
    """Attributes as numbers of mean 0: a number in deviations, a choice as `HARD` times (one-hot - probabilities)."""
    out = torch.zeros(len(attributes), CODE_DIM)
    for row in TABLE:
        value, place = attributes[row.name], IN_CODE[row.name]
        if row.continuous:
            middle, deviation = _moments(row)
            out[:, place] = ((value - middle) / deviation)[:, None]
        else:
            chances = torch.tensor([option.probability for option in row.options.values()])
            out[:, place] = HARD * (F.one_hot(value, len(chances)) - chances)
    out[:, IN_CODE["phases"]] = (phases - 0.5) * math.sqrt(12)
    return out


def truncated(attributes: Attributes, psi: Float[Tensor, "n"]) -> Attributes:
    """People whose numbers are nearer to the middle, psi times as far from it; choices stay as they are."""
    values = dict(attributes.values)
    for row in TABLE:
        if row.continuous:
            middle, _ = _moments(row)
            values[row.name] = middle + (values[row.name] - middle) * psi
    return Attributes(values)


def mixed(sources: tuple[Attributes, Attributes, Attributes]) -> Attributes:
    """People with the coarse attributes of one source, the middle ones of the next and the fine ones of the third."""
    return Attributes(settled({row.name: sources[LEVEL_OF[row.name]][row.name] for row in TABLE}))


def _decided(row: Attribute, z: Float[Tensor, "n k"]) -> Tensor:
    if row.continuous:
        u = (0.5 + z[:, 0] / 6).clamp(0, 1) if row.bell else _share(z[:, 0])
        return row.lo + (row.hi - row.lo) * u
    chances = torch.tensor([option.probability for option in row.options.values()])
    if len(chances) == 2:
        return (_share(z[:, 0]) > chances[0]).long()
    turn = torch.atan2(z[:, 0], z[:, 1]) / (2 * math.pi) + 0.5
    return torch.searchsorted(chances.cumsum(0) / chances.sum(), turn.contiguous()).clamp(max=len(chances) - 1)


def _share(z: Tensor) -> Tensor:
    """How much of the normal distribution lies below z."""
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def _moments(row: Attribute) -> tuple[float, float]:
    """Middle and deviation of a continuous attribute: of one uniform number, or of the mean of three."""
    return (row.lo + row.hi) / 2, (row.hi - row.lo) * (1 / 6 if row.bell else math.sqrt(1 / 12))
