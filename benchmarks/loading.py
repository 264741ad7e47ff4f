"""How long and how much memory it takes to open an official StyleGAN2 file: Python's pickle against ganlab's reader.

    python benchmarks/loading.py [--resolution 1024 --runs 3]

The file is of the official layout and size (G, D and G_ema of 1024 x 1024, random weights), written by Python's pickle
with stand-ins for NVIDIA's modules. `pickle.load` is given stand-ins too, so that it runs nobody's code; the official
code would in addition compile the source texts of the file and build its networks. Each contender is a process of its
own, they take turns, and medians are shown. Memory is the peak of the process above what it had before, beside the
bytes of the tensors that came out.
"""

import argparse
import collections
import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

HOOKS = ("_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_pre_hooks", "_state_dict_hooks")
SOURCE = "# source\n" * 4000  # official files carry about 40 kB


class Persistent:
    """Pickles as an object of NVIDIA's persistence does."""

    def __init__(self, module: nn.Module, kwargs: dict[str, Any]) -> None:
        state: dict[str, Any] = {"training": False, "_parameters": dict(module._parameters)}
        state |= {"_buffers": dict(module._buffers), "_non_persistent_buffers_set": set()}
        state |= {name: collections.OrderedDict() for name in HOOKS}
        state["_modules"] = {name: Persistent(child, {}) for name, child in module.named_children()}
        state |= {"_init_args": (), "_init_kwargs": kwargs}
        self.meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": type(module).__name__}
        self.meta["state"] = state

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,)


def stand_ins() -> None:
    """Modules under NVIDIA's names, so that pickle finds what files name."""

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> dict[str, Any]:
        return meta

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    for name in ("torch_utils", "torch_utils.persistence"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]


def write(path: Path, resolution: int) -> None:
    """A file of the official layout."""
    from ganlab.networks.stylegan2 import Discriminator, Generator

    stand_ins()
    torch.manual_seed(0)
    shared = {"c_dim": 0, "img_resolution": resolution, "img_channels": 3}
    kwargs = {"z_dim": 512, "w_dim": 512, **shared, "mapping_kwargs": {"num_layers": 8}}
    content = {name: Persistent(Generator(**kwargs), kwargs) for name in ("G", "G_ema")}
    content["D"] = Persistent(Discriminator(**shared), shared)
    with open(path, "wb") as file:
        pickle.dump({**content, "augment_pipe": None, "training_set_kwargs": {"path": "data.zip"}}, file)


def with_pickle(path: str) -> int:
    """All networks, by Python's pickle."""
    stand_ins()
    with open(path, "rb") as file:
        content = pickle.load(file)
    return sum(_bytes(content[name]) for name in ("G", "D", "G_ema"))


def with_ganlab(path: str) -> int:
    """All networks, as data."""
    from ganlab.pickles import read

    networks = read(path).networks.values()
    return sum(t.numel() * t.element_size() for network in networks for t in network.tensors.values())


def generator_only(path: str) -> int:
    """The generator alone, ready to render."""
    import ganlab

    return sum(t.numel() * t.element_size() for t in ganlab.load(path).state_dict().values())


def _bytes(meta: dict[str, Any]) -> int:
    state = meta["state"]
    own = [*state["_parameters"].values(), *state["_buffers"].values()]
    total = sum(t.numel() * t.element_size() for t in own if t is not None)
    return total + sum(_bytes(child) for child in state["_modules"].values())


def measure(name: str, path: str) -> dict[str, float]:
    """In this process: seconds, peak memory and tensors, in MB."""
    import ganlab.weights  # all imports are done before the clock starts

    ganlab.weights.FAMILIES["stylegan2"].build(8, 0, 8, 4, 3)
    before, start = peak_memory(), time.perf_counter()
    size = CONTENDERS[name](path)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak": peak_memory() - before, "tensors": size / 1024**2}


def peak_memory() -> float:
    """Of this process, MB, as Linux tells it; getrusage would tell that of the process which started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.pkl"
        write(path, options.resolution)
        print(f"a file of {path.stat().st_size / 1024**2:.0f} MB, {options.runs} runs each\n")
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(options.runs):
            for name, row in rows.items():
                command = [sys.executable, __file__, "--measure", name, str(path)]
                row.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    middle = {n: {key: statistics.median(run[key] for run in row) for key in row[0]} for n, row in rows.items()}
    print("| | seconds | times pickle | peak MB | tensors MB | peak / tensors |\n|---|---|---|---|---|---|")
    for name, m in middle.items():
        times = m["seconds"] / middle["pickle.load"]["seconds"]
        ratio = m["peak"] / m["tensors"]
        print(f"| {name} | {m['seconds']:.2f} | {times:.2f} | {m['peak']:.0f} | {m['tensors']:.0f} | {ratio:.2f} |")


CONTENDERS: dict[str, Callable[[str], int]] = {
    "pickle.load": with_pickle,
    "ganlab.pickles.read": with_ganlab,
    "ganlab.load (G alone)": generator_only,
}

if __name__ == "__main__":
    main()
