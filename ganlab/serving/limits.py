"""What one visitor may use. A public Space sets the environment variable GANLAB_PUBLIC=1."""

import os
from dataclasses import dataclass

from ganlab.config import Config, knob


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


def is_public() -> bool:
    """Whether strangers use this server."""
    return os.environ.get("GANLAB_PUBLIC") == "1" or bool(os.environ.get("SPACE_ID"))


def from_environment() -> Limits:
    """The limits of this server: bounded runs in public, open ones at home."""
    if is_public():
        return Limits(most_steps=200_000, most_seconds=600.0, most_rooms=8)
    return Limits()
