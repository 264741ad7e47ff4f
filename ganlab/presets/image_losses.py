"""The systems that are about a loss or a regularizer, most of them with DCGAN's networks: `LOSS_PRESETS`."""

from typing import Any

from ganlab.presets.image_rows import PLAIN_ADAM, ImagePreset, row
from ganlab.run import Penalty

AUTOENCODER: dict[str, Any] = {  # D is one
    "family": "began", "penalties": (), "z_dim": 64, "channel_max": 32,
    "lr_g": 1e-4, "lr_d": 1e-4, "beta1": 0.5, "beta2": 0.999, "batch": 16, "ema_kimg": 5.0,
}  # fmt: skip

LOSS_PRESETS: dict[str, ImagePreset] = {
    "minimax": row(
        "GAN with the minimax loss",
        "The game as it was first written down: G minimises what D maximises, and stands still while D is sure.",
        "Goodfellow et al. 2014, eq. 1",
        family="dcgan",
        loss="minimax",
        penalties=(),
        channel_max=256,
        **PLAIN_ADAM,
    ),
    "lsgan": row(
        "LSGAN",
        "DCGAN with squared errors, which pull far fakes back as strongly as near ones.",
        "Mao et al. 2017",
        family="dcgan",
        loss="lsgan",
        penalties=(),
        channel_max=256,
        **PLAIN_ADAM,
    ),
    "wgan": row(
        "WGAN with clipped weights",
        "The distance to move one distribution onto the other, by a D whose weights are clipped after each step.",
        "Arjovsky et al. 2017",
        family="dcgan",
        loss="wgan",
        penalties=(Penalty("clip", 0.03),),
        channel_max=256,
        d_steps=5,
        **{**PLAIN_ADAM, "beta1": 0.0},
    ),
    "wgan-gp": row(
        "WGAN-GP",
        "Residual networks without normalisation of batches, five steps of a D whose slope is held to one.",
        "Gulrajani et al. 2017",
        family="r3gan",
        loss="wgan",
        penalties=(Penalty("wgan_gp", 10.0),),
        lr_g=1e-4,
        lr_d=1e-4,
        beta2=0.9,
        d_steps=5,
    ),
    "ragan": row(
        "RaGAN",
        "D says how much more real data are than the mean fake, and fakes than the mean of data.",
        "Jolicoeur-Martineau 2018",
        family="dcgan",
        loss="ragan",
        penalties=(),
        channel_max=256,
        **PLAIN_ADAM,
    ),
    "dragan": row(
        "DRAGAN",
        "DCGAN whose D has slope one around the data, so that it is steep nowhere that matters.",
        "Kodali et al. 2017",
        family="dcgan",
        penalties=(Penalty("dragan", 10.0),),
        channel_max=256,
        **PLAIN_ADAM,
    ),
    "ebgan": row(
        "EBGAN",
        "D is an autoencoder: what it reconstructs badly has much energy, and fakes are pushed up to a margin.",
        "Zhao et al. 2017",
        loss="ebgan",
        **AUTOENCODER,
    ),
    "began": row(
        "BEGAN",
        "D is an autoencoder that reconstructs data well and fakes badly, held in balance: clean faces, less variety.",
        "Berthelot et al. 2017",
        loss="began",
        **AUTOENCODER,
    ),
}
