"""Directions: known axes, sensitivities and half-spaces are found again; files are strict; directions become edits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlab.config import JSON_LIMIT, InvalidInput
from ganlab.features.faces import Head
from ganlab.latents import directions as d
from ganlab.latents.directions import Direction, Directions
from ganlab.networks import dcgan, lucidrains, stylegan1, stylegan2
from ganlab.recipe import Edit, Recipe, unpack_latent
from ganlab.synthesis import Cancelled, Renderer


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rotation(size: int) -> Tensor:
    """Orthogonal rows."""
    return torch.linalg.qr(torch.randn(size, size, generator=rng(3)))[0].T


def model(c_dim: int = 0) -> Renderer:
    torch.manual_seed(0)
    options: dict[str, Any] = {"channel_base": 256, "channel_max": 16, "num_fp16_res": 0}
    return Renderer(stylegan2.Generator(8, c_dim, 8, 32, 3, mapping_kwargs={"num_layers": 1}, **options), "tiny")


def scaled(renderer: Renderer, *gains: float) -> Renderer:
    """The same model with w = z, normalised, times gains."""
    fc = renderer.G.mapping.fc0
    fc.activation = "linear"
    fc.weight.copy_(torch.diag(torch.tensor(gains)) / fc.weight_gain)
    return renderer


def vector(direction: Direction) -> Tensor:
    return torch.from_numpy(unpack_latent(direction.vector))[0].double()


def test_principal_axes_are_those_of_the_samples() -> None:
    known, spread = rotation(6), torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5, 0.1])
    w = torch.randn(20_000, 6, generator=rng()) * spread @ known + 7
    axes, deviations, parts = d.principal_axes(w, 3)
    assert axes.shape == (3, 6) and torch.allclose((axes * known[:3]).sum(1).abs(), torch.ones(3).double(), atol=1e-3)
    assert torch.allclose(deviations, spread[:3].double(), rtol=0.03)
    assert torch.allclose(parts, (spread**2 / (spread**2).sum())[:3].double(), atol=0.01)
    assert all(axis[axis.abs().argmax()] > 0 for axis in axes)


def test_sensitive_axes_are_those_of_the_weights() -> None:
    known, gain = rotation(5), torch.tensor([4.0, 2.0, 1.0, 0.5, 0.1])
    weight = rotation(12)[:, :5] * gain @ known  # 12 styles of w in 5 dimensions
    axes, changes, parts = d.sensitive_axes(weight, 2)
    assert torch.allclose((axes * known[:2]).sum(1).abs(), torch.ones(2).double(), atol=1e-4)
    assert torch.allclose(changes, (gain[:2] / 12**0.5).double(), atol=1e-4)
    assert torch.allclose(parts, (gain**2 / (gain**2).sum())[:2].double(), atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 1.5], ids=["halves", "a rare side"])
def test_a_boundary_is_the_half_space(share: float) -> None:
    normal = torch.nn.functional.normalize(torch.randn(16, generator=rng(1)), dim=0)
    w = torch.randn(4000, 16, generator=rng()) * 2 + 1
    found, accuracy = d.boundary(w, (w - 1) @ normal > 2 * share, rng(2))
    assert float(found.norm()) == pytest.approx(1) and float(found @ normal.double()) > 0.97 and accuracy > 0.93
    again = d.boundary(w, (w - 1) @ normal > 2 * share, rng(2))
    assert torch.equal(found, again[0]) and accuracy == again[1]


def test_a_boundary_of_nothing_is_guessed() -> None:
    w = torch.randn(2000, 16, generator=rng())
    assert 0.4 < d.boundary(w, torch.rand(2000, generator=rng(1)) > 0.5, rng(2))[1] < 0.6
    with pytest.raises(InvalidInput, match="needs 24 pictures with it and 24 without"):
        d.boundary(w, torch.arange(2000) < 5, rng())


def test_conditions_are_taken_out() -> None:
    others = torch.randn(2, 8, generator=rng())
    axis = torch.randn(8, generator=rng(1))
    rest = d.orthogonal(axis, others)
    assert (others.double() @ rest).abs().max() < 1e-6 and float(rest.norm()) == pytest.approx(1)
    assert float(rest @ axis.double()) > 0
    with pytest.raises(InvalidInput, match="leave nothing"):
        d.orthogonal(others[0] + others[1], others)
    smile, age = (d.w_direction(name, row * 3) for name, row in (("smile", axis), ("age", others[0])))
    made = d.conditioned(smile, [age])
    assert made.name == "smile without age" and abs(float(vector(made) @ vector(age))) < 1e-4
    assert float(vector(made).norm()) == pytest.approx(float(vector(smile).norm()), rel=1e-5)
    with pytest.raises(InvalidInput, match="must be directions in W"):
        d.conditioned(smile, [d.s_direction("red", torch.ones(3))])


def test_principal_directions_of_a_model_whose_mapping_is_known() -> None:
    renderer = scaled(model(), 9, 4, 1, 1, 1, 1, 1, 1)
    found = d.pca_directions(renderer, rng(), 2, 4000)
    assert [direction.name for direction in found] == ["PCA 1", "PCA 2"] and found[0].score > found[1].score > 0.05
    w = renderer.latents.sample(4000, rng(9)).double()
    for k, direction in enumerate(found):
        along = vector(direction)
        assert float(along[k].abs() / along.norm()) > 0.99
        assert float(along.norm()) == pytest.approx(float(w[:, k].std()), rel=0.05)


def test_classes_are_drawn_evenly_or_held() -> None:
    latents = model(3).latents
    assert not torch.equal(latents.sample(5, rng(), 0), latents.sample(5, rng(), 1))
    assert torch.equal(latents.sample(5, rng(), 1), latents.sample(5, rng(), 1))
    assert latents.sample(700, rng()).shape == (700, 8)
    with pytest.raises(InvalidInput, match="label: must be from 0 to 2"):
        latents.sample(5, rng(), 3)


STYLED: dict[str, Callable[[], Any]] = {
    "stylegan2": lambda: model().G,
    "stylegan1": lambda: stylegan1.Generator(8, 8, 16, 3, 128, 16, num_layers=1),
    "lucidrains": lambda: lucidrains.Generator(8, 16, 3, 4, 16, num_layers=1),
}


@pytest.mark.parametrize("family", STYLED)
def test_sefa_of_a_model_whose_weights_are_known(family: str) -> None:
    renderer = Renderer(STYLED[family](), family)
    known = rotation(8)
    chosen = (1, 2)
    first = 0
    for affine in renderer.G.synthesis.affines():
        row = int(renderer.space.rows[first])
        axis = known[0] if row in chosen else known[1]
        affine.weight.copy_(torch.ones(len(affine.weight), 1) * axis + 0.01 * torch.randn(affine.weight.shape))
        first += len(affine.weight)
    for layers, axis in ((chosen, known[0]), ((0,), known[1])):
        made = d.sefa_directions(renderer, rng(), 2, layers, 2000)
        assert made[0].layers == layers and made[0].score > 0.9 and made[0].kind == "sefa"
        along = vector(made[0])
        assert float((along @ axis.double()).abs() / along.norm()) > 0.999
    assert len(d.style_weights(renderer)) == renderer.space.channels
    with pytest.raises(InvalidInput, match="layers: must be from 0 to"):
        d.sefa_directions(renderer, rng(), 2, (99,))


class HalfSpace:
    """A made-up model and its reader: pictures are bright where w is on one side, red where it is on another."""

    heads = (Head("bright", lo=-9, hi=9), Head("colour", ("grey", "red")), Head("rare", ("a", "b", "c")))

    normals = rotation(8)[:2]

    def images(self, ws: Tensor, offsets: Tensor | None = None) -> Tensor:
        return torch.cat([ws[:, 0] @ self.normals.T, ws[:, :1, 0]], 1)[:, :, None, None].expand(-1, -1, 4, 4)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        bright, red, _ = images.mean((2, 3)).T
        return {
            "bright": bright,
            "colour": torch.stack([torch.zeros_like(red), red], 1),
            "rare": torch.stack([bright, bright - 1, bright - 2], 1),
        }


def test_boundaries_of_a_made_up_model(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = scaled(model(), *[1.0] * 8)
    reader = HalfSpace()
    monkeypatch.setattr(renderer, "images", reader.images)
    heard: list[int] = []
    found = d.attribute_directions(renderer, reader, rng(), 1500, tick=lambda done, of: heard.append(done) is None)
    assert sorted(direction.name for direction in found) == ["bright", "colour: red"] and heard[:2] == [0, 32]
    w = renderer.latents.sample(4000, rng(5)).double()
    for direction in found:
        normal = reader.normals[0 if direction.name == "bright" else 1].double()
        along = vector(direction)
        assert direction.score > 0.9 and float(along @ normal / along.norm()) > 0.97
        assert float(along.norm()) == pytest.approx(float((w @ (along / along.norm())).std()), rel=0.06)
    again = d.attribute_directions(renderer, reader, rng(), 1500)
    assert again == found
    (one,) = d.attribute_directions(renderer, reader, rng(), 1500, names=["bright"])
    assert one.name == "bright"
    with pytest.raises(Cancelled):
        d.attribute_directions(renderer, reader, rng(), 100, tick=lambda done, of: done < 32)


def test_what_a_model_cannot_give_is_a_sentence() -> None:
    plain = Renderer(dcgan.Generator(8, 0, 16, 3, 64, 16))
    with pytest.raises(InvalidInput, match="has no styles: this model has no style space"):
        d.sefa_directions(plain, rng())
    assert len(d.pca_directions(plain, rng(), 3, 100)) == 3
    grey = Renderer(dcgan.Generator(8, 0, 16, 1, 64, 16))
    with pytest.raises(InvalidInput, match="makes no colour pictures"):
        d.attribute_directions(grey, HalfSpace(), rng())


def test_a_direction_becomes_an_edit_that_moves_the_picture() -> None:
    renderer = model()
    (direction,) = d.pca_directions(renderer, rng(), 1, 500)
    edit = d.as_edit(replace(direction, layers=(2,)), -1.5)
    assert edit == Edit("PCA 1", "w", direction.vector, -1.5, (2,))
    moved = renderer.latents.ws(Recipe(edits=(edit,))) - renderer.latents.ws(Recipe())
    assert torch.allclose(moved[2].double(), -1.5 * vector(direction), atol=1e-5) and not moved[3].any()
    sparse = d.s_direction("red", torch.tensor([0.0, 2.0, 0.0, -1.0]), "text", 0.4)
    indices, values = d.as_edit(sparse).channels()
    assert indices.tolist() == [1, 3] and values.tolist() == [2.0, -1.0] and d.as_edit(sparse).space == "s"


SOME = Directions(
    "faces64",
    "0" * 64,
    (d.w_direction("smile", torch.arange(4.0), "boundary", 0.9), d.s_direction("red", torch.eye(3)[1], "text")),
)


def test_files_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "faces.directions.json"
    d.save_directions(path, SOME)
    assert d.load_directions(path) == SOME
    many = Directions(directions=(d.w_direction("x", torch.randn(18, 512)),) * 12)
    with pytest.raises(InvalidInput, match=r"directions: are .* characters long; keep fewer"):
        d.save_directions(path, many)
    assert d.load_directions(path) == SOME


WRONG: list[tuple[bytes, str]] = [
    (b"", "not valid JSON"),
    (b"\xff\xfe", "are not a file of directions"),
    (b"[]", "object"),
    (b'{"exec": 1}', "not a known setting"),
    (b'{"directions": [{"kind": "magic"}]}', "directions.0.kind"),
    (b'{"directions": [{"score": 7}]}', "directions.0.score"),
    (b'{"directions": [' + b",".join([b"{}"] * 257) + b"]}", "at most 256"),
    (b" " * (JSON_LIMIT + 1), "characters long"),
]


@pytest.mark.parametrize(("data", "says"), WRONG, ids=[says for _, says in WRONG])
def test_wrong_files_are_a_sentence(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(InvalidInput, match=says):
        d.load_directions(tmp_path / "x.json")
    with pytest.raises(InvalidInput, match="cannot be read"):
        d.load_directions(tmp_path / "none.json")
    assert np.isfinite(SOME.directions[0].score)
