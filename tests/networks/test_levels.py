"""LAPGAN, StackGAN and Stacked GAN: what each level is shown, what it is paid for, and when it learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.features.faces import load_classifier
from ganlab.networks.lapgan import pyramid
from ganlab.networks.several import taken_apart
from ganlab.networks.stackgan import ConditioningAugmentation
from ganlab.presets.images import image_preset
from ganlab.run import Penalty
from ganlab.training.image_loop import ImageTraining
from ganlab.training.step import FAKE, REAL

TINY: dict[str, Any] = {"channel_base": 256, "channel_max": 8, "batch": 4, "z_dim": 8, "precision": "fp32"}


def training_of(preset: str, **more: Any) -> ImageTraining:
    run = image_preset(f"{preset}-32", labels="hat")
    settings = {**TINY, "grow_kimg": 0.0, **more}
    return ImageTraining(replace(run, gan=replace(run.gan, **settings)))


def parts_of(training: ImageTraining, examples: Tensor) -> list[Tensor]:
    return taken_apart(examples, training.gan.D.shapes)


# LAPGAN


def test_a_laplacian_pyramid_loses_nothing() -> None:
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    made, bands = pyramid(x, 4)
    assert made.shape[-1] == 8 and [h.shape[-1] for h, _ in bands] == [16, 32, 64]
    for h, low in bands:
        torch.testing.assert_close(F.interpolate(made, scale_factor=2, mode="bilinear"), low)
        made = low + h
    torch.testing.assert_close(made, x)


def test_each_level_learns_on_the_pyramids_of_data() -> None:
    training = training_of("lapgan")
    gan, real = training.gan, training.gan.real(0, 0, 0)
    shown = parts_of(training, gan.seen(real, 0, 0, 0, REAL))
    fakes = parts_of(training, gan.generate(0, 0, 0))
    small, bands = pyramid(real, 3)
    assert [tuple(part.shape[1:]) for part in shown] == gan.D.shapes and torch.equal(shown[0], small)
    for k, (h, low) in enumerate(bands):
        assert torch.equal(shown[1 + 2 * k], h) and torch.equal(shown[2 + 2 * k], low)
        assert torch.equal(fakes[2 + 2 * k], low) and not torch.equal(fakes[1 + 2 * k], h)
    assert torch.equal(gan.labels_of(0, 0, 0, FAKE), gan.labels_of(0, 0, 0, REAL)), "fakes are of the data's class"
    logits = gan.judge(gan.generate(0, 0, 0), 0, 0, 0, FAKE)
    assert logits.shape == (4, 3)
    for k, net in enumerate((gan.G.synthesis.first, *gan.G.synthesis.bands)):  # a D and a G for each, and no others
        grads = torch.autograd.grad(logits[:, k].sum(), list(gan.G.parameters()), retain_graph=True, allow_unused=True)
        own = {id(p) for p in net.parameters()}
        reached = {id(p) for g, p in zip(grads, gan.G.parameters()) if g is not None and bool(g.any())}
        assert reached and reached <= own


def test_a_picture_is_the_sum_of_its_levels_and_each_has_its_part_of_z() -> None:
    G = training_of("lapgan").gan.ema
    z, c = torch.randn(2, 8, generator=torch.Generator().manual_seed(1)), torch.eye(G.c_dim)[:2]
    picture = G(z, c)
    ws = G.mapping(z, c)
    made = G.synthesis.smallest(ws[:, 0])
    for k in (1, 2):
        low = F.interpolate(made, scale_factor=2, mode="bilinear")
        made = low + G.synthesis.band(k, low, ws[:, k])
    torch.testing.assert_close(picture, made)
    other = z.clone()
    other[:, G.synthesis.parts[2]] += 1
    changed = G(other, c)
    assert not torch.equal(changed, picture)
    coarse = [G.synthesis.stage(1, G.synthesis.stage(0, None, w[:, 0]), w[:, 1]) for w in (ws, G.mapping(other, c))]
    assert torch.equal(*coarse), "the last part of z is of the last band alone"


# StackGAN


def test_divergence_of_conditioning_augmentation() -> None:
    """KL of normal distributions, as torch has it; the mean over the batch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        condition = ConditioningAugmentation(3, 5)
    c = torch.eye(3)
    mean, log_variance = condition.spread(c)
    here = torch.distributions.Normal(mean, (log_variance / 2).exp())
    wanted = torch.distributions.kl_divergence(here, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(condition.divergence(c), wanted)
    noise = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(condition(c, noise), mean + (log_variance / 2).exp() * noise)


def test_stage_one_learns_first_and_then_stage_two() -> None:
    training = training_of("stackgan", grow_kimg=0.004)  # stage I for 8 images
    gan = training.gan
    moved: list[set[str]] = []
    for _ in range(4):
        before = {n: v.clone() for n, v in training.state().items() if n[:2] in ("G.", "D.")}
        training.step()
        after = training.state()
        names = [n for net, key in ((gan.G, "G"), (gan.D, "D")) for n, _ in net.named_parameters(prefix=key)]
        moved.append({n for n in names if not torch.equal(before[n], after[n])})
    second = ("G.synthesis.second.", "G.synthesis.condition.1.", "D.stages.1.")
    for step, names in enumerate(moved):
        assert names and all(n.startswith(second) == (step >= 2) for n in names), step
    state = training.state()
    again = training_of("stackgan", grow_kimg=0.004)
    again.restore(training.at, state)
    for each in (training, again):
        each.step()
    assert all(torch.equal(v, again.state()[n]) for n, v in training.state().items()), "each part's steps are kept"


def test_stage_two_sees_the_picture_of_stage_one_and_is_shown_before_it_has_learned() -> None:
    G = training_of("stackgan").gan.ema
    z, c = torch.randn(2, 8, generator=torch.Generator().manual_seed(1)), torch.eye(G.c_dim)[:2]
    ws = G.mapping(z, c)
    small = G.synthesis.stage(0, None, ws[:, 0])
    assert small.shape[-1] == 8 and G(z, c).shape[-1] == 32
    assert not torch.equal(G.synthesis.stage(1, small, ws[:, 1]), G.synthesis.stage(1, small.flip(0), ws[:, 1]))
    G.grow(0.5)
    torch.testing.assert_close(F.avg_pool2d(G(z, c), 4), small)


def test_d_is_told_of_data_with_anothers_label() -> None:
    training = training_of("stackgan")
    gan, real, fake = training.gan, training.gan.real(0, 0, 0), training.gan.generate(0, 0, 0)
    gan.D.eval()
    own, other = gan.labels_of(0, 0, 0, REAL), gan.labels_of(0, 0, 0, FAKE)
    assert own is not None and other is not None
    wrong = own.argmax(1) != other.argmax(1)
    assert bool(wrong.any())
    examples = gan.seen(real, 0, 0, 0, REAL)
    wanted = F.softplus(gan.D(examples[wrong], other[wrong])).sum() / 8
    torch.testing.assert_close(gan.extra_d(real, fake, 0, 0, 0), wanted)


# Stacked GAN


def test_levels_invert_the_encoder() -> None:
    training = training_of("stacked")
    gan, E = training.gan, load_classifier()
    real, z = gan.real(0, 0, 0), gan.latents(0, 0, 0)
    vector, middle, picture = parts_of(training, gan.seen(real, 0, 0, 0, REAL))
    torch.testing.assert_close(middle, E.maps(real)[1])
    torch.testing.assert_close(vector.flatten(1), E.features(real), rtol=1e-3, atol=1e-4)
    assert torch.equal(picture, real)
    for joint in (0.0, 1.0):
        gan.G.grow(joint)
        fake = gan.generate(0, 0, 0)
        made = parts_of(training, fake)
        given = made if joint else [vector, middle]
        ws = gan.G.mapping(z, gan.labels_of(0, 0, 0, FAKE))
        torch.testing.assert_close(made[2], gan.G.synthesis.stage(2, given[1], ws[:, 2]), rtol=1e-3, atol=1e-4)
        owed = gan.G.owes(gan.D, z, None, real, fake)
        wanted = F.mse_loss(E.maps(made[2])[1], given[1]) + F.mse_loss(E.above(made[1]), given[0].flatten(1))
        torch.testing.assert_close(owed["conditional"], wanted, rtol=1e-3, atol=1e-4)
        read = torch.cat(gan.D.eval().read(fake), 1)
        owed = gan.G.owes(gan.D, z, None, real, fake)
        torch.testing.assert_close(owed["entropy"], (read - z).square().sum(1).mean() / 2)
        (slope,) = torch.autograd.grad(owed["conditional"], gan.G.synthesis.levels[0][0].weight)
        assert bool(slope.any()) == bool(joint), "levels learn apart, then together"


@pytest.mark.parametrize("preset", ["lapgan", "stackgan", "stacked"])
def test_a_penalty_and_figures_go_with_examples(preset: str) -> None:
    training = training_of(preset, loss="wgan", penalties=(Penalty("wgan_gp", 10.0),))
    training.step()
    look = training.look()
    assert look.penalties["wgan_gp"] > 0
    wanted = {"lapgan": set(), "stackgan": {"kl"}, "stacked": {"conditional", "entropy"}}[preset]
    assert set(look.figures) == wanted
