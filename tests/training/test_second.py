"""Which frozen network the second discriminator looks through, and from when on."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData
from ganlab.features.faces import load_classifier
from ganlab.features.frozen import frozen
from ganlab.run_images import ImageGanConfig, ImageRun
from ganlab.training import second
from ganlab.training import step as step_module
from ganlab.training.image_loop import ImageTraining
from ganlab.training.second import told_apart
from tests.tiny_models import TINY


class Blind(nn.Module):
    """Sees noise of its own, whatever it is shown."""

    map_shapes = ((4, 8),)

    def maps(self, img: Tensor) -> list[Tensor]:
        rng = torch.Generator().manual_seed(int(img.sum().abs() * 1e4) % 2**31)
        return [torch.randn(len(img), 4, 8, 8, generator=rng) + 0 * img.mean()]


RUN = ImageRun(
    ImageData(resolution=32, labels="hat"), ImageGanConfig("a", "stylegan2", second="auto", second_kimg=0.01, **TINY)
)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blind network and one that sees are at hand."""
    monkeypatch.setattr(second, "at_hand", lambda: ["blind", "faces"])
    monkeypatch.setattr(second, "frozen", lambda name: Blind() if name == "blind" else frozen(name))
    monkeypatch.setattr(second, "PROBED", 64)


def test_a_linear_classifier_tells_apart_what_differs() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(200, 6, generator=rng) for _ in "ab")
    right, loss = told_apart(a, b)
    assert 0.35 < right < 0.65
    shifted = b + torch.tensor([0, 0, 2.0, 0, 0, 0])
    better, less = told_apart(a, shifted)
    assert better > 0.75 and less > loss
    constant = torch.cat([a, torch.ones(200, 1)], 1), torch.cat([shifted, torch.ones(200, 1)], 1)
    assert told_apart(*constant)[0] == pytest.approx(better, abs=0.02)  # a feature that says nothing harms nothing


def test_the_network_that_sees_fakes_joins_when_it_is_time(two: None) -> None:
    training = ImageTraining(RUN)
    D: Any = training.gan.D
    shown = training.grid(2), torch.eye(training.draws.classes)[:2]
    seconds = []
    for _ in range(5):
        seconds.append((D.second, D(*shown).shape[1]))
        training.step()
    assert seconds == [("", 1), ("", 1), ("", 1), ("faces", 4), ("faces", 4)]  # after 12 images
    heads = [value for key, value in training.state().items() if key.startswith("m.D.heads.faces.")]
    assert heads and any(bool(value.any()) for value in heads)  # they learn
    found = second.probed(training.gan, {"faces": load_classifier(), "blind": Blind()}, 5)
    assert found["faces"] > found["blind"]


def test_it_goes_on_from_any_step_to_the_same_numbers(two: None) -> None:
    whole = ImageTraining(RUN)
    states = [whole.state()]
    for _ in range(6):
        whole.step()
        states.append(whole.state())
    for start in (2, 4):
        again = ImageTraining(RUN)
        again.gan.load(states[start], start)
        again.at = start
        while again.at < 6:
            again.step()
        end = again.state()
        assert end.keys() == states[6].keys() and all(torch.equal(end[key], states[6][key]) for key in end), start
    whole.gan.load(states[1], 1)  # back to before it joined
    assert whole.gan.D.second == "" and len(whole.gan.opt_d.param_groups) == 1
    assert whole.gan.state().keys() == states[1].keys()


def test_a_network_that_is_named_is_there_from_the_start() -> None:
    training = ImageTraining(replace(RUN, gan=replace(RUN.gan, second="faces")))
    assert training.gan.D.second == "faces" and training.state().keys() >= {"D.heads.faces.0.squeeze.weight"}


def test_new_heads_learn_as_fast_as_the_rest_also_after_a_change(two: None) -> None:
    run = RUN.changed(2, "lr_d", 1e-5).changed(5, "lr_d", 2e-5)
    whole, states = ImageTraining(run), {}
    for step in range(1, 8):
        whole.step()
        states[step] = whole.state()
    assert [group["lr"] for group in whole.gan.opt_d.param_groups] == [2e-5, 2e-5]
    again = ImageTraining(run)
    again.restore(4, states[4])
    while again.at < 7:
        again.step()
    end = again.state()
    assert all(torch.equal(end[key], states[7][key]) for key in end)


def test_few_pictures_are_not_told_apart_by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture of data stands in both halves: else the widest network knows them all."""
    asked: list[int] = []
    real = told_apart
    monkeypatch.setattr(second, "told_apart", lambda a, b: (asked.append(len(a)), real(a, b))[1])
    data = ImageData(resolution=32, limit=40)
    gan = ImageTraining(replace(RUN, data=data, gan=replace(RUN.gan, second="none"))).gan
    second.probed(gan, {"faces": frozen("faces")}, 0)
    assert asked == [40]


def test_d_that_knows_few_labels_may_have_a_second_one() -> None:
    settings = {"family": "dcgan", "labelled": 0.5, "second": "faces"}
    run = ImageRun(ImageData(resolution=32, labels="hat", limit=50), ImageGanConfig("a", **{**TINY, **settings}))
    training = ImageTraining(run, every=1)
    snapshot = training.step()
    assert snapshot is not None and training.gan.finite() and snapshot.d_loss == snapshot.d_loss


@pytest.mark.parametrize("wrong", [{"second": "faces"}, {"second": "auto"}, {"feature_matching": 1.0}])
def test_an_autoencoder_has_no_second_one_and_no_features_to_match(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="has an autoencoder as D: no second one, no feature matching"):
        ImageGanConfig("a", "began", loss="began", **wrong)


def test_losses_are_summed_over_the_logits_of_a_picture() -> None:
    """So that a second D takes nothing of the first one's part."""
    alone, both = (ImageTraining(replace(RUN, gan=replace(RUN.gan, second=name))) for name in ("none", "faces"))
    both.gan.D.own.load_state_dict(alone.gan.D.state_dict())
    both.gan.G.load_state_dict(alone.gan.G.state_dict())
    grads = []
    for training in (alone, both):
        step_module.d_step(training.gan, 0)
        own = getattr(training.gan.D, "own", training.gan.D)
        grads.append(torch.cat([p.grad.flatten() for p in own.parameters()]))
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-3, atol=1e-6)
