"""The report on a generator of faces: real faces are as good as it gets, and each fault shows where it belongs."""

import functools
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from ganlab.cli_evaluate import Evaluate
from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, faces, sample
from ganlab.metrics.faces_report import (
    Reference,
    attribute_of,
    faces_report,
    look,
    pictures_of,
    reference,
    report,
)

N = 300
STYLES = tuple(ATTRIBUTES["hairstyle"].options)


@pytest.fixture(scope="module")
def real() -> Reference:
    return reference(N, 64)


@pytest.fixture(scope="module")
def fresh() -> torch.Tensor:
    return faces(5, range(N), 64)[0]


@functools.cache
def _shown() -> tuple[torch.Tensor, torch.Tensor]:
    images, people = faces(9, range(200), 64)
    return images.float() / 127.5 - 1, people["hairstyle"]


class _Generator(nn.Module):
    """Shows the faces of a table: the class decides which."""

    def __init__(self, c_dim: int, truth: bool = True) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.img_resolution, self.img_channels = 4, c_dim, 64, 3
        self.images, self.styles = _shown()
        self.truth, self.unused = truth, nn.Parameter(torch.zeros(1))

    def mapping(self, z: torch.Tensor, c: torch.Tensor | None, truncation_psi: float) -> torch.Tensor:
        rows = (z[:, 0].abs() * 1e4).long()
        if c is not None and self.truth:
            places = [(self.styles == k).nonzero()[:, 0] for k in c.argmax(1).tolist()]
            rows = torch.stack([place[row % len(place)] for place, row in zip(places, rows)])
        rows = rows if truncation_psi > 0 else rows * 0
        return (rows % len(self.images))[:, None].float()

    def synthesis(self, ws: torch.Tensor, noise_mode: str, generator: torch.Generator) -> torch.Tensor:
        return self.images[ws[:, 0].long()]


def test_real_faces_are_good(real: Reference, fresh: torch.Tensor) -> None:
    found = faces_report(look(fresh), real, draws=3)
    assert found.fd.lo <= found.fd.value <= found.fd.hi
    assert found.precision.value > 0.6 and found.recall.value > 0.6 and found.coverage.value > 0.8
    assert found.present["hat"].missing == found.present["hairstyle"].missing == ()
    assert all(found.distances[name] < found.floor[name] + 0.15 for name in found.floor) and found.accuracy is None
    assert found.warning and (found.count, found.n_real) == (N, N)
    assert len(found.rows()) > 8


def test_a_generator_without_hats_is_found_out(real: Reference, fresh: torch.Tensor) -> None:
    bare = fresh[sample(5, range(N))["hat"] == 0]
    found = faces_report(look(bare), real, draws=2)
    assert set(found.present["hat"].missing) >= {"beanie", "crown"} - {"none"} or found.present["hat"].present <= 2
    assert found.distances["hat"] == pytest.approx(0.36, abs=0.06)
    assert found.distances["background"] < 0.15


def test_blur_shows_in_every_figure(real: Reference, fresh: torch.Tensor) -> None:
    good = faces_report(look(fresh), real, draws=2)
    small = nn.functional.avg_pool2d(fresh.float(), 8)
    blurred = nn.functional.interpolate(small, scale_factor=8.0, mode="bilinear").to(torch.uint8)
    bad = faces_report(look([blurred[:100], blurred[100:]]), real, draws=2)
    # precision is blind to blur: smeared features lie in the middle of the real ones
    assert bad.fd.lo > good.fd.hi and bad.coverage.value < good.coverage.value


def test_it_is_counted_who_shows_the_class_that_was_asked(real: Reference) -> None:
    faithful = report(_Generator(8), 1, 200, real, STYLES)
    deaf = report(_Generator(8, truth=False), 1, 200, real, STYLES)
    assert faithful.accuracy is not None and faithful.accuracy.lo > 0.8
    assert deaf.accuracy is not None and deaf.accuracy.hi < 0.4
    assert faithful.distances["hairstyle"] < 0.15  # as many of each class as data have
    assert report(_Generator(0), 1, 100, real).accuracy is None


def test_truncation_reaches_the_generator(real: Reference) -> None:
    still = report(_Generator(0), 0, 100, real)
    assert still.recall.value < 0.1 and still.present["hairstyle"].present == 1


def test_pictures_are_the_same_for_the_same_seed() -> None:
    once, again = (list(pictures_of(_Generator(8), 130, 1, 3)) for _ in range(2))
    assert [len(images) for images, _ in once] == [100, 30]
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(once, again))
    only = torch.cat([classes for _, classes in pictures_of(_Generator(8), 50, 1, 0, [0, 0, 1, 0, 0, 0, 0, 0])])
    assert only.unique().tolist() == [2]
    with pytest.raises(InvalidInput):
        list(pictures_of(_Generator(8), 5, 1, 0, [0.5, 0.5]))


def test_classes_are_known_by_their_names() -> None:
    head = attribute_of(["bald", "long"])
    assert head is not None and head.name == "hairstyle"
    assert attribute_of(["cat", "dog"]) is None and attribute_of([]) is None


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    assert Evaluate("faces64", psi=(1, 0.5), count=64, real=64, sheet=sheet, histogram=True).main() == 0
    told = capsys.readouterr().out
    assert "| | psi 1 | psi 0.5 |" in told and "FD-faces" in told and "class as asked" in told
    rows = [line.split(" | ") for line in told.splitlines() if line.startswith("| glasses | ")]
    for cell in rows[0][1:]:  # the data's and a column for each psi
        assert sum(float(share) for share in re.findall(r"([\d.]+)%", cell)) == pytest.approx(100, abs=0.3)
    assert len(rows) == 1 and len(rows[0]) == 4
    assert "too few" in told and sheet.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 5},
        {"psi": ()},
        {"sheet": Path("a.jpg")},
        {"model": "no-such-model"},
        {"histogram": True, "data": "digits"},
    ],
)
def test_the_command_refuses_in_a_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Evaluate(**{"model": "faces64", "count": 64, "real": 64, **wrong}).main()  # type: ignore[arg-type]
