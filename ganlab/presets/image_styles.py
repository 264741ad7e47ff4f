"""The rows of style-based systems, `STYLE_PRESETS`, and of experiments with them."""

from typing import Any

from ganlab.augment.ada import AdaConfig
from ganlab.data.images import ImageData
from ganlab.presets.image_rows import ImagePreset, row

ONLY_TURNS = AdaConfig(**{name: 0.0 for name in AdaConfig.__dataclass_fields__ if name != "rotate90"})

STYLES: dict[str, Any] = {"style_mixing": 0.9, "path_length": 2.0, "ema_kimg": 20.0}
QUICK_STYLES: dict[str, Any] = {**STYLES, "channel_max": 64, "channel_base": 2048, "batch": 16, "ema_kimg": 5.0}

STYLE_PRESETS: dict[str, ImagePreset] = {
    "stylegan1": row(
        "StyleGAN",
        "A mapping network and adaptive instance normalisation: styles that decide pose, features and colours.",
        "Karras et al. 2019",
        family="stylegan1",
        style_mixing=0.9,
        batch=16,
    ),
    "stylegan2": row(
        "StyleGAN2",
        "Weight demodulation instead of normalisation, lazy R1 and path length regularization, a moving average of G.",
        "Karras et al. 2020",
        **STYLES,
    ),
    "stylegan3-t": row(
        "StyleGAN3-T",
        "Signals held to their band in every layer, so that details move with the face and do not stick to the pixels.",
        "Karras et al. 2021",
        family="stylegan3-t",
        mapping_layers=2,
        channel_max=64,
        batch=16,
        ema_kimg=10.0,
    ),
    "stylegan3-r": row(
        "StyleGAN3-R",
        "StyleGAN3 with 1 x 1 convolutions and round filters: it turns with its input, too.",
        "Karras et al. 2021",
        family="stylegan3-r",
        mapping_layers=2,
        channel_max=32,
        batch=16,
        ema_kimg=10.0,
    ),
    "stylegan-xl": row(
        "StyleGAN-XL",
        "StyleGAN3 grown by starting from a run at half the size, projected discriminators, classes that are known.",
        "Sauer et al. 2022",
        labels="hairstyle",
        family="stylegan-xl",
        loss="hinge",
        penalties=(),
        z_dim=64,
        mapping_layers=2,
        channel_max=64,
        lr_g=2e-3,
        lr_d=2e-3,
        batch=16,
        augment="diffaugment",
        guidance=1.0,
        ema_kimg=10.0,
    ),
    "stylegan2-quick": row(
        "StyleGAN2, half as wide",
        "StyleGAN2 with half the channels and half the batch: three times as quick, for a laptop.",
        "Karras et al. 2020",
        **QUICK_STYLES,
    ),
    "stylegan2-vision": row(
        "StyleGAN2 + a second D",
        "A second D looks through the frozen network that tells fakes best: far fewer images until G is good.",
        "Kumari et al. 2022",
        second="auto",
        second_kimg=2.0,
        d_width=0.5,
        **{**STYLES, "path_length": 0.0, "batch": 16},
    ),
    "stylegan2-ada": row(
        "StyleGAN2 + ADA",
        "Eighteen augmentations whose strength follows D's overfitting: for a few thousand images or less.",
        "Karras et al. 2020, Training GANs with Limited Data",
        augment="ada",
        **STYLES,
    ),
    "stylegan2-diffaugment": row(
        "StyleGAN2 + DiffAugment",
        "Colour, translation and cutout, always on, of real and generated images alike: for a hundred images.",
        "Zhao et al. 2020",
        augment="diffaugment",
        **STYLES,
    ),
    "leak-turns": row(
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
    "no-leak-turns": row(
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
    "few-shot": row(
        "A hundred faces, bare",
        "D learns a hundred images by heart, r_t goes to one, and pictures get worse again.",
        "Karras et al. 2020, Training GANs with Limited Data",
        ImageData(resolution=32, limit=120, valid=1 / 6),
        **QUICK_STYLES,
    ),
    "few-shot-ada": row(
        "A hundred faces, with ADA",
        "The same hundred images, augmented as much as D's overfitting asks for.",
        "Karras et al. 2020, Training GANs with Limited Data",
        ImageData(resolution=32, limit=120, valid=1 / 6),
        augment="ada",
        ada_kimg=50.0,
        **QUICK_STYLES,
    ),
}
