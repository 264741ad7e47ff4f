"""Mappers trained for a text, with an embedding that sees colours."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.networks import dcgan
from ganlab.recipe import Recipe, Source
from ganlab.synthesis import Renderer
from ganlab.text.mapper import (
    Mapper,
    MapperMoment,
    MapperRun,
    group_rows,
    load_mapper,
    mapped,
    mapper_edit,
    mapper_file,
    read_mapper,
    save_mapper,
    train_mapper,
)
from tests.damaged import with_header, with_tensor
from tests.text.colours import Colours
from tests.tiny_models import write_model

RUN = MapperRun("a red thing", "a thing", steps=30, batch=4, lr=0.3, l2=0.01, identity=0.0)


def model(folder: Path, sha256: str = "ab" * 32, classes: int = 0) -> Renderer:
    return Renderer(weights.load(write_model(folder, resolution=16, classes=classes)), "tiny", sha256=sha256)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def moments(renderer: Renderer) -> list[MapperMoment]:
    return list(train_mapper(renderer, Colours(), RUN))


@pytest.fixture(scope="module")
def mapper(moments: list[MapperMoment]) -> Mapper:
    return moments[-1].mapper


def redness(image: Tensor) -> float:
    return float(image[0].mean() - image[1:].mean())


def test_every_picture_becomes_redder_by_a_step_of_its_own(renderer: Renderer, mapper: Mapper) -> None:
    steps = []
    for seed in (1001, 1002, 1003):
        recipe = Recipe(sources=(Source(seed=seed),))
        edit = mapper_edit(renderer, mapper, recipe)
        assert edit.name == "a red thing" and edit.rows().shape == (6, 32)
        images = [renderer.image(replace(recipe, edits=edits)) for edits in ((), (edit,))]
        assert redness(images[1]) > redness(images[0]) + 0.05
        steps.append(torch.from_numpy(edit.rows()))
    assert (steps[0] - steps[1]).norm() > 1e-3 * steps[0].norm()


def test_terms_and_sheets_come_as_it_goes(moments: list[MapperMoment]) -> None:
    assert [m.step for m in moments] == list(range(31))
    assert moments[0].l2 == 0 and moments[-1].clip < moments[0].clip - 0.01
    first, *_, last = [m.sheet for m in moments if m.sheet is not None]
    assert first[0].shape == (4, 3, 16, 16)
    torch.testing.assert_close(first[0], first[1], rtol=1e-4, atol=1e-4)  # an untrained mapper changes nothing
    torch.testing.assert_close(first[0], last[0], rtol=1e-4, atol=1e-4)
    assert (last[1] - last[0]).abs().mean() > 0.01 and moments[-1].sheet is last


def test_the_same_run_gives_the_same_mapper(renderer: Renderer) -> None:
    short = replace(RUN, steps=3)
    state = torch.get_rng_state()
    one, again, other = (
        mapper_file(list(train_mapper(renderer, Colours(), run))[-1].mapper)
        for run in (short, short, replace(short, seed=1))
    )
    assert one == again != other
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("groups", [("coarse",), ("middle", "fine")])
def test_only_chosen_groups_move(renderer: Renderer, groups: tuple[str, ...]) -> None:
    (*_, last) = train_mapper(renderer, Colours(), replace(RUN, steps=2, groups=groups))
    ws = torch.randn(2, 6, 32)
    step = mapped(last.mapper, ws)
    for name, rows in group_rows(6).items():
        assert bool(step[:, rows].any()) is (name in groups)


@pytest.mark.parametrize(
    ("num_ws", "sizes"), [(18, [4, 4, 10]), (14, [4, 4, 6]), (10, [3, 4, 3]), (6, [2, 2, 2]), (2, [1, 0, 1])]
)
def test_groups_of_rows(num_ws: int, sizes: list[int]) -> None:
    rows = group_rows(num_ws)
    assert [len(part) for part in rows.values()] == sizes
    assert [row for part in rows.values() for row in part] == list(range(num_ws))


def test_length_and_identity_hold_it_back(renderer: Renderer) -> None:
    def length(**fields: float) -> float:
        (*_, last) = train_mapper(renderer, Colours(), replace(RUN, **fields), Colours().embed_images)
        return float(mapped(last.mapper, torch.ones(1, 6, 32)).norm())

    free = length()
    assert length(l2=50.0) < free / 2
    assert length(identity=20.0) < free


def test_a_model_with_classes(tmp_path: Path) -> None:
    (*_, last) = train_mapper(model(tmp_path, classes=3), Colours(), replace(RUN, steps=2, aim="text"))
    assert last.step == 2


def test_it_is_kept_exactly(renderer: Renderer, mapper: Mapper, tmp_path: Path) -> None:
    path = tmp_path / "mapper.safetensors"
    save_mapper(path, mapper)
    again = load_mapper(path, renderer)
    assert again.run == RUN and again.clip == "colours"
    ws = torch.randn(3, 6, 32)
    assert torch.equal(mapped(again, ws), mapped(mapper, ws))


NAME = "nets.coarse.0.weight"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:500],
        lambda data: b"\xff" * 64,
        lambda data: with_tensor(data, NAME, None),
        lambda data: with_tensor(data, NAME, torch.zeros(2, 2).half()),
        lambda data: with_tensor(data, NAME, torch.full((32, 32), torch.nan).half()),
        lambda data: with_tensor(data, NAME, torch.zeros(32, 32)),
        lambda data: with_header(data, lambda h: h.update(format="another")),
        lambda data: with_header(data, lambda h: h.update(w_dim=10**9)),
        lambda data: with_header(data, lambda h: h.update(num_ws="6")),
        lambda data: with_header(data, lambda h: h.update(run=None)),
        lambda data: with_header(data, lambda h: h["run"].update(groups=["nothing"])),
        lambda data: with_header(data, lambda h: h["run"].update(groups=["fine"])),
    ],
)
def test_a_damaged_file_is_refused(renderer: Renderer, mapper: Mapper, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidInput, match="file: is not a mapper that ganlab has written"):
        read_mapper(damage(mapper_file(mapper)), renderer)


def test_what_cannot_be_done(renderer: Renderer, mapper: Mapper, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds a mapper of another model"):
        read_mapper(mapper_file(mapper), model(tmp_path, sha256="cd" * 32))
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_mapper(tmp_path / "nowhere", renderer)
    with pytest.raises(InvalidInput, match="trained on latents of 6 x 32, not 8 x 32"):
        mapped(mapper, torch.zeros(1, 8, 32))
    with pytest.raises(InvalidInput, match="at least one of coarse, middle and fine"):
        replace(RUN, groups=())
    with pytest.raises(InvalidInput, match="target: is empty"):
        next(train_mapper(renderer, Colours(), replace(RUN, target=" ")))
    with pytest.raises(InvalidInput, match="model: has no styles"):
        list(islice(train_mapper(Renderer(dcgan.Generator(8, 0, 32, 3, 256, 16), "dcgan"), Colours(), RUN), 1))
