"""`python -m ganlab`: what it says, what it refuses, and that two equal trainings leave equal files."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from ganlab import __version__, weights
from ganlab.cli import main
from ganlab.data.images import IMAGE_SETS
from ganlab.data.toy2d import DENSITIES
from ganlab.files import sha256_of
from ganlab.losses import LOSSES
from ganlab.presets import run_names
from ganlab.presets.images import image_run_names
from ganlab.regularizers import REGULARIZERS
from ganlab.run import GanConfig, Penalty, Run, to_link
from ganlab.training.folder import HISTORY, RUN, read_run
from tests.tiny_models import TINY

ROOT = Path(__file__).parents[1]
SMALL = ["--set", "g_width=8", "--set", "d_width=8", "--set", "batch=16", "--every", "25"]


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for args, words in (
        (["--help"], ("app", "train", "presets", "laboratory")),
        (["train", "--help"], ("--preset NAME", "--set PATH=VALUE", "--out FOLDER", "--resume", "may be repeated")),
        (["app", "--help"], ("--host", "--port", "7860", "--share")),
    ):
        with pytest.raises(SystemExit) as ended:
            main(args)
        assert ended.value.code == 0
        text = " ".join(capsys.readouterr().out.replace("│", " ").split())
        assert all(word in text for word in words), text
        assert "--no-" not in text


def test_module_and_version() -> None:
    result = subprocess.run([sys.executable, "-m", "ganlab", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"ganlab {__version__}\n", "")


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    out = capsys.readouterr().out
    named = set(re.findall(r"^  (\S+)  ", out, re.MULTILINE))
    assert named == {*run_names(), *LOSSES, *REGULARIZERS, *DENSITIES, *image_run_names(), *IMAGE_SETS}
    assert len(out.split("\n\n")) == 7


WRONG: dict[str, tuple[list[str], str]] = {
    "image preset": (["--preset", "stylegan2-65"], "error: preset: ends with 65; resolutions are 16, 32"),
    "image data": (["--preset", "dcgan-32", "--data", "nowhere"], "error: data: nowhere is neither a set (faces, "),
    "image setting": (["--preset", "dcgan-32", "--set", "lr=1"], "error: gan.lr: there is no such setting"),
    "data setting": (["--preset", "dcgan-32", "--set", "data.fit=x"], 'error: data.fit: "x" is not one of crop'),
    "labels": (["--preset", "dcgan-32", "--labels", "shoes"], "error: labels: 'shoes' is not one of"),
    "labels of points": (["--labels", "hat"], "error: images: and labels are for image presets"),
    "device": (["--preset", "dcgan-32", "--device", "tpu"], "error: device: tpu is not here; here are cpu"),
    "number of a device": (["--preset", "dcgan-32", "--device", "cpu:x"], "error: device: cpu:x is not here"),
    "preset": (["--preset", "toy-wgna"], "error: preset: there is no toy-wgna; did you mean"),
    "data": (["--data", "cube"], "error: data: there is no cube"),
    "data of a run": (["--run", to_link(Run()), "--data", "cube"], 'error: data.name: "cube" is not one of ring'),
    "value": (["--set", "lr_d=5"], "error: gans.0.lr_d: 5 is out of range; it must be a number from 1e-07 to 1"),
    "setting": (["--set", "lrd=5"], "error: gans.0.lrd: there is no such setting"),
    "no value": (["--set", "lr_d"], "error: set: lr_d must be a setting and its value"),
    "link": (["--run", "AAAA"], "error: link: is damaged"),
    "file": (["--run", "none.json"], "error: run: none.json cannot be read: No such file"),
    "two runs": (["--run", to_link(Run()), "--preset", "toy-vanilla"], "error: run: cannot stand beside --preset"),
    "steps": (["--steps", "0"], "error: steps: 0 is out of range"),
    "every": (["--every", "-3"], "error: every: -3 is out of range"),
    "save-every": (["--save-every", "70"], "error: save-every: 70 is not a multiple of 50"),
    "resume nothing": (["--resume"], "error: resume: needs --out"),
    "seed": (["--seed", "-1"], "error: seed: -1 is out of range"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    args, sentence = WRONG[case]
    assert main(["train", *args]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(sentence) and err.count("\n") == 1 and out == ""


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["train", "--steps", "50", "--out", str(tmp_path / "file" / "out")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *SMALL, "--steps", "60", "--preset", "toy-wgan-gp"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["25", "50"]
    assert re.search(r" WGAN-GP \d/8 HQ \d+% JS [.\d]+ D -?[.\d]+ G -?[.\d]+ \| [\d,]+ GAN-it/s$", lines[0]), lines[0]
    assert err == "", "no progress where nobody watches"


def test_alarms_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    wild = ["--set", "loss=wgan", "--set", "optimizer=sgd", "--set", "lr_d=1", "--set", "lr_g=1"]
    assert main(["train", *SMALL, *wild, "--steps", "200"]) == 0
    assert "! Non-saturating: diverged: NaN at step" in capsys.readouterr().out


def test_progress_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("ganlab.cli_train.TELL", 0.0)
    assert main(["train", *SMALL, "--steps", "30"]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"\r\x1b\[K 50 %  step 15 of 30, 0:0\d left", err)
    assert "left" not in out and err.endswith("\r\x1b[K"), "it is gone at the end"


def test_equal_trainings_leave_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(["train", *SMALL, "--seed", "5", "--steps", "100", "--out", str(tmp_path / name)]) == 0
    a, b = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "ab")
    assert a == b and {RUN, HISTORY, "samples.csv", "step-000000100.safetensors"} <= a.keys()
    assert main(["train", *SMALL, "--seed", "6", "--steps", "100", "--out", str(tmp_path / "c")]) == 0
    assert (tmp_path / "c" / HISTORY).read_bytes() != a[HISTORY]
    rows = [json.loads(line) for line in a[HISTORY].splitlines()]
    assert [row["step"] for row in rows] == [25, 50, 75, 100]
    run = Run.from_json(a[RUN].decode())
    assert run.seed == 5 and run.gans[0].g_width == 8


def test_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "a"), "--every", "25"]
    assert main(["train", *SMALL, *out, "--steps", "100"]) == 0
    assert main(["train", *SMALL, *out, "--steps", "150"]) == 2
    assert "add --resume" in capsys.readouterr().err
    assert main(["train", *out, "--steps", "150", "--resume"]) == 0, "the folder knows its run"
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["125", "150"]
    assert main(["train", *out, "--steps", "200", "--resume", "--seed", "9"]) == 2
    assert "another run" in capsys.readouterr().err
    assert main(["train", *SMALL, "--steps", "150", "--out", str(tmp_path / "b")]) == 0
    assert (tmp_path / "a" / HISTORY).read_bytes() == (tmp_path / "b" / HISTORY).read_bytes()


@pytest.mark.parametrize("how", ["file", "link", "url"])
def test_a_run_from_elsewhere(how: str, tmp_path: Path) -> None:
    small = {"g_width": 8, "d_width": 8, "batch": 16}
    run = Run(gans=(GanConfig("one", **small), GanConfig("two", **small, penalties=(Penalty("r1", 2.0),))))
    file = tmp_path / "my.json"
    file.write_text(run.to_json())
    text = {"file": str(file), "link": to_link(run), "url": f"https://example.org/lab?run={to_link(run)}&x=1"}[how]
    args = ["--run", text, "--steps", "50", "--out", str(tmp_path / "out"), "--set", "lr_d=0.002", "--data", "grid"]
    assert main(["train", *args]) == 0
    got = Run.from_json((tmp_path / "out" / RUN).read_text())
    assert [g.name for g in got.gans] == ["one", "two"] and {g.lr_d for g in got.gans} == {0.002}
    assert got.data.name == "grid" and got.gans[1].penalties == (Penalty("r1", 2.0),)


def test_settings_may_be_json(tmp_path: Path) -> None:
    args = ["--set", 'penalties=[{"name":"r1","weight":2}]', "--set", "name=1e3x", "--set", "loss=lsgan"]
    assert main(["train", *SMALL, *args, "--steps", "25", "--out", str(tmp_path / "out")]) == 0
    gan = Run.from_json((tmp_path / "out" / RUN).read_text()).gans[0]
    assert (gan.name, gan.loss, gan.penalties) == ("1e3x", "lsgan", (Penalty("r1", 2.0),))


def test_app(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    started: list[Any] = []
    launch: Callable[..., None] = lambda demo, **options: started.append((demo, options))  # noqa: E731
    monkeypatch.setitem(sys.modules, "apps.hub", SimpleNamespace(build=lambda: "demo", launch=launch))
    assert main(["app", "--port", "7999"]) == 0
    assert started == [("demo", {"server_name": "127.0.0.1", "server_port": 7999, "share": False})]
    monkeypatch.setitem(sys.modules, "apps.hub", None)
    assert main(["app"]) == 2
    assert "error: app: needs the folder apps/" in capsys.readouterr().err


def test_training_imports_no_app() -> None:
    code = "import sys, ganlab.cli; print([m for m in ('gradio', 'apps', 'open_clip') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr


def test_images_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of pictures is learned, left, and gone on with; the generator opens by its path."""
    data = tmp_path / "data"
    data.mkdir()
    for i in range(6):
        Image.new("RGB", (40 + i, 30), (40 * i, 90, 120)).save(data / f"{i}.png")
    (data / "broken.png").write_bytes(b"no picture")
    small = ["--set", "channel_base=256", "--set", "channel_max=8", "--set", "batch=4", "--set", "z_dim=8"]
    out = ["--out", str(tmp_path / "run"), "--every", "2", "--save-every", "2", "--device", "cpu"]
    assert main(["train", "--preset", "dcgan-16", "--data", str(data), "--images", "16", *small, *out]) == 0
    assert main(["train", "--resume", "--steps", "6", *out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [[str(k), str(4 * k), "images"] for k in (2, 4, 6)]
    assert main(["inspect", str(tmp_path / "run" / "generator-000000006.safetensors")]) == 0
    assert "DCGAN" in capsys.readouterr().out


def test_stages_go_on_from_each_other_and_can_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    small = [f"--set={key}={value}" for key, value in TINY.items()]
    stages = [
        "train",
        "--preset",
        "stylegan-xl-64",
        "--stages",
        "--every",
        "2",
        "--save-every",
        "2",
        "--out",
        str(out),
        *small,
    ]
    assert main([*stages, "--steps", "2"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["32px", "64px"]
    first = next((out / "32px").glob("generator-*.safetensors"))
    assert read_run(out / "64px" / "run.json").start == sha256_of(first)  # type: ignore[union-attr]
    large = weights.load(out / "64px" / "generator-000000002.safetensors").state_dict()
    small_one = weights.load(first).state_dict()
    taken = [key for key in large if key in small_one and torch.equal(large[key], small_one[key]) and ".L0" in key]
    assert taken  # the first layers stay as the stage before has learned them
    assert main([*stages, "--steps", "4", "--resume"]) == 0  # the last stage goes on, the first one is done
    assert (out / "64px" / "generator-000000004.safetensors").is_file()
    assert [path.name for path in (out / "32px").glob("generator-*")] == [first.name]
    capsys.readouterr()
    for wrong in (["train", "--stages", "--preset", "stylegan-xl-64"], ["train", "--stages", "--out", str(out)]):
        assert main(wrong) == 2 and "stages: need --out and --preset" in capsys.readouterr().err
    assert main(["train", "--stages", "--preset", "toy-r1", "--out", str(out / "toy")]) == 2
    assert "stages: are for image presets" in capsys.readouterr().err
