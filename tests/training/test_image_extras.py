"""What D and G pay beside the adversarial loss: each term is the paper's, and reaches whom it should."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData
from ganlab.networks.auxiliary import AuxiliaryD, last_features
from ganlab.networks.projected import Discriminator
from ganlab.nn.norms import Spectral
from ganlab.run_images import ImageGanConfig, ImageRun
from ganlab.training import extras
from ganlab.training.image_loop import ImageTraining
from ganlab.training.step import FAKE, REAL
from tests.tiny_models import TINY

DIGITS = ImageData("digits", resolution=16)


def training_of(labels: str = "", **more: Any) -> ImageTraining:
    settings = {"family": "dcgan", "penalties": (), **TINY, **more}
    return ImageTraining(ImageRun(replace(DIGITS, labels=labels), ImageGanConfig(**settings), seed=1))


def both(training: ImageTraining) -> tuple[Tensor, Tensor]:
    return training.gan.real(0, 0, 0), training.gan.generate(0, 0, 0)


def squared(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).flatten(1).square().sum(1).mean()


@pytest.mark.parametrize(
    ("weights", "who"), [({"cr_real": 10.0}, REAL), ({"cr_fake": 7.0}, FAKE), ({"zcr_d": 5.0, "zcr_noise": 0.5}, None)]
)
def test_d_pays_for_what_it_says_otherwise(weights: dict[str, float], who: int | None) -> None:
    training = training_of(**weights)
    gan, (real, fake) = training.gan, both(training)
    gan.D.eval()
    got = extras.for_d(gan, real, fake, 0, 0, 0)
    (name, weight), *_ = weights.items()
    if who is None:
        x, other = fake.detach(), gan.generate(0, 0, 0, moved=0.5)
    else:
        x = real if who == REAL else fake.detach()
        other = extras.moved_a_little(x, gan.draws.rng(name, 0, 0, 0))
    assert not torch.equal(x, other)
    torch.testing.assert_close(got, weight * squared(gan.D(x), gan.D(other)))
    assert float(got.detach()) > 0 and float(extras.for_d(training_of().gan, real, fake, 0, 0, 0)) == 0


def test_moved_pictures_are_mirrored_and_shifted() -> None:
    x = torch.arange(256.0).view(1, 1, 16, 16).expand(64, -1, -1, -1)
    moved = extras.moved_a_little(x, torch.Generator().manual_seed(0))
    inner = [picture[0, 4:12, 4:12] for picture in moved]
    steps = {(float(p[0, 1] - p[0, 0]), float(p[1, 0] - p[0, 0])) for p in inner}
    assert steps == {(1.0, 16.0), (-1.0, 16.0)}, "some are mirrored, none stands on its head"
    assert len({float(p[0, 0]) for p in inner}) > 10, "by different ways"


def test_g_is_paid_for_pictures_of_near_latents_that_differ() -> None:
    gan = training_of(zcr_g=0.5, zcr_noise=0.3).gan
    fake = gan.generate(0, 0, 0)
    near = gan.generate(0, 0, 0, moved=0.3)
    got = extras.for_g(gan, fake, 0, 0, 0)
    torch.testing.assert_close(got, -0.5 * F.mse_loss(near, fake))
    got.backward()
    assert all(p.grad is not None for p in gan.G.parameters())


def test_ac_gan_reads_the_class_and_is_not_told_it() -> None:
    training = training_of("class", classifier_d=2.0, classifier_g=0.5)
    gan, (real, fake) = training.gan, both(training)
    assert isinstance(gan.D, AuxiliaryD) and gan.D.own.c_dim == 0 and gan.D.classes == 10
    gan.D.eval()
    x, labels = real, training.draws.labels(4, "any")
    assert torch.equal(gan.D(x, labels), gan.D(x, torch.roll(labels, 1, 1)))
    truth, asked = gan.labels_of(0, 0, 0, REAL), gan.labels_of(0, 0, 0, FAKE)
    of_real = F.cross_entropy(gan.D.read(real)[0], truth)
    of_fake = F.cross_entropy(gan.D.read(fake)[0], asked)
    torch.testing.assert_close(extras.for_d(gan, real, fake, 0, 0, 0), 2 * (of_real + of_fake))
    torch.testing.assert_close(extras.for_g(gan, fake, 0, 0, 0), 0.5 * of_fake)


def test_ac_gan_learns_to_read() -> None:
    training = training_of("class", classifier_d=1.0, batch=32, lr_d=0.005, channel_max=32, channel_base=1024)

    def right() -> float:
        images, labels = training.draws.real(0, 256)
        with torch.no_grad():
            return float((training.gan.D.read(images)[0].argmax(1) == labels.argmax(1)).float().mean())

    before = right()
    for _ in range(40):
        training.step()
    assert before < 0.3 and right() > 0.6


@pytest.mark.parametrize("labels", ["", "class"])
def test_infogan_reads_the_first_numbers_of_z(labels: str) -> None:
    training = training_of(labels, info=2, info_weight=3.0)
    gan, (real, fake) = training.gan, both(training)
    gan.D.eval()
    wanted = gan.latents(0, 0, 0)[:, :2]
    error = (gan.D.read(fake)[1] - wanted).square().sum(1).mean() / 2
    torch.testing.assert_close(extras.for_g(gan, fake, 0, 0, 0), 3 * error)
    torch.testing.assert_close(extras.for_d(gan, real, fake, 0, 0, 0), 3 * error)
    training.step()
    assert "info" in gan.measured


def test_infogan_reads_kinds_which_the_largest_of_some_numbers_tells() -> None:
    training = training_of("", info=2, kinds=5)
    gan, (_, fake) = training.gan, both(training)
    gan.D.eval()
    z = gan.latents(0, 0, 0)
    read = gan.D.read(fake)
    assert read.kinds.shape == (len(z), 5) and read.info.shape == (len(z), 2)
    wanted = F.cross_entropy(read.kinds, z[:, 2:7].argmax(1)) + (read.info - z[:, :2]).square().sum(1).mean() / 2
    torch.testing.assert_close(extras.for_g(gan, fake, 0, 0, 0), wanted)
    drawn = torch.cat([gan.latents(step, 0, 0)[:, 2:7].argmax(1) for step in range(200)])
    assert (drawn.bincount(minlength=5) / len(drawn) - 0.2).abs().max() < 0.07  # each as likely
    first = None
    for _ in range(60):
        training.step()
        first = first or float(gan.measured["kinds"])
    assert float(gan.measured["kinds"]) < 0.8 * first  # it learns to read them


def test_drift_keeps_logits_of_data_near_zero() -> None:
    training = training_of(drift=2.0)
    gan, (real, fake) = training.gan, both(training)
    gan.D.eval()
    expected = 2 * gan.judge(real, 0, 0, 0, extras.REAL).square().mean()
    torch.testing.assert_close(extras.for_d(gan, real, fake, 0, 0, 0), expected)


def test_logan_moves_latents_to_what_d_likes() -> None:
    plain, moved = training_of(family="r3gan").gan, training_of(family="r3gan", latent_optimization=0.9).gan
    with torch.no_grad():
        before, after = (gan.judge(gan.generate(0, 0, 0), 0, 0, 0, FAKE) for gan in (plain, moved))
    assert bool((after > before).all()), "the networks are the same, and every picture pleases more"
    z = moved.latents(0, 0, 0)
    start = z.clone().requires_grad_(True)
    (g,) = torch.autograd.grad(moved.D(moved.drawn_from(start, 0, 0, 0)).sum(), start)
    expected = z + 0.9 * g / (5 + g.square().sum(1, keepdim=True))
    torch.testing.assert_close(extras.optimised_latents(moved, z, 0, 0, 0), expected)
    assert not moved.reuses_fakes, "D changes between its step and G's"


def test_a_head_goes_with_a_second_discriminator() -> None:
    data = ImageData(resolution=32, labels="hat")
    settings = ImageGanConfig(family="stylegan2", second="faces", classifier_d=1.0, **TINY)
    training = ImageTraining(ImageRun(data, settings))
    training.step()
    assert extras.auxiliary(training.gan) is training.gan.D.own


def test_batches_of_one_class() -> None:
    training = training_of("class", single_label=True)
    classes = [training.gan.labels_of(step, 0, 0, REAL) for step in range(30)]
    assert all(len(labels.argmax(1).unique()) == 1 for labels in classes)
    assert len({int(labels[0].argmax()) for labels in classes}) > 5
    assert torch.equal(training.gan.labels_of(3, 0, 0, FAKE), classes[3]), "fakes are of it too"
    images, _ = training.draws.real(0, 4, alike=True)
    assert torch.equal(images, training_of("class", single_label=True).draws.real(0, 4, alike=True)[0])
    training.step()


@pytest.mark.parametrize(
    ("data", "settings", "said"),
    [
        (DIGITS, {"single_label": True}, "needs labels"),
        (ImageData(labels="hat"), {"single_label": True}, "data.limit"),
        (DIGITS, {"info": 20, "z_dim": 8}, "z has 8"),
        (DIGITS, {"info": 4, "kinds": 5, "z_dim": 8}, "and kinds take 9 numbers of z, but z has 8"),
        (DIGITS, {"kinds": 1}, "must be 2 or more"),
        (DIGITS, {"info": 2, "labelled": 0.1}, "does not go with"),
        (DIGITS, {"family": "projected", "labelled": 0.1}, "one last layer"),
        (DIGITS, {"family": "projected"}, "sees colours only"),
    ],
)
def test_settings_that_make_no_sense(data: ImageData, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        ImageRun(replace(data, grey=data.name == "digits"), ImageGanConfig(**{"family": "dcgan", **settings}))


def test_projections_are_random_mix_scales_and_stay() -> None:
    D = Discriminator(3, 32, 3, channel_max=8)
    names = {name for name, _ in D.named_parameters()}
    assert not any("project" in name for name in names) and "project.0.channels0" in D.state_dict()
    assert not any("body" in name for name in D.state_dict()), "the frozen network is not saved"
    again = Discriminator(3, 32, 3, channel_max=8).project.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in D.project.state_dict().items())
    maps = [torch.randn(2, c, s, s, generator=torch.Generator().manual_seed(c)) for c, s in D.frozen[0].map_shapes]
    base = D.project[0](maps)
    assert [x.shape for x in base] == [(2, 8, s, s) for _, s in D.frozen[0].map_shapes]
    deep = [*maps[:-1], maps[-1] + 1]
    changed = [not torch.allclose(a, b) for a, b in zip(base, D.project[0](deep))]
    assert changed == [True] * len(maps), "what is deep is mixed into all larger maps"
    shallow = D.project[0]([maps[0] + 1, *maps[1:]])
    assert [torch.equal(a, b) for a, b in zip(base, shallow)] == [False] + [True] * (len(maps) - 1)
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    x.requires_grad_()
    logits = D(x, torch.eye(3)[:1])
    assert logits.shape == (1, len(maps))
    for logit in logits[0]:
        (slope,) = torch.autograd.grad(logit, x, retain_graph=True)
        assert (slope[0].abs().amax(0) > 0).float().mean() > 0.9, "each sees the whole picture"


def test_semi_supervised_learning_knows_some_labels() -> None:
    run = ImageRun(replace(DIGITS, labels="class", limit=100), ImageGanConfig(family="dcgan", labelled=0.1, **TINY))
    training = ImageTraining(run)
    gan, (real, fake) = training.gan, both(training)
    known = training.draws.known(0, 100, 0.1)
    classes = training.draws.real(0, 100)[1].argmax(1)
    counts, members = (torch.bincount(each, minlength=10) for each in (classes[known], classes))
    assert torch.equal(counts, (members * 0.1).ceil().long()), "of every class the same share, and one at least"
    order = training.draws.order(0, 100, 100)
    again = training.draws.order(100, 100, 100)
    assert set(order[known].tolist()) == set(again[training.draws.known(100, 100, 0.1)].tolist()), "always the same"
    assert gan.G.c_dim == 0, "G is asked for no class"
    gan.D.eval()
    gan.known = lambda *_: torch.tensor([True, False, True, False])  # type: ignore[method-assign]
    labels = gan.labels_of(0, 0, 0, REAL)
    wanted = F.cross_entropy(gan.D.read(real)[0][::2], labels[::2])
    torch.testing.assert_close(extras.for_d(gan, real, fake, 0, 0, 0), wanted)
    gan.known = lambda *_: torch.zeros(4, dtype=torch.bool)  # type: ignore[method-assign]
    assert float(extras.for_d(gan, real, fake, 0, 0, 0)) == 0


def test_known_ones_of_endless_faces_and_of_mirrored_images() -> None:
    faces = ImageTraining(ImageRun(ImageData(resolution=32, labels="hat"), ImageGanConfig(family="dcgan", **TINY)))
    known = faces.draws.known(0, 4000, 0.05)
    assert 140 < int(known.sum()) < 260
    assert torch.equal(faces.draws.known(1020, 10, 0.05), known[1020:1030]), "whatever is asked beside"
    data = replace(DIGITS, labels="class", limit=50, mirror=True)
    mirrored = ImageTraining(ImageRun(data, ImageGanConfig(family="dcgan", **TINY))).draws
    chosen = torch.zeros(100, dtype=torch.bool)
    chosen[mirrored.order(0, 100, 100)] = mirrored.known(0, 100, 0.2)
    assert torch.equal(chosen[::2], chosen[1::2]) and 0 < int(chosen.sum()) < 60


def test_a_classifier_learns_from_few_labels_and_tells_how_well() -> None:
    data = replace(DIGITS, labels="class", limit=600, valid=0.3)
    settings = {**TINY, "batch": 32, "lr_d": 0.003, "lr_g": 5e-4, "channel_max": 32, "channel_base": 1024}
    training = ImageTraining(ImageRun(data, ImageGanConfig(family="dcgan", labelled=0.2, penalties=(), **settings)))
    before = training.look().figures["class_accuracy"]
    for _ in range(60):
        training.step()
    assert before < 0.3 and training.look().figures["class_accuracy"] > 0.5
    assert training.gan.G.c_dim == 0 and "class_accuracy" not in training.look(held_out=False).figures


@pytest.mark.parametrize(("family", "watched"), [("sagan", {"sigma_g", "sigma_d"}), ("dcgan", set())])
def test_singular_values_are_watched_where_layers_are_divided_by_them(family: str, watched: set[str]) -> None:
    data = replace(DIGITS, limit=100, valid=0.3)
    training = ImageTraining(ImageRun(data, ImageGanConfig(family=family, penalties=(), **TINY)))
    training.step()
    found = training.look().figures
    assert {name for name in found if name.startswith("sigma")} == watched
    for name in watched:
        net = training.gan.G if name == "sigma_g" else training.gan.D
        layers = [layer for layer in net.modules() if isinstance(layer, Spectral)]
        for layer in layers:
            layer.power_iterate(100)
        expected = max(float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) for layer in layers)
        assert training.look().figures[name] == pytest.approx(expected, rel=0.02) and found[name] < 1.02 * expected


def test_g_may_match_the_features_of_data() -> None:
    gan = training_of(feature_matching=2.0).gan
    real, fake = gan.real(0, 0, 0), gan.generate(0, 0, 0)
    gan.D.eval()
    features = [last_features(gan.D, x).mean(0) for x in (real, fake)]
    torch.testing.assert_close(extras.for_g(gan, fake, 0, 0, 0), 2 * (features[0] - features[1]).square().sum())
