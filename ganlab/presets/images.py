"""The systems that learn images, as settings that run: `IMAGE_PRESETS`, one row each."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganlab.augment.ada import AdaConfig
from ganlab.config import InvalidInput
from ganlab.data.images import IMAGE_SETS, ImageData
from ganlab.run import Penalty
from ganlab.run_images import ImageGanConfig, ImageRun

RESOLUTIONS = (16, 32, 64, 128, 256, 512, 1024)
HUB = "hub:"  # before the id of a data set of the Hugging Face hub
ONLY_TURNS = AdaConfig(**{name: 0.0 for name in AdaConfig.__dataclass_fields__ if name != "rotate90"})


@dataclass(frozen=True)
class ImagePreset:
    """One row: a system, what it brings in one sentence, where it was proposed, and settings."""

    title: str
    text: str
    paper: str
    gan: ImageGanConfig
    data: ImageData | None = None  # of an experiment that needs its own; None: faces
    labels: str = ""  # of faces, for a system that is about classes


def _row(
    title: str, text: str, paper: str, data: ImageData | None = None, labels: str = "", **settings: Any
) -> ImagePreset:
    return ImagePreset(title, text, paper, ImageGanConfig(name=title, **settings), data, labels)


STYLES: dict[str, Any] = {"style_mixing": 0.9, "path_length": 2.0, "ema_kimg": 20.0}
QUICK_STYLES: dict[str, Any] = {**STYLES, "channel_max": 64, "channel_base": 2048, "batch": 16, "ema_kimg": 5.0}

PLAIN_ADAM: dict[str, Any] = {"lr_g": 2e-4, "lr_d": 2e-4, "beta1": 0.5, "beta2": 0.999, "batch": 64, "ema_kimg": 5.0}
SPECTRAL: dict[str, Any] = {"loss": "hinge", "lr_g": 1e-4, "lr_d": 4e-4, "beta2": 0.9, "batch": 64}

IMAGE_PRESETS: dict[str, ImagePreset] = {
    "mlp": _row(
        "MLP",
        "The first GAN: layers that see a picture as one long vector, and know nothing of neighbours.",
        "Goodfellow et al. 2014",
        family="mlp",
        penalties=(),
        **PLAIN_ADAM,
    ),
    "dcgan": _row(
        "DCGAN",
        "Transposed convolutions and batch normalisation: the quickest way from noise to pictures.",
        "Radford et al. 2016",
        family="dcgan",
        penalties=(),
        channel_max=256,
        **PLAIN_ADAM,
    ),
    "cgan": _row(
        "Conditional DCGAN",
        "The class is laid beside z for G, and beside the picture for D, as constant channels.",
        "Mirza and Osindero 2014",
        labels="hairstyle",
        family="dcgan",
        penalties=(),
        channel_max=256,
        **PLAIN_ADAM,
    ),
    "cgan-hidden": _row(
        "Conditional DCGAN, deep label",
        "The class meets what D has understood of the picture, at 4 x 4, instead of the picture.",
        "Reed et al. 2016",
        labels="hairstyle",
        family="dcgan-hidden",
        penalties=(),
        channel_max=256,
        **PLAIN_ADAM,
    ),
    "acgan": _row(
        "AC-GAN",
        "D is not told the class but must read it, off data and fakes; G is paid where it can.",
        "Odena et al. 2017",
        labels="hairstyle",
        family="dcgan",
        penalties=(),
        channel_max=256,
        classifier_d=1.0,
        classifier_g=1.0,
        **PLAIN_ADAM,
    ),
    "infogan": _row(
        "InfoGAN",
        "A head of D must read four numbers of z off each picture, so that each comes to mean something.",
        "Chen et al. 2016",
        family="dcgan",
        penalties=(),
        channel_max=256,
        info=4,
        **PLAIN_ADAM,
    ),
    "crgan": _row(
        "CR-GAN",
        "SAGAN whose D must say the same of a picture that is moved a little or mirrored.",
        "Zhang et al. 2020, Consistency Regularization",
        family="sagan",
        penalties=(),
        cr_real=10.0,
        **SPECTRAL,
    ),
    "icrgan": _row(
        "ICR-GAN",
        "Consistency of fakes and of moved latents as well, and pictures of near latents are kept apart.",
        "Zhao et al. 2021, Improved Consistency Regularization",
        family="sagan",
        penalties=(),
        cr_real=10.0,
        cr_fake=10.0,
        zcr_d=5.0,
        zcr_g=0.5,
        **SPECTRAL,
    ),
    "progan": _row(
        "ProGAN",
        "G and D begin at 4 x 4 and grow: each larger resolution is faded in once the smaller one has settled.",
        "Karras et al. 2018",
        family="progan",
        loss="wgan",
        penalties=(Penalty("wgan_gp", 10.0),),
        lr_g=1e-3,
        lr_d=1e-3,
        batch=16,
        grow_kimg=20.0,
    ),
    "sagan": _row(
        "SAGAN",
        "Self-attention, so that far parts of a picture agree, and spectral normalisation of both networks.",
        "Zhang et al. 2019",
        family="sagan",
        penalties=(),
        **SPECTRAL,
    ),
    "biggan": _row(
        "BigGAN",
        "SAGAN with a part of z and a shared class embedding for every block, orthogonal weights, and two steps of D.",
        "Brock et al. 2019",
        family="biggan",
        loss="hinge",
        penalties=(),
        z_dim=120,
        g_orthogonal=1e-4,
        lr_g=1e-4,
        lr_d=4e-4,
        beta2=0.999,
        batch=64,
        d_steps=2,
    ),
    "biggan-deep": _row(
        "BigGAN-deep",
        "Twice as many blocks with bottlenecks, all of z for each, shortcuts that drop channels: fewer weights.",
        "Brock et al. 2019, appendix B",
        family="biggan-deep",
        loss="hinge",
        penalties=(),
        g_orthogonal=1e-4,
        lr_g=1e-4,
        lr_d=4e-4,
        beta2=0.999,
        batch=64,
        d_steps=2,
    ),
    "vitgan": _row(
        "ViTGAN",
        "Transformers on patches, and a smooth D: attention by distance, kept spectral norms, overlapping patches.",
        "Lee et al. 2022",
        family="vitgan",
        penalties=(Penalty("r1", 1.0, 16),),
        channel_max=256,
        lr_g=2e-4,
        lr_d=2e-4,
        beta2=0.99,
        augment="diffaugment",
        cr_real=10.0,
        cr_fake=10.0,
    ),
    "transgan": _row(
        "TransGAN",
        "Two plain transformers, G's doubling its tokens by pixel shuffling, with a gradient penalty and augmentation.",
        "Jiang et al. 2021",
        family="transgan",
        loss="wgan",
        penalties=(Penalty("wgan_gp", 10.0),),
        z_dim=256,
        lr_g=1e-4,
        lr_d=1e-4,
        beta2=0.99,
        d_steps=4,
        augment="diffaugment",
    ),
    "projected": _row(
        "Projected GAN",
        "D is three small networks on a frozen network's features, mixed at random: it starts out knowing what to see.",
        "Sauer et al. 2021",
        family="projected",
        loss="hinge",
        penalties=(),
        lr_g=2e-4,
        lr_d=2e-4,
        beta2=0.99,
        batch=16,
        augment="diffaugment",
    ),
    "r3gan": _row(
        "R3GAN",
        "Plain residual networks with the relativistic loss and both zero-centred penalties: no tricks, and stable.",
        "Huang et al. 2024",
        family="r3gan",
        loss="rpgan",
        penalties=(Penalty("r1", 1.0), Penalty("r2", 1.0)),
        lr_g=2e-4,
        lr_d=2e-4,
        z_dim=64,
    ),
    "stylegan1": _row(
        "StyleGAN",
        "A mapping network and adaptive instance normalisation: styles that decide pose, features and colours.",
        "Karras et al. 2019",
        family="stylegan1",
        style_mixing=0.9,
        batch=16,
    ),
    "stylegan2": _row(
        "StyleGAN2",
        "Weight demodulation instead of normalisation, lazy R1 and path length regularization, a moving average of G.",
        "Karras et al. 2020",
        **STYLES,
    ),
    "stylegan3-t": _row(
        "StyleGAN3-T",
        "Signals held to their band in every layer, so that details move with the face and do not stick to the pixels.",
        "Karras et al. 2021",
        family="stylegan3-t",
        mapping_layers=2,
        channel_max=64,
        batch=16,
        ema_kimg=10.0,
    ),
    "stylegan3-r": _row(
        "StyleGAN3-R",
        "StyleGAN3 with 1 x 1 convolutions and round filters: it turns with its input, too.",
        "Karras et al. 2021",
        family="stylegan3-r",
        mapping_layers=2,
        channel_max=32,
        batch=16,
        ema_kimg=10.0,
    ),
    "stylegan2-quick": _row(
        "StyleGAN2, half as wide",
        "StyleGAN2 with half the channels and half the batch: three times as quick, for a laptop.",
        "Karras et al. 2020",
        **QUICK_STYLES,
    ),
    "stylegan2-vision": _row(
        "StyleGAN2 + a second D",
        "A second discriminator looks through a frozen network that knows faces: far fewer images until G is good.",
        "Kumari et al. 2022",
        second="faces",
        d_width=0.5,
        **{**STYLES, "path_length": 0.0, "batch": 16},
    ),
    "stylegan2-ada": _row(
        "StyleGAN2 + ADA",
        "Eighteen augmentations whose strength follows D's overfitting: for a few thousand images or less.",
        "Karras et al. 2020, Training GANs with Limited Data",
        augment="ada",
        **STYLES,
    ),
    "stylegan2-diffaugment": _row(
        "StyleGAN2 + DiffAugment",
        "Colour, translation and cutout, always on, of real and generated images alike: for a hundred images.",
        "Zhao et al. 2020",
        augment="diffaugment",
        **STYLES,
    ),
    "leak-turns": _row(
        "A leak: turned at p = 1",
        "Every image that D sees is turned by a random quarter, so G cannot know which way is up, and turns too.",
        "Karras et al. 2020, Training GANs with Limited Data, fig. 3",
        ImageData(resolution=32),
        augment="ada",
        ada=ONLY_TURNS,
        ada_p=1.0,
        ada_target=0.0,
        **QUICK_STYLES,
    ),
    "no-leak-turns": _row(
        "No leak: turned at p = 0.7",
        "A part of what D sees is not turned, which is enough for G to stand upright.",
        "Karras et al. 2020, Training GANs with Limited Data, fig. 3",
        ImageData(resolution=32),
        augment="ada",
        ada=ONLY_TURNS,
        ada_p=0.7,
        ada_target=0.0,
        **QUICK_STYLES,
    ),
    "few-shot": _row(
        "A hundred faces, bare",
        "D learns a hundred images by heart, r_t goes to one, and pictures get worse again.",
        "Karras et al. 2020, Training GANs with Limited Data",
        ImageData(resolution=32, limit=120, valid=1 / 6),
        **QUICK_STYLES,
    ),
    "few-shot-ada": _row(
        "A hundred faces, with ADA",
        "The same hundred images, augmented as much as D's overfitting asks for.",
        "Karras et al. 2020, Training GANs with Limited Data",
        ImageData(resolution=32, limit=120, valid=1 / 6),
        augment="ada",
        ada_kimg=50.0,
        **QUICK_STYLES,
    ),
}


def image_run_names() -> list[str]:
    """The names that `image_preset` knows, with a usual resolution."""
    return [f"{key}-{row.data.resolution if row.data else 64}" for key, row in IMAGE_PRESETS.items()]


def is_image_preset(name: str) -> bool:
    """Whether a name is one of an image preset, with or without a resolution."""
    return _divided(name)[0] in IMAGE_PRESETS


def image_preset(name: str, data: str | None = None, labels: str = "") -> ImageRun:
    """The run that `<preset>-<resolution>` names, as stylegan2-64, on the images that `data` names.

    `data`: a set (faces, digits, ...), a folder, .zip or .npz, or hub:user/set. What is not known raises
    `InvalidInput`.
    """
    key, resolution = _divided(name)
    if key not in IMAGE_PRESETS:
        raise InvalidInput("preset", f"there is no {name[:40]}; known for images are {', '.join(image_run_names())}")
    if resolution not in (0, *RESOLUTIONS):
        raise InvalidInput("preset", f"ends with {resolution}; resolutions are {', '.join(map(str, RESOLUTIONS))}")
    row = IMAGE_PRESETS[key]
    side = resolution or (row.data.resolution if row.data else 64)
    if row.data is not None and data is None:
        images = replace(row.data, resolution=side, labels=labels)
    else:
        name = data or "faces"
        images = image_data(name, side, labels or (row.labels if name == "faces" else ""))
    return ImageRun(images, row.gan)


def _divided(name: str) -> tuple[str, int]:
    """("stylegan2", 64) of stylegan2-64; 0 where it ends without a number."""
    key, _, end = name.replace("_", "-").rpartition("-")
    return (key, int(end)) if key and end.isdecimal() and len(end) < 6 else (name.replace("_", "-"), 0)


def image_data(data: str, resolution: int, labels: str = "") -> ImageData:
    """The images that a name (faces, mnist, ...), a path or hub:user/set stands for."""
    if data in IMAGE_SETS and data not in ("folder", "hub"):
        return ImageData(data, resolution=resolution, labels=labels)
    if data.startswith(HUB):
        return ImageData("hub", hub=data[len(HUB) :], resolution=resolution, labels=labels)
    if not Path(data).exists():
        known = ", ".join(name for name in IMAGE_SETS if name not in ("folder", "hub"))
        raise InvalidInput("data", f"{data[-80:]} is neither a set ({known}), a folder or .zip here, nor hub:user/set")
    return ImageData("folder", path=str(Path(data).resolve()), resolution=resolution, labels=labels)
