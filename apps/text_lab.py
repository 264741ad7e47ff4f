"""The editing lab: directions with and without text, stacked on a picture, each with a strength of its own."""

import gradio as gr

from apps import studio
from apps.serve import launch

PAGE = studio.Page(
    "Editing lab",
    "Editing",
    "text",
    "Change one thing and keep the rest: add a direction, or say it in words, and drag its strength.",
    "TextPanel",
    (
        "charts.js",
        "edit_stack.js",
        "direction_list.js",
        "text_live.js",
        "text_prompt.js",
        "text_optimize.js",
        "text_mapper.js",
        "text_methods.js",
        "invert_panel.js",
        "edit_quality.js",
        "text_panel.js",
    ),
    "Turn a smile up, make the hair longer, or say in words what should change; stack edits, and try them on others.",
)


def build() -> gr.Blocks:
    """The lab alone."""
    return studio.build(PAGE)


if __name__ == "__main__":
    launch(build())
