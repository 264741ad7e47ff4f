"""`ganlab metrics`: every figure of a generator, by its name, and the same as the functions that it comes from."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab import weights, zoo
from ganlab.cli import main
from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, open_images
from ganlab.metrics import METRICS
from ganlab.metrics.faces_report import pictures_of
from ganlab.metrics.manifold import f_score
from ganlab.metrics.ssim import WEIGHTS, weights_of
from ganlab.networks.arguments import Shape
from ganlab.networks.table import TRAINABLE
from ganlab.training import full_report as module
from ganlab.training.full_report import full_report
from ganlab.training.quality import QualityMeter


@pytest.fixture(autouse=True)
def few_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATHS", 8)
    monkeypatch.setattr(module, "PAIRS", 16)


@pytest.fixture(scope="module")
def digits() -> QualityMeter:
    return QualityMeter(open_images(ImageData("digits", resolution=32, grey=True, labels="class", valid=0.2)), 200)


def test_a_conditional_model_beside_its_kind_of_data(digits: QualityMeter) -> None:
    G: Any = weights.load(zoo.path_of("mnist32"))
    told: list[tuple[str, int, int]] = []
    figures, warning = full_report(G, digits, 1.0, 64, tick=lambda *args: told.append(args))
    names = [figure.name for figure in figures]
    assert names == [
        *(f"{kind}-pyramid" for kind in ("FD", "KD", "precision", "recall", "F1", "density", "coverage")),
        *("MS-SSIM of pairs within classes", "copying-pyramid", "class as asked"),
        *(f"PPL-pyramid {kind}" for kind in ("Z full", "Z end", "W full", "W end (ppl2)")),
    ]
    of = {figure.name: figure.value for figure in figures}
    assert of["F1-pyramid"] == pytest.approx(f_score(of["precision-pyramid"], of["recall-pyramid"]))
    assert all("±" in figure.text for figure in figures)
    sure = {figure.name for figure in figures if figure.interval.far == 0}  # of few pictures all are alike in some ways
    assert {"FD-pyramid", "KD-pyramid", "class as asked", "PPL-pyramid Z full"} <= set(names) - sure, sure
    assert warning and "64 pictures" in warning
    assert ("pictures", 64, 64) in told and {what for what, _, _ in told} == {
        "pictures",
        "distances",
        "path lengths",
    }
    pictures = torch.cat([part for part, _ in pictures_of(G, 64, 1.0, 0, digits.images.shares.tolist())])
    small = digits.features(pictures)[1]
    near = digits.features(pictures)[0]
    for kind, row in METRICS.items():
        pair = (digits.real.small, small) if kind in ("FD", "KD") else (digits.real.near, near)
        assert of[f"{kind}-pyramid"] == pytest.approx(row.function(*pair)), kind
    again, _ = full_report(G, digits, 1.0, 64)
    assert again == figures, "the same for the same seed"
    truncated, _ = full_report(G, digits, 0.3, 64)
    assert truncated[7].value > figures[7].value, "truncated pictures are more alike"


def test_only_some_pictures_are_kept(digits: QualityMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of all of them are: what needs those alone is the same."""
    G: Any = weights.load(zoo.path_of("mnist32"))
    whole = module._made(G, digits, 150, 1.0, 0, module.silent)
    monkeypatch.setattr(module, "SOME", 30)
    part = module._made(G, digits, 150, 1.0, 0, module.silent)
    assert torch.equal(part.near, whole.near) and torch.equal(part.classes, whole.classes)
    assert len(whole.some) == 150 and torch.equal(part.some, whole.some[:30])


def test_the_data_beside_itself_is_told_from_others(digits: QualityMeter) -> None:
    assert digits.class_as_asked(digits.real.near[:50], digits.real.targets[:50]).mean() > 0.9
    faces = QualityMeter(open_images(ImageData(resolution=64, limit=80, labels="hat")), 80)
    assert faces.reads == "hat" and faces.class_as_asked(faces.real.near, faces.real.targets).mean() > 0.9
    moved = faces.of_floats(faces.real.pictures.float() / 127.5 - 1)
    assert torch.allclose(moved, faces.real.near, atol=1e-3)


def test_distances_within_classes_and_why_there_are_none(digits: QualityMeter) -> None:
    grey = ImageData("digits", resolution=32, grey=True, labels="class")
    meter, rng = QualityMeter(open_images(grey), 1797), torch.Generator().manual_seed(0)
    few, many = meter.real.small.shape[1], int(meter.real.targets.bincount().min())
    assert few < many, "or nothing is measured here"
    real = meter.real.near, meter.real.small, meter.real.targets
    (_, same), missing = module._of_classes(meter, *real)
    assert same.name == "intra-class FD-pyramid" and same.value == pytest.approx(0, abs=1e-3) and missing is None
    shuffled = real[2][torch.randperm(len(real[2]), generator=rng)]
    (_, mixed), _ = module._of_classes(meter, *real[:2], shuffled)
    assert mixed.value > 10 * abs(same.value) + 0.01, "all classes are alike there"
    rows, missing = module._of_classes(meter, *(part[:100] for part in real))
    assert len(rows) == 1 and missing is not None and f"{few} are needed" in missing


@pytest.mark.parametrize("family", ["stylegan3-t", "stylegan-xl"])
def test_a_generator_whose_input_moves_has_its_equivariance(digits: QualityMeter, family: str) -> None:
    shape = Shape(32, 1, 0, 8, 8, 1, 128, 8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        G: Any = TRAINABLE[family].g(**TRAINABLE[family].g_arguments(shape)).eval()
    figures, _ = full_report(G, digits, 1.0, 32)
    assert [figure.name for figure in figures[-2:]] == ["EQ-T", "EQ-R"] and figures[-2].text.endswith(" dB")


def test_scales_of_small_pictures() -> None:
    assert weights_of(256) == WEIGHTS and len(weights_of(64)) == 3 and len(weights_of(16)) == 1
    assert sum(weights_of(32)) == pytest.approx(1)


def test_too_few_pictures(digits: QualityMeter) -> None:
    with pytest.raises(InvalidInput, match="16 pictures"):
        full_report(weights.load(zoo.path_of("mnist32")), digits, 1.0, 8)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    args = ["metrics", "mnist32", "digits", "--psi", "1", "0.5", "--count", "32", "--real", "64", "--json", str(out)]
    assert main(args) == 0
    told = capsys.readouterr().out
    assert "| | psi 1 | psi 0.5 |" in told and "FD-pyramid" in told and "FID" not in told
    rows = json.loads(out.read_text())["figures"]
    assert [row["psi"] for row in rows] == [1.0, 0.5] and "recall-pyramid" in rows[0]
    assert main(["metrics", "mnist32", "digits", "--psi", "3"]) == 2
    assert "from 0 to 2" in capsys.readouterr().err
    assert main(["metrics", "nothing"]) == 2
