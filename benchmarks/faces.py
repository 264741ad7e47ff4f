"""How fast faces are drawn: images per second on one core.

    python benchmarks/faces.py [--seconds 3]

Drawing the random numbers, rendering and rounding to bytes are all counted.
"""

import argparse
import time

import torch

from ganlab.data.faces import faces

BATCH = {32: 512, 64: 192, 128: 48, 256: 12}  # images asked for at once


def images_per_second(resolution: int, seconds: float) -> float:
    """The rate over at least `seconds`, after a first batch that is not counted."""
    batch = BATCH[resolution]
    faces(0, range(batch), resolution)
    drawn, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        faces(0, range(drawn, drawn + batch), resolution)
        drawn += batch
    return drawn / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each resolution")
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    for resolution in BATCH:
        print(f"{resolution:4d} px  {images_per_second(resolution, seconds):7.0f} images/s")


if __name__ == "__main__":
    main()
