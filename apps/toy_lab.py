"""The 2D lab: a race of one to eight GANs that trains live, with everything that can be asked of it on one page."""

import dataclasses
from pathlib import Path
from typing import Any

import gradio as gr

from apps.serve import launch
from ganlab.config import Config, knob_of
from ganlab.data.toy2d import DENSITIES, DataConfig
from ganlab.data.uploads import MOST_BYTES
from ganlab.losses import LOSSES
from ganlab.presets import EXPERIMENTS, PRESETS
from ganlab.regularizers import REGULARIZERS
from ganlab.run import GanConfig, Penalty

TITLE = "2D lab"
WEB = Path(__file__).parent / "web"
SCRIPTS = ("page.js", "control.js", "link.js", "stage.js", "charts.js", "forms.js", "share.js", "toy_lab.js")
TITLES = {"loss": LOSSES}  # settings whose choices have titles of their own
LABELS = {
    "g_width": "width of G",
    "g_depth": "layers of G",
    "d_width": "width of D",
    "d_depth": "layers of D",
    "g_norm": "norm in G",
    "d_norm": "norm in D",
    "minibatch": "minibatch layer",
    "pack": "packing",
    "z_dim": "dimensions of z",
    "z_kind": "z is",
    "lr_g": "learning rate of G",
    "lr_d": "learning rate of D",
    "beta1": "Adam β₁",
    "beta2": "Adam β₂",
    "batch": "batch size",
    "d_steps": "D-steps per G-step",
    "update": "learns",
    "instance_noise_steps": "… decays in steps",
    "ema": "moving average of G",
    "unroll": "unrolled D-steps",
    "latent_optimization": "latent optimization",
    "interval": "every n-th step",
}
GIVEN = ("drawn", "points", "picture")  # densities that a visitor brings, not picked from the list


def build() -> gr.Blocks:
    """The page. Its server side is `apps.toy_routes`, which `apps.serve.launch` adds."""
    with gr.Blocks(title="ganlab: 2D lab", analytics_enabled=False, delete_cache=(300, 900)) as demo:
        contents(demo)
    return demo


def contents(demo: gr.Blocks) -> None:
    """The lab inside the `gr.Blocks` that is open: the hub puts it on a page of its own."""
    gr.HTML(
        value=schema(),
        html_template=(WEB / "toy_lab.html").read_text(encoding="utf-8"),
        css_template=(WEB / "toy_lab.css").read_text(encoding="utf-8"),
        js_on_load=script(),
        apply_default_css=False,
        elem_id="toy-lab",
    )


def script() -> str:
    """The page's JavaScript, one function around all files so that no name leaks."""
    parts = [(WEB / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "(() => {\n" + "\n".join(parts) + '\nnew ToyLab(element.querySelector(".toy-lab"), props.value);\n})();'


def schema() -> dict[str, Any]:
    """What the page builds its menus and forms from: the same tables that the library and the command line read."""
    gan = [field for field in fields_of(GanConfig) if field["group"] and field["name"] != "penalties"]
    return {
        "gan": gan,
        "groups": list(dict.fromkeys(field["group"] for field in gan)),
        "penalty": {field["name"]: field for field in fields_of(Penalty)},
        "data": {f["name"]: f for f in fields_of(DataConfig) if f["name"] in ("modes", "radius", "sigma", "theta")},
        "densities": {
            name: {
                "title": row.title,
                "description": row.description,
                "dim": row.dim,
                "uses": row.uses,
                "defaults": dict(row.defaults),
                "given": name in GIVEN,
            }
            for name, row in DENSITIES.items()
        },
        "regularizers": {name: {"title": row.title, "weight": row.weight} for name, row in REGULARIZERS.items()},
        "presets": {name: {"title": row.title, "text": row.text} for name, row in PRESETS.items()},
        "experiments": {
            name: {"title": row.title, "text": row.text, "speed": row.speed} for name, row in EXPERIMENTS.items()
        },
        "most_upload": MOST_BYTES,
    }


def fields_of(config: type[Config]) -> list[dict[str, Any]]:
    """Every field of a config class as a form needs it."""
    out = []
    for field in dataclasses.fields(config):
        knob = knob_of(field)
        titles = TITLES.get(field.name, {})
        names = [[name, titles[name].title if name in titles else name.replace("_", " ")] for name in knob.names()]
        kind = "int" if field.type in (int, int | None) else "float"
        out.append(
            {
                "name": field.name,
                "label": LABELS.get(field.name, field.name.replace("_", " ")),
                "help": knob.help,
                "group": knob.group,
                "kind": kind,
                "lo": knob.lo,
                "hi": knob.hi,
                "log": knob.log,
                "live": knob.live,
                "choices": names or None,
            }
        )
    return out


if __name__ == "__main__":
    launch(build())
