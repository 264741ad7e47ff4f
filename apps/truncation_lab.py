"""The truncation lab: how far from the average picture, in which layers, and what that does to diversity."""

import gradio as gr

from apps import studio
from apps.serve import launch

PAGE = studio.Page(
    "Truncation lab",
    "Truncation",
    "truncation",
    "Trade variety for quality: ψ pulls every picture towards the average one, or pushes it away.",
    "TruncationPanel",
    ("truncation_panel.js",),
    "Pull pictures towards the average or push them away, layer by layer, and measure what that does to diversity.",
)


def build() -> gr.Blocks:
    """The lab alone."""
    return studio.build(PAGE)


if __name__ == "__main__":
    launch(build())
