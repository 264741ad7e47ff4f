"""Checkpoints and run folders: what happens to a training that is stopped, killed, damaged or out of disk."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab import files
from ganlab.cli import main
from ganlab.config import InvalidInput
from ganlab.run import Event, GanConfig, Penalty, Run
from ganlab.training import checkpoint
from ganlab.training.arena import GUARD, Arena
from ganlab.training.folder import HISTORY, RUN, opened, read_history
from ganlab.training.gan import State
from ganlab.training.loop import SAMPLES, Training

ROOT = Path(__file__).parents[2]
SMALL = {"g_width": 8, "d_width": 8, "batch": 16}
RUN_OF_TWO = Run(
    gans=(
        GanConfig(**SMALL, loss="wgan", penalties=(Penalty("wgan_gp", 10.0),), ema=0.9),
        GanConfig(**SMALL, loss="began", replay=0.5, historical_averaging=0.1),
        GanConfig(**SMALL, d_norm="spectral", optimizer="rmsprop"),
    ),
    events=(Event(30, None, "lr_d", 1e-4), Event(GUARD, 0, "batch", 24)),
)
ONE = Run(gans=(GanConfig(**SMALL),))


def same(a: list[State], b: list[State]) -> bool:
    return all(x.keys() == y.keys() and all(torch.equal(x[n], y[n]) for n in x) for x, y in zip(a, b, strict=True))


def never(step: int) -> bool:
    return False


def trained(folder: Path, run: Run | None, steps: int, tick: Callable[[int], bool] = never, **options: Any) -> Arena:
    options = {"every": 10, "resume": False, **options}
    with opened(folder, run, partial(Training, every=options.pop("every")), **options) as open_folder:
        list(open_folder.go(steps, GUARD, tick))
        return open_folder.training.arena


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


def test_whole_equals_halves(tmp_path: Path) -> None:
    trained(tmp_path / "a", RUN_OF_TWO, 2 * GUARD)
    for steps in (GUARD, GUARD + 17, 2 * GUARD):  # one end lies between checkpoints: those steps are made again
        last = trained(tmp_path / "b", RUN_OF_TWO, steps, resume=True)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    straight = Arena(RUN_OF_TWO)
    straight.advance(2 * GUARD)
    assert same(straight.states(), last.states())
    assert [row.step for row in read_history(tmp_path / "b" / HISTORY)] == list(range(10, 101, 10))


def test_checkpoints_hold_everything(tmp_path: Path) -> None:
    arena = Arena(RUN_OF_TWO)
    arena.advance(2 * GUARD)
    checkpoint.save(arena, tmp_path)
    other = Arena(RUN_OF_TWO)
    assert checkpoint.resume(other, tmp_path) == checkpoint.checkpoints(tmp_path)[0]
    assert other.step == 2 * GUARD and same(arena.states(), other.states())
    for one in (arena, other):
        one.advance(20)
    assert same(arena.states(), other.states())


def test_only_the_newest_stay(tmp_path: Path) -> None:
    trained(tmp_path, ONE, 6 * GUARD)
    assert [p.name for p in checkpoint.checkpoints(tmp_path)] == [f"step-{s:09d}.safetensors" for s in (200, 250, 300)]
    assert len(list(tmp_path.glob("*.sha256"))) == 3


def test_samples(tmp_path: Path) -> None:
    arena = trained(tmp_path, ONE, GUARD)
    lines = (tmp_path / SAMPLES).read_text().splitlines()
    assert lines[0] == "gan,x,y" and len(lines) == 2501 and all(line.startswith("0,") for line in lines[1:])
    first = arena.generate(arena.latents(2500, "meter"))[0, 0].tolist()
    assert [float(v) for v in lines[1].split(",")[1:]] == pytest.approx(first, rel=1e-4)


def damage_names() -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    rng = random.Random(0)
    for share in (0.0, 0.001, 0.3, 0.9, 0.9999):
        yield f"cut at {share}", lambda data, share=share: data[: int(share * len(data))]
    for _ in range(12):
        at, bit = rng.random(), rng.randrange(8)

        def flipped(data: bytes, at: float = at, bit: int = bit) -> bytes:
            place = int(at * len(data))
            return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

        yield f"bit {bit} at {at:.3f}", flipped
    yield "one byte more", lambda data: data + b"\0"


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    trained(folder, ONE, 2 * GUARD)
    return folder


@pytest.mark.parametrize("suffix", ["", ".sha256"])
def test_damaged_files_are_set_aside(suffix: str, two_checkpoints: Path, tmp_path: Path) -> None:
    older, newer = checkpoint.checkpoints(two_checkpoints)
    for i, (name, damage) in enumerate(damage_names()):
        folder = tmp_path / str(i)
        shutil.copytree(two_checkpoints, folder)
        path = folder / (newer.name + suffix)
        broken = damage(path.read_bytes())
        path.write_bytes(broken)
        arena = Arena(ONE)
        assert checkpoint.resume(arena, folder) == folder / older.name, name
        assert arena.step == GUARD
        assert (folder / (newer.name + ".damaged")).exists(), "kept, not deleted"
        if i % 6:  # the broken file is out of the way: from here on all cases are one
            continue
        last = trained(folder, ONE, 2 * GUARD, resume=True)
        assert last.step == 2 * GUARD
        assert (folder / newer.name).read_bytes() == newer.read_bytes(), "made again"
        assert (folder / HISTORY).read_bytes() == (two_checkpoints / HISTORY).read_bytes()


def test_nothing_good_left_starts_anew(two_checkpoints: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(two_checkpoints, folder)
    for path in folder.glob("*.safetensors"):
        path.write_bytes(b"")
    trained(folder, None, 2 * GUARD, resume=True)
    assert (folder / HISTORY).read_bytes() == (two_checkpoints / HISTORY).read_bytes()


def test_refusals(two_checkpoints: Path, tmp_path: Path) -> None:
    other = Run(gans=(GanConfig(**SMALL, lr_d=0.5),))
    with pytest.raises(InvalidInput, match="another run"):
        checkpoint.resume(Arena(other), two_checkpoints)
    with pytest.raises(InvalidInput, match="another run"):
        trained(two_checkpoints, other, GUARD, resume=True)
    with pytest.raises(InvalidInput, match="already holds a run; add --resume"):
        trained(two_checkpoints, ONE, GUARD)
    with pytest.raises(InvalidInput, match="each 20 steps"):
        trained(two_checkpoints, ONE, GUARD, resume=True, every=20)
    with pytest.raises(InvalidInput, match="holds no run"):
        trained(tmp_path / "empty", None, GUARD, resume=True)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, ONE, partial(Training, every=10), resume=False):
        code = (
            "import sys, pathlib, ganlab.files\nwith ganlab.files.only_writer(pathlib.Path(sys.argv[1])): print('in')"
        )
        second = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
        assert "BlockingIOError" in second.stderr
        with pytest.raises(InvalidInput, match="another training writes"):
            trained(tmp_path, ONE, GUARD, resume=True)
    trained(tmp_path, ONE, GUARD, resume=True)


def test_what_killed_writers_left_is_swept(two_checkpoints: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(two_checkpoints, folder)
    (folder / "samples").mkdir(exist_ok=True)
    for left in ("step-000000150.safetensors.abcd_123.part", "samples/000000150.png.k3v9x0_a.part", "a novel.part"):
        (folder / left).write_bytes(b"half")
    trained(folder, ONE, 2 * GUARD, resume=True)
    assert [part.name for part in folder.rglob("*.part")] == ["a novel.part"], "what is not ours stays"


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_leaves_the_old_files(
    call: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path, ONE, GUARD)
    before = contents(tmp_path)

    def fails(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    with opened(tmp_path, ONE, partial(Training, every=10), resume=True) as folder:
        monkeypatch.setattr(os, call, fails)
        with pytest.raises(OSError, match=os.strerror(code)):
            list(folder.go(2 * GUARD, GUARD, never))
        monkeypatch.undo()
    after = contents(tmp_path)
    assert after.pop(HISTORY).startswith(before.pop(HISTORY)) and after == before, "nothing half written"
    trained(tmp_path, ONE, 2 * GUARD, resume=True)
    assert read_history(tmp_path / HISTORY)[-1].step == 2 * GUARD


def test_write_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file"
    files.write_atomic(path, b"old")

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in path.parent.iterdir()] == ["file"]


def test_stopping_saves_at_the_next_moment_that_can_be_saved(tmp_path: Path) -> None:
    arena = trained(tmp_path, ONE, 1000, lambda step: step >= 60)
    assert arena.step == 2 * GUARD and len(checkpoint.checkpoints(tmp_path)) == 2
    assert not (tmp_path / SAMPLES).exists()


def test_a_slow_training_stops_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlab.training.folder.GRACE", 0.0)
    arena = trained(tmp_path, ONE, 1000, lambda step: step >= 60)
    assert arena.step < 2 * GUARD and len(checkpoint.checkpoints(tmp_path)) == 1


def test_history_cut_in_a_line(two_checkpoints: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(two_checkpoints, folder)
    with open(folder / HISTORY, "ab") as file:
        file.write(b'{"step":210,"gans":[')
    assert read_history(folder / HISTORY)[-1].step == 2 * GUARD
    trained(folder, ONE, 3 * GUARD, resume=True)
    whole = tmp_path / "whole"
    trained(whole, ONE, 3 * GUARD)
    assert contents(folder) == contents(whole)


def command(folder: Path, run: Path, steps: int, *more: str) -> list[str]:
    options = ["--run", str(run), "--steps", str(steps), "--every", "25", "--save-every", "50", "--out", str(folder)]
    return ["train", *options, *more]


def start(args: list[str]) -> "subprocess.Popen[bytes]":
    program = [sys.executable, "-m", "ganlab", *args]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}  # as here
    return subprocess.Popen(program, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def killed_and_resumed(tmp_path: Path, kills: int, steps: int) -> None:
    """SIGKILL at random moments after the first line of output; then the same bytes as without."""
    run, rng = tmp_path / "run.json", random.Random(kills)
    run.write_text(RUN_OF_TWO.to_json())
    for _ in range(kills):
        process = start(command(tmp_path / "killed", run, steps, "--resume"))
        assert process.stdout
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.6))
        process.kill()
        process.wait()
        process.stdout.close()
    for name in ("killed", "whole"):
        assert main(command(tmp_path / name, run, steps, "--resume")) == 0
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert {n for n in killed if n.endswith(".damaged")} == killed.keys() - whole.keys()
    assert all(killed[name] == whole[name] for name in whole)
    assert len(whole[HISTORY].splitlines()) == steps // 25


def test_kill_and_resume(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, 2, 250)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_and_resume_twenty_times(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, 20, 3000)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_save_and_end_soon(number: signal.Signals, code: int, tmp_path: Path) -> None:
    run = tmp_path / "run.json"
    run.write_text(ONE.to_json())
    process = start(command(tmp_path / "out", run, 1_000_000))
    assert process.stdout
    process.stdout.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)  # it is far from its last step
    assert process.returncode == code and b"Traceback" not in errors
    step = int(checkpoint.checkpoints(tmp_path / "out")[-1].name[5:14])
    assert step > 0
    assert read_history(tmp_path / "out" / HISTORY)[-1].step == step // 25 * 25
    assert (tmp_path / "out" / RUN).exists()
