"""Ready-made runs: `PRESETS` (single GANs), `EXPERIMENTS` (the lectures' figures), and both by name."""

import difflib
from dataclasses import replace

from ganlab.config import InvalidInput
from ganlab.data.toy2d import DENSITIES, DataConfig
from ganlab.presets.experiments import EXPERIMENTS, Experiment
from ganlab.presets.gans import PRESETS, Preset
from ganlab.run import Run

__all__ = ["EXPERIMENTS", "PRESETS", "Experiment", "Preset", "preset_run", "run_names"]

PREFIX = "toy-"


def preset_run(name: str, data: str | None = None) -> Run:
    """The run that `toy-<preset>` (one GAN on the ring) or `toy-<experiment>` names, on the density `data` if given.

    Dashes and underscores are the same, and the prefix may be left out. An unknown name raises `InvalidInput`, which
    says what is close to it.
    """
    key = name.removeprefix(PREFIX).replace("-", "_")
    if data is not None and data not in DENSITIES:
        raise InvalidInput("data", _unknown(data, list(DENSITIES)))
    if key in EXPERIMENTS:
        run = EXPERIMENTS[key].run
        return run if data is None else replace(run, data=DataConfig(data))
    if key in PRESETS:
        return Run(DataConfig(data or "ring"), (PRESETS[key].gan,))
    raise InvalidInput("preset", _unknown(PREFIX + key.replace("_", "-"), run_names()))


def run_names() -> list[str]:
    """All names that `preset_run` knows: presets first, then experiments."""
    return [PREFIX + key.replace("_", "-") for key in (*PRESETS, *EXPERIMENTS)]


def _unknown(name: str, known: list[str]) -> str:
    given = name if len(name) <= 40 else name[:37] + "..."
    close = difflib.get_close_matches(name[:80], known, 3, 0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
    return f"there is no {given}; {hint}"
