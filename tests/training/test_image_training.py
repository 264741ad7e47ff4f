"""Every system for images: it trains, and goes on after an interruption as if there had been none."""

import hashlib
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlab import weights
from ganlab.cli import main
from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, ImageSet, Split, open_images
from ganlab.features.faces import load_classifier
from ganlab.networks.table import TRAINABLE
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.images import image_preset
from ganlab.recipe import Recipe, Source
from ganlab.regularizers import orthogonality
from ganlab.run import Penalty
from ganlab.run_images import ImageGanConfig, ImageRun
from ganlab.synthesis import open_renderer
from ganlab.training import checkpoint
from ganlab.training.folder import HISTORY, opened, read_history, read_run
from ganlab.training.image_loop import Diverged, ImageSnapshot, ImageTraining, train_images
from tests.tiny_models import TINY

ROOT = Path(__file__).resolve().parents[2]
FACES = ImageData(resolution=32)


def tiny(run: ImageRun, **more: Any) -> ImageRun:
    """The same system with small networks, at 32 px."""
    return replace(run, data=replace(run.data, resolution=32), gan=replace(run.gan, **{**TINY, **more}))


def of_family(family: str, labels: str = "", **more: Any) -> ImageRun:
    labels = labels if TRAINABLE[family].conditional else ""
    loss = "began" if TRAINABLE[family].energy else "non_saturating"
    gan = ImageGanConfig(family=family, **{**TINY, "loss": loss, **more})
    return ImageRun(replace(FACES, labels=labels), gan, seed=3)


def never(step: int) -> bool:
    return False


def trained(folder: Path, run: ImageRun | None, steps: int, tick: Callable[[int], bool] = never, **more: Any) -> Any:
    options = {"resume": True, "save_every": 2, "every": 1, **more}
    make = partial(ImageTraining, every=options["every"])
    with opened(folder, run, make, resume=options["resume"]) as open_folder:
        list(open_folder.go(steps, options["save_every"], tick))
        return open_folder.training


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_preset_is_a_row() -> None:
    for key, row in IMAGE_PRESETS.items():
        assert ImageRun.from_json(json.dumps(image_preset(f"{key}-32").to_dict(full=True))).gan == row.gan
        assert len(row.title) <= 40 and row.text.endswith(".") and row.paper


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("stylegan9-64", None, "there is no stylegan9-64"),
        ("stylegan2-65", None, "resolutions are"),
        ("stylegan2-64", "nowhere", "neither a set"),
    ],
)
def test_unknown_presets(name: str, data: str | None, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        image_preset(name, data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": 6, "part": 4}, "does not divide"),
        ({"family": "dcgan", "style_mixing": 0.5}, "need a family with styles"),
        ({"loss": "rpgan", "label_smoothing": 0.1}, "needs a loss with labels"),
        ({"penalties": (Penalty("r1"), Penalty("r1"))}, "twice"),
        ({"policy": "color,spin"}, "'spin' is not one of"),
        ({"loss": "began"}, "is not one of"),
    ],
)
def test_settings_that_make_no_sense(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        ImageGanConfig(**change)
    with pytest.raises(InvalidInput, match="knows no classes"):
        ImageRun(replace(FACES, labels="hat"), ImageGanConfig(family="stylegan1"))


@pytest.mark.parametrize(
    ("family", "more"), [*((name, {}) for name in TRAINABLE), ("r3gan", {"second": "faces", "d_width": 0.5})]
)
def test_every_parameter_learns_and_the_class_matters(family: str, more: dict[str, Any]) -> None:
    training = ImageTraining(of_family(family, "hairstyle", penalties=(Penalty("r1", 1.0, 1),), **more))
    start = {name: value for name, value in training.state().items() if name[:2] in ("G.", "D.")}
    for _ in range(3):  # what begins at zero, as noise strengths and last layers, lets the others learn a step later
        training.step()
    state = training.state()
    names = [name for name, _ in training.gan.G.named_parameters(prefix="G")]
    names += [name for name, _ in training.gan.D.named_parameters(prefix="D")]
    still = [name for name in names if torch.equal(start[name], state[name])]
    assert not [name for name in still if family != "progan" or not re.search(r"\.(colours|enter)\.[0-2]\.", name)]
    if TRAINABLE[family].conditional:
        z, c = torch.randn(1, 8), torch.eye(8)
        assert not torch.equal(training.gan.images(z, c[:1]), training.gan.images(z, c[1:2]))
        x = training.grid(2)
        assert not torch.equal(training.gan.score(x, c[:2]), training.gan.score(x, c[2:4]))


@pytest.mark.parametrize("family", TRAINABLE)
def test_a_generator_is_saved_and_loaded_exactly(family: str, tmp_path: Path) -> None:
    training = ImageTraining(of_family(family, "hairstyle"))
    training.step()
    training.save(tmp_path)
    path = tmp_path / "generator-000000001.safetensors"
    G = weights.load(path)
    latents = training.draws.latents(4, 8, "grid")
    labels = torch.eye(8)[:4] if TRAINABLE[family].conditional else None
    for name, value in training.gan.ema.state_dict().items():
        assert torch.equal(G.state_dict()[name], value), name
    made = G.synthesis(G.mapping(latents, labels), noise_mode="const")  # type: ignore[operator]
    torch.testing.assert_close(made, training.grid(4), rtol=1e-3, atol=1e-4)  # sums in another order
    renderer = open_renderer(path)  # in the labs
    recipe = Recipe(sources=(Source(5),), psi=1)
    drawn = renderer.G.synthesis(renderer.latents.ws(recipe)[None], noise_mode="const")[0]
    torch.testing.assert_close(renderer.image(recipe), drawn, rtol=1e-3, atol=1e-3)
    report = weights.inspect(path)
    assert report.licence == "Apache-2.0" and report.about is not None and report.about["images"] == 4
    assert ImageRun.from_dict(report.about["run"]) == training.run


def test_a_second_discriminator_on_frozen_features() -> None:
    run = of_family("stylegan2", "hat", second="faces")
    training, alone = ImageTraining(run), ImageTraining(replace(run, gan=replace(run.gan, second="none")))
    before = load_classifier().state_dict()
    before = {name: value.clone() for name, value in before.items()}
    training.step()
    assert all(torch.equal(value, load_classifier().state_dict()[name]) for name, value in before.items())
    own, both = alone.state(), training.state()
    assert {name.replace("D.", "D.own.") for name in own if name.startswith("D.")} < both.keys()
    assert not any("body" in name for name in both)  # the frozen network is not saved
    image = training.grid(1).requires_grad_()
    logits = training.gan.D(image, torch.eye(training.draws.classes)[:1])
    assert logits.shape == (1, 4)
    for logit in logits[0]:  # each sees the whole picture
        (gradient,) = torch.autograd.grad(logit, image, retain_graph=True)
        assert (gradient[0].abs().amax(0) > 0).float().mean() > 0.9
    with pytest.raises(InvalidInput, match="sees colours only"):
        ImageRun(replace(FACES, grey=True), run.gan)


def test_noise_can_be_off() -> None:
    for noise in (True, False):
        training = ImageTraining(of_family("stylegan2", noise=noise, path_length=1.0))
        training.step()
        args = training.draws.latents(2, 8, "grid"), None
        strengths = [p for name, p in training.gan.G.named_parameters() if name.endswith("noise_strength")]
        assert strengths and all(bool(p != 0) == noise for p in strengths)
        for p in strengths:
            p.data.fill_(1.0)
        pictures = training.gan.images(*args, average=False)
        for p in strengths:
            p.data.fill_(2.0)
        assert torch.equal(pictures, training.gan.images(*args, average=False)) != noise


def test_d_can_be_narrower() -> None:
    def weights_of(net: Any) -> int:
        return sum(p.numel() for p in net.parameters())

    wide, narrow = (ImageTraining(of_family("dcgan", d_width=width)).gan for width in (1.0, 0.5))
    assert weights_of(wide.G) == weights_of(narrow.G) and weights_of(narrow.D) < weights_of(wide.D) / 2


MIXED = of_family("stylegan2", "hat", path_length=2.0, style_mixing=0.9, augment="ada", ada_p=0.4, ada_kimg=0.1)


@pytest.mark.parametrize("family", ["dcgan", "r3gan", "stylegan1", "stylegan2 with all that there is"])
def test_whole_equals_halves(family: str, tmp_path: Path) -> None:
    run = MIXED if family.endswith("all that there is") else of_family(family, "hat")
    run = run.changed(3, "lr_d", 1e-4)
    trained(tmp_path / "whole", run, 6, resume=False)
    for steps in (2, 4, 6):
        trained(tmp_path / "halves", run, steps)
    assert contents(tmp_path / "whole") == contents(tmp_path / "halves")
    assert len(contents(tmp_path / "whole")) == 3 * checkpoint.KEPT + 3 + 2  # pictures of every save, run and history


def test_same_run_same_history_and_the_seed_matters() -> None:
    histories = [list(train_images(replace(MIXED, seed=seed), 3, every=1)) for seed in (1, 1, 2)]
    assert histories[0] == histories[1] != histories[2]


def test_parts_of_a_batch_make_the_same_step() -> None:
    """Where nothing looks across a batch, one part and two parts differ in the last digits alone; gradients too."""
    states = []
    for part in (0, 2):
        training = ImageTraining(of_family("r3gan", batch=4, part=part))
        _same_latents(training)
        training.step()
        states.append(training.state())
    for name, value in states[0].items():  # moments are gradients times a number: the mean, not the sum
        torch.testing.assert_close(value, states[1][name], rtol=1e-3, atol=2e-5, equal_nan=True)


def _same_latents(training: ImageTraining) -> None:
    """Latents by their place in the batch, however it is divided."""
    size, draws = training.gan.size, training.draws
    whole = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))

    def latents(count: int, z_dim: int, *key: Any) -> Tensor:
        first = int(key[-1]) * size
        return whole[first : first + count]

    draws.latents = latents  # type: ignore[method-assign]


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_a_folder_goes_on_from_any_kill(kills: int, tmp_path: Path) -> None:
    """SIGKILL at random moments, in the middle of saves too; then the same bytes as without."""
    run, rng = tmp_path / "run.json", random.Random(0)
    run.write_text(json.dumps(MIXED.to_dict(full=True)))
    options = ["--run", str(run), "--steps", "500", "--every", "1", "--save-every", "1", "--device", "cpu", "--resume"]
    command = [sys.executable, "-m", "ganlab", "train", *options, "--out", str(tmp_path / "killed")]
    for _ in range(kills):
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert process.stdout
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.communicate()
    reached = len((tmp_path / "killed" / HISTORY).read_bytes().splitlines())
    for name in ("killed", "whole"):
        trained(tmp_path / name, MIXED, reached + 3, save_every=1)
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    more = {name for name in killed if name not in whole}
    assert all(name.endswith(".damaged") for name in more), more  # a file whose checksum was not written yet
    assert all(killed[name] == whole[name] for name in whole)


def test_two_processes_are_one_with_two_parts(tmp_path: Path) -> None:
    """Two processes with gloo on the CPU make the weights, moments and figures of one process with two parts."""
    options = ["--preset", "stylegan2-32", "--labels", "hat", "--seed", "3", "--device", "cpu"]
    settings = {**TINY, "path_length": 2.0, "style_mixing": 0.9, "augment": "ada", "ada_p": 0.4, "ada_kimg": 0.1}
    for name, value in {**settings, "part": 2}.items():
        options += ["--set", f"{name}={value}"]
    options += ["--steps", "6", "--every", "3", "--save-every", "3", "--out"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "ganlab"]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, "train", *options, str(tmp_path / "two")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=env,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 processes share each batch" in done.stdout
    assert main(["train", *options, str(tmp_path / "one")]) == 0
    one, two = (checkpoint.newest(tmp_path / name, lambda meta: True) for name in ("one", "two"))
    assert one and two and one[1].keys() == two[1].keys() and any(name.startswith("v.D.") for name in one[1])
    for name, value in one[1].items():
        torch.testing.assert_close(two[1][name], value, rtol=1e-4, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")
    told = [read_history(tmp_path / name / HISTORY, ImageSnapshot)[-1] for name in ("one", "two")]
    for name in ("d_loss", "g_loss", "d_grad", "g_grad", "real", "fake", "r_t", "p", "path_length"):
        assert getattr(told[0], name) == pytest.approx(getattr(told[1], name), rel=1e-3), name
    assert told[0].p != 0.4, "and p has moved"


@pytest.fixture(scope="module")
def two_saves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saves")
    trained(folder, of_family("dcgan"), 4, resume=False)
    return folder


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_checkpoint_is_set_aside(two_saves: Path, damage: str, tmp_path: Path) -> None:
    rng = random.Random(1)
    for _ in range(25):
        folder = tmp_path / "x"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(two_saves, folder)
        newest = checkpoint.checkpoints(folder)[-1]
        data = bytearray(newest.read_bytes())
        if damage == "truncated":
            data = data[: rng.randrange(len(data))]
        else:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        newest.write_bytes(data)
        training = ImageTraining(of_family("dcgan"), every=1)
        training.resume(folder)
        assert training.at == 2 and newest.with_name(newest.name + ".damaged").exists()


def test_what_is_not_a_number_is_never_saved(two_saves: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(two_saves, folder)
    before = contents(folder)
    make = partial(ImageTraining, every=1)
    with opened(folder, None, make, resume=True) as open_folder:
        weight = next(open_folder.training.gan.G.parameters())  # type: ignore[attr-defined]
        weight.data.fill_(math.nan)
        with pytest.raises(Diverged, match="not a number at step 5"):
            list(open_folder.go(10, 1, never))
    assert contents(folder) == before
    assert trained(folder, None, 6).at == 6, "and the last good one goes on"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: replace(run, seed=9), "holds another run"),
        (lambda run: replace(run, gan=replace(run.gan, channel_max=16)), "holds another run"),
    ],
)
def test_another_run_is_refused(two_saves: Path, change: Callable[[ImageRun], ImageRun], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        trained(two_saves, change(of_family("dcgan")), 6)


def test_other_data_is_refused(tmp_path: Path) -> None:
    run = of_family("dcgan")
    images = open_images(replace(run.data, limit=12))
    for count in (12, 10):
        assert images.train.images is not None and images.train.targets is not None
        split = Split(images.train.images[:count], images.train.targets[:count])
        training = ImageTraining(run, images=ImageSet(run.data, "faces", "CC0", (), split))
        if count == 12:
            training.save(tmp_path)
            continue
        with pytest.raises(InvalidInput, match="holds 10 images now, and 12 when the training began"):
            training.resume(tmp_path)


def test_a_changed_setting_stands_in_the_folder(tmp_path: Path) -> None:
    run = of_family("dcgan")
    with opened(tmp_path, run, partial(ImageTraining, every=1), resume=False) as folder:
        list(folder.go(2, 2, never))
        folder.change("lr_g", 1e-5)
        with pytest.raises(InvalidInput, match="cannot change while"):
            folder.change("z_dim", 4)
        list(folder.go(4, 2, never))
    held = read_run(tmp_path / "run.json")
    assert isinstance(held, ImageRun) and [(e.step, e.path, e.value) for e in held.events] == [(2, "lr_g", 1e-5)]
    again = list(train_images(held, 4, every=1))
    assert again == read_history(tmp_path / HISTORY, ImageSnapshot), "a run with its events is the whole history"


def test_p_follows_overfitting() -> None:
    """D that is sure of a handful of images raises p; r_t below the target lets it fall (Karras et al. 2020)."""
    images = open_images(replace(FACES, limit=8))
    run = of_family("dcgan", augment="ada", ada_kimg=0.2, lr_g=1e-7, lr_d=2e-3, penalties=())
    training = ImageTraining(run, every=4, images=images)
    seen = [snapshot for _ in range(40) if (snapshot := training.step())]
    assert seen[-1].r_t is not None and seen[-1].r_t > 0.6 and (seen[-1].p or 0) > 0.2
    training.change("ada_target", 1.0)
    p = training.gan.ada.p
    for _ in range(8):
        training.step()
    assert training.gan.ada.p < p


def test_held_out_images_tell_of_overfitting() -> None:
    run = replace(of_family("dcgan", lr_d=2e-3), data=replace(FACES, limit=24, valid=0.5))
    training = ImageTraining(run, every=30)
    snapshot = next(s for _ in range(30) if (s := training.step()))
    assert snapshot.r_v is not None and math.isfinite(snapshot.r_v)
    assert ImageTraining(of_family("dcgan")).look().r_v is None, "nothing is held out"


def test_what_d_sees_is_augmented_and_the_rest_is_not() -> None:
    turned = ImageTraining(tiny(image_preset("leak-turns")))
    plain, seen = turned.draws.real(0, 16)[0], turned.augmented(16)
    upright = [torch.equal(a, b) for a, b in zip(plain, seen)]
    assert 0 < sum(upright) < 12, "a quarter of the turns is none"
    quarters = [[float((torch.rot90(a, k, (1, 2)) - b).abs().mean()) for k in range(4)] for a, b in zip(plain, seen)]
    assert all(min(far) < 0.12 < sorted(far)[1] for far in quarters), "nothing but quarters of a turn"


def test_the_order_of_images_is_an_epoch_after_the_other() -> None:
    training = ImageTraining(replace(of_family("dcgan"), data=replace(FACES, limit=10)))
    numbers = torch.cat([training.draws.order(first, 4, 10) for first in range(0, 40, 4)])
    for epoch in numbers.split(10):
        assert sorted(epoch.tolist()) == list(range(10))
    assert not torch.equal(numbers[:10], numbers[10:20])


def test_precision_is_of_convolutions_alone() -> None:
    """bf16 changes a step's losses by little, and what is kept stays in float32."""
    first = [
        next(iter(train_images(replace(MIXED, gan=replace(MIXED.gan, precision=p)), 1, every=1)))
        for p in ("fp32", "bf16")
    ]
    assert first[0].d_loss == pytest.approx(first[1].d_loss, rel=0.05)
    training = ImageTraining(replace(MIXED, gan=replace(MIXED.gan, precision="bf16")))
    training.step()
    assert all(value.dtype in (torch.float32, torch.float64, torch.int64) for value in training.state().values())


def test_quality_knows_faces_from_noise() -> None:
    run = replace(of_family("dcgan"), data=replace(FACES, limit=400))
    training = ImageTraining(run, measure=1, every=1)
    bad = training.quality(120)
    real = training.images.train.get(range(200, 320))[0].float() / 127.5 - 1
    assert training._meter is not None
    good = training._meter.measure(real)
    assert good.name == "faces" and good.fd.value < bad.fd.value / 4 and good.recall.value > bad.recall.value
    few = ImageTraining(replace(run, data=replace(FACES, limit=8)))
    with pytest.raises(InvalidInput, match="needs 16 images or more; the data has 8"):
        few.quality(20)
    nearest, distance = training._meter.nearest(real[:3])
    assert torch.equal(nearest, training.images.train.get(range(200, 203))[0]) and float(distance.max()) < 1e-3


def test_a_generator_starts_from_another(tmp_path: Path) -> None:
    """From the same network all is taken; from one for smaller images the blocks, and the picture stays the same."""
    small = ImageTraining(of_family("stylegan2"))
    for _ in range(2):
        small.step()
    path = tmp_path / "small.safetensors"
    small.save_generator(path)
    run = replace(small.run, start=hashlib.sha256(path.read_bytes()).hexdigest())
    again = ImageTraining(run, start=path)
    torch.testing.assert_close(again.grid(4), small.grid(4), rtol=1e-3, atol=1e-4)
    grown = ImageTraining(replace(run, data=replace(run.data, resolution=64)), start=path)
    halved = torch.nn.functional.avg_pool2d(grown.grid(4), 2)
    assert float((halved - small.grid(4))[:, :, 4:-4, 4:-4].abs().mean()) < 0.1 * float(small.grid(4).std())
    with pytest.raises(InvalidInput, match="is not the file that this run starts from"):
        ImageTraining(small.run, start=path)
    for change, said in ({"family": "dcgan"}, "other networks"), ({"channel_max": 16}, "other sizes"):
        with pytest.raises(InvalidInput, match=said):
            ImageTraining(replace(run, gan=replace(run.gan, **change)), start=path)
    with pytest.raises(InvalidInput, match="begins with another generator's weights"):
        next(iter(train_images(run, 1)))


def test_what_changes_while_only_one_learns(tmp_path: Path) -> None:
    """D alone: its figures go on, and a resumption loses none of them."""
    run = of_family("dcgan", update="d", penalties=(Penalty("r1", 1.0, 4),)).changed(5, "update", "both")
    trained(tmp_path / "whole", run, 8, resume=False)
    for steps in (2, 4, 8):
        trained(tmp_path / "halves", run, steps)
    assert contents(tmp_path / "whole") == contents(tmp_path / "halves")
    rows = read_history(tmp_path / "whole" / HISTORY, ImageSnapshot)
    assert all(row.real is not None and row.penalties for row in rows) and len({row.real for row in rows}) == 8
    assert [row.g_loss is None for row in rows] == [True] * 5 + [False] * 3


def test_images_are_counted_as_d_sees_them() -> None:
    run = of_family("dcgan").changed(2, "d_steps", 3)
    snapshots = list(train_images(run, 4, every=1))
    assert [snapshot.images for snapshot in snapshots] == [4, 8, 20, 32]


def test_networks_that_fit_no_machine_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"would need about .* GB; lower batch"):
        ImageRun(ImageData(resolution=512), ImageGanConfig(channel_base=65536, channel_max=1024, batch=4096))


@pytest.mark.parametrize("width", [12, 20, 100])
def test_r3gan_of_any_width(width: int) -> None:
    assert next(iter(train_images(of_family("r3gan", channel_max=width), 1, every=1))).d_loss


def test_averages_follow() -> None:
    """G's average forgets half in ema_kimg thousand images, at first in a twentieth of those seen."""
    training = ImageTraining(of_family("stylegan2", ema_kimg=1000.0))
    weight, mean = training.gan.G.synthesis.b4.conv1.weight, training.gan.ema.synthesis.b4.conv1.weight
    for _ in range(3):
        before, w_avg = mean.clone(), training.gan.G.mapping.w_avg.clone()
        training.step()
        decay = 0.5 ** (4 / (training.at * 4 * 0.05))
        torch.testing.assert_close(mean, torch.lerp(weight, before, decay))
        latents = training.draws.latents(4, 8, training.at - 1, 0, 0)
        assert not torch.equal(w_avg, training.gan.G.mapping.w_avg)
        assert torch.equal(training.gan.ema.mapping.w_avg, training.gan.G.mapping.w_avg) and len(latents) == 4


def test_orthogonal_regularization_of_g() -> None:
    """What it pays for is off the diagonal of W W^T; the rest of the loss is the same."""
    free, bound = (ImageTraining(of_family("dcgan", g_orthogonal=weight)) for weight in (0.0, 50.0))
    for training in (free, bound):
        for _ in range(30):
            training.step()
    assert float(orthogonality(bound.gan.G)) < 0.5 * float(orthogonality(free.gan.G))
