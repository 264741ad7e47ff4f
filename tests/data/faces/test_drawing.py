"""Pictures of faces: the same in any batch, alike at all sizes, and each attribute changes its part of them."""

from collections.abc import Iterator

import pytest
import torch

from ganlab.data.faces import ATTRIBUTES, Attributes, Grain, faces, grain, render, sample, with_attribute

SEED = 2
SIDE = 64


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_picture_is_the_same_in_any_batch(threads: None) -> None:
    torch.set_num_threads(1)
    images, people = faces(SEED, range(30), SIDE)
    assert images.dtype == torch.uint8 and images.shape == (30, 3, SIDE, SIDE) and len(people) == 30
    torch.set_num_threads(2)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0)).tolist()
    assert torch.equal(faces(SEED, order, SIDE)[0], images[order])
    for index in (0, 17, 29):
        alone, person = faces(SEED, [index], SIDE)
        assert torch.equal(alone[0], images[index])
        assert person.person(0) == people.person(index)
    assert not torch.equal(faces(SEED + 1, [0], SIDE)[0][0], images[0])


@pytest.mark.parametrize("resolution", [33, 128])
def test_batches_do_not_matter_at_other_sizes(threads: None, resolution: int) -> None:
    torch.set_num_threads(2)
    images = faces(SEED, range(5), resolution)[0]
    torch.set_num_threads(1)
    assert torch.equal(faces(SEED, [4], resolution)[0][0], images[4])


def test_nobody_and_the_range() -> None:
    images, people = faces(SEED, [], SIDE)
    assert images.shape == (0, 3, SIDE, SIDE) and len(people) == 0
    drawn = render(sample(SEED, range(30)), grain(SEED, range(30)), 32)
    assert drawn.dtype == torch.float32 and 0 <= drawn.min() < 0.1 and 0.95 < drawn.max() <= 1


def test_a_face_is_the_same_at_every_resolution() -> None:
    people, detail = sample(SEED, range(32)), grain(SEED, range(32))
    small = render(people, detail, 64)
    for resolution in (128, 256):
        large = torch.nn.functional.avg_pool2d(render(people, detail, resolution), resolution // 64)
        assert (large - small).abs().mean() < 0.012  # 3 of 255 levels, at the edges
        assert (large - small).abs().mean((1, 2, 3)).max() < 0.02


def test_other_grain_is_the_same_person() -> None:
    people, detail, other = sample(SEED, range(40)), grain(SEED, range(40)), grain(SEED + 1, range(40))
    change = (render(people, detail, SIDE) - render(people, other, SIDE)).abs().mean((1, 2, 3))
    stranger = (render(people, detail, SIDE) - render(sample(SEED + 1, range(40)), detail, SIDE)).abs().mean()
    assert change.min() > 0 and change.mean() < stranger / 4


# a plain person that hides nothing, so that every attribute can be seen to change
PLAIN: dict[str, float | str] = {
    **{row.name: (row.lo + row.hi) / 2 if row.continuous else next(iter(row.options)) for row in ATTRIBUTES.values()},
    "hairstyle": "short",
    "hair_colour": "brown",
    "skin": 1.0,
    "beard": "goatee",
    "mouth": "open",
    "hat": "party",
}
HEAD, EYES, MOUTH = (slice(4, 50), slice(8, 56)), (slice(22, 44), slice(14, 50)), (slice(38, 54), slice(20, 44))
CHEEKS, TOP = (slice(33, 50), slice(14, 50)), (slice(2, 30), slice(8, 56))
BODY, CORNER, ALL = (slice(48, 64), slice(8, 56)), (slice(0, 8), slice(0, 8)), (slice(0, 64), slice(0, 64))
SIDES, BROWS = (slice(36, 64), slice(4, 60)), (slice(20, 34), slice(14, 50))
PLACES = {  # where each attribute changes the picture (rows, columns), and how else the person must be for it
    **dict.fromkeys(("x", "y", "scale", "roll", "yaw", "pitch"), (HEAD, {})),
    **dict.fromkeys(("face_width", "jaw", "skin", "light"), (HEAD, {})),
    "hairstyle": (HEAD, {"hat": "none"}),
    "hair_length": (SIDES, {"hairstyle": "long"}),
    "parting": (TOP, {}),
    "bangs": (TOP, {}),
    "hat": (TOP, {}),
    **dict.fromkeys(("brow_angle", "brow_thickness"), (BROWS, {})),
    **dict.fromkeys(("eye_size", "eye_opening", "eyes", "gaze_x", "gaze_y", "eye_colour", "glasses"), (EYES, {})),
    "nose": (CHEEKS, {}),
    **dict.fromkeys(("smile", "mouth", "mouth_opening", "mouth_width", "lipstick", "beard"), (MOUTH, {})),
    "earrings": (CHEEKS, {}),
    **dict.fromkeys(("clothes", "clothes_colour"), (BODY, {})),
    **dict.fromkeys(("hair_colour", "hair_shade", "accessory_colour"), (TOP, {})),
    **dict.fromkeys(("freckles", "blush"), (CHEEKS, {})),
    "background": (CORNER, {}),
    "pattern": (ALL, {}),
}
EVERYWHERE = {"background", "pattern", "light"}  # reach beyond the person
STILL = {"x", "y", "scale", "roll", "yaw", "pitch", "hairstyle", "face_width", "jaw", "skin"}  # change the whole head


def plain(values: dict[str, float | str]) -> tuple[Attributes, Grain]:
    people = sample(SEED, [0])
    for name, value in (PLAIN | values).items():
        people = with_attribute(people, name, value)
    return people, grain(SEED, [0])


def test_every_attribute_has_its_place() -> None:
    assert set(PLACES) == set(ATTRIBUTES)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_changes_its_part_of_the_picture(name: str) -> None:
    row, (place, others) = ATTRIBUTES[name], PLACES[name]
    people, detail = plain(others)
    steps = torch.linspace(row.lo, row.hi, 4) if row.continuous else torch.arange(len(row.options))
    drawn = torch.cat([render(with_attribute(people, name, step.reshape(1)), detail, SIDE) for step in steps])
    change = (drawn[1:] - drawn[:-1]).abs().amax(1)  # [steps, H, W], the largest of the colours
    inside = change[:, place[0], place[1]]
    assert inside.amax((1, 2)).min() > 0.02, "each step can be seen"
    assert inside.mean() > 2 * change.mean() or name in STILL | EVERYWHERE, "and mostly there"
    if name not in EVERYWHERE:
        assert change[:, :8, :8].max() == 0, "the corner stays"


def test_nobody_is_cut_off_at_the_top() -> None:
    """The hats of the largest people end below the upper edge; their row of pixels is all background."""
    for hat in ("beanie", "cap", "crown", "party"):
        people, detail = plain({"hat": hat, "scale": ATTRIBUTES["scale"].hi, "hairstyle": "bald"})
        bare = render(with_attribute(people, "hat", "none"), detail, SIDE)
        assert torch.equal(render(people, detail, SIDE)[..., 0, :], bare[..., 0, :])
