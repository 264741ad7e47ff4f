"""StyleGAN-XL: stages that go on from each other, classes that are known from the start, a classifier's guidance."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ganlab.data.images import ImageData, open_images
from ganlab.features.faces import load_classifier
from ganlab.files import sha256_of
from ganlab.networks.stylegan_xl import Discriminator, Generator
from ganlab.presets.images import image_preset
from ganlab.training.classes import class_means, readable
from ganlab.training.image_loop import ImageTraining
from ganlab.training.step import GENERATED

TINY: dict[str, Any] = {"channel_base": 256, "channel_max": 8, "batch": 4, "z_dim": 8, "w_dim": 8, "precision": "fp32"}


def generator(side: int) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(side)
        return Generator(8, 3, side, 3, 256, 8, w_dim=8)


def training_of(side: int = 32, **more: Any) -> ImageTraining:
    run = image_preset(f"stylegan-xl-{side}", labels="hat")
    return ImageTraining(replace(run, gan=replace(run.gan, **{**TINY, **more}), data=replace(run.data, limit=24)))


def test_a_stage_goes_on_where_the_one_before_is_cut() -> None:
    small, middle, large = (generator(side).synthesis for side in (16, 32, 64))
    for before, after in ((small, middle), (middle, large)):
        kept = [name for name in before.layer_names if not name.startswith("H")]
        assert len(before.layer_names) - len(kept) == 3, "two layers, critically sampled, and colours are cut off"
        assert after.taken == kept and len(after.layer_names) == len(before.layer_names) + 3
        shapes = {name: value.shape for name, value in before.state_dict().items()}
        mine = after.state_dict()
        same = {name for name in shapes if name.split(".")[0] in ("input", *kept)}
        assert all(mine[name].shape == shapes[name] for name in same)
        assert not {name for name in shapes if name not in same} & mine.keys(), "what is cut off has another name"
        cutoffs = [layer.cutoff for layer in after.layers()]
        assert cutoffs == sorted(cutoffs) and cutoffs[-1] == after.img_resolution / 2
    assert small.layers()[-1].cutoff == 8


def test_a_stage_starts_from_another_and_leaves_what_it_has_taken(tmp_path: Path) -> None:
    run = training_of().run
    digits = [replace(run, data=ImageData("digits", resolution=side, labels="class", limit=24)) for side in (16, 32)]
    first = ImageTraining(digits[0])
    first.step()
    path = tmp_path / "small.safetensors"
    first.save_generator(path)
    run = replace(digits[1], start=sha256_of(path))
    training = ImageTraining(run, start=path)
    held = first.gan.ema.state_dict()
    for _ in range(2):
        training.step()
    G = training.gan.G
    taken = ("mapping.", "synthesis.input.", *(f"synthesis.{name}." for name in G.synthesis.taken))
    still = {name for name, value in G.state_dict().items() if name in held and torch.equal(value, held[name])}
    assert {name for name in G.state_dict() if name.startswith(taken)} - {"mapping.w_avg"} <= still
    moved = [name for name, p in G.named_parameters() if not name.startswith(taken)]
    assert moved and not any(name in still for name in moved) and all(G.get_parameter(n).requires_grad for n in moved)
    again = ImageTraining(run)
    again.restore(training.at, training.state())
    for each in (training, again):
        each.step()
    for name, value in training.state().items():
        torch.testing.assert_close(again.state()[name], value, rtol=0, atol=0, equal_nan=True)


def test_classes_begin_as_means_of_features() -> None:
    training = training_of()
    images = training.images
    means = class_means(images)
    pixels, targets = images.train.get(range(24))
    features = load_classifier().features(pixels)
    k = int(targets[0])
    torch.testing.assert_close(means[k], features[targets == k].mean(0), rtol=1e-3, atol=1e-4)
    for net in (training.gan.G.mapping, training.gan.D):
        torch.testing.assert_close(net.classes.weight.T, means)
    D, x = training.gan.D, training.gan.real(0, 0, 0)
    assert isinstance(D, Discriminator) and D(x, torch.eye(D.c_dim)[:4]).shape == (4, 3)


def test_a_classifier_guides_g() -> None:
    training = training_of(guidance=2.0)
    gan = training.gan
    fake = gan.generate(0, 0, 0)
    labels = gan.labels_of(0, 0, 0, GENERATED)
    inside = fake.detach().clamp(-1, 1)
    torch.testing.assert_close(gan.reader(inside, "hat"), load_classifier()(inside)["hat"], rtol=1e-3, atol=1e-4)
    wanted = 2 * F.cross_entropy(gan.reader(fake, "hat"), labels)
    torch.testing.assert_close(gan.extra_g(gan.real(0, 0, 0), fake, 0, 0, 0), wanted)
    training.step()
    assert training.look(held_out=False).figures["guidance"] > 0


def test_guidance_is_where_the_classifier_knows_the_classes() -> None:
    for name, labels, known in (("faces", "hat", True), ("faces", "", False), ("digits", "class", False)):
        assert readable(open_images(ImageData(name, labels=labels, resolution=32, limit=16))) is known
