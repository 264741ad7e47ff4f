"""From two texts to channels of styles, with made-up embeddings."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.latents.directions import as_edit, s_direction
from ganlab.recipe import Recipe
from ganlab.synthesis import Cancelled, Renderer, open_renderer
from ganlab.text.directions import (
    SAMPLES,
    SEED,
    SHIPPED,
    SIGMAS,
    ChannelEffects,
    channel_effects,
    keep_effects,
    known_effects,
    load_effects,
    relevance,
    save_effects,
    text_change,
    text_offsets,
)
from ganlab.text.joint import find_effects, joint_effects, regression
from tests.text.colours import Colours
from tests.tiny_models import write_model


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    path = write_model(tmp_path_factory.mktemp("model"), resolution=16)
    return Renderer(weights.load(path), "tiny", sha256="ab" * 32)


@pytest.fixture(scope="module")
def found(renderer: Renderer) -> ChannelEffects:
    return channel_effects(renderer, Colours(), pictures=3)


@torch.inference_mode()
def test_effects_are_what_each_channel_does_to_pictures(renderer: Renderer, found: ChannelEffects) -> None:
    G = renderer.G
    w = renderer.latents.sample(SAMPLES, torch.Generator().manual_seed(SEED))
    ws = w[:, None].expand(-1, G.num_ws, -1)
    rows = renderer.facts()["style_space"]
    styles = torch.cat([affine(w) for affine in G.synthesis.affines()], 1)
    torch.testing.assert_close(found.deviations, styles.std(0), rtol=1e-4, atol=1e-6)
    for row in rows:
        channel = row["first"] + row["channels"] // 2
        if "torgb" in row["name"]:
            assert not found.effects[channel].any()  # colours are left out
            continue
        ends = []
        for sign in (1, -1):
            offsets = torch.zeros(1, renderer.space.channels)
            offsets[0, channel] = sign * SIGMAS * styles.std(0)[channel]
            images = G.synthesis(ws[:3], noise_mode="const", offsets=offsets)
            ends.append(Colours().embed_images(images))
        want = F.normalize((ends[0] - ends[1]).mean(0), dim=0)
        torch.testing.assert_close(found.effects[channel], want, rtol=1e-2, atol=1e-3)


def test_a_text_changes_the_picture_towards_it(renderer: Renderer, found: ChannelEffects) -> None:
    change = text_change(Colours(), "a thing", "a red thing")
    offsets = text_offsets(found, change, beta=0.1)
    edit = as_edit(s_direction("red", offsets, "text"), 3.0)
    means = [renderer.image(Recipe(edits=edits)).mean((1, 2)) for edits in ((), (edit,))]
    redder = means[1] - means[0]
    assert redder[0] > 0.02 and redder[0] > redder[1:].max()


def test_channels_learnt_together_change_the_picture_and_less_else(renderer: Renderer, found: ChannelEffects) -> None:
    together, expected = joint_effects(renderer, Colours(), pictures=300)
    assert (together.how, expected.how) == ("together", "expected")
    change = text_change(Colours(), "a thing", "a red thing")
    cleaner = []
    for effects in (together, expected, found):
        edit = as_edit(s_direction("red", text_offsets(effects, change, beta=0.1), "text"), 2.0)
        means = [renderer.image(Recipe(edits=edits)).mean((1, 2)) for edits in ((), (edit,))]
        redder = means[1] - means[0]
        assert redder[0] > 0.02
        cleaner.append(float(redder[0] / redder[1:].abs().max()))
    assert cleaner[0] > max(cleaner[1:]) and cleaner[0] > 2
    assert relevance(together, change).abs().max() == relevance(expected, change).abs().max() == 1


def test_regression_finds_each_slope_while_the_others_are_held() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(500, 4, generator=generator)
    x[:, 1] = x[:, 0] + 0.3 * x[:, 1]  # they go together, and only one of them matters
    slopes = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, -1.0], [0.5, 0.5]])
    y = x @ slopes + 3 + 0.1 * torch.randn(500, 2, generator=generator)
    torch.testing.assert_close(regression(x, y).float(), slopes, atol=0.25, rtol=0)


def test_what_is_expected_of_a_picture_goes_along_with_what_it_was_chosen_for() -> None:
    """Seen is one mark of two things that go together in the data: the one that makes it, and its companion."""
    generator = torch.Generator().manual_seed(1)
    w = torch.randn(4000, 2, generator=generator)
    w[:, 1] = 0.8 * w[:, 0] + 0.6 * w[:, 1]
    seen = w[:, :1] * 3
    adds, expected = regression(w, seen), regression(seen, w).T
    assert adds[1].abs() < 0.05 * adds[0]
    assert float(expected[1] / expected[0]) == pytest.approx(0.8, abs=0.05)


def test_relevance_beta_and_scale() -> None:
    """Patashnik et al. 2021, sec. 6: with known embeddings, by hand."""
    effects = ChannelEffects("", "", torch.tensor([2.0, 3.0, 4.0]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]]))
    change = torch.tensor([1.0, 0.0])
    torch.testing.assert_close(text_offsets(effects, change, 0.0), torch.tensor([2.0, 0.0, -0.6 * 4.0]))
    torch.testing.assert_close(text_offsets(effects, change, 0.7), torch.tensor([2.0, 0.0, 0.0]))
    with pytest.raises(InvalidInput, match=r"beta: leaves no channel: it must be below 1\.000"):
        text_offsets(effects, change, 1.1)


@pytest.mark.parametrize(
    ("neutral", "target", "said"),
    [
        ("", "red", "neutral: is empty"),
        ("a face", "  ", "target: is empty"),
        ("a face", "red " * 2500, "target: is 10,000 characters long"),
        ("a face", "a house", "target: says the same"),
        ("a face", "😀", "target: says the same"),
    ],
)
def test_texts_that_cannot_be_used(neutral: str, target: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        text_change(Colours(), neutral, target)


def test_effects_are_kept(renderer: Renderer, found: ChannelEffects, tmp_path: Path) -> None:
    path = tmp_path / "effects.safetensors"
    save_effects(path, found)
    again = load_effects(path, renderer, Colours())
    torch.testing.assert_close(again.effects, found.effects, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(again.deviations, found.deviations)
    other = Colours()
    other.name = "other"
    with pytest.raises(InvalidInput, match="another model or another CLIP"):
        load_effects(path, renderer, other)
    for damaged in (b"", path.read_bytes()[:200], b"\xff" * 64):
        path.write_bytes(damaged)
        with pytest.raises(InvalidInput, match="is not what ganlab has written"):
            load_effects(path, renderer, Colours())
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_effects(tmp_path / "nowhere", renderer, Colours())


def test_it_can_be_stopped(renderer: Renderer) -> None:
    told: list[tuple[int, int]] = []
    with pytest.raises(Cancelled):
        channel_effects(
            renderer, Colours(), pictures=1, tick=lambda done, of: bool(told.append((done, of))) or done < 3
        )
    assert told[-1][0] == 3 and told[-1][1] > 3
    with pytest.raises(Cancelled):
        find_effects(renderer, Colours(), "together", lambda done, of: done < of / 2)


def test_effects_are_found_again_where_they_were_kept(
    renderer: Renderer, found: ChannelEffects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    clip = Colours()
    assert known_effects(renderer, clip) is None
    keep_effects(renderer, clip, found)
    assert known_effects(renderer, clip) is None  # that is learnt in another way
    again = known_effects(renderer, clip, "apart")
    assert again is not None
    torch.testing.assert_close(again.effects, found.effects, rtol=1e-3, atol=1e-3)
    newer = Colours()
    newer.sha256 = "trained anew under the same name"  # type: ignore[attr-defined]
    assert known_effects(renderer, newer, "apart") is None
    (kept,) = tmp_path.glob("*")
    kept.write_bytes(kept.read_bytes()[:-7])
    assert known_effects(renderer, clip, "apart") is None  # damaged: it is made anew
    monkeypatch.setenv("GANLAB_CACHE", str(kept / "no folder"))
    assert keep_effects(renderer, clip, found) is None  # nowhere to keep it


def test_effects_are_kept_beside_the_model(
    found: ChannelEffects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    clip, path = Colours(), write_model(tmp_path / "models", resolution=16)
    own = open_renderer(path, device=torch.device("cpu"))
    mine = replace(found, model=own.sha256)
    kept = keep_effects(own, clip, mine)
    assert kept is not None and kept.parent == path.parent / "effects" and not (tmp_path / "cache").exists()
    again = known_effects(open_renderer(path), clip, "apart")
    assert again is not None and torch.equal(again.deviations, found.deviations)
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.touch()  # a folder in which nothing can be written
    instead = keep_effects(own, clip, mine)
    assert (
        instead is not None and instead.parent == tmp_path / "cache" and known_effects(own, clip, "apart") is not None
    )
    own.path = SHIPPED.parent / "faces64.safetensors"
    assert keep_effects(own, clip, mine) == instead  # never among the files that came with ganlab
