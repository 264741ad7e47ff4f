"""A CLIP's vectors of pictures as features that metrics compare: FD-clip-faces, KD-clip-ViT-B-32-openai."""

import re

import torch
from torch import Tensor

from ganlab.features.extractors import AT_ONCE, Extractor, in_colour
from ganlab.features.inception import extractor_named
from ganlab.text.clip import OWN, load_clip
from ganlab.text.directions import named

KIND = "clip"


def any_extractor(name: str, data: str) -> Extractor:
    """`features.inception.extractor_named`, and "clip" for our own CLIP or "clip:NAME" for one of `clip.load_clip`."""
    kind, _, model = name.partition(":")
    if kind != KIND:
        return extractor_named(name, data)
    clip = load_clip(model or OWN, "cuda" if torch.cuda.is_available() else "cpu")

    @torch.inference_mode()
    def features(pictures: Tensor) -> Tensor:
        return torch.cat([clip.embed_images(in_colour(part)).cpu() for part in pictures.split(AT_ONCE)])

    known_as = re.sub(r"[^\w.-]+", "-", clip.name)[:60]
    return Extractor(f"{KIND}-{known_as}", features, None, features, named(clip))
