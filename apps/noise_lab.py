"""The noise lab: what the noise inputs do, layer by layer and place by place."""

import gradio as gr

from apps import studio
from apps.serve import launch

PAGE = studio.Page(
    "Noise lab",
    "Noise",
    "noise",
    "Freckles, strands, grain: turn the noise of each layer, hold it, or paint it on, and see what it changes.",
    "NoisePanel",
    ("noise_panel.js",),
    "The small random things of a picture: switch them off, turn them up, paint them on, map where they act.",
)


def build() -> gr.Blocks:
    """The lab alone."""
    return studio.build(PAGE)


if __name__ == "__main__":
    launch(build())
