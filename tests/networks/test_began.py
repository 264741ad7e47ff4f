"""BEGAN on images: D's energy, k_t and the measure of convergence as the paper's equations have them."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData
from ganlab.networks.began import Discriminator, Generator
from ganlab.presets.images import image_preset
from ganlab.run_images import ImageRun
from ganlab.training.image_loop import ImageTraining
from ganlab.training.step import FAKE, REAL

TINY: dict[str, Any] = {"channel_base": 256, "channel_max": 8, "batch": 4, "z_dim": 8, "precision": "fp32"}


def began(**more: Any) -> ImageRun:
    run = image_preset("began-32")
    return replace(run, gan=replace(run.gan, **{**TINY, **more}))


def test_energy_is_the_mean_absolute_error_of_an_autoencoder() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        D = Discriminator(0, 32, 3, 256, 8, code=8)
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    energies, made = D(x), D.reconstructed(x)
    assert energies.shape == (3, 1) and made.shape == x.shape and D.encoder(x).shape == (3, 8)
    torch.testing.assert_close(energies[:, 0], torch.stack([(a - b).abs().mean() for a, b in zip(x, made)]))
    shapes = [p.shape for p in Generator(8, 0, 32, 3, 256, 8).synthesis.parameters()]
    assert shapes == [p.shape for p in D.decoder.parameters()], "G is built as D's decoder is"


@pytest.mark.parametrize("part", [0, 2])
def test_k_follows_the_balance_and_m_is_told(part: int) -> None:
    """L_D = L(x) - k L(g); k += lambda (gamma L(x) - L(g)); M = L(x) + |gamma L(x) - L(g)| (eq. 5, sec. 3.4)."""
    training = ImageTraining(began(part=part, update="d"))
    gan, k = training.gan, 0.0
    gan.balance = k = 0.3
    for step in range(3):
        parts = list(gan.parts())
        with torch.no_grad():
            real = torch.cat([gan.judge(gan.real(step, 0, p), step, 0, p, REAL) for p in parts])
            fake = torch.cat([gan.judge(gan.generate(step, 0, p), step, 0, p, FAKE) for p in parts])
        gan.fake = None
        gan._local.clear()
        training.step()
        x, g = float(real.mean()), float(fake.mean())
        assert float(gan.measured["d_loss"]) == pytest.approx(x - k * g, abs=1e-4)
        k = min(max(k + 0.001 * (0.5 * x - g), 0.0), 1.0)
        assert gan.balance == pytest.approx(k, abs=1e-7) and k != 0.3
        figures = training.look().figures
        assert figures["m_global"] == pytest.approx(x + abs(0.5 * x - g), rel=1e-3)
        assert figures["balance"] == pytest.approx(k, rel=1e-5)
    other = ImageTraining(began(part=part, update="d"))
    other.restore(training.at, training.state())
    assert other.gan.balance == gan.balance
    assert training.look().r_t is None, "an energy's sign says nothing of overfitting"


def test_d_learns_to_reconstruct_data() -> None:
    run = replace(began(lr_d=2e-3, lr_g=2e-4), data=ImageData("digits", resolution=16))
    training = ImageTraining(run)
    training.step()
    before = training.look().figures["m_global"]
    for _ in range(40):
        training.step()
    assert training.look().figures["m_global"] < 0.75 * before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loss": "hinge"}, "hinge is not one of those for began: ebgan, began"),
        ({"augment": "ada"}, "no ADA"),
        ({"info": 2}, "nothing is read off it"),
        ({"labelled": 0.5}, "one last layer"),
    ],
)
def test_settings_that_do_not_go_with_energies(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        began(**change)
