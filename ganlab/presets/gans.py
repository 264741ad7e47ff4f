"""The GAN systems of the lectures as settings that run on toy data: `PRESETS`, one row each."""

from dataclasses import dataclass
from typing import Any

from ganlab.run import GanConfig, Penalty


@dataclass(frozen=True)
class Preset:
    """One row: a system, what it does in one sentence, where it was proposed, and settings with which it does it."""

    title: str  # at most 24 characters; also the name of its GAN in a race
    text: str
    paper: str
    gan: GanConfig


def _row(title: str, text: str, paper: str, **settings: Any) -> Preset:
    return Preset(title, text, paper, GanConfig(name=title, **settings))


PRESETS: dict[str, Preset] = {
    # the adversarial losses
    "vanilla": _row(
        "Vanilla (minimax)",
        "The original two-player game, in which G's gradient fades as soon as D tells real from fake with ease.",
        "Goodfellow et al. 2014, eq. 1",
        loss="minimax",
    ),
    "non_saturating": _row(
        "Non-saturating",
        "G maximises log D(G(z)) instead, so that its gradient is largest just when D rejects its samples.",
        "Goodfellow et al. 2014, sec. 3",
    ),
    "lsgan": _row(
        "Least squares (LSGAN)",
        "Squared errors in place of cross-entropy pull samples towards D's boundary even after they have crossed it.",
        "Mao et al. 2017, eq. 9",
        loss="lsgan",
    ),
    "wgan_clip": _row(
        "WGAN, clipped",
        "D estimates the Wasserstein distance, and its weights are clipped to a small box to keep its slope bounded.",
        "Arjovsky et al. 2017, alg. 1",
        loss="wgan",
        penalties=(Penalty("clip", 0.1),),
        d_steps=5,
        beta1=0.0,  # the paper found momentum harmful and took RMSProp
    ),
    "wgan_gp": _row(
        "WGAN-GP",
        "D estimates the Wasserstein distance, and a penalty asks for slope one between real and generated points.",
        "Gulrajani et al. 2017, eq. 3",
        loss="wgan",
        penalties=(Penalty("wgan_gp", 1.0),),
        d_steps=3,
        beta2=0.9,
    ),
    "hinge_sn": _row(
        "Hinge + spectral norm",
        "Every layer of D is divided by its largest singular value, and D ignores points beyond the hinge's margin.",
        "Miyato et al. 2018",
        loss="hinge",
        d_norm="spectral",
        d_steps=3,
        lr_d=2e-3,
        beta1=0.0,
        beta2=0.9,
    ),
    "rpgan": _row(
        "Relativistic pairing",
        "D says which of a real and a generated point is the more real one, so that fakes compete with data.",
        "Jolicoeur-Martineau 2018",
        loss="rpgan",
    ),
    "ragan": _row(
        "Relativistic average",
        "D compares each point with the average of the other side, and G learns from the real points too.",
        "Jolicoeur-Martineau 2018, sec. 4.2",
        loss="ragan",
        lr_d=2e-3,
    ),
    "ebgan": _row(
        "Energy-based (EBGAN)",
        "D is an autoencoder whose reconstruction error is an energy: low on the data, pushed up to a margin on fakes.",
        "Zhao et al. 2017, eq. 1 and 2",
        loss="ebgan",
    ),
    "began": _row(
        "Equilibrium (BEGAN)",
        "A controller holds the ratio of both energies, for clean samples without variety: on the ring a single mode.",
        "Berthelot et al. 2017, eq. 5",
        loss="began",
    ),
    # penalties and constraints on D
    "r1": _row(
        "R1",
        "Punishing D's slope at the real points makes the game settle, because a D that cannot improve goes flat.",
        "Mescheder et al. 2018, eq. 9",
        penalties=(Penalty("r1", 0.1),),
    ),
    "r2": _row(
        "R2",
        "Punishes D's slope at the generated points instead of at the real ones.",
        "Mescheder et al. 2018, eq. 10",
        penalties=(Penalty("r2", 0.1),),
    ),
    "lazy_r1": _row(
        "Lazy R1 + EMA",
        "StyleGAN2's recipe: R1 at every eighth step only, eight times as strong, and a moving average of G is shown.",
        "Karras et al. 2020, sec. 3.1",
        loss="logistic",
        penalties=(Penalty("r1", 0.1, 8),),
        beta1=0.0,
        ema=0.99,
    ),
    "rpgan_r1r2": _row(
        "R3GAN (RpGAN + R1 + R2)",
        "The relativistic loss against dropped modes, with both zero-centred penalties so that it also converges.",
        "Huang et al. 2024",
        loss="rpgan",
        penalties=(Penalty("r1", 0.1), Penalty("r2", 0.1)),
    ),
    "dragan": _row(
        "DRAGAN",
        "Asks for slope one of D in a small neighbourhood of the data, where sharp cliffs would make G collapse.",
        "Kodali et al. 2017",
        penalties=(Penalty("dragan", 1.0),),
        d_steps=2,
        lr_d=2e-3,
    ),
    "weight_decay": _row(
        "Weight decay (L2)",
        "A price on the size of D's weights keeps its slope, and so its victories, small.",
        "Krogh & Hertz 1991",
        penalties=(Penalty("l2", 1e-3),),
    ),
    "orthogonal": _row(
        "Orthogonal",
        "Asks the units of every layer of D to look in different directions, without fixing how strongly.",
        "Brock et al. 2019, eq. 3",
        penalties=(Penalty("orthogonal", 1e-3),),
    ),
    "consensus": _row(
        "Consensus optimisation",
        "D and G also lower the squared gradient of both losses, which damps their circling around each other.",
        "Mescheder et al. 2017, eq. 11",
        consensus=0.1,
    ),
    # what D sees of a batch
    "pacgan2": _row(
        "PacGAN, 2 at once",
        "D judges two samples together, so that a generator without variety gives itself away.",
        "Lin et al. 2018",
        pack=2,
    ),
    "pacgan4": _row(
        "PacGAN, 4 at once",
        "D judges four samples together, and sees a missing mode more clearly still.",
        "Lin et al. 2018",
        pack=4,
    ),
    "minibatch_std": _row(
        "Minibatch std",
        "D is told how much its features vary within the batch, so that it notices when all samples are alike.",
        "Karras et al. 2018, sec. 3",
        minibatch="std",
    ),
    "minibatch_discrimination": _row(
        "Minibatch discrimination",
        "D is told how close each sample is to the others of its batch, so that crowds of equal samples look fake.",
        "Salimans et al. 2016, sec. 3.2",
        minibatch="discrimination",
        batch=64,
    ),
    "feature_matching": _row(
        "Feature matching",
        "G is also asked to match the mean of D's last hidden layer on the data.",
        "Salimans et al. 2016, sec. 3.1",
        feature_matching=1.0,
    ),
    # normalisation
    "batch_norm": _row(
        "Batch norm in G",
        "Each unit of G is standardised over the batch, as in DCGAN, which speeds G up but ties its samples together.",
        "Ioffe & Szegedy 2015; Radford et al. 2016",
        g_norm="batch",
    ),
    "virtual_batch_norm": _row(
        "Virtual batch norm in G",
        "Each unit of G is standardised by one fixed batch, so that samples no longer depend on their neighbours.",
        "Salimans et al. 2016, sec. 3.5",
        g_norm="virtual_batch",
    ),
    "layer_norm": _row(
        "WGAN-GP, layer norm",
        "D is normalised over the units of each sample, since batch norm would spoil a penalty on single points.",
        "Ba et al. 2016; Gulrajani et al. 2017, sec. 4",
        loss="wgan",
        penalties=(Penalty("wgan_gp", 1.0),),
        d_norm="layer",
        d_steps=3,
        beta2=0.9,
    ),
    # the dynamics of the game
    "unrolled": _row(
        "Unrolled, 5 steps",
        "G looks five steps of D ahead, and learns not to run to the one place where D is wrong just now.",
        "Metz et al. 2017",
        unroll=5,
        lr_d=3e-4,
        batch=128,
    ),
    "ttur": _row(
        "Two time scales (TTUR)",
        "D learns four times as fast as G, so that G follows a D that is nearly up to date.",
        "Heusel et al. 2017",
        lr_g=5e-4,
        lr_d=2e-3,
    ),
    "five_d_steps": _row(
        "Five D-steps",
        "D makes five steps for each step of G, so that it comes close to the best answer to G.",
        "Goodfellow et al. 2014, alg. 1",
        d_steps=5,
    ),
    "sgd": _row(
        "Plain gradient descent",
        "Bare gradient steps, not scaled for each weight as Adam scales them, find modes slowly and lose them again.",
        "Goodfellow et al. 2014, alg. 1",
        optimizer="sgd",
        lr_g=0.05,
        lr_d=0.05,
    ),
    "ema": _row(
        "Moving average of G",
        "What you see is an average of G over its last steps, which cuts off the swings of the game.",
        "Yazici et al. 2019",
        ema=0.995,
    ),
    "historical_averaging": _row(
        "Historical averaging",
        "Both networks are drawn towards the average of their own past, which shortens the circles they run in.",
        "Salimans et al. 2016, sec. 3.3",
        historical_averaging=0.001,
    ),
    "replay": _row(
        "Replay of old fakes",
        "Half of the fakes that D sees come from earlier steps, so that it does not forget where G has been.",
        "Shrivastava et al. 2017, sec. 2.3",
        replay=0.5,
    ),
    "logan": _row(
        "LOGAN",
        "Before both updates each z takes a step towards a higher score, along the natural gradient.",
        "Wu et al. 2019, eq. 11",
        latent_optimization=0.9,
    ),
    # noise and labels
    "instance_noise": _row(
        "Instance noise",
        "Noise on real and fake points makes the two overlap at first, and fades away within 2,000 steps.",
        "Sonderby et al. 2017",
        instance_noise=0.3,
        instance_noise_steps=2000,
    ),
    "label_smoothing": _row(
        "One-sided smoothing",
        "D is asked to be 90 % sure of real points, no more, which keeps its logits from running away.",
        "Salimans et al. 2016, sec. 3.4",
        label_smoothing=0.1,
    ),
    "label_flipping": _row(
        "Flipped labels",
        "One label in twenty is wrong on purpose, so that D can never be quite sure.",
        "Chintala et al. 2016 (ganhacks)",
        label_flip=0.05,
    ),
}
