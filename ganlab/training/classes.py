"""What a frozen classifier knows of the classes of a set of images: mean features of each, and what a picture shows."""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.data.images import ImageSet
from ganlab.features.faces import FacesClassifier, features_of, load_classifier

LOOKED_AT = 512  # images that means are taken of, at most


class Reader:
    """The faces' classifier, copied once it is asked: logits of an attribute, with gradients to the pictures."""

    def __init__(self) -> None:
        self._held: FacesClassifier | None = None

    def __call__(self, images: Float[Tensor, "n 3 h w"], attribute: str) -> Float[Tensor, "n options"]:
        if self._held is None:
            self._held = copy.deepcopy(load_classifier()).to(images.device)
        return self._held.read(self._held.above(self._held.maps(images)[1]))[attribute]


def readable(images: ImageSet) -> bool:
    """Whether the classes of a set are options of an attribute that the classifier reads."""
    heads = {head.name: head.outputs for head in load_classifier().heads if head.options}
    return images.config.name == "faces" and heads.get(images.config.labels) == len(images.classes)


def class_means(images: ImageSet) -> Float[Tensor, "classes d"]:
    """The mean features of some images of each class; of a class that is not among them, the mean of all."""
    pixels, targets = images.train.get(range(min(LOOKED_AT, len(images.train))))
    features = features_of(load_classifier(), pixels)
    means = features.mean(0).repeat(len(images.classes), 1)
    for k in targets.unique().tolist():
        means[k] = features[targets == k].mean(0)
    return means


def know_classes(images: ImageSet, nets: Iterable[nn.Module]) -> None:
    """Tells embeddings of classes among the modules of networks what each class is like."""
    embeddings: list[Any] = [part for net in nets for part in net.modules() if hasattr(part, "know_classes")]
    means = class_means(images) if embeddings else torch.zeros(0)
    for part in embeddings:
        part.know_classes(means)
