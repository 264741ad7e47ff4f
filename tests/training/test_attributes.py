"""Training the faces' classifier: it learns, repeats itself, goes on after a stop, and hidden things cost nothing."""

from pathlib import Path

import pytest
import torch

from ganlab.cli_classifier import NAME, TrainClassifier
from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, faces
from ganlab.features.faces import Head, load_classifier
from ganlab.nn.supervised import STATE
from ganlab.training import attributes
from ganlab.training.attributes import (
    ClassifierRun,
    ClassifierTraining,
    attribute_loss,
    changed,
    drawn,
    train_classifier,
)

RUN = ClassifierRun(images=96, faces=24, batch=16, width=4, dim=8)


def weights(training: ClassifierTraining) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in training.average.state_dict().values()])


def finished(run: ClassifierRun) -> ClassifierTraining:
    training = ClassifierTraining(run)
    list(train_classifier(training))
    return training


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClassifierTraining, "warmup", 5)
    run = ClassifierRun(images=40 * 16, faces=16, batch=16, lr=5e-3, width=4, dim=16)
    losses = [told.loss for told in train_classifier(ClassifierTraining(run), every=10)]
    assert len(losses) == 4 and losses[-1] < 0.85 * losses[0]


def test_the_same_run_gives_the_same_weights() -> None:
    first = finished(RUN)
    assert torch.equal(weights(first), weights(finished(RUN)))
    assert not torch.equal(weights(first), weights(finished(ClassifierRun(**{**RUN.to_dict(), "seed": 1}))))


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    stopped = ClassifierTraining(RUN)
    for told in train_classifier(stopped, tmp_path, every=1, save_every=2):
        if told.step == 3:
            break  # after the state of step 2
    resumed = ClassifierTraining(RUN)
    resumed.restore(tmp_path)
    assert resumed.step == 2
    told = list(train_classifier(resumed, tmp_path))
    assert told[-1].step == RUN.steps == 6 and told[-1].images == 96
    assert torch.equal(weights(resumed), weights(finished(RUN)))


def test_what_cannot_be_resumed_is_a_sentence(tmp_path: Path) -> None:
    training = ClassifierTraining(RUN)
    with pytest.raises(InvalidInput, match="without --resume"):
        training.restore(tmp_path)
    training.save(tmp_path)
    with pytest.raises(InvalidInput, match="another run"):
        ClassifierTraining(ClassifierRun(images=96, faces=24, batch=8, width=4, dim=8)).restore(tmp_path)
    state = tmp_path / STATE
    state.write_bytes(state.read_bytes()[:500])
    with pytest.raises(InvalidInput, match="damaged"):
        training.restore(tmp_path)


def test_hidden_attributes_cost_nothing() -> None:
    heads = (Head("hat", ("none", "cap")), Head("smile", lo=-1, hi=1))
    out = {"hat": torch.tensor([[9.0, -9], [9, -9]]), "smile": torch.tensor([0.0, 0.5])}
    targets = {"hat": torch.tensor([0, 1]), "smile": torch.tensor([0.5, 0.5])}
    seen = {"hat": torch.tensor([True, False]), "smile": torch.tensor([False, True])}
    assert attribute_loss(heads, out, targets, seen) < 1e-6
    seen["hat"][:] = True
    assert attribute_loss(heads, out, targets, seen) == pytest.approx(9, rel=1e-3)
    seen["hat"][:] = seen["smile"][:] = False
    assert attribute_loss(heads, out, targets, seen) == 0


def test_heads_are_followed_where_they_are_moved() -> None:
    """A white disc on black, before and after: its centre and size change as `changed` says."""
    at = torch.linspace(-1, 1, 65)[:-1] + 1 / 64
    disc = ((at[None] - 0.1).square() + (at[:, None] + 0.2).square() < 0.16).float() * 2 - 1
    images, moved = changed(disc.expand(36, 3, 64, 64).clone(), torch.Generator().manual_seed(0))
    light = (images.mean(1) - images[:, :, 0, 0].mean(1)[:, None, None]).clamp(min=0.5) - 0.5
    mass = light.sum((1, 2))
    x, y = (light.sum(1) * at).sum(1) / mass, (light.sum(2) * at).sum(1) / mass
    dx, dy, zoom = moved.unbind(1)
    assert torch.allclose(x, 0.1 * zoom + dx, atol=0.02) and torch.allclose(y, -0.2 * zoom + dy, atol=0.02)
    assert images.abs().max() <= 1 and (images[0] != images[1]).any()


def test_processes_draw_the_same_faces() -> None:
    images, people = drawn(5, 30)
    expected, known = faces(5, range(30), 64)
    assert torch.equal(images, expected)
    assert all(torch.equal(people[name], known[name]) for name in ATTRIBUTES)


@pytest.mark.slow
def test_several_processes_draw_the_same_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "CHUNK", 8)
    (images, people), (expected, known) = drawn(5, 30, 2), drawn(5, 30)
    assert torch.equal(images, expected) and torch.equal(people["smile"], known["smile"])


def test_the_command_writes_a_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert TrainClassifier(tmp_path, images=64, faces=32, batch=16, width=4, held_out=60).main() == 0
    told = capsys.readouterr().out
    assert "images/s" in told and "hairstyle" in told and "right" in told
    loaded = load_classifier(tmp_path / NAME)
    assert loaded.about["run"]["images"] == 64 and 0 <= loaded.about["scores"]["hat"] <= 1


@pytest.mark.gpu
def test_it_trains_on_a_gpu() -> None:
    training = ClassifierTraining(RUN, "cuda")
    assert torch.isfinite(torch.tensor([told.loss for told in train_classifier(training)])).all()
