"""A generator that is taught with pairs: each lesson teaches something, repeats itself and goes on after a stop."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab import weights
from ganlab.cli_pairs import NAME, TrainPairs
from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, render
from ganlab.data.faces.latents import IN_CODE, detail, people
from ganlab.networks.stylegan2 import Generator
from ganlab.nn.supervised import trained
from ganlab.training.pairs import LESSONS, PairsRun, PairsTraining, Pupil, coded_pairs, finished

CLASSES = len(ATTRIBUTES["hairstyle"].options)
TINY: dict[str, Any] = {"channel_base": 256, "channel_max": 8, "num_fp16_res": 0, "conv_clamp": None}


def pupil(w_dim: int = 128, classes: int = CLASSES) -> Pupil:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Pupil(Generator(128, classes, w_dim, 32, 3, mapping_kwargs={"num_layers": 2}, **TINY))


def run(lesson: str, **more: Any) -> PairsRun:
    return PairsRun(**{"lesson": lesson, "images": 48, "batch": 8, "lr": 0.01} | more)


def numbers(training: PairsTraining) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in training.average.state_dict().values()])


@pytest.mark.parametrize(
    ("lesson", "lr", "steps", "better"), [("synthesis", 0.02, 90, 0.75), ("mapping", 0.03, 120, 0.8)]
)
def test_a_lesson_teaches(lesson: str, lr: float, steps: int, better: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PairsTraining, "warmup", 10)
    training = PairsTraining(run(lesson, images=16 * steps, batch=16, lr=lr), pupil())
    losses = [told.loss for told in trained(training, None, every=steps // 6, save_every=10**6)]
    assert losses[-1] < better * losses[0]


def test_taught_together_from_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the last lesson is about: a picture of z is nearer to the face that z stands for."""
    monkeypatch.setattr(PairsTraining, "warmup", 10)
    training = PairsTraining(run("both", images=16 * 60, batch=16, lr=0.02), pupil())
    z, hairstyle = torch.randn(32, 128, generator=torch.Generator().manual_seed(9)), torch.arange(32) % CLASSES
    who, phases = people(z, hairstyle)
    goal = render(who, detail(phases), 32) * 2 - 1

    @torch.no_grad()
    def error() -> float:
        made = training.model.draw(training.model.generator.mapping(z, torch.eye(CLASSES)[hairstyle]))
        return float((made - goal).abs().mean())

    before = error()
    list(trained(training, None, every=100, save_every=10**6))
    assert error() < 0.7 * before


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
    codes, images = coded_pairs(run("synthesis", mixing=0, truncation=0), 0, 8, 32, rng)
    rng = torch.Generator().manual_seed(0)
    near, others = coded_pairs(run("synthesis", mixing=0, truncation=1), 0, 8, 32, rng)
    psi = near[:, 0, IN_CODE["yaw"]] / codes[:, 0, IN_CODE["yaw"]]
    assert bool((psi > 0.49).all() and (psi < 1.001).all()) and float(psi.min()) < 0.9
    assert torch.allclose(near, codes * psi[:, None], atol=1e-4), "all of the code is nearer to the middle"
    assert float((images - others).abs().max()) > 0.1 and float(images.abs().max()) <= 1


def test_mixed_pairs_have_three_sources() -> None:
    codes, _ = coded_pairs(run("synthesis", mixing=1, truncation=0), 0, 8, 32, torch.Generator().manual_seed(0))
    assert not torch.equal(codes[:, 0], codes[:, 1]) and not torch.equal(codes[:, 1], codes[:, 2])
    rows = pupil().levels.tolist()
    assert rows == sorted(rows) and set(rows) == {0, 1, 2}


def test_what_is_kept_has_its_mean_w_and_no_noise() -> None:
    taught = pupil()
    for layer in taught.generator.synthesis.layers():
        torch.nn.init.ones_(layer.noise_strength)
    generator = finished(taught, 0, count=500)
    assert float(generator.mapping.w_avg.abs().max()) > 0
    assert all(float(layer.noise_strength.detach()) == 0 for layer in generator.synthesis.layers())


@pytest.mark.parametrize("wrong", [{"w_dim": 64}, {"classes": 3}])
def test_generators_that_cannot_know_people_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="hairstyles"):
        pupil(**wrong)


def command(out: Path, **more: Any) -> TrainPairs:
    few: dict[str, Any] = {"images": 32, "latents": 512, "together": 16, "mapping_width": 16}
    small: dict[str, Any] = {"resolution": 32, "channel_base": 256, "channel_max": 8}
    return TrainPairs(out, **few | small | more)


def test_the_command(tmp_path: Path) -> None:
    assert command(tmp_path).main() == 0
    made = weights.load(tmp_path / NAME)
    assert made.mapping.fc0.weight.shape[0] == 16
    assert weights.inspect(tmp_path / NAME).licence == "Apache-2.0"
    with pytest.raises(InvalidInput, match="add --resume"):
        command(tmp_path).main()
    before = (tmp_path / NAME).read_bytes()
    assert command(tmp_path, resume=True).main() == 0
    assert (tmp_path / NAME).read_bytes() == before, "lessons that are over are not taught again"
    again = command(tmp_path / "more", start=str(tmp_path / NAME))
    assert again.main() == 0
    with pytest.raises(InvalidInput, match="start"):
        command(tmp_path / "other", start=str(tmp_path / NAME), channel_max=4).main()
