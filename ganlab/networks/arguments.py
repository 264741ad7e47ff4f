"""What the constructors of networks are given for a shape: by the tables of families."""

from typing import Any, NamedTuple

from ganlab.features.faces import load_classifier
from ganlab.features.frozen import OWN


class Shape(NamedTuple):
    """What networks are built for."""

    resolution: int
    channels: int  # of images: 3 or 1
    classes: int  # 0: unconditional
    z_dim: int
    w_dim: int
    mapping_layers: int
    channel_base: int  # a layer at resolution r has base / r channels,
    channel_max: int  # at most so many
    mapping_width: int = 0  # features of the mapping network's hidden layers; 0: w_dim
    backbone: str = OWN  # the frozen network of projected discriminators


Arguments = dict[str, Any]


def _images(s: Shape) -> Arguments:
    return {"img_resolution": s.resolution, "img_channels": s.channels}


def _widths(s: Shape) -> Arguments:
    return {"channel_base": s.channel_base, "channel_max": s.channel_max}


def plain_g(s: Shape) -> Arguments:
    return {"z_dim": s.z_dim, "c_dim": s.classes, **_images(s), **_widths(s)}


def plain_d(s: Shape) -> Arguments:
    return {"c_dim": s.classes, **_images(s), **_widths(s)}


def projected_d(s: Shape) -> Arguments:
    return {**plain_d(s), "backbone": s.backbone}


def hidden_d(s: Shape) -> Arguments:
    return {**plain_d(s), "hidden": True}


def sagan_g(s: Shape) -> Arguments:
    return {**plain_g(s), "skip_z": False}


def began_d(s: Shape) -> Arguments:
    return {**plain_d(s), "code": s.z_dim}


def pair_d(s: Shape) -> Arguments:
    return {**plain_d(s), "z_dim": s.z_dim}


def _encoded() -> Arguments:
    """What the levels of a Stacked GAN are to invert."""
    E = load_classifier()
    (_, _), (middle, _), _ = E.map_shapes
    return {"top": E.layout.dim, "middle": middle}


def stacked_g(s: Shape) -> Arguments:
    return {**plain_g(s), **_encoded()}


def stacked_d(s: Shape) -> Arguments:
    return {**pair_d(s), **_encoded()}


def _mapping(s: Shape) -> Arguments:
    return {"num_layers": s.mapping_layers} | ({"layer_features": s.mapping_width} if s.mapping_width else {})


def stylegan2_g(s: Shape) -> Arguments:
    options = {"w_dim": s.w_dim, "mapping_kwargs": _mapping(s), "num_fp16_res": 0, "conv_clamp": None}
    return {**plain_g(s), **options}


def stylegan2_d(s: Shape) -> Arguments:
    return {**plain_d(s), "num_fp16_res": 0, "conv_clamp": None}


def stylegan1_g(s: Shape) -> Arguments:
    return {"z_dim": s.z_dim, "w_dim": s.w_dim, **_images(s), **_widths(s), "num_layers": s.mapping_layers}


def stylegan3_g(s: Shape) -> Arguments:
    """T: as official, but for fewer layers where pictures are small: each doubles the resolution at most once."""
    layers = 14 if s.resolution > 64 else 10
    return {**plain_g(s), "w_dim": s.w_dim, "mapping_kwargs": _mapping(s), "num_layers": layers, "num_fp16_res": 0}


def stylegan3_r(s: Shape) -> Arguments:
    twice = {"channel_base": 2 * s.channel_base, "channel_max": 2 * s.channel_max}
    return {**stylegan3_g(s), **twice, "conv_kernel": 1, "use_radial_filters": True}


def xl_g(s: Shape) -> Arguments:
    options = {"w_dim": s.w_dim, "mapping_layers": s.mapping_layers, "embedded": load_classifier().layout.dim}
    return {**plain_g(s), **options}


def xl_d(s: Shape) -> Arguments:
    return {**projected_d(s), "embedded": load_classifier().layout.dim}


def vitgan_g(s: Shape) -> Arguments:
    return {**plain_g(s), "w_dim": s.w_dim, "mapping_layers": s.mapping_layers}
