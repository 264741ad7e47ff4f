"""StyleGAN2 generators of ours under the names of other implementations: the way back from `translate`."""

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganlab.networks import stylegan2
from tests.pickles.assemble import Op, dumps
from tests.pickles.attacks import numpy_array, tf_network

State = dict[str, Tensor]
ROS_PARTS = {
    "affine.weight": "conv.modulation.weight",
    "affine.bias": "conv.modulation.bias",
    "weight": "conv.weight",
    "bias": "activate.bias",
    "noise_strength": "noise.weight",
}
TF_PARTS = {"weight": "weight", "affine.weight": "mod_weight", "affine.bias": "mod_bias"}


def generator(seed: int = 0, **how: Any) -> stylegan2.Generator:
    """A small StyleGAN2 with random biases, noise strengths and average."""
    options = {"c_dim": 0, "img_resolution": 32, "channel_base": 256, "channel_max": 16, "conv_clamp": None, **how}
    torch.manual_seed(seed)
    network = stylegan2.Generator(
        z_dim=16, w_dim=24, img_channels=3, mapping_kwargs={"num_layers": 3}, num_fp16_res=0, **options
    )
    for name, value in network.state_dict().items():
        if name.endswith(("bias", "noise_strength", "w_avg")):
            value.add_(torch.randn(value.shape) * 0.3)
    return network.eval().requires_grad_(False)


def rosinality(state: State) -> State:
    """The names and shapes of rosinality's stylegan2-pytorch."""
    blur = torch.tensor([1.0, 3, 3, 1])
    out: State = {}
    for name, value in state.items():
        block = re.match(r"synthesis\.b(\d+)\.(.*)", name)
        if name.endswith("resample_filter"):
            continue
        if block is None:
            fc = re.match(r"mapping\.fc(\d+)\.(.*)", name)
            out[f"style.{int(fc[1]) + 1}.{fc[2]}" if fc else "latent_avg"] = value
        else:
            _to_rosinality(out, int(block[1]).bit_length() - 3, block[2], value)
    kernel = blur.outer(blur) / 64 * 4
    return {**out, "convs.0.conv.blur.kernel": kernel, "to_rgbs.0.upsample.kernel": kernel}


def _to_rosinality(out: State, level: int, rest: str, value: Tensor) -> None:
    layer, _, part = rest.partition(".")
    if rest == "const":
        out["input.input"] = value[None]
    elif layer == "torgb":
        prefix = "to_rgb1." if level == 0 else f"to_rgbs.{level - 1}."
        if part == "bias":
            out[prefix + "bias"] = value.view(1, -1, 1, 1)
        else:
            out[prefix + ROS_PARTS[part]] = value[None] if part == "weight" else value
    else:
        index = 2 * level - 2 + (layer == "conv1")  # of convs
        if part == "noise_const":
            out[f"noises.noise_{index + 1}"] = value[None, None]
        else:
            prefix = "conv1." if level == 0 else f"convs.{index}."
            changed = value[None] if part == "weight" else value.view(1) if part == "noise_strength" else value
            out[prefix + ROS_PARTS[part]] = changed


def tensorflow(state: State) -> State:
    """The names, order of axes and conventions of NVIDIA's StyleGAN2 for TensorFlow."""
    out: State = {"lod": torch.tensor(0.0)}
    for name, value in state.items():
        if name.endswith("resample_filter"):
            continue
        match = re.match(r"(?:mapping\.(\w+?)|synthesis\.b(\d+)\.(\w+))(?:\.(.*))?$", name)
        assert match
        if match[1]:
            key = {"embed": "LabelEmbed", "w_avg": "dlatent_avg"}.get(match[1], match[1].replace("fc", "Dense"))
            path = key if key == "dlatent_avg" else f"mapping/{key}/{match[4]}"
            out[path] = value.t() if match[4] == "weight" else value
        else:
            _to_tensorflow(out, int(match[2]), match[3], match[4], value)
    return out


def _to_tensorflow(out: State, side: int, layer: str, part: str | None, value: Tensor) -> None:
    first = {"conv0": "Conv0_up", "conv1": "Conv" if side == 4 else "Conv1", "torgb": "ToRGB", "skip": "Skip"}
    if layer == "const":
        out["synthesis/4x4/Const/const"] = value[None]
    elif part == "noise_const":
        out[f"synthesis/noise{2 * side.bit_length() - 7 + (layer == 'conv1')}"] = value[None, None]
    else:
        assert part
        if part == "weight":
            value = value.permute(2, 3, 1, 0)  # [k, k, in, out]
            value = value.flip((0, 1)) if layer in ("conv0", "skip") else value
        elif part == "affine.weight":
            value = value.t()
        elif part == "affine.bias":
            value = value - 1
        out[f"synthesis/{side}x{side}/{first[layer]}/{TF_PARTS.get(part, part)}"] = value


def tf_pickle(state: State, function: str = "G_main") -> bytes:
    """A TensorFlow pickle of these variables, G_ema alone being whole."""
    parts: dict[str, list[tuple[str, Op]]] = {"": [], "mapping": [], "synthesis": []}
    for name, value in state.items():
        prefix, _, rest = name.partition("/") if "/" in name else ("", "", name)
        array = np.ascontiguousarray(value.float().numpy())
        parts[prefix].append((rest, numpy_array(tuple(value.shape), array.tobytes())))
    inner = {key: tf_network(variables=parts[key]) for key in ("mapping", "synthesis")}
    whole = tf_network(variables=parts[""], components=inner, build_func_name=function)
    return dumps((tf_network(), tf_network(), whole))
