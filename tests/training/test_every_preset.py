"""Every system of the zoo: shapes, gradients, classes, files, and ten steps without NaN."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganlab import weights
from ganlab.networks.table import TRAINABLE
from ganlab.presets.images import image_preset, image_run_names
from ganlab.run_images import ImageRun
from ganlab.training.image_loop import ImageSnapshot, ImageTraining
from tests.tiny_models import TINY

SIDE = 32
EVEN = ("wgan", "hinge")
GROWN = 0.004  # thousand images: all that comes in later is there after a few steps


@pytest.mark.parametrize("name", image_run_names())
def test_every_preset(name: str, tmp_path: Path) -> None:
    preset = image_preset(name)
    small = {**TINY, "grow_kimg": min(preset.gan.grow_kimg, GROWN), "second_kimg": min(preset.gan.second_kimg, GROWN)}
    small["z_dim"] = max(TINY["z_dim"], preset.gan.info + preset.gan.kinds)
    run = replace(preset, data=replace(preset.data, resolution=SIDE), gan=replace(preset.gan, **small))
    training = ImageTraining(run, every=5)
    start = {key: value for key, value in training.state().items() if key[:2] in ("G.", "D.")}
    snapshots, halfway = [], dict[str, Tensor]()
    for _ in range(10):
        if snapshot := training.step():
            snapshots.append(snapshot)
        halfway = halfway or (training.state() if training.at == 8 else {})
    _ten_steps(run, snapshots)
    _goes_on_exactly(run, halfway, training)
    _every_parameter_has_moved(training, start)
    c = torch.eye(max(1, training.draws.classes))[: training.draws.classes and 4]
    z, labels = training.draws.latents(4, run.gan.z_dim, "test"), c[torch.arange(4) % len(c)] if len(c) else None
    made = training.gan.images(z, labels)
    assert made.shape == (4, run.data.channels, SIDE, SIDE) and made.isfinite().all()
    if TRAINABLE[run.gan.family].whole:
        assert training.gan.score(made, labels).shape == (4,)
    if labels is not None and not run.gan.labelled:  # then G is not told it
        _the_class_matters(training, z, c)
    training.save(tmp_path)
    G = weights.load(tmp_path / "generator-000000010.safetensors")
    for key, value in training.gan.ema.state_dict().items():
        assert torch.equal(G.state_dict()[key], value), key
    again: Tensor = G.synthesis(  # type: ignore[operator]
        G.mapping(z, labels),
        noise_mode="const" if run.gan.noise else "none",  # type: ignore[operator]
    )
    torch.testing.assert_close(again, made, rtol=1e-3, atol=1e-4)  # sums in another order


def _ten_steps(run: ImageRun, snapshots: list[ImageSnapshot]) -> None:
    assert [snapshot.step for snapshot in snapshots] == [5, 10]
    last = snapshots[-1]
    told = (last.d_loss, last.g_loss, last.d_grad, last.g_grad, last.real, last.fake)
    assert last.images == 40 * run.gan.d_steps and all(value is not None and math.isfinite(value) for value in told)
    assert ImageSnapshot.from_dict(json.loads(json.dumps(last.to_dict()))) == last


def _goes_on_exactly(run: ImageRun, halfway: dict[str, Tensor], whole: ImageTraining) -> None:
    again = ImageTraining(run, every=5)
    again.restore(8, halfway)
    while again.at < 10:
        again.step()
    end, wanted = again.state(), whole.state()
    assert end.keys() == wanted.keys()
    assert not [
        key for key in end if not torch.equal(end[key].nan_to_num(), wanted[key].nan_to_num())
    ]  # r_t may be NaN


def _every_parameter_has_moved(training: ImageTraining, start: dict[str, Tensor]) -> None:
    """It has had a gradient: Adam leaves others where they are.

    A bias that moves all logits of D alike need not: data and fakes pull it to both sides, equally with these losses.
    """
    now, gan = training.state(), training.gan
    names = [key for net in ("G", "D") for key, _ in getattr(gan, net).named_parameters(prefix=net)]
    still = [key for key in names if key in start and torch.equal(start[key], now[key])]
    if training.run.gan.loss in EVEN:
        still = [key for key in still if not (key.startswith("D.") and key.endswith(".bias") and f"m.{key}" in now)]
    assert names and not still


def _the_class_matters(training: ImageTraining, z: Tensor, c: Tensor) -> None:
    gan = training.gan
    first, second = (gan.images(z[:1], one[None]) for one in c[:2])
    assert not torch.equal(first, second)
    g, d = gan.config.classifier_g, gan.config.classifier_d
    if not g and not d:  # else D reads the class, and is not told it
        assert not torch.equal(gan.score(first, c[:1]), gan.score(first, c[1:2]))
