"""Training in one stage: what G gets out of D's pass is what a pass of its own would have given."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ganlab.config import InvalidInput
from ganlab.losses import LOSSES, SLOPED
from ganlab.run_images import ImageGanConfig, ImageRun
from ganlab.training.image_loop import ImageTraining
from ganlab.training.step import GENERATED, d_phase
from tests.training.test_image_extras import DIGITS, TINY


def training_of(**more: Any) -> ImageTraining:
    settings = {"family": "r3gan", "loss": "non_saturating", "penalties": (), "one_stage": True, **TINY, **more}
    return ImageTraining(ImageRun(DIGITS, ImageGanConfig(**settings), seed=1), every=1)


def own_pass(gan: Any) -> torch.Tensor:
    """G's gradient at its fakes, by a pass of its own through D as it is."""
    fake = gan.generate(0, 0, 0).detach().requires_grad_(True)
    logits = gan.judge(fake, 0, 0, 0, GENERATED)
    (gradient,) = torch.autograd.grad(LOSSES[gan.config.loss].g(logits, logits), fake)
    return gradient


@pytest.mark.parametrize("loss", SLOPED)
def test_the_gradient_is_that_of_a_pass_of_its_own(loss: str) -> None:
    gan = training_of(loss=loss).gan
    want = own_pass(gan)
    d_phase(gan, 0)
    assert gan.handed is not None
    torch.testing.assert_close(gan.handed.gradient, want, rtol=1e-3, atol=1e-8)


def test_where_d_compares_pictures_it_comes_near() -> None:
    gan = training_of(family="stylegan2").gan
    want = own_pass(gan)
    d_phase(gan, 0)
    assert gan.handed is not None
    assert F.cosine_similarity(gan.handed.gradient.flatten(), want.flatten(), dim=0) > 0.95


@pytest.mark.parametrize("family", ["stylegan2", "dcgan"])
def test_it_learns_and_keeps_its_figures(family: str) -> None:
    more = {"path_length": 2.0, "style_mixing": 0.9} if family == "stylegan2" else {}
    training, before = training_of(family=family, **more), None
    for _ in range(3):
        told = training.step()
        assert training.gan.finite() and training.gan.handed is None
        weights = torch.cat([p.detach().flatten() for p in training.gan.G.parameters()])
        assert before is None or not torch.equal(weights, before)
        before = weights
    assert told is not None and told.g_loss is not None and told.g_loss > 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"loss": "hinge"}, "one_stage: needs one of the losses non_saturating"),
        ({"loss": "rpgan"}, "one_stage: needs one of the losses"),
        ({"d_steps": 2}, "one D-step for each G-step"),
        ({"part": 2}, "a batch in one part"),
        ({"label_smoothing": 0.1}, "label smoothing"),
        ({"second": "faces"}, "a single D"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(more: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        training_of(**more)
