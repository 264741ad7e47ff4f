"""Polygons: the data, the distance to their manifold, and what precision and recall say of known generators."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, open_images
from ganlab.data.polygons import LEAST_AREA, areas, polygons, rendered, vertices
from ganlab.metrics.polygons import THRESHOLD, distance, distance_by_inversion, nearest_polygon, polygon_score
from ganlab.presets.images import image_data
from ganlab.training.full_report import full_report
from ganlab.training.quality import QualityMeter

SIDE = 16


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("k", [3, 5, 8])
def test_they_are_convex_inside_and_large_enough(k: int) -> None:
    corners = vertices(0, range(300), k)
    assert float(corners.min()) > 0 and float(corners.max()) < 1
    edges = corners.roll(-1, 1) - corners
    after = edges.roll(-1, 1)
    assert bool((edges[..., 0] * after[..., 1] - edges[..., 1] * after[..., 0] > 0).all()), "each corner turns one way"
    assert float(areas(corners).min()) > LEAST_AREA
    assert torch.equal(vertices(0, [7], k), corners[7:8]) and not torch.equal(vertices(1, [7], k), corners[7:8])


def test_a_picture_is_as_white_as_the_polygon_is_large_in_whatever_order_its_corners_come() -> None:
    corners = vertices(0, range(50), 5)
    images = rendered(corners, 64)
    assert torch.allclose((images.mean((1, 2, 3)) + 1) / 2, areas(corners), atol=0.004)
    assert torch.equal(rendered(corners.flip(1), 64), images)
    square = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    assert torch.equal(rendered(square, 4)[0, 0], torch.tensor([[-1.0] * 4, *[[-1, 1, 1, -1]] * 2, [-1] * 4]))


def test_as_a_set_of_images() -> None:
    found = open_images(image_data("polygons-4", SIDE))
    images, _ = found.train.get([3, 4])
    assert found.train.endless and images.shape == (2, 3, SIDE, SIDE)
    assert torch.equal(images[:, :1], polygons(0, [3, 4], 4, SIDE))
    held = open_images(ImageData("polygons", resolution=SIDE, grey=True, limit=20, valid=0.2))
    assert held.train.images is not None and held.train.images.shape == (16, 1, SIDE, SIDE)
    assert torch.equal(held.train.images[:2], polygons(0, [0, 1], 3, SIDE))
    for wrong, told in (({"labels": "class"}, "not known of polygons"), ({"vertices": 2}, "vertices")):
        with pytest.raises(InvalidInput, match=told):
            ImageData("polygons", resolution=SIDE, **wrong)


def test_the_distance_is_nothing_for_polygons_and_right_for_others() -> None:
    corners = vertices(5, range(4), 3)
    fit = nearest_polygon(rendered(corners, 32), 3)
    assert float(fit.distance.max()) < 0.01
    assert torch.allclose(areas(fit.corners), areas(corners), atol=0.01)
    faint = rendered(corners, 32) * 0.5 - 0.5  # half as bright: no polygon is
    off = nearest_polygon(faint, 3).distance
    assert bool((off > 0.1).all()) and bool((off <= distance(faint, rendered(corners, 32)) + 1e-3).all())
    assert bool((nearest_polygon(rendered(vertices(5, range(4), 8), 32), 3).distance > THRESHOLD).all())
    assert float(nearest_polygon(-torch.ones(1, 1, 32, 32), 3).distance) > THRESHOLD, "nothing is no polygon"


class Triangles(nn.Module):
    """A generator that is known: its latents are where three corners are; `spread` 0 makes one triangle only."""

    z_dim, img_resolution, img_channels, c_dim = 6, SIDE, 1, 0

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.spread = nn.Parameter(torch.tensor(spread), requires_grad=False)
        self.register_buffer("middle", torch.tensor([[0.2, 0.25], [0.8, 0.3], [0.5, 0.8]]))

    def mapping(self, z: Tensor, c: Tensor | None = None, truncation_psi: float = 1.0) -> Tensor:
        return z[:, None]

    def synthesis(self, ws: Tensor, noise_mode: str = "const", generator: torch.Generator | None = None) -> Tensor:
        return rendered(self.middle + self.spread * ws[:, 0].reshape(-1, 3, 2), SIDE, soft=2.0)


@pytest.mark.parametrize(
    ("draw", "precision", "recall"),
    [
        (lambda z: Triangles(0.2).synthesis(z[:, None]), (0.85, 1.0), (0.8, 1.0)),
        (lambda z: Triangles(0.0).synthesis(z[:, None]), (1.0, 1.0), (0.0, 0.1)),
        (
            lambda z: torch.tanh(z @ torch.randn(6, SIDE * SIDE, generator=rng(2))).unflatten(1, (1, SIDE, SIDE)),
            (0, 0),
            (0, 0),
        ),
    ],
    ids=["all triangles", "one triangle", "no triangle"],
)
def test_what_is_known_of_a_generator_is_found(
    draw: Callable[[Tensor], Tensor], precision: tuple[float, float], recall: tuple[float, float]
) -> None:
    with torch.no_grad():
        images = draw(torch.randn(12, 6, generator=rng()))
    targets = rendered(vertices(9, range(12), 3), SIDE)
    off = nearest_polygon(images, 3).distance
    missed = distance_by_inversion(draw, 6, targets, rng(1), steps=80)
    found = polygon_score(off, missed)
    assert precision[0] <= found.precision <= precision[1] and recall[0] <= found.recall <= recall[1], found
    assert found.f1 <= max(found.precision, found.recall)


def test_a_search_comes_nearer_and_repeats_itself() -> None:
    targets = rendered(vertices(9, range(4), 3), SIDE)

    def draw(z: Tensor) -> Tensor:
        return Triangles(0.2).synthesis(z[:, None])

    first, later = (distance_by_inversion(draw, 6, targets, rng(1), steps=steps) for steps in (1, 40))
    assert bool((later <= first).all()) and float(later.mean()) < float(first.mean())
    assert torch.equal(distance_by_inversion(draw, 6, targets, rng(1), steps=40), later)
    with pytest.raises(InvalidInput, match="threshold"):
        polygon_score(first, later, 0.0)


def test_a_report_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlab.training.full_report.POLYGONS", 16)
    monkeypatch.setattr("ganlab.training.full_report.SOUGHT", 4)
    meter = QualityMeter(open_images(ImageData("polygons", resolution=SIDE, grey=True, limit=24)), 24)
    heard: list[str] = []
    figures, _ = full_report(Triangles(0.2), meter, 1.0, 20, 0, lambda what, *_: heard.append(what), latents=False)
    found = {figure.name: figure.value for figure in figures}
    assert found["manifold precision"] > 0.7 and found["manifold recall"] > 0.5
    assert {"nearest polygons", "polygons sought by inversion"} <= set(heard)
