"""BiGAN and BigBiGAN: what D is shown, what the encoder is paid for, and where it is seen and kept."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.networks import bigan, bigbigan
from ganlab.networks.several import joined, taken_apart
from ganlab.presets.images import image_preset
from ganlab.serving.image_trainer import Pace, Work
from ganlab.training.image_loop import ImageTraining
from ganlab.training.step import FAKE, REAL

TINY: dict[str, Any] = {"channel_base": 128, "channel_max": 8, "batch": 4, "z_dim": 6, "precision": "fp32"}
SHAPES = ((3, 16, 16), (6,))


def training_of(preset: str, **more: Any) -> ImageTraining:
    run = image_preset(f"{preset}-16", "digits")
    return ImageTraining(
        replace(run, gan=replace(run.gan, **{**TINY, **more}), data=replace(run.data, limit=40, valid=0.5))
    )


def test_examples_come_apart_as_they_were_joined() -> None:
    parts = [torch.randn(3, *shape) for shape in SHAPES]
    assert all(torch.equal(a, b) for a, b in zip(parts, taken_apart(joined(parts), SHAPES)))


@pytest.mark.parametrize("preset", ["bigan", "bigbigan"])
def test_d_sees_pairs(preset: str) -> None:
    gan = training_of(preset).gan
    real, z = gan.real(0, 0, 0), gan.latents(0, 0, 0)
    x, code = taken_apart(gan.seen(real, 0, 0, 0, REAL), SHAPES)
    made, given = taken_apart(gan.generate(0, 0, 0), SHAPES)
    assert torch.equal(x, real) and torch.equal(given, z), "data with their code, latents with their picture"
    assert not code.requires_grad and made.requires_grad
    logits = gan.judge(joined([real, z]), 0, 0, 0, FAKE)
    assert logits.shape == (4, 3 if preset == "bigbigan" else 1)
    for other in (joined([real.flip(0), z]), joined([real, z.flip(0)])):
        assert not torch.equal(gan.judge(other, 0, 0, 0, FAKE), logits), "both parts of a pair matter"


def test_the_encoder_wants_d_to_take_data_for_fakes() -> None:
    """E and G minimise E[log D(x, E(x))] + E[log(1 - D(G(z), z))], G's part in its non-saturating form (eq. 3)."""
    gan = training_of("bigan").gan
    real, fake = gan.real(0, 0, 0), gan.generate(0, 0, 0)
    gan.D.eval()
    total = gan.extra_g(real, fake, 0, 0, 0)
    torch.testing.assert_close(total, -F.logsigmoid(-gan.D(gan.G.of_data(real, None))).mean())
    total.backward()
    grads = [p.grad for p in gan.G.encoder.parameters()]
    assert all(grad is not None for grad in grads) and all(p.grad is None for p in gan.G.synthesis.parameters())


def test_bigbigan_has_three_scores_and_a_hinge_for_each() -> None:
    """l_D = h(y s_x) + h(y s_z) + h(y s_xz), here as a mean; G and E pay y (s_x + s_z + s_xz) (sec. 2)."""
    D = training_of("bigbigan").gan.D.eval()
    x, other = (torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    z, w = (torch.randn(2, 6, generator=torch.Generator().manual_seed(k)) for k in (2, 3))
    with torch.no_grad():
        base, moved_x, moved_z = D(joined([x, z])), D(joined([other, z])), D(joined([x, w]))
    assert [torch.equal(base[:, k], moved_x[:, k]) for k in range(3)] == [False, True, False]
    assert [torch.equal(base[:, k], moved_z[:, k]) for k in range(3)] == [True, False, False]
    gan = training_of("bigbigan").gan
    gan.D.eval()
    real = gan.real(0, 0, 0)
    logits = gan.D(gan.example(real, 0, 0, 0))
    torch.testing.assert_close(gan.extra_g(real, gan.generate(0, 0, 0), 0, 0, 0), logits.sum(1).mean() / 3)


def test_bigbigans_latents_are_drawn() -> None:
    E = training_of("bigbigan").gan.G.encoder
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    E.eval()
    mean, deviation = E.spread(x)
    assert bool((deviation > 0).all()) and torch.equal(E(x), mean)
    noise = torch.randn(2, 6, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(E(x, torch.Generator().manual_seed(5)), mean + deviation * noise)


@pytest.mark.parametrize("preset", ["bigan", "bigbigan"])
def test_the_encoder_is_saved_with_its_generator(preset: str, tmp_path: Path) -> None:
    training = training_of(preset)
    training.step()
    figure = training.look().figures["reconstruction"]
    sheet = training.reconstructions(20)
    assert sheet is not None and sheet.shape == (40, 3, 16, 16)
    assert figure == pytest.approx(float((sheet[::2] - sheet[1::2]).abs().mean()), rel=1e-4)
    training.save(tmp_path)
    assert (tmp_path / "pictures" / "reconstructed-000000001.png").stat().st_size > 100
    G: Any = weights.load(tmp_path / "generator-000000001.safetensors")
    assert isinstance(G, bigan.Generator | bigbigan.Generator)
    torch.testing.assert_close(G.synthesis(G.mapping(G.encoder(sheet[::2]))), sheet[1::2], rtol=1e-3, atol=1e-4)


def test_the_lab_is_shown_reconstructions() -> None:
    sent: list[tuple[str, int]] = []
    for preset in ("bigan", "dcgan"):
        work = Work.__new__(Work)
        work.training, work.seen = training_of(preset), Pace(4.0, 0.05)
        work.say = SimpleNamespace(picture=lambda letter, x, name, **_: sent.append((name, len(x))))  # type: ignore[assignment]
        work._augmented()
    assert sent == [("seen", 36), ("rebuilt", 36), ("seen", 36)], "18 pairs, where there is an encoder"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"augment": "diffaugment"}, "augment: does not go with bigan, whose D judges more"),
        ({"second": "faces"}, "does not go with bigan"),
        ({"loss": "rpgan"}, "compares one picture with another"),
    ],
)
def test_what_looks_at_one_picture_is_refused(change: dict[str, Any], said: str) -> None:
    run = image_preset("bigan-32")
    with pytest.raises(InvalidInput, match=said):
        replace(run.gan, **change)
