"""The lectures' figures as runs: `EXPERIMENTS`, one row each. What each text says was measured over several seeds."""

from dataclasses import dataclass
from typing import Any

from ganlab.data.toy2d import DataConfig
from ganlab.presets.gans import PRESETS
from ganlab.run import GanConfig, Penalty, Run

WIDE_RING = DataConfig("ring", sigma=0.1)
FAR_LINE = DataConfig("parallel_lines", theta=3.0)

# A G faster than its D, with PacGAN's momentum: G reaches each weak spot of D before D can close it.
COLLAPSING: dict[str, Any] = {"lr_g": 1e-3, "lr_d": 4e-4, "beta1": 0.8, "batch": 128}
METZ: dict[str, Any] = {"lr_g": 1e-3, "lr_d": 2e-4, "z_dim": 64, "batch": 128}  # after Metz et al. 2017
# Plain gradient descent, since Adam would divide a vanishing gradient by its own size and hide that it vanishes.
BARE: dict[str, Any] = {"optimizer": "sgd", "lr_g": 0.001, "lr_d": 0.05, "batch": 128}
GP: dict[str, Any] = {"loss": "wgan", "penalties": (Penalty("wgan_gp", 1.0),), "beta2": 0.9, "d_steps": 3}
ONE_D: dict[str, Any] = {"z_dim": 1, "z_kind": "uniform"}


@dataclass(frozen=True)
class Experiment:
    """One row: a run, what to watch in it and why it happens (one sentence each), and how far it is worth training."""

    title: str
    text: str
    run: Run
    steps: int
    speed: float | str = "max"  # how a player starts: "max", "slow" (half-steps), or steps per second


def _race(data: DataConfig, **gans: dict[str, Any]) -> Run:
    """A run of GANs named by the keys, `_` standing for a space and `__` for a hyphen."""
    return Run(
        data,
        tuple(GanConfig(name=name.replace("__", "-").replace("_", " "), **settings) for name, settings in gans.items()),
    )


EXPERIMENTS: dict[str, Experiment] = {
    "collapse": Experiment(
        "Mode collapse and hopping",
        "All samples gather on one or two of the eight modes and then jump together to others. "
        "G is faster than D here, so it moves to whatever place D overrates just now, and D only learns where it was.",
        _race(WIDE_RING, Vanilla=COLLAPSING),
        3000,
    ),
    "unrolling": Experiment(
        "Unrolling against collapse",
        "The vanilla GAN hops from mode to mode while the unrolled one, alike in all else, covers all eight. "
        "Unrolled, G sees how D will answer five steps later, so crowding into one mode no longer pays.",
        _race(DataConfig("ring", sigma=0.05), Vanilla=METZ, Unrolled_5={**METZ, "unroll": 5}),
        1500,
    ),
    "packing": Experiment(
        "Packing against collapse",
        "One sample at a time D loses most of the modes, but two or four at a time they all stay. "
        "A packed D sees that the samples of a collapsed G are alike, which no single sample gives away.",
        _race(
            WIDE_RING, Alone=COLLAPSING, Packed_by_2={**COLLAPSING, "pack": 2}, Packed_by_4={**COLLAPSING, "pack": 4}
        ),
        3000,
    ),
    "who_is_faster": Experiment(
        "Who should learn faster?",
        "The GAN whose D learns faster than G covers the ring, and the one whose G is faster collapses. "
        "A fast D has nearly finished its answer to G before G moves on, so G follows the data and not D's errors.",
        _race(
            WIDE_RING,
            G_faster=COLLAPSING,
            Equal={**COLLAPSING, "lr_d": 1e-3},
            D_faster={**COLLAPSING, "lr_g": 4e-4, "lr_d": 1e-3},
            D_five_times_faster={**COLLAPSING, "lr_g": 4e-4, "lr_d": 2e-3},
        ),
        2000,
    ),
    "momentum": Experiment(
        "Momentum hurts",
        "Without momentum or with beta1 = 0.5 all modes are found, while with the usual 0.9 the samples run around. "
        "In a game the best direction turns all the time, and momentum goes on in the old one.",
        _race(WIDE_RING, **{f"beta1_{b}": {"beta1": b, "batch": 128} for b in (0.0, 0.5, 0.8, 0.9)}),
        2000,
    ),
    "saturating": Experiment(
        "The saturating loss",
        "Both start far from the data against the same strong D, and only the non-saturating G ever gets there. "
        "Once D is sure, log(1 - D(G(z))) is flat and its gradient vanishes, but -log D(G(z)) is steepest just there.",
        _race(FAR_LINE, Saturating={**BARE, "loss": "minimax"}, Non__saturating=BARE),
        6000,
    ),
    "lines": Experiment(
        "Where JS is flat",
        "The vanilla G stands still at JS = ln 2, while the Wasserstein GAN walks to the line. "
        "Without overlap JS is the same at every distance, but the Wasserstein distance falls with each step closer.",
        _race(
            FAR_LINE,
            Vanilla={**BARE, "loss": "minimax"},
            WGAN__GP={**BARE, "loss": "wgan", "penalties": (Penalty("wgan_gp", 1.0),)},
        ),
        5000,
    ),
    "noise_overlap": Experiment(
        "Noise makes them overlap",
        "The G that cannot leave its place comes close to the line when D sees everything through fading noise. "
        "Noise widens data and samples until they overlap, so D cannot be sure and G keeps a gradient.",
        _race(
            FAR_LINE,
            Without_noise={**BARE, "loss": "minimax"},
            With_noise={**BARE, "loss": "minimax", "instance_noise": 1.0, "instance_noise_steps": 4000},
        ),
        5000,
    ),
    "strong_d": Experiment(
        "A D that is too strong",
        "With ten D-steps and ten times G's learning rate the samples end on two or three modes, and R1 prevents it. "
        "Such a D turns into steep cliffs around the data, and a penalty on its slope makes them walkable.",
        _race(
            DataConfig(),
            Balanced={"lr_g": 5e-4, "lr_d": 1e-3},
            Too_strong={"lr_g": 2e-4, "lr_d": 2e-3, "d_steps": 10},
            Strong_with_R1={"lr_g": 2e-4, "lr_d": 2e-3, "d_steps": 10, "penalties": (Penalty("r1", 0.1),)},
        ),
        2000,
    ),
    "grid": Experiment(
        "Twenty-five modes",
        "The vanilla GAN loses many of the 25 modes and the WGAN-GP keeps nearly all. "
        "Its D measures how far mass must still travel, so even a mode without a single sample goes on pulling.",
        _race(DataConfig("grid", radius=2.0, sigma=0.1), Vanilla=COLLAPSING, WGAN__GP=GP),
        4000,
    ),
    "race_of_eight": Experiment(
        "A race of eight",
        "Eight systems start alike on the same data, and nearly all find the eight modes, some much sooner. "
        "They share networks and random numbers, so what you see is the work of loss, penalty and D's schedule.",
        Run(
            gans=tuple(
                PRESETS[key].gan
                for key in ("vanilla", "non_saturating", "lsgan", "wgan_gp", "hinge_sn", "r1", "ragan", "rpgan_r1r2")
            )
        ),
        3000,
    ),
    "luck": Experiment(
        "The luck of the seed",
        "Eight copies of one GAN differ in nothing but the seed, and yet some cover the ring and others collapse. "
        "The game has good and bad ends and chance decides early between them, so one run proves nothing.",
        Run(
            DataConfig("ring", sigma=0.05),
            tuple(GanConfig(name=f"Seed {seed}", seed=seed, lr_d=2e-4) for seed in range(8)),
        ),
        3000,
    ),
    "goodfellow": Experiment(
        "Goodfellow's figure in 1D",
        "The samples slide onto the bell curve while D flattens towards one half. "
        "Where both densities are equal D can only guess, and the arrows from z to x crowd where the data is dense.",
        _race(DataConfig("gaussian1d"), GAN={**ONE_D, "g_width": 32, "d_width": 32, "lr_g": 2e-4, "lr_d": 2e-3}),
        4000,
        speed=200.0,
    ),
    "mixture1d": Experiment(
        "Three modes on a line",
        "G bends the interval of z over all three modes, and a few samples always lie between them. "
        "G is continuous, so on the way from one mode to the next it must pass through the gap.",
        _race(DataConfig("mixture1d"), GAN=ONE_D, With_R1={**ONE_D, "penalties": (Penalty("r1", 0.1),)}),
        2000,
    ),
    "latent_dim": Experiment(
        "How many dimensions has z?",
        "With one dimension the samples form a thread through the modes, and with two or more they come out clean. "
        "A line must run through every gap, but a plane can be cut like a cake, with each piece on one mode.",
        _race(
            DataConfig(),
            **{f"z_dim_{z}": {"z_dim": z, "penalties": (Penalty("r1", 0.1),)} for z in (1, 2, 8)},
        ),
        2500,
    ),
    "checkerboard": Experiment(
        "Sharp edges",
        "The squares fill in a few seconds, but a haze of samples stays between them and the corners are round. "
        "Small networks are smooth functions, and a sharp edge needs a very steep one.",
        _race(DataConfig("checkerboard"), WGAN__GP={**GP, "penalties": (Penalty("wgan_gp", 0.1),)}),
        5000,
    ),
    "spiral": Experiment(
        "Two spiral arms",
        "The cloud winds itself up into both arms until JS is close to 0. "
        "Nothing here is a separate mode, so nothing can be dropped as a whole and even the plain GAN does well.",
        _race(DataConfig("spiral"), Non__saturating={}),
        5000,
    ),
    "two_moons": Experiment(
        "Two moons",
        "Both GANs cover the half circles, and with R1 the generator's gradient soon is several times smaller. "
        "R1 flattens D where the data are, so once the samples fit nothing pushes them any more.",
        _race(DataConfig("two_moons"), Non__saturating={}, With_R1={"penalties": (Penalty("r1", 0.1),)}),
        3000,
    ),
    "unequal": Experiment(
        "Modes of unequal weight",
        "All eight modes are found, and their shares come close to the true ones, from one in thirty to one in four. "
        "D learns how much denser data than samples are at each place, so G is pushed until the amounts agree, too.",
        _race(DataConfig("ring", sigma=0.05, weights=(8, 4, 2, 1)), Non__saturating={}, WGAN__GP=GP),
        3000,
    ),
    "learning_rate": Experiment(
        "A learning rate too high",
        "The smallest rate learns, the middle one finds modes and loses them all, and rate 1 ends in NaN at once. "
        "A step that overshoots lands where the slope is steeper, so the next one overshoots by more.",
        _race(
            DataConfig(),
            **{f"Rate_{lr:g}": {"optimizer": "sgd", "lr_g": lr, "lr_d": lr} for lr in (0.05, 0.2, 1.0)},
        ),
        1000,
    ),
    "penalty_weight": Experiment(
        "How much R1?",
        "A weak penalty changes little, a strong one slows G down and blurs the modes. "
        "With a large weight D may hardly slope at all, so that it cannot tell G where the modes end.",
        _race(
            DataConfig(),
            **{f"gamma_{w:g}": {"penalties": (Penalty("r1", w),)} for w in (0.01, 0.1, 1.0, 10.0, 100.0)},
        ),
        2500,
    ),
    "averaging": Experiment(
        "The average is better",
        "The averaged generator draws cleaner modes than the same generator without, from the same weights and data. "
        "G circles around its goal, and the average over many steps lies near the middle of the circle.",
        _race(DataConfig(), Last_weights={}, Moving_average={"ema": 0.995}),
        3000,
    ),
    "fast_ring": Experiment(
        "Eight modes in a second",
        "All eight modes are covered within about 700 steps, which is less than a second on most machines. "
        "D learns four times as fast as G, so G always follows a D that is nearly right.",
        Run(gans=(PRESETS["ttur"].gan,)),
        1500,
    ),
}
