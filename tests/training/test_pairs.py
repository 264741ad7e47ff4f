"""A generator that is taught with pairs: each lesson teaches something, repeats itself and goes on after a stop."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab import weights
from ganlab.cli_pairs import TrainPairs
from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, render
from ganlab.data.faces.latents import IN_CODE, detail, people
from ganlab.networks.stylegan2 import Discriminator, Generator
from ganlab.nn.supervised import trained
from ganlab.training.pairs import LESSONS, PairsRun, PairsTraining, Pupil, coded_pairs, finished, lower

CLASSES = len(ATTRIBUTES["hairstyle"].options)
TINY: dict[str, Any] = {"channel_base": 256, "channel_max": 8, "num_fp16_res": 0, "conv_clamp": None}


def arguments(side: int = 32, w_dim: int = 128, classes: int = CLASSES) -> dict[str, Any]:
    shape = {"z_dim": 128, "c_dim": classes, "w_dim": w_dim, "img_resolution": side, "img_channels": 3}
    return {**shape, "mapping_kwargs": {"num_layers": 2}, **TINY}


def pupil(side: int = 32, **more: int) -> Pupil:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Pupil(Generator(**arguments(side, **more)), Discriminator(0, side, 3, **TINY))


def run(lesson: str, **more: Any) -> PairsRun:
    return PairsRun(**{"lesson": lesson, "images": 48, "batch": 8, "lr": 0.01} | more)


def numbers(training: PairsTraining) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in training.average.state_dict().values()])


def test_the_mapping_network_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PairsTraining, "warmup", 10)
    training = PairsTraining(run("mapping", images=128 * 120, batch=128, lr=0.03), pupil())
    losses = [told.loss for told in trained(training, None, every=20, save_every=10**6)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_picture_of_z_nears_the_face_that_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PairsTraining, "warmup", 10)
    training = PairsTraining(run("drawing", images=16 * 60, batch=16, lr=0.02), pupil())
    z, hairstyle = torch.randn(32, 128, generator=torch.Generator().manual_seed(9)), torch.arange(32) % CLASSES
    who, phases = people(z, hairstyle)
    goal = render(who, detail(phases), 32) * 2 - 1

    @torch.no_grad()
    def error() -> float:
        (made,) = training.model.draw(training.model.generator.mapping(z, torch.eye(CLASSES)[hairstyle]))
        return float((made - goal).abs().mean())

    before = error()
    list(trained(training, None, every=100, save_every=10**6))
    assert error() < 0.7 * before


def test_a_rival_learns_to_tell_faces_from_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The discriminator moves for its own loss, and the generator for the discriminator's judgement too."""
    monkeypatch.setattr(PairsTraining, "warmup", 1)
    training = PairsTraining(run("rival", images=8 * 24, lr=0.01), pupil())
    who, phases = people(torch.randn(16, 128, generator=torch.Generator().manual_seed(9)), torch.arange(16) % CLASSES)
    real = render(who, detail(phases), 32) * 2 - 1
    list(trained(training, None, every=100, save_every=10**6))
    with torch.no_grad():
        made = training.model.generator(torch.randn(16, 128), torch.eye(CLASSES)[torch.arange(16) % CLASSES])
        rival = training.model.rival
        assert float(rival(real).mean()) > float(rival(made).mean()) + 0.1
    one, other = pupil(), pupil()
    steps = {weight: PairsTraining(run("rival", pairs=weight), who) for weight, who in ((0.0, one), (10.0, other))}
    for each in steps.values():
        each.advance()
    assert not torch.equal(one.generator.synthesis.b32.conv1.weight, pupil().generator.synthesis.b32.conv1.weight)
    assert torch.equal(one.rival.b4.fc.weight, other.rival.b4.fc.weight), "no error of pixels reaches it"


@pytest.mark.parametrize("lesson", LESSONS)
def test_it_repeats_itself_and_goes_on(lesson: str, tmp_path: Path) -> None:
    whole = PairsTraining(run(lesson), pupil())
    list(trained(whole, None, every=10, save_every=10**6))
    stopped = PairsTraining(run(lesson), pupil())
    for told in trained(stopped, tmp_path, every=1, save_every=2):
        if told.step == 3:
            break
    resumed = PairsTraining(run(lesson), pupil())
    resumed.restore(tmp_path)
    assert resumed.step == 2
    list(trained(resumed, tmp_path, every=10, save_every=10**6))
    assert torch.equal(numbers(resumed), numbers(whole))


def test_truncated_pairs_keep_choices_and_halve_numbers() -> None:
    rng = torch.Generator().manual_seed(0)
    codes, (images,) = coded_pairs(run("drawing", mixing=0, truncation=0), 8, (32,), rng)
    rng = torch.Generator().manual_seed(0)
    near, (others,) = coded_pairs(run("drawing", mixing=0, truncation=1), 8, (32,), rng)
    psi = near[:, 0, IN_CODE["yaw"]] / codes[:, 0, IN_CODE["yaw"]]
    assert bool((psi > 0.49).all() and (psi < 1.001).all()) and float(psi.min()) < 0.9
    assert torch.allclose(near, codes * psi[:, None], atol=1e-4), "all of the code is nearer to the middle"
    assert float((images - others).abs().max()) > 0.1 and float(images.abs().max()) <= 1


def test_mixed_pairs_have_three_sources() -> None:
    codes, _ = coded_pairs(run("drawing", mixing=1, truncation=0), 8, (32,), torch.Generator().manual_seed(0))
    assert not torch.equal(codes[:, 0], codes[:, 1]) and not torch.equal(codes[:, 1], codes[:, 2])
    rows = pupil().levels.tolist()
    assert rows == sorted(rows) and set(rows) == {0, 1, 2}


def test_rare_kinds_are_seen_as_often_as_others() -> None:
    def closed(even: float) -> float:
        codes, _ = coded_pairs(run("drawing", even=even), 600, (), torch.Generator().manual_seed(0))
        return float((codes[:, 1, IN_CODE["eyes"]].argmax(1) == 1).float().mean())

    assert closed(0) < 0.12
    assert 0.3 < closed(1) < 0.5, "half, but for those with sunglasses"


def test_a_lower_resolution_is_taught_beside_the_whole() -> None:
    taught = pupil(128)
    assert taught.scales == (64, 128)
    ws = taught.ws(torch.randn(2, 3, len(taught.embed), generator=torch.Generator().manual_seed(1)))
    small, large = taught.draw(ws)
    assert small.shape[-1] == 64 and large.shape[-1] == 128
    cut = lower(taught.generator, arguments(64))
    assert torch.allclose(cut.synthesis(ws[:, : cut.num_ws], noise_mode="none"), small, atol=1e-6)


def test_what_is_kept_has_its_mean_w_and_no_noise() -> None:
    taught = pupil()
    for layer in taught.generator.synthesis.layers():
        torch.nn.init.ones_(layer.noise_strength)
    generator = finished(taught, 0, count=500)
    assert float(generator.mapping.w_avg.abs().max()) > 0
    assert all(float(layer.noise_strength.detach()) == 0 for layer in generator.synthesis.layers())
    rough = finished(taught, 0, noise=0.1, count=500).synthesis.layers()
    strengths = {layer.resolution: float(layer.noise_strength.detach()) for layer in rough}
    assert strengths[4] == strengths[8] == 0 < strengths[16] and strengths[32] > 0
    twice = finished(taught, 0, noise=0.2, count=500).synthesis.layers()
    assert float(twice[-1].noise_strength.detach()) == pytest.approx(2 * strengths[32]), (
        "noise is measured without noise"
    )


@pytest.mark.parametrize("wrong", [{"w_dim": 64}, {"classes": 3}])
def test_generators_that_cannot_know_people_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="hairstyles"):
        pupil(**wrong)


def test_the_last_lesson_needs_a_discriminator() -> None:
    with pytest.raises(InvalidInput, match="discriminator"):
        PairsTraining(run("rival"), Pupil(Generator(**arguments())))


def test_the_command(tmp_path: Path) -> None:
    few: dict[str, Any] = {"images": 32, "rival_images": 16, "latents": 512, "mapping_width": 16}
    small: dict[str, Any] = {"resolution": 32, "channel_base": 256, "channel_max": 8}
    with pytest.raises(InvalidInput, match="hairstyle"):
        TrainPairs(tmp_path, **few, **small, first=(0, 8)).main()
    assert TrainPairs(tmp_path / "two", **few | {"rival_images": 0}, **small).main() == 0
    lessons = weights.inspect(tmp_path / "two" / "pairs32.safetensors").about["lessons"]
    assert [run["lesson"] for run in lessons] == ["mapping", "drawing"]
    assert TrainPairs(tmp_path, **few, **small).main() == 0
    path = tmp_path / "pairs32.safetensors"
    assert weights.load(path).mapping.fc0.weight.shape[0] == 16
    about = weights.inspect(path)
    assert about.licence == "Apache-2.0" and about.about["first"] == {"seed": 2, "classes": [{"index": 4}]}
    with pytest.raises(InvalidInput, match="add --resume"):
        TrainPairs(tmp_path, **few, **small).main()
    before = path.read_bytes()
    assert TrainPairs(tmp_path, **few, **small, resume=True).main() == 0
    assert path.read_bytes() == before, "lessons that are over are not taught again"
