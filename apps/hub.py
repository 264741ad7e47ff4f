"""The hub: a front page and every lab on a page of its own, in one app."""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from apps import dirac_lab, toy_lab
from apps.serve import launch


class Lab(NamedTuple):
    """One row of the hub."""

    title: str
    path: str
    text: str
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
        f'<a class="hub-card" href="./{lab.path}"><b>{lab.title}</b><span>{lab.text}</span></a>' for lab in LABS
    )
    return f"<style>{CARD_CSS}</style><div class='hub-cards'>{cards}</div>"


WELCOME = """# ganlab
**The laboratory for generative adversarial networks.** Everything runs live in your browser and on this server's CPU;
nothing is sent anywhere else."""

CARD_CSS = """
.hub-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 16px; }
.hub-card { display: grid; gap: 6px; padding: 18px 20px !important; border-radius: 10px; text-decoration: none !important;
  align-content: start; text-align: left; border: 1px solid var(--border-color-primary); background: var(--block-background-fill); color: var(--body-text-color); }
.hub-card:hover { border-color: var(--color-accent); }
.hub-card b { font-size: 18px; } .hub-card span { color: var(--body-text-color-subdued); line-height: 1.45; }
"""

LABS = (
    Lab(
        toy_lab.TITLE,
        "toy",
        "Up to eight small GANs race on 2D data, live: see modes collapse, change any setting while they train, "
        "scrub back, fork, draw your own data.",
        toy_lab.contents,
    ),
    Lab(
        dirac_lab.TITLE,
        "dirac",
        "The smallest GAN there is: two numbers. See why training circles, runs away, or comes home.",
        dirac_lab.contents,
    ),
)


if __name__ == "__main__":
    launch(build())
