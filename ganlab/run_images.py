"""An ImageRun: everything that decides the training of one GAN on images, as one JSON object."""

import functools
import json
from dataclasses import dataclass, replace

from ganlab import config
from ganlab.augment.ada import AdaConfig
from ganlab.augment.diffaugment import PARTS
from ganlab.config import Config, InvalidInput, knob, knob_of, replaced
from ganlab.data.images import DRAWN, ImageData
from ganlab.features.frozen import FROZEN, OWN
from ganlab.losses import LOSSES, SLOPED
from ganlab.networks.arguments import Shape
from ganlab.networks.table import TRAINABLE
from ganlab.nn.precision import PRECISIONS
from ganlab.run import MOST_EVENTS, Event, Penalty

MOST_STEPS = 100_000_000
MOST_WEIGHTS = 200_000_000  # of a network, about
AUTO = "auto"
BOTH = "deit+efficientnet"  # the two of StyleGAN-XL (Sauer et al. 2022, sec. 3.1)
PICTURE_ALONE = {  # settings of what looks at one picture, as they are where nothing does
    "augment": "none", "second": "none", "classifier_d": 0, "classifier_g": 0, "info": 0, "kinds": 0, "labelled": 0,
    "cr_real": 0, "cr_fake": 0, "zcr_d": 0, "zcr_g": 0, "latent_optimization": 0, "feature_matching": 0, "guidance": 0,
    "one_stage": False,
}  # fmt: skip
MOST_NUMBERS = 20_000_000_000  # that the features of all layers have, about: 80 GB


@dataclass(frozen=True)
class ImageGanConfig(Config):
    """One GAN for images: networks x loss x regularizers x augmentation x optimizer. `live` fields may change."""

    name: str = knob("GAN", "A name for it", longest=40)

    family: str = knob("stylegan2", "Networks", choices=lambda: TRAINABLE, group="Networks")
    z_dim: int = knob(128, "Dimensions of the noise z", lo=1, hi=1024, group="Networks")
    w_dim: int = knob(128, "Dimensions of w (style families)", lo=1, hi=1024, group="Networks")
    mapping_layers: int = knob(4, "Layers of the mapping network (style families)", lo=1, hi=16, group="Networks")
    mapping_width: int = knob(
        0, "Features of its hidden layers (StyleGAN2; 0: as many as w has)", lo=0, hi=2048, group="Networks"
    )
    channel_base: int = knob(4096, "Channels at resolution r are base / r ...", lo=64, hi=65536, group="Networks")
    channel_max: int = knob(128, "... and at most so many", lo=4, hi=1024, group="Networks")
    noise: bool = knob(
        True, "Noise inputs (style families); off: G must draw every detail itself", group="Networks", live=True
    )
    d_width: float = knob(1.0, "Channels of D for each of G's", lo=0.125, hi=4, group="Networks")
    backbone: str = knob(
        OWN, "The frozen network of projected discriminators", choices=lambda: (*FROZEN, BOTH), group="Networks"
    )

    loss: str = knob("non_saturating", "The adversarial loss", choices=lambda: LOSSES, group="Loss", live=True)
    penalties: tuple[Penalty, ...] = knob(
        (Penalty("r1", 0.3, 16),), "Regularizers of D", longest=4, group="Loss", live=True
    )
    second: str = knob(
        "none", "A second D on a frozen network's features (Kumari et al. 2022); auto: the network at hand that tells "
        "fakes best", choices=("none", AUTO, *FROZEN), group="Loss",
    )  # fmt: skip
    second_kimg: float = knob(
        0.0, "Thousand images after which auto chooses: a G that draws noise fools no network", lo=0, hi=1e5,
        group="Loss",
    )  # fmt: skip
    classifier_d: float = knob(
        0.0, "Weight of D's class loss (Odena et al. 2017); of both 0: labels enter D instead", lo=0, hi=100,
        group="Classes",
    )  # fmt: skip
    classifier_g: float = knob(0.0, "Weight of G's class loss", lo=0, hi=100, group="Classes")
    labelled: float = knob(
        0.0, "Share of the data whose class D may know, as a classifier of classes and fakes (Salimans et al. 2016)",
        lo=0, hi=1, group="Classes",
    )  # fmt: skip
    single_label: bool = knob(False, "Every batch is of one class, drawn anew for each", group="Classes")
    info: int = knob(0, "First numbers of z that D must be able to read (Chen et al. 2016)", lo=0, hi=64, group="Loss")
    kinds: int = knob(
        0, "Which of z's next so many numbers is the largest, D must be able to read: a code of kinds", lo=0, hi=64,
        group="Loss",
    )  # fmt: skip
    info_weight: float = knob(1.0, "Weight of the error of reading them", lo=0, hi=100, group="Loss", live=True)
    feature_matching: float = knob(
        0.0, "Weight of G's mean features being those of data (Salimans et al. 2016)", lo=0, hi=100, group="Loss",
        live=True,
    )  # fmt: skip
    guidance: float = knob(
        0.0, "Weight of the class that a classifier sees in G's faces, where it knows it (Sauer et al. 2022)", lo=0,
        hi=100, group="Classes", live=True,
    )  # fmt: skip
    drift: float = knob(
        0.0, "Weight of the mean square of D's logits of data, which keeps them near 0 (Karras et al. 2018)", lo=0,
        hi=100, group="Loss", live=True,
    )  # fmt: skip
    cr_real: float = knob(
        0.0, "Weight of D's consistency on moved data (Zhang et al. 2020)", lo=0, hi=1000, group="Loss", live=True
    )
    cr_fake: float = knob(
        0.0, "The same on moved fakes (bCR, Zhao et al. 2021)", lo=0, hi=1000, group="Loss", live=True
    )
    zcr_d: float = knob(0.0, "The same on fakes of a moved z (zCR)", lo=0, hi=1000, group="Loss", live=True)
    zcr_g: float = knob(
        0.0, "Weight of what keeps G's pictures of a moved z apart (zCR)", lo=0, hi=1000, group="Loss", live=True
    )
    zcr_noise: float = knob(0.05, "How far z is moved, as a deviation", lo=1e-4, hi=10, group="Loss", live=True)
    latent_optimization: float = knob(
        0.0, "How far z is moved to please D before each step (LOGAN, Wu et al. 2019)", lo=0, hi=10, group="Loss",
    )  # fmt: skip
    g_orthogonal: float = knob(
        0.0,
        "Weight of G's orthogonal regularizer (Brock et al. 2019, eq. 3)",
        lo=0,
        hi=100,
        group="Loss",
        live=True,
    )
    path_length: float = knob(
        0.0, "Weight of path length regularization (Karras et al. 2020)", lo=0, hi=100, group="Loss", live=True
    )
    path_interval: int = knob(4, "It is due at every n-th step, n times as strong", lo=1, hi=64, group="Loss")
    style_mixing: float = knob(
        0.0, "Share of fakes made from two latents (Karras et al. 2019)", lo=0, hi=1, group="Loss", live=True
    )
    label_smoothing: float = knob(0.0, "One-sided: real labels become 1 - s", lo=0, hi=0.5, group="Loss", live=True)
    label_flip: float = knob(0.0, "Share of labels swapped", lo=0, hi=0.5, group="Loss", live=True)

    augment: str = knob("none", "What D sees augmented", choices=("none", "ada", "diffaugment"), group="Augmentation")
    ada: AdaConfig = knob(AdaConfig(), "Transforms of ADA", group="Augmentation")
    ada_p: float = knob(0.0, "Probability p of each transform at the start", lo=0, hi=1, group="Augmentation")
    ada_target: float = knob(
        0.6, "r_t that p is steered to; 0: p stays as it is", lo=0, hi=1, group="Augmentation", live=True
    )
    ada_kimg: float = knob(500.0, "Thousand images in which p may go from 0 to 1", lo=0.1, hi=1e5, group="Augmentation")
    policy: str = knob(
        "color,translation,cutout", "Parts of DiffAugment, in this order", longest=60, group="Augmentation"
    )

    lr_g: float = knob(0.002, "Learning rate of G", lo=1e-7, hi=1, group="Optimizer", live=True, log=True)
    lr_d: float = knob(0.002, "Learning rate of D", lo=1e-7, hi=1, group="Optimizer", live=True, log=True)
    beta1: float = knob(0.0, "Adam's momentum", lo=0, hi=0.999, group="Optimizer", live=True)
    beta2: float = knob(0.99, "Adam's memory of squares", lo=0, hi=0.99999, group="Optimizer", live=True)
    batch: int = knob(32, "Images in a batch, over all processes", lo=2, hi=4096, group="Optimizer")
    part: int = knob(
        0, "Images computed at once; gradients of parts are averaged (0: the whole batch)", lo=0, hi=4096,
        group="Optimizer",
    )  # fmt: skip
    d_steps: int = knob(1, "D-steps for each G-step", lo=1, hi=20, group="Optimizer", live=True)
    one_stage: bool = knob(
        False, "G learns from D's own pass, not from one of its own: less work a step (Shen et al. 2021)",
        group="Optimizer",
    )  # fmt: skip
    update: str = knob("both", "Which network learns", choices=("both", "d", "g"), group="Optimizer", live=True)
    grow_kimg: float = knob(
        0.0, "Thousand images for a resolution or stage to come in, and as many to settle (0: whole at once)", lo=0,
        hi=1e5, group="Optimizer",
    )  # fmt: skip
    ema_kimg: float = knob(
        10.0, "Thousand images in which G's average forgets half (0: no average)", lo=0, hi=1000, group="Optimizer"
    )
    precision: str = knob(
        "auto", "Of convolutions; auto: bf16 where the device is made for it", choices=PRECISIONS,
        group="Optimizer",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.part and self.batch % self.part:
            raise InvalidInput("part", f"{self.part} does not divide batch ({self.batch})")
        if (self.label_smoothing or self.label_flip) and LOSSES[self.loss].real_term is None:
            raise InvalidInput("label_smoothing", f"needs a loss with labels; {self.loss} has none")
        if self.one_stage and (obstacle := self._two_stages()):
            raise InvalidInput("one_stage", f"{obstacle}; leave it off, or change that")
        self._check_d()
        if self.info + self.kinds > self.z_dim:
            raise InvalidInput("info", f"and kinds take {self.info + self.kinds} numbers of z, but z has {self.z_dim}")
        if self.kinds == 1:
            raise InvalidInput("kinds", "must be 2 or more, or 0 for none")
        names = [penalty.name for penalty in self.penalties]
        if len(names) != len(set(names)):
            raise InvalidInput("penalties", "the same regularizer stands there twice")
        for name in self.policy.split(","):
            if name not in PARTS:
                raise InvalidInput("policy", f"{name[:40]!r} is not one of {', '.join(PARTS)}")
        if not TRAINABLE[self.family].styles and (self.path_length or self.style_mixing):
            raise InvalidInput("style_mixing", f"and path_length need a family with styles; {self.family} has none")

    def _two_stages(self) -> str:
        """What keeps G from learning from D's own pass; empty: nothing."""
        if self.loss not in SLOPED:
            return f"needs one of the losses {', '.join(SLOPED)}"
        if self.label_smoothing or self.label_flip:
            return "knows no label smoothing or flips"
        if self.parts > 1 or self.d_steps > 1:
            return "needs one D-step for each G-step, and a batch in one part"
        if self.second != "none" or not TRAINABLE[self.family].classifies:
            return "needs a single D with one logit a picture"
        return ""

    def _check_d(self) -> None:
        """What D is asked for, against the family's."""
        if self.labelled and (self.classifier_d or self.classifier_g or self.info or self.kinds or self.single_label):
            raise InvalidInput(
                "labelled", "does not go with classifier_d, classifier_g, info or single_label; set them to 0"
            )
        if self.labelled and not TRAINABLE[self.family].classifies:
            raise InvalidInput("labelled", f"needs a D with one last layer; {self.family} has another")
        if LOSSES[self.loss].energy != TRAINABLE[self.family].energy:
            fitting = [name for name, row in LOSSES.items() if row.energy == TRAINABLE[self.family].energy]
            raise InvalidInput("loss", f"{self.loss} is not one of those for {self.family}: {', '.join(fitting)}")
        if TRAINABLE[self.family].energy and (
            self.augment == "ada" or self.classifier_d or self.classifier_g or self.info or self.kinds
        ):
            raise InvalidInput("family", f"{self.family} has an autoencoder as D: no ADA, and nothing is read off it")
        if TRAINABLE[self.family].energy and (self.second != "none" or self.feature_matching):
            raise InvalidInput("family", f"{self.family} has an autoencoder as D: no second one, no feature matching")
        if not TRAINABLE[self.family].whole:
            self._check_examples()

    def _check_examples(self) -> None:
        """Of a family whose D judges more than one picture."""
        for name, off in PICTURE_ALONE.items():
            if getattr(self, name) != off:
                raise InvalidInput(name, f"does not go with {self.family}, whose D judges more than one picture")
        if LOSSES[self.loss].pairs:
            raise InvalidInput("loss", f"{self.loss} compares one picture with another; take another for {self.family}")

    @property
    def parts(self) -> int:
        """In how many parts a batch is made."""
        return self.batch // (self.part or self.batch)


@dataclass(frozen=True)
class ImageRun(Config):
    """A GAN on a set of images, and what was changed on the way. Same run, same history."""

    data: ImageData = knob(ImageData(), "What the GAN learns")
    gan: ImageGanConfig = knob(ImageGanConfig(), "The GAN")
    seed: int = knob(0, "Decides initial weights and all random draws", lo=0, hi=2**31 - 1)
    events: tuple[Event, ...] = knob((), "Changes made while it trained", longest=MOST_EVENTS)
    start: str = knob("", "sha256 of the generator whose weights G starts from; empty: none", longest=64)

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(a.step > b.step for a, b in zip(self.events, self.events[1:])):
            raise InvalidInput("events", "must be in the order of their steps")
        if self.data.labels and not TRAINABLE[self.gan.family].conditional:
            raise InvalidInput("data.labels", f"{self.gan.family} knows no classes; leave labels empty")
        if self.gan.single_label and not (self.data.labels and self._fixed):
            raise InvalidInput("gan.single_label", "needs labels, and a set that ends; faces do with data.limit")
        for name, sees in (("second", self.gan.second != "none"), ("family", TRAINABLE[self.gan.family].colours)):
            if sees and self.data.channels != 3:
                raise InvalidInput(f"gan.{name}", "sees colours only; choose another, or images of 3 channels")
        if self.gan.channel_base < self.data.resolution:
            raise InvalidInput("gan.channel_base", f"must be at least the resolution, {self.data.resolution}")
        self._check_size()
        self.gan_at(MOST_STEPS)  # every event must apply

    def gan_at(self, step: int) -> ImageGanConfig:
        """The settings that are in force when step `step` (counted from 0) is made."""
        gan = self.gan
        for i, event in enumerate(self.events):
            if event.step > step:
                break
            if not is_live(event.path):
                raise InvalidInput(f"events.{i}.path", f"{event.path[:60]} cannot change while a GAN trains")
            try:
                gan = _with(gan, event.path, json.dumps(event.value))
            except InvalidInput as error:
                raise error.under(f"events.{i}") from None
        return gan

    def images_at(self, step: int) -> int:
        """Images that D has seen, real ones, once `step` steps are made."""
        total, since, d_steps = 0, 0, self.gan.d_steps
        for event in self.events:
            if event.step >= step:
                break
            if event.path == "d_steps":
                total += (event.step - since) * d_steps
                since, d_steps = event.step, int(event.value)
        return (total + (step - since) * d_steps) * self.gan.batch

    def changed(self, step: int, path: str, value: object) -> "ImageRun":
        """This run with one more event; events after `step` are dropped (a fork)."""
        event = Event.from_dict({"step": step, "path": path, "value": value})
        kept = [e for e in self.events if e.step < step or (e.step == step and e.path != path)]
        return replace(self, events=(*kept, event))

    def until(self, step: int) -> "ImageRun":
        """This run without the events after `step`."""
        return replace(self, events=tuple(e for e in self.events if e.step <= step))

    @property
    def _fixed(self) -> bool:
        """Whether the set has an end."""
        return self.data.name not in DRAWN or self.data.limit > 0

    def _check_size(self) -> None:
        """Refuses what would not fit into any machine's memory; sizes are of the widest families, about."""
        g, sides = self.gan, [2**k for k in range(2, self.data.resolution.bit_length())]
        channels = [min(g.channel_base // side, g.channel_max) for side in sides]
        weights = sum(18 * c * c for c in channels) + g.mapping_layers * (g.mapping_width or g.w_dim) ** 2
        numbers = (g.part or g.batch) * sum(4 * c * side * side for c, side in zip(channels, sides))
        if weights > MOST_WEIGHTS or numbers > MOST_NUMBERS:
            raise InvalidInput(
                "gan",
                f"would need about {4 * (numbers + 8 * weights) / 2**30:,.0f} GB; lower batch, part or channel_max",
            )

    def shape(self, classes: int, width: float = 1.0) -> Shape:
        """What the networks are built for; `width`: their channels, as a factor of those of the settings."""
        g, data = self.gan, self.data
        widths = int(g.channel_base * width), max(1, int(g.channel_max * width))
        return Shape(
            data.resolution,
            data.channels,
            classes,
            g.z_dim,
            g.w_dim,
            g.mapping_layers,
            *widths,
            g.mapping_width,
            g.backbone,
        )


@functools.lru_cache(maxsize=4096)
def _with(gan: ImageGanConfig, path: str, value: str) -> ImageGanConfig:
    """`replaced`, remembered: a run with hundreds of events is checked again with each new one."""
    return replaced(gan, path, json.loads(value))


def is_live(path: str) -> bool:
    """Whether the setting at a dotted path may change while a GAN trains."""
    field = ImageGanConfig.__dataclass_fields__.get(path.split(".")[0])
    return field is not None and knob_of(field).live


def from_link(text: str) -> ImageRun:
    """The run in a link; a broken, hostile or oversized one raises `InvalidInput`."""
    return config.from_link(ImageRun, text)
