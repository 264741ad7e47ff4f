"""Constructor arguments of the networks, as files give them: each is checked before a network is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganlab.config import Config, InvalidInput, knob
from ganlab.nn.style import ACTIVATIONS
from ganlab.pickles import clip, refuse

LARGEST, SMALLEST = 2048, 4  # image sizes
ARCHITECTURES = ("orig", "skip", "resnet")
NO_EFFECT = ("class_name", "fp16_channels_last", "channels_last", "fused_modconv_default", "use_fp16", "freeze_layers")
WIDEST = 4096  # features of a layer
CLASSES = 20_000


@dataclass(frozen=True)
class MappingArguments(Config):
    """Of the mapping network."""

    num_layers: int = knob(8, "fully connected layers", lo=0, hi=64)
    embed_features: int | None = knob(None, "features of the embedded label", lo=1, hi=WIDEST)
    layer_features: int | None = knob(None, "features between layers", lo=1, hi=WIDEST)
    activation: str = knob("lrelu", "nonlinearity", choices=tuple(ACTIVATIONS))
    lr_multiplier: float = knob(0.01, "factor of the learning rate, by which weights are stored larger", lo=1e-6, hi=10)
    w_avg_beta: float | None = knob(0.998, "decay of the moving average of w", lo=0, hi=1)


@dataclass(frozen=True)
class SynthesisArguments(Config):
    """Of StyleGAN2's synthesis network and its layers."""

    channel_base: int = knob(32768, "channels times resolution", lo=4, hi=1 << 20)
    channel_max: int = knob(512, "most channels of a layer", lo=1, hi=WIDEST)
    num_fp16_res: int = knob(4, "finest resolutions made for half precision", lo=0, hi=16)
    conv_clamp: float | None = knob(256, "bound of features", lo=0, hi=1e6)
    architecture: str = knob("skip", "how images of several sizes are joined", choices=ARCHITECTURES)
    resample_filter: tuple[float, ...] = knob((1.0, 3.0, 3.0, 1.0), "taps of the blur", lo=-100, hi=100, longest=7)
    kernel_size: int = knob(3, "width of convolutions", lo=1, hi=7)
    use_noise: bool = knob(True, "whether layers add noise")
    activation: str = knob("lrelu", "nonlinearity", choices=tuple(ACTIVATIONS))


@dataclass(frozen=True)
class GeneratorArguments(SynthesisArguments):
    """Of StyleGAN2's generator; those of its synthesis come in `synthesis_kwargs` (StyleGAN2-ADA) or beside."""

    z_dim: int = knob(512, "numbers of z", lo=1, hi=WIDEST)
    c_dim: int = knob(0, "classes", lo=0, hi=CLASSES)
    w_dim: int = knob(512, "numbers of w", lo=1, hi=WIDEST)
    img_resolution: int = knob(1024, "width of images", lo=SMALLEST, hi=LARGEST)
    img_channels: int = knob(3, "channels of images", lo=1, hi=16)
    mapping_kwargs: MappingArguments = knob(MappingArguments(), "of the mapping network")
    synthesis_kwargs: SynthesisArguments | None = knob(None, "of the synthesis network")


@dataclass(frozen=True)
class BlockArguments(Config):
    """Of a discriminator's blocks."""

    activation: str = knob("lrelu", "nonlinearity", choices=tuple(ACTIVATIONS))
    resample_filter: tuple[float, ...] = knob((1.0, 3.0, 3.0, 1.0), "taps of the blur", lo=-100, hi=100, longest=7)


@dataclass(frozen=True)
class EpilogueArguments(Config):
    """Of a discriminator's last block."""

    mbstd_group_size: int | None = knob(4, "images of which the deviation is taken", lo=1, hi=1024)
    mbstd_num_channels: int = knob(1, "channels of the deviation", lo=0, hi=16)
    activation: str = knob("lrelu", "nonlinearity", choices=tuple(ACTIVATIONS))


@dataclass(frozen=True)
class DiscriminatorArguments(Config):
    """Of StyleGAN2's discriminator."""

    c_dim: int = knob(0, "classes", lo=0, hi=CLASSES)
    img_resolution: int = knob(1024, "width of images", lo=SMALLEST, hi=LARGEST)
    img_channels: int = knob(3, "channels of images", lo=1, hi=16)
    architecture: str = knob("resnet", "how images of several sizes are joined", choices=ARCHITECTURES)
    channel_base: int = knob(32768, "channels times resolution", lo=4, hi=1 << 20)
    channel_max: int = knob(512, "most channels of a layer", lo=1, hi=WIDEST)
    num_fp16_res: int = knob(4, "finest resolutions made for half precision", lo=0, hi=16)
    conv_clamp: float | None = knob(256, "bound of features", lo=0, hi=1e6)
    cmap_dim: int | None = knob(None, "features of the embedded label", lo=0, hi=WIDEST)
    block_kwargs: BlockArguments = knob(BlockArguments(), "of the blocks")
    mapping_kwargs: MappingArguments = knob(MappingArguments(), "of the label's mapping")
    epilogue_kwargs: EpilogueArguments = knob(EpilogueArguments(), "of the last block")


@dataclass(frozen=True)
class StyleGan1Arguments(Config):
    """Of StyleGAN's generator."""

    z_dim: int = knob(512, "numbers of z", lo=1, hi=WIDEST)
    w_dim: int = knob(512, "numbers of w", lo=1, hi=WIDEST)
    img_resolution: int = knob(1024, "width of images", lo=SMALLEST, hi=LARGEST)
    img_channels: int = knob(3, "channels of images", lo=1, hi=16)
    channel_base: int = knob(16384, "channels times resolution", lo=4, hi=1 << 20)
    channel_max: int = knob(512, "most channels of a layer", lo=1, hi=WIDEST)
    num_layers: int = knob(8, "layers of the mapping network", lo=1, hi=64)


@dataclass(frozen=True)
class StyleGan3Arguments(Config):
    """Of StyleGAN3's generator."""

    z_dim: int = knob(512, "numbers of z", lo=1, hi=WIDEST)
    c_dim: int = knob(0, "classes", lo=0, hi=CLASSES)
    w_dim: int = knob(512, "numbers of w", lo=1, hi=WIDEST)
    img_resolution: int = knob(1024, "width of images", lo=16, hi=LARGEST)
    img_channels: int = knob(3, "channels of images", lo=1, hi=16)
    mapping_kwargs: MappingArguments = knob(MappingArguments(num_layers=2), "of the mapping network")
    channel_base: int = knob(32768, "channels times twice the cutoff", lo=4, hi=1 << 20)
    channel_max: int = knob(512, "most channels of a layer", lo=1, hi=WIDEST)
    num_layers: int = knob(14, "layers before the one to colours", lo=3, hi=64)
    num_critical: int = knob(2, "last layers that are critically sampled", lo=1, hi=63)
    first_cutoff: float = knob(2, "cutoff of the first layer", lo=0.1, hi=64)
    first_stopband: float = knob(2**2.1, "stopband of the first layer", lo=0.1, hi=128)
    last_stopband_rel: float = knob(2**0.3, "stopband of the last layer, relative to its cutoff", lo=1, hi=8)
    margin_size: int = knob(10, "pixels around the picture", lo=0, hi=64)
    output_scale: float = knob(0.25, "factor of the image", lo=1e-6, hi=1e6)
    num_fp16_res: int = knob(4, "finest resolutions made for half precision", lo=0, hi=16)
    conv_kernel: int = knob(3, "width of convolutions: 3 for T, 1 for R", lo=1, hi=7)
    filter_size: int = knob(6, "taps of filters, times the factor of resampling", lo=2, hi=16)
    lrelu_upsampling: int = knob(2, "how much finer nonlinearities are sampled", lo=1, hi=4)
    use_radial_filters: bool = knob(False, "whether filters are the same in all directions, as for R")
    conv_clamp: float | None = knob(256, "bound of features", lo=0, hi=1e6)
    magnitude_ema_beta: float = knob(0.999, "decay of the mean of squared features", lo=0, hi=1)


@dataclass(frozen=True)
class LucidrainsArguments(Config):
    """Of lucidrains' generator."""

    z_dim: int = knob(512, "numbers of z and of w", lo=1, hi=WIDEST)
    img_resolution: int = knob(128, "width of images", lo=SMALLEST, hi=LARGEST)
    img_channels: int = knob(3, "channels of images", lo=1, hi=16)
    network_capacity: int = knob(16, "half of the channels at full resolution", lo=1, hi=WIDEST)
    channel_max: int = knob(512, "most channels of a layer", lo=1, hi=WIDEST)
    num_layers: int = knob(8, "layers of the mapping network", lo=1, hi=64)


@dataclass(frozen=True)
class PlainArguments(Config):
    """Of the generators without a mapping network: DCGAN."""

    z_dim: int = knob(128, "numbers of z", lo=1, hi=WIDEST)
    c_dim: int = knob(0, "classes", lo=0, hi=CLASSES)
    img_resolution: int = knob(64, "width of images", lo=SMALLEST, hi=LARGEST)
    img_channels: int = knob(3, "channels of images", lo=1, hi=16)
    channel_base: int = knob(4096, "channels times resolution", lo=4, hi=1 << 20)
    channel_max: int = knob(256, "most channels of a layer", lo=1, hi=WIDEST)


@dataclass(frozen=True)
class R3ganArguments(PlainArguments):
    """Of R3GAN's generator."""

    blocks: int = knob(1, "residual blocks of a resolution", lo=1, hi=16)
    expansion: int = knob(2, "how much wider a block is inside", lo=1, hi=16)
    group_size: int = knob(16, "channels of a group", lo=1, hi=WIDEST)


@dataclass(frozen=True)
class BigGanArguments(PlainArguments):
    """Of the generators of SAGAN and BigGAN."""

    skip_z: bool = knob(True, "whether blocks have parts of z and share an embedding of the class")
    attention: bool = knob(True, "whether half the resolution attends to itself")
    embedded: int = knob(128, "numbers of the embedding", lo=1, hi=WIDEST)


@dataclass(frozen=True)
class BigGanDeepArguments(PlainArguments):
    """Of BigGAN-deep's generator."""

    attention: bool = knob(True, "whether half the resolution attends to itself")
    embedded: int = knob(128, "numbers of the embedding", lo=1, hi=WIDEST)


@dataclass(frozen=True)
class StackedArguments(PlainArguments):
    """Of Stacked GAN's generator."""

    top: int = knob(192, "numbers of the encoder's vector", lo=1, hi=WIDEST)
    middle: int = knob(96, "channels of the encoder's features at 8 px", lo=1, hi=WIDEST)


@dataclass(frozen=True)
class StyleGanXlArguments(PlainArguments):
    """Of StyleGAN-XL's generator."""

    img_resolution: int = knob(64, "width of images", lo=16, hi=LARGEST)
    w_dim: int = knob(128, "numbers of w", lo=1, hi=WIDEST)
    mapping_layers: int = knob(2, "layers of the mapping network", lo=1, hi=64)
    embedded: int = knob(192, "numbers of a class's embedding", lo=1, hi=WIDEST)
    stem_layers: int = knob(7, "layers of the first stage, at 16 px", lo=4, hi=64)
    head_layers: int = knob(5, "layers of each further one", lo=4, hi=64)


@dataclass(frozen=True)
class VitGanArguments(PlainArguments):
    """Of ViTGAN's generator."""

    w_dim: int = knob(128, "numbers of w", lo=1, hi=WIDEST)
    mapping_layers: int = knob(4, "layers of the mapping network", lo=1, hi=64)


def checked(kind: type[Config], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a file that have an effect, all known and within bounds; else BadCheckpoint."""
    arguments = _with_effect(given)
    try:
        config: Any = kind.from_dict(arguments)
    except InvalidInput as error:
        refuse(f"has the constructor argument {clip(str(error), 200)[1:-1]}")
    side = config.img_resolution
    if side & (side - 1):
        refuse(f"makes images of {side} pixels; only powers of two are possible")
    base = getattr(getattr(config, "synthesis_kwargs", None) or config, "channel_base", side)
    if base < side:
        refuse("has layers without channels: channel_base is less than img_resolution")
    return arguments


def _with_effect(given: Mapping[str, Any]) -> dict[str, Any]:
    out = {key: value for key, value in given.items() if key not in NO_EFFECT}
    return {key: _with_effect(value) if isinstance(value, Mapping) else value for key, value in out.items()}
