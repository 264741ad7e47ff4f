"""Nothing that a stranger hands over is run, or costs memory or time: each attack is refused with its reason."""

import gc
import json
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganlab.pickles import BadCheckpoint, Found, read
from tests.pickles.assemble import (
    MEMOIZE,
    Op,
    call,
    checkpoint,
    dumps,
    enc,
    module,
    safetensors,
    small,
    stream,
    tensor,
    torch_zip,
    zip_tensor,
)
from tests.pickles.attacks import ATTACKS, COMMAND, FOUR, HEAVY, tf_network

ROOT = Path(__file__).resolve().parents[2]
DEEDS = ("os.", "subprocess.", "exec", "compile", "marshal.", "pickle.", "ctypes.", "socket.", "code.", "shutil.")
DEEDS += ("_thread.",)  # what another thread did would not be seen
HARMLESS = ("os.listdir", "os.scandir")
MEMORY = 64  # MB that reading a hostile file may cost at most
SECONDS = 5.0
seen: list[str] | None = None  # what the audit hook saw; None while it looks away
reader = 0  # the thread that it looks at: what other tests left running may tidy up meanwhile


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if seen is not None and threading.get_ident() == reader and event.startswith(DEEDS) and event not in HARMLESS:
        seen.append(event)


sys.addaudithook(watch)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lazy imports are done, so that they are not taken for deeds of a file."""
    path = tmp_path_factory.mktemp("warm") / "a.pkl"
    path.write_bytes(small())
    read(path)


@pytest.fixture
def nothing_runs(warm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A path to write to; afterwards nothing else was written beside it."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "a.pkl"
    assert [item.name for item in tmp_path.iterdir()] == ["a.pkl"]


def given(path: Path, data: bytes) -> Found:
    """What is read of `data`; fails if anything is executed, compiled or started meanwhile."""
    global seen, reader
    path.write_bytes(data)
    reader = threading.get_ident()
    gc.disable()  # nor is this the moment to collect, with its finalizers, what other tests dropped
    seen = events = []
    try:
        return read(path)
    finally:
        seen = None
        gc.enable()
        assert events == []


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in HEAVY])
def test_attack_is_refused(name: str, nothing_runs: Path) -> None:
    make, words = ATTACKS[name]
    with pytest.raises(BadCheckpoint, match=words) as error:
        given(nothing_runs, make())
    sentence = str(error.value)
    assert sentence.startswith("a.pkl: ") and ";" in sentence
    assert len(sentence) < 300 and sentence.isascii() and sentence.isprintable()


ACCEPTED = {  # program text and unknown discriminators are read over
    "module_src that would act": lambda: checkpoint(module_src=f"import os; os.system('{COMMAND}')"),
    "TensorFlow source that would act": lambda: dumps(
        (tf_network(build_module_src=f"import os; os.system('{COMMAND}')"),) * 3
    ),
    "unknown class in the discriminator": lambda: dumps(
        {"D": module(modules={"b": call("timm.models.x", "Net", 1)}), "G_ema": module({"w": tensor([1])})}
    ),
    "unknown attribute of the generator": lambda: checkpoint(state={"activation": call("mine", "Swish")}),
    "one small tensor under two names": lambda: checkpoint({"w": Op(tensor([1, 2]) + MEMOIZE), "v": Op(b"h\x00")}),
    "tensor without numbers": lambda: checkpoint({"w": tensor([])}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_only_odd_is_read(name: str, nothing_runs: Path) -> None:
    found = given(nothing_runs, ACCEPTED[name]())
    assert found.networks.keys() & {"G", "G_ema"}
    if "unknown" in name:
        assert any("is not known and was left out" in sentence for sentence in found.skipped)
    if "discriminator" in name:
        assert "D" not in found.networks and any("discriminator" in sentence for sentence in found.skipped)


def test_weights_that_are_not_finite_are_a_warning(nothing_runs: Path) -> None:
    found = given(nothing_runs, checkpoint({"a": tensor([1, float("nan")]), "b": tensor([float("inf")])}))
    assert "2 of the tensors hold NaN or infinity" in found.warnings[0]


def files() -> dict[str, bytes]:
    """A fine file of each kind."""
    old = stream(FOUR, 4, value=Op(enc({"w": zip_tensor("0", 4)})))
    safe = safetensors({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, FOUR)
    zipped = torch_zip({"style.1.weight": zip_tensor("0", 4)}, {"0": FOUR})
    return {"pickle": small(), "zip": zipped, "old stream": old, "safetensors": safe}


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", files())
def test_truncated_anywhere(kind: str, every: int, nothing_runs: Path) -> None:
    data = files()[kind]
    given(nothing_runs, data)
    for percent in range(0, 100, every):
        with pytest.raises(BadCheckpoint):
            given(nothing_runs, data[: len(data) * percent // 100])


@pytest.mark.parametrize("mutants", [90, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", files())
def test_mutated_at_random(kind: str, mutants: int, nothing_runs: Path) -> None:
    """Read or refused with the one error, never anything else."""
    data, rng, refused = files()[kind], random.Random(1), 0
    for _ in range(mutants):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            at = rng.randrange(len(mutant))
            mutant[at] = rng.choice((rng.randrange(256), mutant[at] ^ 1 << rng.randrange(8), ord(rng.choice("R.bc}"))))
        try:
            given(nothing_runs, bytes(mutant))
        except BadCheckpoint:
            refused += 1
    assert refused > mutants / 6


@pytest.mark.parametrize("path", ["none.pkl", "."])
def test_not_a_file(path: str, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"cannot be opened|not a regular file"):
        read(tmp_path / path)


MEASURE = """
import json, sys, time
from pathlib import Path
from ganlab.pickles import BadCheckpoint, read
def peak(): return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
done = []
sys.addaudithook(lambda event, _: done.append(event) if event.startswith(("os.", "subprocess.", "exec")) else None)
paths = sorted(Path(sys.argv[1]).iterdir())
read(paths[0])
for path in paths[1:]:
    before, start, problem = peak(), time.perf_counter(), None
    done.clear()
    try: read(path)
    except BadCheckpoint as error: problem = error.problem
    print(json.dumps([path.name, time.perf_counter() - start, peak() - before, problem, done]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's own peak")
def test_attacks_cost_neither_memory_nor_time(tmp_path: Path) -> None:
    """In a process of its own, so that its peak is that of reading, and without the type checks of tests."""
    (tmp_path / "000").write_bytes(small())
    names = {f"{k:03}": name for k, name in enumerate(ATTACKS, 1)}
    for file, name in names.items():
        (tmp_path / file).write_bytes(ATTACKS[name][0]())
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = {names[row[0]]: row[1:] for row in map(json.loads, done.stdout.splitlines())}
    assert rows.keys() == ATTACKS.keys()
    for name, (seconds, _, problem, deeds) in rows.items():
        assert problem and re.search(ATTACKS[name][1], problem), (name, problem)
        assert seconds < SECONDS and deeds == [], (name, seconds, deeds)
    costs = {name: memory for name, (_, memory, _, _) in rows.items() if memory > 0.5}
    assert sum(costs.values()) < MEMORY, costs


def test_no_attack_is_named_by_a_number() -> None:
    assert all(re.fullmatch(r"[\x20-\x7e]+", name) for name in ATTACKS)
