"""The families that can be trained on images, `TRAINABLE`: how a training builds their networks from its settings."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ganlab.networks import (
    arguments,
    began,
    bigan,
    bigbigan,
    biggan,
    biggan_deep,
    dcgan,
    dcgan_norm,
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
from ganlab.networks.arguments import Arguments, Shape


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
        arguments.plain_g,
        arguments.began_d,
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
        arguments.plain_g,
        arguments.pair_d,
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
        arguments.plain_g,
        arguments.pair_d,
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
        arguments.plain_g,
        arguments.plain_d,
    ),
    "biggan-deep": Trainable(
        "BigGAN-deep",
        "Brock et al. 2019",
        NORMED + r"[z, \mathrm{embed}(c)]",
        biggan_deep.Generator,
        biggan_deep.Discriminator,
        arguments.plain_g,
        arguments.plain_d,
    ),
    "dcgan": Trainable(
        "DCGAN",
        "Radford et al. 2016",
        r"h_{l+1} = \mathrm{relu}(\mathrm{BN}(W_l *^{\top}_{\uparrow 2} h_l))",
        dcgan.Generator,
        dcgan.Discriminator,
        arguments.plain_g,
        arguments.plain_d,
    ),
    "dcgan-hidden": Trainable(
        "DCGAN, label at 4 x 4",
        "Reed et al. 2016",
        r"D(x, c) = d\bigl(\phi_{4\times4}(x),\, c\bigr)",
        dcgan.Generator,
        dcgan.Discriminator,
        arguments.plain_g,
        arguments.hidden_d,
    ),
    "dcgan-norm": Trainable(
        "DCGAN, label in normalisation",
        "de Vries et al. 2017",
        r"h \mapsto \gamma(c)\,\mathrm{BN}(h) + \beta(c)",
        dcgan_norm.Generator,
        dcgan.Discriminator,
        arguments.plain_g,
        arguments.plain_d,
    ),
    "lapgan": Trainable(
        "LAPGAN",
        "Denton et al. 2015",
        r"x_k = \mathrm{up}(x_{k+1}) + G_k(z_k, \mathrm{up}(x_{k+1}))",
        lapgan.Generator,
        lapgan.Discriminator,
        arguments.plain_g,
        arguments.plain_d,
        whole=False,
        classifies=False,
    ),
    "mlp": Trainable(
        "MLP",
        "Goodfellow et al. 2014",
        r"G(z) = \tanh(W_L \cdots \mathrm{relu}(W_1 z))",
        mlp_images.Generator,
        mlp_images.Discriminator,
        arguments.plain_g,
        arguments.plain_d,
    ),
    "progan": Trainable(
        "ProGAN",
        "Karras et al. 2018",
        r"x = (1 - \alpha)\,\mathrm{up}(\mathrm{rgb}_{r/2}) + \alpha\,\mathrm{rgb}_r,\; \hat w = w \sqrt{2 / n}",
        progan.Generator,
        progan.Discriminator,
        arguments.plain_g,
        arguments.plain_d,
        conditional=False,
    ),
    "projected": Trainable(
        "Projected GAN",
        "Sauer et al. 2021",
        PROJECTED + r",\quad P_l = \text{a random mix of maps of a frozen network}",
        stylegan2.Generator,
        projected.Discriminator,
        arguments.stylegan2_g,
        arguments.projected_d,
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
        arguments.plain_g,
        arguments.plain_d,
    ),
    "sagan": Trainable(
        "SAGAN",
        "Zhang et al. 2019",
        r"o_j = x_j + \gamma \sum_i \mathrm{softmax}_i\bigl(f(x_i)^{\top} g(x_j)\bigr)\, h(x_i)",
        biggan.Generator,
        biggan.Discriminator,
        arguments.sagan_g,
        arguments.plain_d,
    ),
    "stacked": Trainable(
        "Stacked GAN",
        "Huang et al. 2017",
        r"\hat h_i = G_i(\hat h_{i+1}, z_i),\quad h_{i+1} = E_i(h_i)",
        stacked.Generator,
        stacked.Discriminator,
        arguments.stacked_g,
        arguments.stacked_d,
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
        arguments.plain_g,
        arguments.plain_d,
        whole=False,
        classifies=False,
    ),
    "stylegan1": Trainable(
        "StyleGAN",
        "Karras et al. 2019",
        r"\mathrm{AdaIN}(h, y) = y_s \frac{h - \mu(h)}{\sigma(h)} + y_b,\quad y = A\,f(z)",
        stylegan1.Generator,
        stylegan2.Discriminator,
        arguments.stylegan1_g,
        arguments.stylegan2_d,
        styles=True,
        conditional=False,
    ),
    "stylegan2": Trainable(
        "StyleGAN2",
        "Karras et al. 2020",
        r"w''_{ijk} = s_i w_{ijk} \Big/ \sqrt{\textstyle\sum_{i,k} (s_i w_{ijk})^2 + \epsilon},\; s = A f(z)",
        stylegan2.Generator,
        stylegan2.Discriminator,
        arguments.stylegan2_g,
        arguments.stylegan2_d,
        styles=True,
    ),
    "stylegan3-t": Trainable(
        "StyleGAN3-T",
        "Karras et al. 2021",
        FILTERED + r"G(t[z]) = t[G(z)] \text{ for shifts } t",
        stylegan3.Generator,
        stylegan2.Discriminator,
        arguments.stylegan3_g,
        arguments.stylegan2_d,
        styles=True,
    ),
    "stylegan3-r": Trainable(
        "StyleGAN3-R",
        "Karras et al. 2021",
        FILTERED + r"G(t[z]) = t[G(z)] \text{ for shifts and turns } t",
        stylegan3.Generator,
        stylegan2.Discriminator,
        arguments.stylegan3_r,
        arguments.stylegan2_d,
        styles=True,
    ),
    "stylegan-xl": Trainable(
        "StyleGAN-XL",
        "Sauer et al. 2022",
        FILTERED + PROJECTED,
        stylegan_xl.Generator,
        stylegan_xl.Discriminator,
        arguments.xl_g,
        arguments.xl_d,
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
        arguments.plain_g,
        arguments.plain_d,
    ),
    "vitgan": Trainable(
        "ViTGAN",
        "Lee et al. 2022",
        r"\mathrm{softmax}\bigl(-\|q_i - k_j\|^2 / \sqrt d\bigr) V,\quad "
        r"h \mapsto \gamma(w) \frac{h - \mu}{\sigma} + \beta(w)",
        vitgan.Generator,
        vitgan.Discriminator,
        arguments.vitgan_g,
        arguments.plain_d,
        styles=True,
    ),
}
