"""What one visitor may use. A public Space sets the environment variable GANLAB_PUBLIC=1."""

import os
from dataclasses import dataclass

from ganlab.config import Config, InvalidInput, knob

PUBLIC_EDIT_STEPS = 1000


@dataclass(frozen=True)
class Limits(Config):
    """Bounds of the live labs; None: no bound."""

    most_steps: int | None = knob(None, "Steps of a run", lo=1)
    most_seconds: float | None = knob(None, "Seconds of training in one room", lo=1)
    most_rooms: int = knob(40, "Trainer processes at a time", lo=1, hi=1000)
    most_viewers: int = knob(200, "Viewers of one room", lo=1, hi=10_000)
    most_branches: int = knob(8, "Branches of one room's history", lo=1, hi=64)
    history_bytes: int = knob(128 << 20, "Memory for saved moments of one branch", lo=1 << 20)
    frames_per_second: float = knob(40.0, "Frames sent to a viewer at most", lo=1, hi=120)
    grace: float = knob(1.0, "Seconds that a room outlives its last viewer", lo=0, hi=600)


@dataclass(frozen=True)
class ImageLimits(Config):
    """Bounds of the training lab, where one training takes a whole core; None: no bound."""

    most_running: int = knob(2, "Trainings at a time; others wait in line", lo=1, hi=64)
    most_rooms: int = knob(80, "Trainings that are remembered, those in line included", lo=1, hi=1000)
    most_viewers: int = knob(200, "Viewers of one training", lo=1, hi=10_000)
    most_seconds: float | None = knob(None, "Seconds that one training may run", lo=1)
    most_resolution: int = knob(128, "Pixels of a side", lo=16, hi=1024)
    turn: float = knob(300.0, "Seconds after which a training makes room for those in line", lo=1, hi=1e6)
    grace: float = knob(7200.0, "Seconds that a training goes on without viewers", lo=0, hi=1e6)
    kept: float = knob(3600.0, "Seconds for which an ended training that nobody looks at is remembered", lo=0, hi=1e6)
    room_bytes: int = knob(400 << 20, "Disk for the saved moments of one training", lo=1 << 20)
    upload_bytes: int = knob(2 << 30, "Disk for the images that all visitors have uploaded", lo=1 << 20)


def is_public() -> bool:
    """Whether strangers use this server."""
    return os.environ.get("GANLAB_PUBLIC") == "1" or bool(os.environ.get("SPACE_ID"))


def check_edit_steps(steps: int) -> None:
    """`InvalidInput` where an optimization, a mapper or a search would keep others waiting on a public server."""
    if is_public() and steps > PUBLIC_EDIT_STEPS:
        raise InvalidInput("steps", f"must be at most {PUBLIC_EDIT_STEPS} on a public server, which many share")


def from_environment() -> Limits:
    """The limits of this server: bounded runs in public, open ones at home."""
    if is_public():
        return Limits(most_steps=200_000, most_seconds=600.0, most_rooms=8)
    return Limits()


def image_limits_from_environment() -> ImageLimits:
    """The same for the training lab."""
    if is_public():
        return ImageLimits(
            most_rooms=24,
            most_seconds=900.0,
            most_resolution=64,
            grace=120.0,
            kept=900.0,
            room_bytes=150 << 20,
            upload_bytes=500 << 20,
        )
    return ImageLimits()
