"""The families that can be trained on images, `TRAINABLE`: how a training builds their networks from its settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from ganlab.features.faces import load_classifier
from ganlab.features.frozen import OWN
from ganlab.networks import (
    began,
    bigan,
    bigbigan,
    biggan,
    biggan_deep,
    dcgan,
    lapgan,
    mlp_images,
    progan,
    projected,
    r3gan,
    stacked,
    stackgan,
    stylegan1,
    stylegan2,
    stylegan3,
    stylegan_xl,
    transgan,
    vitgan,
)


class Shape(NamedTuple):
    """What networks are built for."""

    resolution: int
    channels: int  # of images: 3 or 1
    classes: int  # 0: unconditional
    z_dim: int
    w_dim: int
    mapping_layers: int
    channel_base: int  # a layer at resolution r has base / r channels,
    channel_max: int  # at most so many
    mapping_width: int = 0  # features of the mapping network's hidden layers; 0: w_dim
    backbone: str = OWN  # the frozen network of projected discriminators


Arguments = dict[str, Any]


@dataclass(frozen=True)
class Trainable:
    """One row: constructors, and their arguments for a shape."""

    title: str
    paper: str
    formula: str  # LaTeX: the idea of its networks
    g: Callable[..., nn.Module]
    d: Callable[..., nn.Module]
    g_arguments: Callable[[Shape], Arguments]
    d_arguments: Callable[[Shape], Arguments]
    styles: bool = False  # has ws and layers: style mixing and path length regularization apply
    conditional: bool = True
    colours: bool = False  # D sees pictures of 3 channels only
    energy: bool = False  # D is an autoencoder: losses of energies alone are for it
    whole: bool = True  # D judges one picture; else examples: `networks.several`
    classifies: bool = True  # D has one last layer, in whose place that of a classifier can stand


def _images(s: Shape) -> Arguments:
    return {"img_resolution": s.resolution, "img_channels": s.channels}


def _widths(s: Shape) -> Arguments:
    return {"channel_base": s.channel_base, "channel_max": s.channel_max}


def _plain_g(s: Shape) -> Arguments:
    return {"z_dim": s.z_dim, "c_dim": s.classes, **_images(s), **_widths(s)}


def _plain_d(s: Shape) -> Arguments:
    return {"c_dim": s.classes, **_images(s), **_widths(s)}


def _projected_d(s: Shape) -> Arguments:
    return {**_plain_d(s), "backbone": s.backbone}


def _hidden_d(s: Shape) -> Arguments:
    return {**_plain_d(s), "hidden": True}


def _sagan_g(s: Shape) -> Arguments:
    return {**_plain_g(s), "skip_z": False}


def _began_d(s: Shape) -> Arguments:
    return {**_plain_d(s), "code": s.z_dim}


def _pair_d(s: Shape) -> Arguments:
    return {**_plain_d(s), "z_dim": s.z_dim}


def _encoded() -> Arguments:
    """What the levels of a Stacked GAN are to invert."""
    E = load_classifier()
    (_, _), (middle, _), _ = E.map_shapes
    return {"top": E.layout.dim, "middle": middle}


def _stacked_g(s: Shape) -> Arguments:
    return {**_plain_g(s), **_encoded()}


def _stacked_d(s: Shape) -> Arguments:
    return {**_pair_d(s), **_encoded()}


def _mapping(s: Shape) -> Arguments:
    return {"num_layers": s.mapping_layers} | ({"layer_features": s.mapping_width} if s.mapping_width else {})


def _stylegan2_g(s: Shape) -> Arguments:
    options = {"w_dim": s.w_dim, "mapping_kwargs": _mapping(s), "num_fp16_res": 0, "conv_clamp": None}
    return {**_plain_g(s), **options}


def _stylegan2_d(s: Shape) -> Arguments:
    return {**_plain_d(s), "num_fp16_res": 0, "conv_clamp": None}


def _stylegan1_g(s: Shape) -> Arguments:
    return {"z_dim": s.z_dim, "w_dim": s.w_dim, **_images(s), **_widths(s), "num_layers": s.mapping_layers}


def _stylegan3_g(s: Shape) -> Arguments:
    """T: as official, but for fewer layers where pictures are small: each doubles the resolution at most once."""
    layers = 14 if s.resolution > 64 else 10
    return {**_plain_g(s), "w_dim": s.w_dim, "mapping_kwargs": _mapping(s), "num_layers": layers, "num_fp16_res": 0}


def _stylegan3_r(s: Shape) -> Arguments:
    twice = {"channel_base": 2 * s.channel_base, "channel_max": 2 * s.channel_max}
    return {**_stylegan3_g(s), **twice, "conv_kernel": 1, "use_radial_filters": True}


def _xl_g(s: Shape) -> Arguments:
    options = {"w_dim": s.w_dim, "mapping_layers": s.mapping_layers, "embedded": load_classifier().layout.dim}
    return {**_plain_g(s), **options}


def _xl_d(s: Shape) -> Arguments:
    return {**_projected_d(s), "embedded": load_classifier().layout.dim}


def _vitgan_g(s: Shape) -> Arguments:
    return {**_plain_g(s), "w_dim": s.w_dim, "mapping_layers": s.mapping_layers}


# Parts of formulas that several rows share
NORMED = r"h \mapsto \gamma(e)\,\mathrm{BN}(h) + \beta(e),\quad \bar W = W / \sigma(W),\quad e = "
FILTERED = r"h \mapsto \phi_{\downarrow} * \sigma(\phi_{\uparrow} * h),\quad "
PROJECTED = r"\sum_l \mathcal{L}\bigl(D_l(P_l(x))\bigr)"
TRAINABLE: dict[str, Trainable] = {
    "began": Trainable(
        "BEGAN",
        "Berthelot et al. 2017",
        r"\mathcal{L}(x) = |x - D(x)|,\quad D = \mathrm{dec} \circ \mathrm{enc}",
        began.Generator,
        began.Discriminator,
        _plain_g,
        _began_d,
        conditional=False,
        energy=True,
        classifies=False,
    ),
    "bigan": Trainable(
        "BiGAN",
        "Donahue et al. 2017",
        r"D(x, E(x)) \text{ against } D(G(z), z)",
        bigan.Generator,
        bigan.Discriminator,
        _plain_g,
        _pair_d,
        conditional=False,
        whole=False,
        classifies=False,
    ),
    "bigbigan": Trainable(
        "BigBiGAN",
        "Donahue and Simonyan 2019",
        r"D(x, z) = s_x(x) + s_z(z) + s_{xz}(x, z)",
        bigbigan.Generator,
        bigbigan.Discriminator,
        _plain_g,
        _pair_d,
        conditional=False,
        whole=False,
        classifies=False,
    ),
    "biggan": Trainable(
        "BigGAN",
        "Brock et al. 2019",
        NORMED + r"[z_k, \mathrm{embed}(c)]",
        biggan.Generator,
        biggan.Discriminator,
        _plain_g,
        _plain_d,
    ),
    "biggan-deep": Trainable(
        "BigGAN-deep",
        "Brock et al. 2019",
        NORMED + r"[z, \mathrm{embed}(c)]",
        biggan_deep.Generator,
        biggan_deep.Discriminator,
        _plain_g,
        _plain_d,
    ),
    "dcgan": Trainable(
        "DCGAN",
        "Radford et al. 2016",
        r"h_{l+1} = \mathrm{relu}(\mathrm{BN}(W_l *^{\top}_{\uparrow 2} h_l))",
        dcgan.Generator,
        dcgan.Discriminator,
        _plain_g,
        _plain_d,
    ),
    "dcgan-hidden": Trainable(
        "DCGAN, label at 4 x 4",
        "Reed et al. 2016",
        r"D(x, c) = d\bigl(\phi_{4\times4}(x),\, c\bigr)",
        dcgan.Generator,
        dcgan.Discriminator,
        _plain_g,
        _hidden_d,
    ),
    "lapgan": Trainable(
        "LAPGAN",
        "Denton et al. 2015",
        r"x_k = \mathrm{up}(x_{k+1}) + G_k(z_k, \mathrm{up}(x_{k+1}))",
        lapgan.Generator,
        lapgan.Discriminator,
        _plain_g,
        _plain_d,
        whole=False,
        classifies=False,
    ),
    "mlp": Trainable(
        "MLP",
        "Goodfellow et al. 2014",
        r"G(z) = \tanh(W_L \cdots \mathrm{relu}(W_1 z))",
        mlp_images.Generator,
        mlp_images.Discriminator,
        _plain_g,
        _plain_d,
    ),
    "progan": Trainable(
        "ProGAN",
        "Karras et al. 2018",
        r"x = (1 - \alpha)\,\mathrm{up}(\mathrm{rgb}_{r/2}) + \alpha\,\mathrm{rgb}_r,\; \hat w = w \sqrt{2 / n}",
        progan.Generator,
        progan.Discriminator,
        _plain_g,
        _plain_d,
        conditional=False,
    ),
    "projected": Trainable(
        "Projected GAN",
        "Sauer et al. 2021",
        PROJECTED + r",\quad P_l = \text{a random mix of maps of a frozen network}",
        stylegan2.Generator,
        projected.Discriminator,
        _stylegan2_g,
        _projected_d,
        styles=True,
        colours=True,
        classifies=False,
    ),
    "r3gan": Trainable(
        "R3GAN",
        "Huang et al. 2024",
        r"h \mapsto h + W_3 * \sigma(W_2 *_{\mathrm{groups}} \sigma(W_1 * h))",
        r3gan.Generator,
        r3gan.Discriminator,
        _plain_g,
        _plain_d,
    ),
    "sagan": Trainable(
        "SAGAN",
        "Zhang et al. 2019",
        r"o_j = x_j + \gamma \sum_i \mathrm{softmax}_i\bigl(f(x_i)^{\top} g(x_j)\bigr)\, h(x_i)",
        biggan.Generator,
        biggan.Discriminator,
        _sagan_g,
        _plain_d,
    ),
    "stacked": Trainable(
        "Stacked GAN",
        "Huang et al. 2017",
        r"\hat h_i = G_i(\hat h_{i+1}, z_i),\quad h_{i+1} = E_i(h_i)",
        stacked.Generator,
        stacked.Discriminator,
        _stacked_g,
        _stacked_d,
        colours=True,
        whole=False,
        classifies=False,
    ),
    "stackgan": Trainable(
        "StackGAN",
        "Zhang et al. 2017",
        r"x_1 = G_1(z, c),\quad x_2 = G_2(x_1, c)",
        stackgan.Generator,
        stackgan.Discriminator,
        _plain_g,
        _plain_d,
        whole=False,
        classifies=False,
    ),
    "stylegan1": Trainable(
        "StyleGAN",
        "Karras et al. 2019",
        r"\mathrm{AdaIN}(h, y) = y_s \frac{h - \mu(h)}{\sigma(h)} + y_b,\quad y = A\,f(z)",
        stylegan1.Generator,
        stylegan2.Discriminator,
        _stylegan1_g,
        _stylegan2_d,
        styles=True,
        conditional=False,
    ),
    "stylegan2": Trainable(
        "StyleGAN2",
        "Karras et al. 2020",
        r"w''_{ijk} = s_i w_{ijk} \Big/ \sqrt{\textstyle\sum_{i,k} (s_i w_{ijk})^2 + \epsilon},\; s = A f(z)",
        stylegan2.Generator,
        stylegan2.Discriminator,
        _stylegan2_g,
        _stylegan2_d,
        styles=True,
    ),
    "stylegan3-t": Trainable(
        "StyleGAN3-T",
        "Karras et al. 2021",
        FILTERED + r"G(t[z]) = t[G(z)] \text{ for shifts } t",
        stylegan3.Generator,
        stylegan2.Discriminator,
        _stylegan3_g,
        _stylegan2_d,
        styles=True,
    ),
    "stylegan3-r": Trainable(
        "StyleGAN3-R",
        "Karras et al. 2021",
        FILTERED + r"G(t[z]) = t[G(z)] \text{ for shifts and turns } t",
        stylegan3.Generator,
        stylegan2.Discriminator,
        _stylegan3_r,
        _stylegan2_d,
        styles=True,
    ),
    "stylegan-xl": Trainable(
        "StyleGAN-XL",
        "Sauer et al. 2022",
        FILTERED + PROJECTED,
        stylegan_xl.Generator,
        stylegan_xl.Discriminator,
        _xl_g,
        _xl_d,
        styles=True,
        colours=True,
        classifies=False,
    ),
    "transgan": Trainable(
        "TransGAN",
        "Jiang et al. 2021",
        r"h \mapsto h + \mathrm{softmax}\bigl(Q K^{\top} / \sqrt d\bigr) V",
        transgan.Generator,
        transgan.Discriminator,
        _plain_g,
        _plain_d,
    ),
    "vitgan": Trainable(
        "ViTGAN",
        "Lee et al. 2022",
        r"\mathrm{softmax}\bigl(-\|q_i - k_j\|^2 / \sqrt d\bigr) V,\quad "
        r"h \mapsto \gamma(w) \frac{h - \mu}{\sigma} + \beta(w)",
        vitgan.Generator,
        vitgan.Discriminator,
        _vitgan_g,
        _plain_d,
        styles=True,
    ),
}
