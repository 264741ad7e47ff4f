"""Every density: its samples and its log-density are of the same distribution, its settings mean what they say."""

import base64
import json
import math
import time
import zlib

import numpy as np
import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.data.densities import Density
from ganlab.data.payloads import decode_picture, decode_points, encode_picture, encode_points
from ganlab.data.toy2d import DENSITIES, DataConfig, density, shape_of

STROKE = [[-0.8, -0.5], [-0.2, 0.1], [0.4, 0.0], [0.9, 0.6]]
PICTURE = np.array([[0, 10, 200, 0], [0, 0, 255, 90]], dtype=np.uint8)
GIVEN = {  # what a density needs beyond its name
    "drawn": {"points": encode_points(STROKE), "sigma": 0.1},
    "points": {"points": encode_points(STROKE)},
    "picture": {"grid": encode_picture(PICTURE)},
}
CASES = {name: DataConfig(name, **GIVEN.get(name, {})) for name in DENSITIES} | {
    "weighted ring": DataConfig("ring", modes=5, weights=(1, 0, 3)),
    "weighted 1D": DataConfig("mixture1d", weights=(1, 2, 3)),
    "three arms": DataConfig("spiral", modes=3),
    "shifted line": DataConfig("parallel_lines", theta=-2),
}
EXACT = [name for name, config in CASES.items() if config.name != "points"]
FINE = 320  # cells a side


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fine_masses(of: Density) -> torch.Tensor:
    """exp(log_prob) times the cell's volume on a fine grid of the view box, [FINE] or [FINE, FINE] as (y, x)."""
    n = FINE if of.dim == 2 else FINE * 10
    axis = ((torch.arange(n) + 0.5) / n * 2 - 1) * of.extent
    axes = torch.meshgrid(*[axis] * of.dim, indexing="ij")
    points = torch.stack(axes[::-1], dim=-1)  # [y, x, 2]
    return of.log_prob(points).double().exp() * (2 * of.extent / n) ** of.dim


@pytest.mark.parametrize("name", EXACT)
def test_density_integrates_to_one_and_samples_follow_it(name: str) -> None:
    made = density(CASES[name])
    assert made.exact
    masses = fine_masses(made)
    assert float(masses.sum()) == pytest.approx(1, abs=0.01)

    bins, n = 20, 20_000
    samples = made.sample(n, rng())
    place = ((samples / made.extent + 1) * bins / 2).floor().long().clamp(0, bins - 1)
    if made.dim == 2:
        expected = masses.reshape(bins, FINE // bins, bins, FINE // bins).sum((1, 3)).flatten()
        index = place[:, 1] * bins + place[:, 0]
    else:
        expected = masses.reshape(bins, -1).sum(1)
        index = place[:, 0]
    found = torch.bincount(index, minlength=len(expected)).double()
    expected = expected * n
    seen = expected > 5
    chi_square = float(((found - expected)[seen] ** 2 / expected[seen]).sum())
    freedom = int(seen.sum())
    assert (chi_square - freedom) / math.sqrt(2 * freedom) < 5
    assert float(found[~seen].sum()) < 0.01 * n


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_right_form_and_come_again(name: str) -> None:
    made = density(CASES[name])
    before = torch.random.get_rng_state()
    a, b = made.sample(1000, rng(3)), density(CASES[name]).sample(1000, rng(3))
    assert torch.equal(before, torch.random.get_rng_state()), "the global generator was used"
    assert a.shape == (1000, made.dim) and a.dtype == torch.float32 and torch.equal(a, b)
    assert not torch.equal(a, made.sample(1000, rng(4)))
    assert made.sample(0, rng()).shape == (0, made.dim)
    inside = (a.abs() <= made.extent).all(1).float().mean()
    assert inside > 0.999 and a.abs().max() > made.extent / 3
    assert made.dim == DENSITIES[CASES[name].name].dim and made.name == CASES[name].name
    assert torch.isfinite(made.log_prob(a)).all()


@pytest.mark.parametrize("name", CASES)
def test_log_prob_keeps_leading_axes(name: str) -> None:
    made = density(CASES[name])
    x = made.sample(6, rng()).reshape(2, 3, made.dim)
    assert torch.allclose(made.log_prob(x).flatten(), made.log_prob(x.reshape(6, made.dim)))
    far = made.log_prob(torch.full((1, made.dim), 100.0))
    assert float(far) < -50


@pytest.mark.parametrize("name", DENSITIES)
def test_row_says_which_settings_count(name: str) -> None:
    kind = DENSITIES[name]
    assert kind.title and kind.description.endswith(".")
    assert set(kind.defaults) <= set(kind.uses) <= {f for f in DataConfig.__dataclass_fields__ if f != "name"}
    config = CASES[name]
    changes = {"modes": 4, "radius": 0.7, "sigma": 0.3, "theta": 1.0, "weights": (1.0, 5.0)}
    for field, value in changes.items():
        changed = DataConfig.from_dict({**config.to_dict(), field: value})
        same = torch.equal(density(config).sample(500, rng()), density(changed).sample(500, rng()))
        assert same == (field not in kind.uses), field


@pytest.mark.parametrize("name", CASES)
def test_settings_survive_json(name: str) -> None:
    text = CASES[name].to_json()
    assert DataConfig.from_json(text) == CASES[name] and len(text) < 40_000


def test_modes_are_where_the_papers_have_them() -> None:
    ring, grid = density(DataConfig("ring", sigma=0.01)), density(DataConfig("grid"))
    assert ring.modes is not None and ring.modes.norm(dim=1).allclose(torch.ones(8)) and ring.sigma == 0.01
    assert ring.modes[0].allclose(torch.tensor([1.0, 0.0]))
    assert grid.modes is not None and sorted(set(grid.modes.flatten().tolist())) == [-4, -2, 0, 2, 4]
    assert len(set(map(tuple, grid.modes.tolist()))) == 25 and grid.sigma == 0.05
    assert len(density(DataConfig("grid", modes=7)).modes) == 7
    for name in DENSITIES:
        separate = name in ("ring", "grid", "line", "blobs", "gaussian", "mixture1d")
        assert (density(CASES[name]).modes is not None) == separate, name


@pytest.mark.parametrize("modes", [1, 2, 64])
@pytest.mark.parametrize("name", [name for name, kind in DENSITIES.items() if "modes" in kind.uses])
def test_any_number_of_modes(name: str, modes: int) -> None:
    made = density(DataConfig(name, modes=modes))
    assert made.sample(10, rng()).isfinite().all()
    assert made.modes is None or len(made.modes) == modes


def test_unequal_weights_are_respected_and_repeated() -> None:
    made = density(DataConfig("ring", modes=4, weights=(1, 3)))
    assert made.weights is not None and made.weights.allclose(torch.tensor([0.125, 0.375, 0.125, 0.375]))
    nearest = torch.cdist(made.sample(20_000, rng()), made.modes).argmin(1)
    assert (torch.bincount(nearest) / 20_000).allclose(made.weights, atol=0.015)
    assert density(DataConfig("ring", weights=(2, 2))).weights is None
    without = density(DataConfig("ring", modes=4, weights=(1, 0)))
    assert len(without.modes) == 2 and without.weights.allclose(torch.tensor([0.5, 0.5]))


def test_log_prob_of_one_gaussian_and_of_squares() -> None:
    x = torch.tensor([[0.3, -0.4], [math.nan, 0.0], [5.0, 0.0]])
    value = float(density(DataConfig("gaussian", sigma=0.5)).log_prob(x[:1]))
    assert value == pytest.approx(-math.log(2 * math.pi * 0.25) - 0.25 / 0.5, rel=1e-5)
    board = density(DataConfig("checkerboard"))
    assert board.log_prob(torch.tensor([[-0.25, -0.75]])) == -math.inf
    assert float(board.log_prob(torch.tensor([[-0.75, -0.75]]))) == pytest.approx(-math.log(2))
    assert (board.log_prob(x)[1:] == -math.inf).all()


def test_picture_is_upright_and_keeps_its_form() -> None:
    made = density(CASES["picture"])  # 4 x 2 pixels of side 1/2: x in [-1, 1], y in [-.5, .5]
    share = PICTURE / PICTURE.sum()
    for row, y in ((0, 0.25), (1, -0.25)):
        for column, x in enumerate((-0.75, -0.25, 0.25, 0.75)):
            got = float(made.log_prob(torch.tensor([[x, y]])).exp()) * 0.25
            assert got == pytest.approx(share[row, column], abs=1e-6)


def test_uploaded_points_are_estimated_and_sampled_as_they_are() -> None:
    made = density(CASES["points"])
    assert not made.exact and set(map(tuple, made.sample(200, rng()).tolist())) == set(
        map(tuple, decode_points(CASES["points"].points).tolist())
    )
    assert float(fine_masses(made).sum()) > 0.5  # the kernel's tails leave the box
    normal = torch.randn(2000, 2, generator=rng()) / 4
    kde = density(DataConfig("points", points=encode_points(normal.clamp(-2, 2))))
    assert float(kde.log_prob(torch.zeros(1, 2)).exp()) == pytest.approx(16 / (2 * math.pi), rel=0.15)
    assert density(DataConfig("points", points=encode_points([[0.5, 0.5]]))).log_prob(torch.zeros(1, 2)).isfinite()


def test_defaults_fill_what_is_left_open() -> None:
    assert shape_of(DataConfig("ring")).sigma == 0.02 and shape_of(DataConfig("ring", sigma=0.01)).sigma == 0.01
    shifted = density(DataConfig("parallel_lines", theta=1.5)).sample(1000, rng())
    assert float(shifted[:, 0].mean()) == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("name", ["ring", "grid", "spiral"])
def test_sampling_feeds_training(name: str) -> None:
    made, generator = density(DataConfig(name)), rng()
    times = []
    for _ in range(30):
        start = time.perf_counter()
        made.sample(4096, generator)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3e-3 * 3  # the types are being checked, and the machine may be busy


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"name": "rings"}, "name"),
        ({"modes": 0}, "modes"),
        ({"modes": 65}, "modes"),
        ({"sigma": 0}, "sigma"),
        ({"radius": math.inf}, "radius"),
        ({"theta": 5}, "theta"),
        ({"weights": (0, 0)}, "weights"),
        ({"weights": (1, -1)}, "weights"),
        ({"weights": "1"}, "weights"),
        ({"weights": (1,) * 65}, "weights"),
        ({"points": "!!!"}, "points"),
        ({"grid": "AAAA"}, "grid"),
    ],
)
def test_wrong_settings_are_named(settings: dict, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        DataConfig(**settings)
    assert caught.value.field.split(".")[0] == field


@pytest.mark.parametrize("name", ["drawn", "points", "picture"])
def test_missing_data_are_asked_for(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"first$"):
        density(DataConfig(name))
    with pytest.raises(InvalidInput, match="first 2 are all 0"):
        density(DataConfig("ring", modes=2, weights=(0, 0, 1)))


def test_payloads_come_back() -> None:
    points = np.random.default_rng(0).uniform(-2, 2, (2000, 2))
    text = encode_points(points)
    back = decode_points(text)
    assert back.dtype == np.float32 and np.abs(back - points).max() < 3.2e-5
    assert encode_points(back) == text and len(text) < 16_000 and text.replace("-", "").replace("_", "").isalnum()
    picture = np.random.default_rng(0).integers(0, 256, (48, 31))
    assert (decode_picture(encode_picture(picture)) == picture).all() and len(encode_picture(picture)) < 4000


def packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(raw)).decode().rstrip("=")


DAMAGED = {
    "not base64": "a b c",
    "not ascii": "äöü" * 4,
    "standard alphabet": base64.b64encode(zlib.compress(bytes(range(256)))).decode().replace("A", "/"),
    "not zlib": base64.urlsafe_b64encode(b"hello, world").decode(),
    "cut off": packed(np.arange(64, dtype="<u2").tobytes())[:-12],
    "followed": base64.urlsafe_b64encode(zlib.compress(bytes(8)) + b"more").decode(),
    "half a point": packed(bytes(6)),
    "nothing": packed(b""),
    "bomb": packed(bytes(10_000_000)),
    "long": "A" * 16_001,
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("decode", [decode_points, decode_picture])
def test_damaged_payloads_are_refused_in_a_sentence(name: str, decode) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(DAMAGED[name])
    assert 20 < len(str(caught.value)) < 200


@pytest.mark.parametrize("raw", [b"\x02\x02\x01\x01\x01", b"\x00\x05", b"\x31\x01" + bytes(49), b"\x02\x02" + bytes(4)])
def test_pictures_that_are_none(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_picture(packed(raw))


@pytest.mark.parametrize("points", [[], [[1, 2, 3]], [[2.1, 0]], [[math.nan, 0]], [[math.inf, 0]], [[0, 0]] * 2001])
def test_points_that_cannot_be_carried(points: list) -> None:
    with pytest.raises(InvalidInput):
        encode_points(points)


@pytest.mark.parametrize("picture", [[[0.5]], [[256]], [[-1]], [[0] * 49], [1, 2], np.zeros((0, 3), int)])
def test_pictures_that_cannot_be_carried(picture: list) -> None:
    with pytest.raises(InvalidInput):
        encode_picture(picture)


def test_a_run_with_data_fits_a_link() -> None:
    noise = np.random.default_rng(0)
    points = encode_points(noise.uniform(-1, 1, (2000, 2)))
    assert len(json.dumps(DataConfig("points", points=points).to_dict())) < 12_000
