"""Texts that are worth a try on a model of cartoon faces: what its own directions reach, tried before anyone asks."""

from collections.abc import Sequence

import torch

from ganlab.config import InvalidInput
from ganlab.features.faces import FacesClassifier
from ganlab.synthesis import Cancelled, Renderer
from ganlab.text.aims import aims_of
from ganlab.text.directions import ChannelEffects, Embedder, Tick, text_change, text_offsets
from ganlab.text.quality import edit_quality

NEUTRAL = "a person"
IDEAS = (
    "a smiling person", "a sad person", "a person with an open mouth", "a person with closed eyes",
    "a person with glasses", "a person with sunglasses", "a person without glasses", "a person with a beard",
    "a person with a mustache", "a person without a beard", "a person with red lipstick", "a person with gold earrings",
    "a person with red hair", "a person with black hair", "a person with blond hair", "a person with white hair",
    "a person with long hair", "a person with curly hair", "a person with spiky hair", "a bald person",
    "a person with pigtails", "a person with bangs", "a person with a crown", "a person with a cap",
    "a person without a hat", "a person wearing red clothes", "a person wearing blue clothes",
    "a person in a striped shirt", "a person with a blue background", "a person with a pink background",
)  # fmt: skip
BETA = 0.1
STRENGTHS = (1.0, 2.0, 3.0, 5.0)
PICTURES, SEED, PSI = 12, 11, 0.7
MOST = 8
REACHED, GAINED, FLIPPED = 0.6, 0.3, 0.25  # of the pictures show it after; more than before; of the rest changed


@torch.inference_mode()
def suggested(
    renderer: Renderer,
    clip: Embedder,
    effects: ChannelEffects,
    reader: FacesClassifier,
    ideas: Sequence[str] = IDEAS,
    tick: Tick | None = None,
) -> tuple[str, ...]:
    """Texts for which a direction does what is asked on most of a few pictures, at most eight, in the order of `ideas`.

    Those that gain most and change least beside it: of an entangled model even they change much. `tick` returning False
    raises `Cancelled`.
    """
    w = renderer.latents.sample(1000, torch.Generator().manual_seed(SEED))
    ws = (w.mean(0) + PSI * (w[:PICTURES] - w.mean(0)))[:, None].expand(-1, renderer.engine.num_ws, -1).contiguous()
    before = renderer.images(ws)
    found: dict[str, float] = {}
    for done, text in enumerate(ideas):
        if tick is not None and not tick(done, len(ideas)):
            raise Cancelled
        try:
            offsets = text_offsets(effects, text_change(clip, NEUTRAL, text), BETA)
        except InvalidInput:  # nothing of this model has to do with it
            continue
        for strength in STRENGTHS:
            after = renderer.images(ws, strength * offsets.expand(len(ws), -1))
            q = edit_quality(before, after, None, clip, reader, aims_of(text))
            assert q.reached is not None and q.had is not None and q.flipped is not None  # faces are read, and asked of
            if q.reached >= REACHED and q.reached - q.had >= GAINED and q.flipped <= FLIPPED:
                found[text] = max(found.get(text, 0.0), q.reached - q.had - q.flipped)
    best = sorted(found, key=lambda text: -found[text])[:MOST]
    return tuple(text for text in ideas if text in best)
