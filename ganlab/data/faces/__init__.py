"""Faces: an endless, captioned set of cartoon portraits, drawn from known attributes.

`faces(seed, indices, resolution)` draws pictures; `sample`, `grain` and `render` are its parts. What is in a picture is
known exactly, so that conditioning, edits, disentanglement and text can be measured against the truth.
"""

from ganlab.data.faces.attributes import ATTRIBUTES, Attribute, Attributes, sample, with_attribute
from ganlab.data.faces.drawing import faces, render
from ganlab.data.faces.draws import Grain, grain

__all__ = ["ATTRIBUTES", "Attribute", "Attributes", "Grain", "faces", "grain", "render", "sample", "with_attribute"]
