"""The style mixing lab: styles of one picture in some layers of another."""

import gradio as gr

from apps import studio
from apps.serve import launch

PAGE = studio.Page(
    "Style mixing lab",
    "Style mixing",
    "mixing",
    "Give a picture another one's pose, features or colours: choose which layers listen to which source.",
    "MixingPanel",
    ("mixing_panel.js",),
    "A table of crossings: pose of one, features or colours of another, layer by layer.",
)


def build() -> gr.Blocks:
    """The lab alone."""
    return studio.build(PAGE)


if __name__ == "__main__":
    launch(build())
