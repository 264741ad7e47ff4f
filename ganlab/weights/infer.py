"""Constructor arguments from the shapes of a state dict, for files that carry none."""

import re
from typing import Any, NoReturn

from torch import Tensor

from ganlab.pickles import refuse

State = dict[str, Tensor]


def stylegan2_arguments(state: State) -> dict[str, Any]:
    """Of StyleGAN2's generator, from its state dict under the official names."""
    channels = _channels(state, "conv1.weight")
    side = max(channels)
    torgb = f"synthesis.b{side}.torgb.weight"
    if torgb not in state:
        _missing(torgb)
    skip = "synthesis.b4.torgb.weight" in state and side > 4
    resnet = any(re.fullmatch(r"synthesis\.b\d+\.skip\.weight", name) for name in state)
    base, most = _base(channels)
    return {
        **_mapping(state, "mapping.embed.weight"),
        "img_resolution": side,
        "img_channels": state[torgb].shape[0],
        "architecture": "skip" if skip else "resnet" if resnet else "orig",
        "channel_base": base,
        "channel_max": most,
        "num_fp16_res": 0,
        "conv_clamp": None,
    }


def stylegan1_arguments(state: State) -> dict[str, Any]:
    """Of StyleGAN's generator, from its translated state dict."""
    channels = _channels(state, "conv1.weight")
    if "synthesis.torgb.weight" not in state:
        _missing("synthesis.torgb.weight")
    base, most = _base(channels)
    mapping = _mapping(state, "")
    return {
        "z_dim": mapping["z_dim"],
        "w_dim": mapping["w_dim"],
        "num_layers": mapping["mapping_kwargs"]["num_layers"],
        "img_resolution": max(channels),
        "img_channels": state["synthesis.torgb.weight"].shape[0],
        "channel_base": base,
        "channel_max": most,
    }


def lucidrains_arguments(state: State) -> dict[str, Any]:
    """Of lucidrains' generator, from its translated state dict."""
    blocks = [state[name] for k in range(16) if (name := f"synthesis.blocks.{k}.conv2.weight") in state]
    layers = [name for k in range(64) if (name := f"mapping.layers.{k}.weight") in state]
    torgb = "synthesis.blocks.0.to_rgb.conv.weight"
    if not blocks or not layers or torgb not in state:
        _missing("synthesis.blocks.0.conv2.weight")
    return {
        "z_dim": state[layers[0]].shape[0],
        "img_resolution": 2 << len(blocks),
        "img_channels": state[torgb].shape[0],
        "network_capacity": blocks[-1].shape[0] // 2,
        "channel_max": max(block.shape[0] for block in blocks),
        "num_layers": len(layers),
    }


def _channels(state: State, layer: str) -> dict[int, int]:
    """Channels of each resolution."""
    pattern = r"synthesis\.b(\d{1,5})\." + re.escape(layer)
    found = {int(m[1]): value.shape[0] for name, value in state.items() if (m := re.fullmatch(pattern, name))}
    if sorted(found) != [4 << k for k in range(len(found))] or not found:
        refuse("misses some of the resolutions 4, 8, 16, ... of a generator")
    return found


def _base(channels: dict[int, int]) -> tuple[int, int]:
    """(channel_base, channel_max) that give these channels."""
    most = max(channels.values())
    falling = [side * count for side, count in channels.items() if count < most]
    base = max(falling) if falling else most * max(channels)
    for side, count in channels.items():
        if min(base // side, most) != count:
            refuse(f"has {count} channels at {side} x {side}, which no setting gives")
    return base, most


def _mapping(state: State, embed: str) -> dict[str, Any]:
    """z, c, w and the depth of the mapping network."""
    layers = [state[name] for k in range(64) if (name := f"mapping.fc{k}.weight") in state]
    if not layers or any(layer.ndim != 2 for layer in layers):
        _missing("mapping.fc0.weight")
    labels = state.get(embed)
    options: dict[str, Any] = {"num_layers": len(layers)}
    if labels is not None and labels.ndim == 2:
        options["embed_features"] = labels.shape[0]
    if layers[0].shape[0] != layers[-1].shape[0]:
        options["layer_features"] = layers[0].shape[0]
    embedded = options.get("embed_features", 0)
    return {
        "z_dim": layers[0].shape[1] - embedded,
        "c_dim": labels.shape[1] if embedded and labels is not None else 0,
        "w_dim": layers[-1].shape[0],
        "mapping_kwargs": options,
    }


def _missing(name: str) -> NoReturn:
    refuse(f"has no tensor {name} of the right kind; it is no generator known here")
