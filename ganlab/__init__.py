"""ganlab: an interactive laboratory for generative adversarial networks.

import ganlab
G = ganlab.load("ffhq.pkl")  # a checkpoint of any known kind, or the name of a model of the zoo
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__version__ = "0.1.0"


def load(path_or_name: str | Path, which: str = "G") -> "nn.Module":
    """The network `which` (G, G_ema, G_raw or D) of a file, or of a model of the zoo: fp32, eval mode, no gradients.

    Raises: `InvalidInput`, which says what is wrong and what to do.
    """
    weights = importlib.import_module("ganlab.weights")  # here, so that importing ganlab stays light
    network: nn.Module = weights.load(_path(path_or_name), which)
    return network


def _path(path_or_name: str | Path) -> Path:
    """A path as it is; a bare name that is no file is asked of the zoo."""
    path = Path(path_or_name)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    found: Path = importlib.import_module("ganlab.zoo").path_of(str(path_or_name))
    return found
