"""The latent lab: walk between seeds, blend pictures and classes, make films."""

import gradio as gr

from apps import studio
from apps.serve import launch

PAGE = studio.Page(
    "Latent lab",
    "Latent",
    "latent",
    "Walk through latent space: drag on the map, blend two pictures, string keyframes into a film.",
    "LatentPanel",
    ("latent_map.js", "film_panel.js", "latent_panel.js"),
    "Every point is a picture: drag across a map of seeds, blend in Z, W or W+, and make films of the way.",
)


def build() -> gr.Blocks:
    """The lab alone."""
    return studio.build(PAGE)


if __name__ == "__main__":
    launch(build())
