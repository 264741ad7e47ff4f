"""Every preset and experiment runs; the texts are what they should be; the slow tests hold what the texts promise."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace

import pytest

from ganlab.config import InvalidInput
from ganlab.data.toy2d import DataConfig
from ganlab.networks.table import TRAINABLE
from ganlab.presets import EXPERIMENTS, PRESETS, preset_run, run_names
from ganlab.presets.formulas import formulas
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.images import image_preset
from ganlab.run import Run, from_link, to_link
from ganlab.training.loop import Snapshot, train

ESSENTIAL = {
    "vanilla",
    "non_saturating",
    "lsgan",
    "wgan_clip",
    "wgan_gp",
    "hinge_sn",
    "dragan",
    "r1",
    "rpgan_r1r2",
    "ragan",
    "ebgan",
    "began",
    "unrolled",
    "pacgan2",
    "minibatch_std",
    "minibatch_discrimination",
    "feature_matching",
    "batch_norm",
    "layer_norm",
    "virtual_batch_norm",
    "instance_noise",
    "label_smoothing",
    "label_flipping",
    "historical_averaging",
    "replay",
    "ttur",
    "ema",
    "logan",
    "consensus",
    "weight_decay",
    "orthogonal",
}


def sentences(text: str) -> list[str]:
    """The sentences of a text without abbreviations."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z1-9])", text)


def seeds(run: Run, count: int, gan: int = 0) -> Run:
    """One GAN of `run`, from `count` seeds."""
    return replace(run, gans=tuple(replace(run.gans[gan], seed=seed) for seed in range(count)))


def alarmed(snapshots: Iterable[Snapshot], kind: str) -> set[int]:
    """The GANs that raised an alarm."""
    return {alarm.gan for snapshot in snapshots for alarm in snapshot.alarms if alarm.kind == kind}


def test_all_systems_of_the_lectures_are_there() -> None:
    assert set(PRESETS) >= ESSENTIAL
    assert len(EXPERIMENTS) >= 14


@pytest.mark.parametrize("name", PRESETS)
def test_preset_trains(name: str) -> None:
    run = Run(gans=(PRESETS[name].gan,))
    snapshots = list(train(run, 40, every=20))
    assert [s.step for s in snapshots] == [20, 40]
    for snapshot in snapshots:
        row = snapshot.gans[0]
        assert row.frozen is None
        assert all(math.isfinite(value) for value in vars(row).values() if isinstance(value, float))


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_described(name: str) -> None:
    row = PRESETS[name]
    assert row.gan.name == row.title and 0 < len(row.title) <= 24
    assert len(sentences(row.text)) == 1 and row.text.endswith(".") and len(row.text) <= 130
    assert row.paper


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_travels_and_trains(name: str) -> None:
    run = EXPERIMENTS[name].run
    assert Run.from_json(run.to_json()) == run
    assert from_link(to_link(run)) == run
    (snapshot,) = train(run, 20, every=20)
    assert all(math.isfinite(row.sliced_w) for row in snapshot.gans)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_is_described(name: str) -> None:
    row = EXPERIMENTS[name]
    parts = sentences(row.text)
    assert len(parts) == 2 and row.text.endswith(".")
    assert max(map(len, parts)) <= 150
    assert 0 < len(row.title) <= 32
    assert 500 <= row.steps <= 10_000 and row.steps % 100 == 0
    assert row.speed in ("max", "slow") or isinstance(row.speed, float)
    names = [gan.name for gan in row.run.gans]
    assert len(set(names)) == len(names)


def test_titles_and_names_are_unique() -> None:
    titles = [row.title for row in (*PRESETS.values(), *EXPERIMENTS.values())]
    assert len(set(titles)) == len(titles)
    names = run_names()
    assert len(set(names)) == len(names) == len(PRESETS) + len(EXPERIMENTS)
    assert all(re.fullmatch(r"toy-[a-z0-9-]{2,30}", name) for name in names)


@pytest.mark.parametrize("name", run_names())
def test_every_name_gives_its_run(name: str) -> None:
    key = name.removeprefix("toy-").replace("-", "_")
    expected = EXPERIMENTS[key].run if key in EXPERIMENTS else Run(gans=(PRESETS[key].gan,))
    assert preset_run(name) == preset_run(key) == expected
    moved = preset_run(name, "two_moons")
    assert moved.data == DataConfig("two_moons") and moved.gans == expected.gans


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("toy-wgan-pg", None, "did you mean toy-wgan-gp"),
        ("colapse", None, "did you mean toy-collapse"),
        ("qqqq", None, "known are toy-vanilla"),
        ("x" * 10_000, None, "there is no toy-xxx"),
        ("toy-r1", "rings", "did you mean ring"),
    ],
)
def test_an_unknown_name_says_what_is_close(name: str, data: str | None, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as error:
        preset_run(name, data)
    assert error.value.field == ("data" if data else "preset")
    assert len(str(error.value)) < 2000


@pytest.mark.slow
def test_the_vanilla_gan_collapses_and_hops() -> None:
    row = EXPERIMENTS["collapse"]
    snapshots = list(train(seeds(row.run, 8), row.steps))
    assert len(alarmed(snapshots, "hopping")) >= 7
    assert len(alarmed(snapshots, "collapse")) >= 5
    assert sum((gan.covered or 0) <= 4 for gan in snapshots[-1].gans) >= 6
    assert len(alarmed(snapshots, "all_modes")) <= 2


@pytest.mark.slow
def test_unrolling_covers_what_the_vanilla_gan_loses() -> None:
    row = EXPERIMENTS["unrolling"]
    last = list(train(row.run, row.steps))[-5:]
    assert all((snapshot.gans[0].covered or 0) <= 4 for snapshot in last)
    assert all((snapshot.gans[1].covered or 0) >= 7 for snapshot in last)


@pytest.mark.slow
def test_wgan_gp_covers_the_grid() -> None:
    row = EXPERIMENTS["grid"]
    last = list(train(row.run, row.steps))[-10:]
    vanilla, wgan_gp = (sum(snapshot.gans[k].covered or 0 for snapshot in last) / 10 for k in (0, 1))
    assert vanilla < 18 and wgan_gp > 24


@pytest.mark.slow
def test_the_saturating_generator_stands_still() -> None:
    row = EXPERIMENTS["saturating"]
    snapshots = list(train(row.run, row.steps))
    assert alarmed(snapshots, "d_won") == {0}
    assert snapshots[-1].gans[0].js > 0.69
    assert snapshots[-1].gans[1].js < 0.1


@pytest.mark.slow
def test_the_fast_preset_covers_the_ring() -> None:
    row = EXPERIMENTS["fast_ring"]
    snapshots = list(train(seeds(row.run, 5), row.steps))
    assert alarmed(snapshots, "all_modes") == set(range(5))


@pytest.mark.slow
def test_a_learning_rate_too_high_diverges() -> None:
    row = EXPERIMENTS["learning_rate"]
    snapshots = list(train(row.run, row.steps))
    assert alarmed(snapshots, "diverged") == {len(row.run.gans) - 1}


def test_every_system_of_images_has_its_formulas() -> None:
    assert all(family.formula for family in TRAINABLE.values())
    said = {name: list(formulas(row.gan)) for name, row in IMAGE_PRESETS.items()}
    assert all(part.latex and part.title for parts in said.values() for part in parts)


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("logan", r"\nabla_z D"), ("icrgan", r"\Delta z"), ("acgan", r"p_D(c"), ("infogan", "Q(G"),
        ("biggan", r"\odot"), ("stylegan2", r"J_w"), ("stylegan2-ada", r"r_t"), ("stylegan2-vision", "H_k"),
        ("r3gan", r"\sigma(W_2"), ("ssl-gan", "K{+}1"), ("stylegan-xl", r"p_{\mathrm{frozen}}"),
    ],
)  # fmt: skip
def test_what_a_system_brings_is_in_its_formulas(name: str, latex: str) -> None:
    assert any(latex in part.latex for part in formulas(IMAGE_PRESETS[name].gan))


def test_a_system_that_is_about_classes_gets_some_or_says_so() -> None:
    cases = {
        ("acgan-32", None): "hairstyle",
        ("acgan-32", "digits"): "class",
        ("biggan-32", "digits"): "class",
        ("biggan-32", "polygons"): "",  # which it can do without
        ("dcgan-32", "digits"): "",
    }
    for (name, data), labels in cases.items():
        assert image_preset(name, data).data.labels == labels, name
    for name in ("acgan", "cgan", "single-label", "ssl-gan"):
        with pytest.raises(InvalidInput, match=r"labels: are missing: .* is about classes"):
            image_preset(f"{name}-32", "polygons")
