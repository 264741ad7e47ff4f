"""Weights of other implementations under the official names of StyleGAN2, and StyleGAN's under ours.

A rule is a pattern of a foreign name, its name here, and what is done to the tensor. Sources: rosinality's
stylegan2-pytorch; NVlabs' stylegan and stylegan2 for TensorFlow, where convolutions are stored [k, k, in, out],
up-convolutions turned round, and 1 is added to the styles' biases as they are used.
"""

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ganlab.nn.resample import make_filter
from ganlab.nn.style import BLUR
from ganlab.pickles import clip, refuse

Change = Callable[[Tensor], Tensor]
State = dict[str, Tensor]


class Rule(NamedTuple):
    """Foreign name -> name here."""

    pattern: str
    name: Callable[[re.Match[str]], str] | None  # None: left out
    change: Change = lambda x: x


def translated(state: State, rules: tuple[Rule, ...]) -> State:
    """`state` under the names here; a name that no rule knows, or that comes twice, raises BadCheckpoint."""
    out: State = {}
    for key, value in state.items():
        rule, match = next(((r, m) for r in rules if (m := re.fullmatch(r.pattern, key))), (None, None))
        if rule is None or match is None:
            refuse(f"has the tensor {clip(key)}, which this kind of network has not")
        if rule.name is None:
            continue
        name = rule.name(match)
        if name in out:
            refuse(f"has {clip(name)} twice")
        try:
            out[name] = rule.change(value).contiguous()
        except (RuntimeError, IndexError):
            refuse(f"has {clip(key)} of an impossible shape")
    return out


def with_filters(state: State) -> State:
    """StyleGAN2's state dict with the filters that are constants elsewhere."""
    owners = set()
    for name in state:
        if match := re.match(r"(synthesis\.b\d+\.)((?:conv0|conv1|skip)\.)?", name):
            owners |= {match[1], match[1] + (match[2] or "")}
    return {**state, **{owner + "resample_filter": make_filter(BLUR) for owner in sorted(owners)}}


def from_rosinality(state: State) -> State:
    """StyleGAN2's generator from rosinality's `g_ema` (and `latent_avg`)."""
    for name, value in state.items():
        if name.endswith(".kernel") and not _is_blur(value):
            refuse(f"blurs with another filter than 1 3 3 1 ({clip(name)})")
    return with_filters(translated(state, ROSINALITY))


def from_tf_stylegan2(state: State) -> State:
    """StyleGAN2's generator from a network of TensorFlow days."""
    return with_filters(translated(state, TF_STYLEGAN2))


def from_tf_stylegan1(state: State) -> State:
    """StyleGAN's generator from a network of TensorFlow days."""
    return translated(state, TF_STYLEGAN1)


def from_lucidrains(state: State) -> State:
    """lucidrains' generator from the parts S and G (or SE and GE) of its checkpoint."""
    return translated(state, LUCIDRAINS)


def _is_blur(kernel: Tensor) -> bool:
    expected = make_filter(BLUR)
    return kernel.shape == expected.shape and torch.allclose(kernel.float() / kernel.sum(), expected, atol=1e-5)


def _first(x: Tensor) -> Tensor:
    return x[0]


def _turn(x: Tensor) -> Tensor:
    return x.t() if x.ndim == 2 else x.permute(3, 2, 0, 1)  # [in, out] or [k, k, in, out] to torch's order


def _turn_round(x: Tensor) -> Tensor:
    return _turn(x.flip((0, 1)))


def _plus_one(x: Tensor) -> Tensor:
    return x + 1


def _number(x: Tensor) -> Tensor:
    return x.reshape(())


def _flat(x: Tensor) -> Tensor:
    return x.flatten()


def _map(x: Tensor) -> Tensor:
    return x.reshape(x.shape[-2:])  # [1, 1, H, W]


def _ros_layer(match: re.Match[str]) -> str:
    """`conv1` is the layer of 4 x 4; `convs.N` are two a resolution from 8 x 8 on."""
    if match["n"] is None:
        return f"synthesis.b4.conv1.{ROS_PARTS[match['part']]}"
    n = int(match["n"])
    return f"synthesis.b{8 << n // 2}.conv{n % 2}.{ROS_PARTS[match['part']]}"


def _ros_rgb(match: re.Match[str]) -> str:
    side = 4 if match["n"] is None else 8 << int(match["n"])
    return f"synthesis.b{side}.torgb.{ROS_PARTS[match['part']]}"


def _noise(match: re.Match[str]) -> str:
    """noise 0 is that of 4 x 4, then two a resolution."""
    n = int(match["n"])
    return f"synthesis.b{4 << (n + 1) // 2}.conv{1 if n == 0 else (n + 1) % 2}.noise_const"


def _dense(match: re.Match[str]) -> str:
    return f"mapping.fc{match['n']}.{match['part']}"


def _tf_layer(match: re.Match[str]) -> str:
    layer = TF_LAYERS[match["layer"]]
    return f"synthesis.b{match['r']}.{layer}.{TF_PARTS[match['part']]}"


def _tf1_noise(match: re.Match[str]) -> str:
    n = int(match["n"])
    return f"synthesis.b{4 << n // 2}.conv{n % 2}.noise_const"


def _tf1_layer(match: re.Match[str]) -> str:
    layer = TF1_LAYERS[match["layer"]]
    return f"synthesis.b{match['r']}.{layer}.{TF1_PARTS[match['part']]}"


ROS_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}
TF_PARTS = {
    "weight": "weight",
    "bias": "bias",
    "mod_weight": "affine.weight",
    "mod_bias": "affine.bias",
    "noise_strength": "noise_strength",
}
TF_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}
TF1_LAYERS = {"Const": "conv0", "Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1"}
TF1_PARTS = {
    "weight": "weight",
    "bias": "bias",
    "Noise/weight": "noise_strength",
    "StyleMod/weight": "affine.weight",
    "StyleMod/bias": "affine.bias",
}

ROS_LAYER, ROS_RGB = r"(?:conv1|convs\.(?P<n>\d{1,2}))\.", r"(?:to_rgb1|to_rgbs\.(?P<n>\d{1,2}))\."
ROSINALITY = (
    Rule(r"latent_avg", lambda m: "mapping.w_avg"),
    Rule(r"style\.(?P<n>\d{1,2})\.(?P<part>weight|bias)", lambda m: f"mapping.fc{int(m['n']) - 1}.{m['part']}"),
    Rule(r"input\.input", lambda m: "synthesis.b4.const", _first),
    Rule(ROS_LAYER + r"(?P<part>conv\.weight)", _ros_layer, _first),
    Rule(ROS_LAYER + r"(?P<part>conv\.modulation\.(?:weight|bias)|activate\.bias)", _ros_layer),
    Rule(ROS_LAYER + r"(?P<part>noise\.weight)", _ros_layer, _number),
    Rule(ROS_RGB + r"(?P<part>conv\.weight)", _ros_rgb, _first),
    Rule(ROS_RGB + r"(?P<part>conv\.modulation\.(?:weight|bias))", _ros_rgb),
    Rule(ROS_RGB + r"(?P<part>bias)", _ros_rgb, _flat),
    Rule(r"noises\.noise_(?P<n>\d{1,2})", _noise, _map),
    Rule(r".*\.kernel", None),
)

TF_MAPPING, TF_BLOCK = r"(?:G_)?mapping/", r"(?:G_)?synthesis/(?P<r>\d{1,4})x(?P=r)/"
TF_STYLEGAN2 = (
    Rule(r"lod", None),
    Rule(r"dlatent_avg", lambda m: "mapping.w_avg"),
    Rule(TF_MAPPING + r"LabelEmbed/(?P<part>weight)", lambda m: "mapping.embed.weight", _turn),
    Rule(TF_MAPPING + r"LabelEmbed/(?P<part>bias)", lambda m: "mapping.embed.bias"),
    Rule(TF_MAPPING + r"Dense(?P<n>\d{1,2})/(?P<part>weight)", _dense, _turn),
    Rule(TF_MAPPING + r"Dense(?P<n>\d{1,2})/(?P<part>bias)", _dense),
    Rule(TF_BLOCK + r"Const/const", lambda m: "synthesis.b4.const", _first),
    Rule(TF_BLOCK + r"(?P<layer>Conv|Conv1|ToRGB)/(?P<part>weight)", _tf_layer, _turn),
    Rule(TF_BLOCK + r"(?P<layer>Conv0_up|Skip)/(?P<part>weight)", _tf_layer, _turn_round),
    Rule(TF_BLOCK + r"(?P<layer>Conv|Conv0_up|Conv1|ToRGB)/(?P<part>bias)", _tf_layer),
    Rule(TF_BLOCK + r"(?P<layer>Conv|Conv0_up|Conv1|ToRGB)/(?P<part>mod_weight)", _tf_layer, _turn),
    Rule(TF_BLOCK + r"(?P<layer>Conv|Conv0_up|Conv1|ToRGB)/(?P<part>mod_bias)", _tf_layer, _plus_one),
    Rule(TF_BLOCK + r"(?P<layer>Conv|Conv0_up|Conv1)/(?P<part>noise_strength)", _tf_layer, _number),
    Rule(r"(?:G_)?synthesis/noise(?P<n>\d{1,2})", _noise, _map),
    Rule(r"(?:G_)?synthesis/lod", None),
)

# up to 64 x 64 TensorFlow's code enlarges and then convolves, from 128 on it does both at once, the kernel turned round
SMALL = r"(?:G_)?synthesis/(?P<r>8|16|32|64)x(?P=r)/"
TF_STYLEGAN1 = (
    Rule(r"(?:G_)?(?:synthesis/)?lod", None),
    Rule(r"dlatent_avg", lambda m: "mapping.w_avg"),
    Rule(TF_MAPPING + r"Dense(?P<n>\d{1,2})/(?P<part>weight)", _dense, _turn),
    # the bias stands before the gain there, and is amplified with the rest here
    Rule(TF_MAPPING + r"Dense(?P<n>\d{1,2})/(?P<part>bias)", _dense, lambda x: x / math.sqrt(2)),
    Rule(TF_BLOCK + r"Const/const", lambda m: "synthesis.b4.const", _first),
    Rule(SMALL + r"(?P<layer>Conv0_up)/(?P<part>weight)", _tf1_layer, _turn_round),
    Rule(TF_BLOCK + r"(?P<layer>Conv|Conv0_up|Conv1)/(?P<part>weight)", _tf1_layer, _turn),
    Rule(TF_BLOCK + r"(?P<layer>Const|Conv|Conv0_up|Conv1)/(?P<part>bias|Noise/weight|StyleMod/bias)", _tf1_layer),
    Rule(TF_BLOCK + r"(?P<layer>Const|Conv|Conv0_up|Conv1)/(?P<part>StyleMod/weight)", _tf1_layer, _turn),
    Rule(r"(?:G_)?synthesis/ToRGB_lod0/weight", lambda m: "synthesis.torgb.weight", _turn),
    Rule(r"(?:G_)?synthesis/ToRGB_lod0/bias", lambda m: "synthesis.torgb.bias"),
    Rule(r"(?:G_)?synthesis/ToRGB_lod\d{1,2}/(?:weight|bias)", None),  # of smaller images, while it grew
    Rule(r"(?:G_)?synthesis/noise(?P<n>\d{1,2})", _tf1_noise, _map),
)

LUCIDRAINS = (
    Rule(
        r"SE?\.net\.(?P<n>\d{1,3})\.(?P<part>weight|bias)", lambda m: f"mapping.layers.{int(m['n']) // 2}.{m['part']}"
    ),
    Rule(r"GE?\.blocks\.\d{1,2}\.to_rgb\.upsample\.1\.f", None),
    Rule(r"GE?\.(?P<rest>(?:initial_|blocks\.).*)", lambda m: f"synthesis.{m['rest']}"),
)
