"""Many faces for a training: drawn by several processes, and seen again with small changes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ganlab.data.faces.attributes import ATTRIBUTES, Attributes
from ganlab.data.faces.drawing import faces

SIDE = 64  # pixels of a picture's side
CHUNK = 500  # faces drawn by a process at a time
SHIFT, ZOOM = 0.12, 0.06  # largest change of place (the picture is 2 wide) and of size
BRIGHTNESS, CONTRAST, NOISE = 0.12, 0.15, 0.06
COARSER = (32, 48, 96)  # sides of pictures that are resized to 64 px


def drawn(seed: int, count: int, processes: int = 1) -> tuple[UInt8[Tensor, "n 3 h w"], Attributes]:
    """The first faces of a seed at 64 px, drawn by several processes; the same whatever their number."""
    jobs = [(seed, start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    images = torch.empty(count, 3, SIDE, SIDE, dtype=torch.uint8)
    if processes < 2:
        parts = map(_draw, jobs)
        people = [_kept(images, job, part) for job, part in zip(jobs, parts)]
    else:
        # a fork of a process whose threads hold locks can hang: fresh ones are slower to start, and safe
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _one_thread) as pool:
            people = [_kept(images, job, part) for job, part in zip(jobs, pool.map(_draw, jobs))]
    return images, Attributes({name: torch.cat([part[name] for part in people]) for name in ATTRIBUTES})


def _draw(job: tuple[int, int, int]) -> tuple[Any, dict[str, Any]]:
    seed, start, stop = job
    images, people = faces(seed, range(start, stop), SIDE)
    return images.numpy(), {name: value.numpy() for name, value in people.values.items()}


def _kept(images: Tensor, job: tuple[int, int, int], part: tuple[Any, dict[str, Any]]) -> dict[str, Tensor]:
    images[job[1] : job[2]] = torch.from_numpy(part[0])
    return {name: torch.from_numpy(value) for name, value in part[1].items()}


def _one_thread() -> None:
    torch.set_num_threads(1)


def changed(
    images: Float[Tensor, "n 3 h w"], rng: torch.Generator
) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n 3"]]:
    """Pictures as a generator might have made them, and by how much each was moved (x, y) and enlarged, [N, 3].

    Made brighter or darker; half are moved and sized, half are noisy, one in three is blurred by way of another
    resolution. Half a picture's sharpness is lost by moving it, and freckles are a pixel wide: hence not all.
    """
    n, device = len(images), images.device
    draw = torch.rand(n, 7, generator=rng) * 2 - 1
    moved = torch.stack((draw[:, 0] * SHIFT, draw[:, 1] * SHIFT, draw[:, 2] * ZOOM), 1)
    moved = moved * (draw[:, 6:] > 0) + torch.tensor([0.0, 0.0, 1.0])
    u = draw.to(device)[:, :, None, None, None]  # [N, 7, 1, 1, 1]
    theta = torch.zeros(n, 2, 3)  # from a place in the new picture to one in the old
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / moved[:, 2]
    theta[:, :, 2] = -moved[:, :2] / moved[:, 2:]
    grid = F.affine_grid(theta.to(device), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    images = images * (1 + CONTRAST * u[:, 3]) + BRIGHTNESS * u[:, 4]
    group = n // (3 * len(COARSER))
    for i, side in enumerate(COARSER if group else ()):
        part = images[i * group : (i + 1) * group]  # the batch comes in random order
        images[i * group : (i + 1) * group] = _resized(_resized(part, side), images.shape[-1])
    # on a GPU by the GPU's own generator: the CPU would take longer for the noise than all else takes
    source = rng if device.type == "cpu" else torch.Generator(device).manual_seed(rng.initial_seed())
    noise = torch.randn(images.shape, generator=source, device=device)
    return (images + noise * NOISE * u[:, 5].clamp(min=0)).clamp(-1, 1), moved


def _resized(images: Tensor, side: int) -> Tensor:
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
