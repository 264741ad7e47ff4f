"""Texts that work on a model are found by trying them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganlab import zoo
from ganlab.features.faces import load_classifier
from ganlab.serving.edits import SUGGESTIONS, Editing
from ganlab.synthesis import Cancelled, open_renderer
from ganlab.text.clip import load_clip
from ganlab.text.directions import MOST_IDEAS, known_effects, load_effects, save_effects
from ganlab.text.suggestions import IDEAS, suggested


def test_what_works_is_suggested_and_what_does_not_is_not(tmp_path: Path) -> None:
    renderer, clip = open_renderer(zoo.path_of("faces64")), load_clip()
    effects = known_effects(renderer, clip)
    assert effects is not None
    ideas = ("a person with red lipstick", "a person with a mustache", "a person with sunglasses", "a person")
    found = suggested(renderer, clip, effects, load_classifier(), ideas)
    assert found == ("a person with red lipstick", "a person with sunglasses")
    with pytest.raises(Cancelled):
        suggested(renderer, clip, effects, load_classifier(), ideas, lambda done, of: done < 1)
    random = replace(effects, effects=torch.randn(effects.effects.shape, generator=torch.Generator().manual_seed(0)))
    assert suggested(renderer, clip, random, load_classifier(), ideas[:1]) == ()
    path = tmp_path / "some.safetensors"
    save_effects(path, replace(effects, suggestions=found))
    assert load_effects(path, renderer, clip).suggestions == found
    save_effects(path, replace(effects, suggestions=("x" * 10_000, "", *IDEAS)))
    kept = load_effects(path, renderer, clip).suggestions
    assert len(kept) <= MOST_IDEAS and set(kept) < set(IDEAS)


def test_the_lab_suggests_what_works_on_the_model_at_hand() -> None:
    editing, clip = Editing(), load_clip()
    for name in ("faces64", "stylegan-faces32", "mnist32"):
        renderer = open_renderer(zoo.path_of(name), name)
        given, effects = editing.suggestions(renderer, clip), known_effects(renderer, clip)
        assert given == list(effects.suggestions if effects is not None else ()), name
        assert bool(given) == (name != "mnist32")
        assert json.dumps(given) and len(given) <= MOST_IDEAS
    assert editing.suggestions(open_renderer(zoo.path_of("faces64")), None) == list(SUGGESTIONS)  # without a CLIP
