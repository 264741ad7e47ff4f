"""The hub: a front page and every lab on a page of its own, in one app."""

import math
from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from apps import (
    dirac_lab,
    latent_lab,
    metrics_lab,
    mixing_lab,
    noise_lab,
    sticking_lab,
    studio,
    text_lab,
    toy_lab,
    train_lab,
    truncation_lab,
    zoo_page,
)
from apps.serve import launch


class Lab(NamedTuple):
    """One row of the hub."""

    title: str
    path: str
    text: str
    art: str  # the inside of a 200 x 90 SVG
    contents: Callable[[gr.Blocks], None]  # called inside the page's Blocks


def build() -> gr.Blocks:
    """The front page with all labs as routes."""
    with gr.Blocks(title="ganlab", analytics_enabled=False, delete_cache=(300, 900)) as demo:
        gr.Markdown(WELCOME)
        gr.HTML(_cards(), apply_default_css=False)
    for lab in LABS:
        with demo.route(lab.title, lab.path) as page:
            lab.contents(page)
    return demo


def _cards() -> str:
    cards = "".join(
        f'<a class="hub-card" href="./{lab.path}"><svg viewBox="0 0 200 90" aria-hidden="true">{lab.art}</svg>'
        f"<b>{lab.title}</b><span>{lab.text}</span></a>"
        for lab in LABS
    )
    return f"<style>{CARD_CSS}</style><div class='hub-cards'>{cards}</div>"


WELCOME = """# ganlab
**The laboratory for generative adversarial networks.** Everything runs live in your browser and on this server's CPU;
nothing is sent anywhere else."""

CARD_CSS = """
.hub-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 16px; }
.hub-card { display: grid; gap: 6px; padding: 18px 20px !important; border-radius: 10px;
  text-decoration: none !important;
  align-content: start; text-align: left;
  border: 1px solid var(--border-color-primary); background: var(--block-background-fill);
  color: var(--body-text-color); }
.hub-card:hover { border-color: var(--color-accent); }
.hub-card svg { width: 100%; border-radius: 8px; background: rgba(128, 128, 128, .08); margin-bottom: 6px; }
.hub-card b { font-size: 18px; } .hub-card span { opacity: .78; line-height: 1.45; }
"""


def _ring() -> str:
    """Three races' ends: one mode, a few, all."""
    out = []
    for x, held in ((36, 1), (100, 4), (164, 8)):
        for i in range(8):
            at = (x + 24 * math.cos(i * math.pi / 4), 45 + 24 * math.sin(i * math.pi / 4))
            out.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="6" fill="#3ea05f" opacity=".45"/>')
            if i < held:
                out.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="3.2" fill="#7b1fa2"/>')
    return "".join(out)


def _walks() -> str:
    """A circle and a spiral into its middle."""
    spiral = " ".join(
        f"{100 + 36 * 0.96**t * math.cos(t / 4):.1f},{45 - 36 * 0.96**t * math.sin(t / 4):.1f}" for t in range(110)
    )
    return (
        '<circle cx="100" cy="45" r="36" fill="none" stroke="#d55e00" stroke-width="2.5"/>'
        f'<polyline points="{spiral}" fill="none" stroke="#009e73" stroke-width="2.5"/>'
    )


def _faces() -> str:
    """A walk from one round thing to another."""
    out = []
    for i in range(5):
        t, x = i / 4, 24 + 38 * i
        colour = f"rgb({123 + 90 * t:.0f},{70 + 40 * t:.0f},{162 - 110 * t:.0f})"
        eyes = "".join(f'<circle cx="{x + d}" cy="{42 - 3 * t:.0f}" r="{2.4 - t:.1f}" fill="#fff"/>' for d in (-5, 5))
        mouth = (
            f'<path d="M{x - 6} {52 - 4 * t:.0f}q6 {-5 + 12 * t:.0f} 12 0" stroke="#fff" stroke-width="2" fill="none"/>'
        )
        out.append(
            f'<ellipse cx="{x}" cy="45" rx="{17 - 3 * t:.0f}" ry="{17 + 5 * t:.0f}" fill="{colour}"/>{eyes}{mouth}'
        )
    return "".join(out)


def _pull() -> str:
    """Points drawn towards their middle."""
    out = []
    for i in range(18):
        angle, far = i * 2.4, 14 + 26 * ((i * 7) % 10) / 10
        x, y = 100 + 2 * far * math.cos(angle), 45 + far * math.sin(angle)
        near = 100 + far * math.cos(angle), 45 + 0.5 * far * math.sin(angle)
        out.append(f'<path d="M{x:.0f} {y:.0f}L{near[0]:.0f} {near[1]:.0f}" stroke="#7b1fa2" opacity=".35"/>')
        out.append(f'<circle cx="{near[0]:.0f}" cy="{near[1]:.0f}" r="3.4" fill="#7b1fa2"/>')
    return "".join(out)


def _crossings() -> str:
    """Shapes of the rows in the colours of the columns."""
    out = []
    for row in range(3):
        for column, colour in enumerate(("#0072b2", "#d55e00", "#009e73", "#cc79a7")):
            x, y = 55 + 30 * column, 19 + 26 * row
            out.append(f'<rect x="{x - 10}" y="{y - 10}" width="20" height="20" rx="{10 - 5 * row}" fill="{colour}"/>')
    return "".join(out)


def _grain() -> str:
    """Grain that grows from left to right."""
    dots = []
    for i in range(130):
        x, y = 14 + (i * 61) % 172, 10 + (i * 37) % 70
        dots.append(f'<circle cx="{x}" cy="{y}" r="{0.4 + 2.6 * x / 186:.1f}" fill="#6b7280" opacity=".7"/>')
    return "".join(dots)


def _sliders() -> str:
    """Three smiles over three sliders."""
    out = []
    for i, (bend, at) in enumerate(((-7, 0.15), (1, 0.5), (9, 0.85))):
        x = 40 + 60 * i
        eyes = "".join(f'<circle cx="{x + d}" cy="30" r="2.4" fill="#fff"/>' for d in (-6, 6))
        mouth = f'<path d="M{x - 8} {42 - bend / 2:g}q8 {bend} 16 0" stroke="#fff" stroke-width="2" fill="none"/>'
        out.append(f'<circle cx="{x}" cy="34" r="20" fill="#d58a4a"/>{eyes}{mouth}')
        out.append(f'<path d="M{x - 20} 70h40" stroke="#6b7280" stroke-width="3" stroke-linecap="round"/>')
        out.append(f'<circle cx="{x - 20 + 40 * at:g}" cy="70" r="6" fill="#7b1fa2"/>')
    return "".join(out)


def _growth() -> str:
    """A face that comes out of noise."""
    out = []
    for i in range(4):
        x, t = 26 + 50 * i, i / 3
        out.append(f'<circle cx="{x}" cy="45" r="19" fill="#d58a4a" opacity="{t:.2f}"/>')
        for k in range(60):
            dx, dy = (k * 37) % 38 - 19, (k * 23) % 38 - 19
            out.append(f'<rect x="{x + dx}" y="{45 + dy}" width="3" height="3" fill="#6b7280" opacity="{1 - t:.2f}"/>')
        face = f'<circle cx="{x - 6}" cy="41" r="2.4"/><circle cx="{x + 6}" cy="41" r="2.4"/>'
        mouth = f'<path d="M{x - 7} 51q7 7 14 0" stroke="#fff" stroke-width="2" fill="none"/>'
        out.append(f'<g fill="#fff" opacity="{t * t:.2f}">{face}{mouth}</g>')
    return "".join(out)


def _tradeoff() -> str:
    """Precision falls as recall rises, each with its bars."""
    points = [(40, 18), (80, 24), (120, 38), (158, 66)]
    line = " ".join(f"{x},{y}" for x, y in points)
    bars = "".join(f'<path d="M{x - 9} {y}h18M{x} {y - 9}v18" stroke="#8a92a3" stroke-width="2"/>' for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="5.5" fill="#0072b2"/>' for x, y in points)
    axes = '<path d="M20 8v72h164" fill="none" stroke="#6b7280" stroke-width="2"/>'
    return f'{axes}<polyline points="{line}" fill="none" stroke="#0072b2" stroke-width="2.5"/>{bars}{dots}'


def _cages() -> str:
    """Rows and columns, with someone else in each."""
    out = []
    for i in range(10):
        x, y, colour = 28 + 36 * (i % 5), 26 + 40 * (i // 5), ("#d58a4a", "#0072b2", "#009e73", "#cc79a7")[i * 3 % 4]
        out.append(f'<rect x="{x - 15}" y="{y - 16}" width="30" height="32" rx="4" fill="none" stroke="#8a92a3"/>')
        out.append(f'<circle cx="{x}" cy="{y}" r="{7 + i % 4}" fill="{colour}"/>')
        out += [f'<circle cx="{x + d}" cy="{y - 2}" r="1.6" fill="#fff"/>' for d in (-3, 3)]
    return "".join(out)


def _stuck() -> str:
    """Lines that go along, and lines that stay."""
    slanted = "".join(f'<path d="M{20 + 12 * i} 12l24 66" stroke="#0072b2" stroke-width="3"/>' for i in range(5))
    upright = "".join(f'<path d="M{122 + 14 * i} 12v66" stroke="#d55e00" stroke-width="3"/>' for i in range(5))
    return slanted + upright


IMAGE_LABS = (latent_lab.PAGE, truncation_lab.PAGE, mixing_lab.PAGE, noise_lab.PAGE, text_lab.PAGE)
ART = {"latent": _faces, "truncation": _pull, "mixing": _crossings, "noise": _grain, "text": _sliders}


def _image_lab(page: studio.Page) -> Lab:
    def contents(demo: gr.Blocks) -> None:
        studio.contents(page, IMAGE_LABS)

    return Lab(page.title, page.path, page.text, ART[page.path](), contents)


LABS = (
    Lab(
        toy_lab.TITLE,
        "toy",
        "Up to eight small GANs race on 2D data, live: see modes collapse, change any setting while they train, "
        "scrub back, fork, draw your own data.",
        _ring(),
        toy_lab.contents,
    ),
    Lab(
        dirac_lab.TITLE,
        "dirac",
        "The smallest GAN there is: two numbers. See why training circles, runs away, or comes home.",
        _walks(),
        dirac_lab.contents,
    ),
    Lab(
        train_lab.TITLE,
        "train",
        "Train an image GAN on your own pictures, live: watch the samples grow, see what D sees, whether it memorises, "
        "fork, and open the result in the image labs.",
        _growth(),
        train_lab.contents,
    ),
    *(_image_lab(page) for page in IMAGE_LABS),
    Lab(
        metrics_lab.TITLE,
        "metrics",
        "How good is a generator? Distances, precision and recall with their uncertainty, the truncation curve, and "
        "what a distance notices when pictures are made worse.",
        _tradeoff(),
        metrics_lab.contents,
    ),
    Lab(
        sticking_lab.TITLE,
        "equivariance",
        "A StyleGAN3 beside a StyleGAN2: move and turn their input, and see which details stick to the pixels.",
        _stuck(),
        sticking_lab.contents,
    ),
    Lab(
        zoo_page.TITLE,
        "zoo",
        "Every system for images in one table: networks, loss, regularizers, formulas, and what each made of the same "
        "data in the same time.",
        _cages(),
        zoo_page.contents,
    ),
)


if __name__ == "__main__":
    launch(build())
