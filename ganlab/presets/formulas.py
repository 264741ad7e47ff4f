"""What makes a system, as formulas: of its networks, its loss, its regularizers and all else that is switched on."""

from collections.abc import Iterator
from typing import NamedTuple

from ganlab.features.frozen import FROZEN
from ganlab.losses import LOSSES
from ganlab.networks.table import TRAINABLE
from ganlab.regularizers import REGULARIZERS
from ganlab.run_images import AUTO, ImageGanConfig


class Formula(NamedTuple):
    """A part of a system."""

    kind: str  # Networks, Loss of D, Loss of G, Regularizer, Also
    title: str
    paper: str  # "" where nobody is to be named
    latex: str
    weight: str = ""  # in words, or the setting


def formulas(gan: ImageGanConfig) -> Iterator[Formula]:
    """All parts of a system, the networks first."""
    family, loss = TRAINABLE[gan.family], LOSSES[gan.loss]
    yield Formula("Networks", family.title, family.paper, family.formula)
    yield Formula("Loss of D", loss.title, loss.paper, loss.formula_d)
    yield Formula("Loss of G", loss.title, loss.paper, loss.formula_g)
    for part in gan.penalties:
        rule = REGULARIZERS[part.name]
        often = f", every {part.interval} steps" if part.interval > 1 else ""
        yield Formula("Regularizer", rule.title, rule.paper, rule.formula, f"weight {part.weight:g}{often}")
    for field, (title, paper, latex) in TERMS.items():
        value = getattr(gan, field)
        if value and not isinstance(value, str):
            yield Formula("Also", title, paper, latex, f"{field} {value:g}" if value is not True else "")
    for field, values in CHOSEN.items():
        if (value := getattr(gan, field)) != "none":
            yield Formula("Also", *values[value])


TERMS = {  # by setting: (title, paper, formula), of what is added where it is not 0
    "classifier_d": (
        "Classes read by D", "Odena et al. 2017",
        r"\lambda_D\, \mathbb{E}[-\log p_D(c \mid x)],\quad \lambda_G\, \mathbb{E}[-\log p_D(c \mid G(z, c))]",
    ),
    "labelled": (
        "K classes and one of fakes, few labels", "Salimans et al. 2016",
        r"-\mathbb{E} \log p(c \mid x, c \le K) - \mathbb{E} \log(1 - p(K{+}1 \mid x)) - "
        r"\mathbb{E} \log p(K{+}1 \mid G(z))",
    ),
    "single_label": ("Batches of one class", "", r"c \sim p(c),\quad x_1, \dots, x_n \sim p(x \mid c)"),
    "drift": ("Drift of D", "Karras et al. 2018, appendix A.1", r"\epsilon\, \mathbb{E}\, D(x)^2"),
    "kinds": (
        "A kind read off pictures", "Chen et al. 2016",
        r"-\lambda\, \mathbb{E} \log Q(k \mid G(z)),\quad k = \arg\max_{i \in K} z_i",
    ),
    "info": ("Part of z read off pictures", "Chen et al. 2016", r"\lambda\, \mathbb{E} \|c - Q(G(c, z'))\|^2"),
    "feature_matching": (
        "Feature matching", "Salimans et al. 2016", r"\lambda\, \|\mathbb{E} f(x) - \mathbb{E} f(G(z))\|^2"
    ),
    "guidance": (
        "Classifier guidance", "Sauer et al. 2022", r"\lambda\, \mathbb{E}[-\log p_{\mathrm{frozen}}(c \mid G(z, c))]"
    ),
    "cr_real": ("Consistency (CR)", "Zhang et al. 2020", r"\lambda\, \mathbb{E} \|D(x) - D(T(x))\|^2"),
    "cr_fake": ("The same on fakes (bCR)", "Zhao et al. 2021", r"\lambda\, \mathbb{E} \|D(G(z)) - D(T(G(z)))\|^2"),
    "zcr_d": (
        "Latent consistency of D (zCR)", "Zhao et al. 2021", r"\lambda\, \mathbb{E} \|D(G(z)) - D(G(z + \Delta z))\|^2"
    ),
    "zcr_g": ("Variety of G (zCR)", "Zhao et al. 2021", r"-\lambda\, \mathbb{E} \|G(z) - G(z + \Delta z)\|^2"),
    "latent_optimization": (
        "Latent optimization", "Wu et al. 2019",
        r"z' = z + \frac{\alpha\, g}{\beta + \|g\|^2},\quad g = \nabla_z D(G(z))",
    ),
    "g_orthogonal": (
        "Orthogonal regularizer of G", "Brock et al. 2019, eq. 3", r"\beta\, \|W W^{\top} \odot (\mathbf{1} - I)\|_F^2"
    ),
    "path_length": (
        "Path length", "Karras et al. 2020, eq. 4", r"\lambda\, \mathbb{E}_{w, y} \bigl(\|J_w^{\top} y\|_2 - a\bigr)^2"
    ),
    "style_mixing": (
        "Style mixing", "Karras et al. 2019",
        r"w_l = f(z_1) \text{ for } l < k,\; f(z_2) \text{ from } k \text{ on}",
    ),
    "label_smoothing": ("One-sided label smoothing", "Salimans et al. 2016", r"1 \to 1 - s \text{ for data}"),
}  # fmt: skip
AIDED = (
    "A second D on a frozen network", "Kumari et al. 2022",
    r"\mathcal{L}(D(x)) + \sum_k \mathcal{L}\bigl(H_k(F_k(x))\bigr)",
)  # fmt: skip
CHOSEN: dict[str, dict[str, tuple[str, str, str]]] = {  # by setting and choice: (title, paper, formula)
    "augment": {
        "ada": (
            "ADA", "Karras et al. 2020, Limited Data",
            r"D(T_p(x)),\; D(T_p(G(z))),\quad r_t = \mathbb{E}[\mathrm{sign}\, D(T_p(x))]",
        ),
        "diffaugment": ("DiffAugment", "Zhao et al. 2020", r"D(T(x)),\; D(T(G(z)))"),
    },
    "second": {
        **dict.fromkeys(FROZEN, AIDED),
        AUTO: (
            "A second D on the frozen network that tells fakes best", "Kumari et al. 2022, sec. 3.3",
            AIDED[2] + r",\quad F = \arg\max_F \max_w \mathrm{accuracy}(w^{\top} F(x))",
        ),
    },
}  # fmt: skip
