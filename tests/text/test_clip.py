"""CLIP on faces: words, vectors, files that are not what they say, and a training that learns and can be resumed."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ganlab import weights as model_files
from ganlab.cli import App
from ganlab.cli_clip import NAME, Learn, TrainClip
from ganlab.config import InvalidInput
from ganlab.data.faces import sample, with_attribute
from ganlab.nn.supervised import STATE
from ganlab.serving.edits import CLIP_VARIABLE, OWN_TEXTS, Editing
from ganlab.synthesis import Renderer, open_renderer
from ganlab.text import clip as module
from ganlab.text.clip import OWN, Clip, build_small, encode_texts, load_clip, open_clip_names, save_clip, small_clip
from ganlab.text.directions import known_effects, load_effects
from ganlab.text.evaluate import QUESTIONS, evaluate_clip, retrieval
from ganlab.text.features import any_extractor
from ganlab.text.lessons import Lessons, true_pairs
from ganlab.text.sayings import (
    HELD_OUT,
    TRAINED,
    Text,
    Wording,
    claims,
    described,
    long_captions,
    said,
    sayings,
    vocabulary,
)
from ganlab.text.small import ClipLayout
from ganlab.text.training import ClipRun, ClipTraining, contrastive_loss, train_clip
from ganlab.text.words import Vocabulary, words_of
from tests.damaged import with_header, with_tensor
from tests.text.colours import Colours
from tests.tiny_models import write_model

WORDS = ("a", "face", "glasses", "person", "red", "round", "with", "without")
LAYOUT = ClipLayout(side=32, dim=8, width=2, text_width=8, text_heads=2, text_layers=1, context=24, words=WORDS)
RUN = ClipRun(
    images=48,
    faces=16,
    batch=8,
    layout=ClipLayout(dim=16, width=2, text_width=16, text_heads=2, text_layers=1, words=vocabulary()),
)
PEOPLE = sample(5, range(60))


@pytest.fixture
def small() -> Clip:
    """Random weights."""
    torch.manual_seed(0)
    return small_clip("small", build_small(LAYOUT), LAYOUT)


# words


def test_a_text_becomes_numbers_between_a_start_and_an_end() -> None:
    words = Vocabulary(WORDS, 6)
    (row,) = words(["A person, WITH tail!"])
    assert row.tolist() == [words.start, 2, 5, 8, words.end, 0]  # what is not known is left out
    assert words(["", "with " * 50]).shape == (2, 6) and len(words) == 12
    assert words([""])[0].tolist() == [words.start, words.end, 0, 0, 0, 0]


def test_unknown_words_get_a_hint(small: Clip) -> None:
    assert small.unknown_words("a person with rond glases and glases") == ["rond", "glases", "and"]
    assert small.hint("rond face") == "“rond” is not a word this model knows, and was left out; did you mean “round”?"
    assert small.hint("xylophone") == "“xylophone” is not a word this model knows, and was left out."
    assert small.hint("a red face") == "" and small.unknown_words("a red face") == []


# vectors


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (20, 20), (32, 64)])
def test_pictures_and_texts_are_unit_vectors(small: Clip, size: tuple[int, int]) -> None:
    levels = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    vectors = small.embed_images(levels)
    assert vectors.shape == (3, 8)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(vectors, small.embed_images(levels.float() / 127.5 - 1), atol=1e-4)
    assert torch.allclose(small.embed_texts(["a red face", ""]).norm(dim=1), torch.ones(2), atol=1e-5)
    probable = small.zero_shot(levels, ["a red face", ["round glasses", "a person with glasses"]])
    assert probable.shape == (3, 2) and torch.allclose(probable.sum(1), torch.ones(3), atol=1e-5)


def test_a_gradient_reaches_every_pixel_whatever_its_value(small: Clip) -> None:
    images = (torch.randn(2, 3, 64, 64) * 2).requires_grad_()
    (small.embed_images(images) @ small.embed_texts(["a red face"]).T).sum().backward()
    assert images.grad is not None
    reached = images.grad != 0  # not all: the tiny network has few channels, of which some are off
    assert reached[images.abs() > 1].float().mean() > 0.7 and reached.float().mean() > 0.7
    assert not any(p.requires_grad for p in small.network.parameters())


def test_pictures_are_resized_as_open_clip_does(small: Clip) -> None:
    import numpy as np
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 18), (80, 120), mode="bicubic").clamp(0, 1)
    levels = (smooth * 255).round().to(torch.uint8)
    half = (0.5, 0.5, 0.5)
    theirs = image_transform_v2(PreprocessCfg(size=32, mean=half, std=half), is_train=False)(
        Image.fromarray(np.asarray(levels[0].permute(1, 2, 0)))
    )
    away = (small.prepared(levels)[0] - theirs).abs()  # theirs are rounded to 8 bits, and clipped
    assert away.mean() < 0.01 and away.max() < 0.1


def test_short_texts_cost_less_and_give_the_same(small: Clip) -> None:
    assert small.vocabulary is not None
    tokens = small.vocabulary(["a red face", "a person with round glasses without a face"])
    full: Any = small.network
    assert torch.allclose(encode_texts(small.network, tokens), full.encode_text(tokens), atol=1e-5)


def test_texts_must_be_texts(small: Clip) -> None:
    for wrong in ("a face", []):
        with pytest.raises(InvalidInput, match="list of one text or more"):
            small.embed_texts(wrong)


# what is said of a portrait


def test_every_saying_is_true_of_whoever_it_is_drawn_for() -> None:
    rng, shown = random.Random(0), claims(PEOPLE)
    for known, all_shown in zip(sayings(PEOPLE) * 20, shown * 20):
        assert described(known, TRAINED, rng).says <= all_shown
    for number in range(6):
        texts = long_captions(PEOPLE, 5, range(60), number, TRAINED)
        assert bool(true_pairs(shown, texts).diagonal().all()) and all(text.says for text in texts)


SAID = [  # attribute, value, what can be said then, what cannot
    ("glasses", "none", "without glasses", "glasses"),
    ("glasses", "round", "glasses", "without glasses"),
    ("hat", "cap", "a hat", "without a hat"),
    ("hat", "crown", "a crown", "a hat"),
    ("hairstyle", "bald", "without hair", "long hair"),
    ("smile", 0.9, "happy", "sad"),
    ("smile", 0.25, "a fringe", "smiling"),
    ("beard", "none", "without a beard", "bearded"),
]


@pytest.mark.parametrize(("name", "value", "true", "false"), SAID)
def test_sayings_have_synonyms_and_opposites(name: str, value: str | float, true: str, false: str) -> None:
    plain = with_attribute(with_attribute(with_attribute(PEOPLE, "hat", "none"), "hairstyle", "long"), "bangs", "yes")
    for known in claims(with_attribute(plain, name, value)):
        assert true in known and false not in known


def test_held_out_wordings_are_other_sentences_of_known_words() -> None:
    def used(wording: Wording) -> set[str]:
        texts = [text.text for number in range(5) for text in long_captions(PEOPLE, 5, range(60), number, wording)]
        texts += [way for ways in wording[:-1] for way in ways]
        return {word for text in texts for word in words_of(text)}

    heard = used(TRAINED) | {word for claim in chain(*claims(PEOPLE)) for word in words_of(claim)}
    assert used(HELD_OUT) <= heard <= set(vocabulary())
    for question in QUESTIONS.values():
        for answer in question.answers:
            assert set(words_of(" ".join(said(answer, HELD_OUT)))) <= heard
            assert not set(said(answer, HELD_OUT)) & set(said(answer, TRAINED))


def test_every_question_has_answers_that_are_true() -> None:
    people = sample(5, range(400))
    shown = claims(people)
    for name, question in QUESTIONS.items():
        truth = question.truth(people)
        for row in (truth >= 0).nonzero().flatten().tolist():
            answer = question.answers[int(truth[row])]
            assert answer.claim in shown[row], (name, answer, shown[row])


# the loss


def test_a_text_that_fits_two_pictures_is_no_counterexample() -> None:
    shown = [frozenset({"red hair", "a hat"}), frozenset({"red hair"})]
    texts = [Text("a face with a hat", frozenset({"a hat"})), Text("a face with red hair", frozenset({"red hair"}))]
    true = true_pairs(shown, texts)
    assert true.tolist() == [[True, True], [False, True]]
    logits, owner = torch.tensor([[0.0, 50.0], [-50.0, 0.0]]), torch.arange(2)
    assert contrastive_loss(logits, true, owner) < 1e-6
    assert contrastive_loss(logits, torch.eye(2, dtype=torch.bool), owner) > 20


def test_a_picture_may_have_several_texts() -> None:
    logits, owner = torch.randn(3, 3), torch.arange(3)
    plain = contrastive_loss(logits, torch.eye(3, dtype=torch.bool), owner)
    target = torch.nn.functional.cross_entropy
    assert torch.allclose(plain, (target(logits, owner) + target(logits.T, owner)) / 2)
    twice = contrastive_loss(logits.repeat(1, 2), torch.eye(3, dtype=torch.bool).repeat(1, 2), owner.repeat(2))
    assert twice > plain  # twice as many texts of others to tell it from


def test_retrieval_counts_what_is_found() -> None:
    vectors = torch.eye(10)
    assert retrieval(vectors, vectors).text_at_1 == 1
    wrong = retrieval(vectors, -vectors)
    assert wrong.text_at_1 == 0 and wrong.picture_at_5 == 0


# training


def weights(of: ClipTraining) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in of.average.state_dict().values()])


def test_it_learns() -> None:
    layout = replace(RUN.layout, dim=32, width=8, text_width=32)
    run = ClipRun(images=60 * 8, faces=8, batch=8, lr=3e-3, short=1, long=1, ema=0.9, layout=layout)
    losses = [told.loss for told in train_clip(ClipTraining(run), every=10)]
    assert len(losses) == 6 and losses[-1] < 0.9 * losses[1]


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    stopped = ClipTraining(RUN)
    for told in train_clip(stopped, tmp_path, every=1, save_every=2):
        if told.step == 3:
            break  # after the state of step 2
    resumed = ClipTraining(RUN)
    resumed.restore(tmp_path)
    assert resumed.step == 2
    told = list(train_clip(resumed, tmp_path))
    assert told[-1].step == RUN.steps == 6 and told[-1].images == 48
    through = ClipTraining(RUN)
    list(train_clip(through))
    assert torch.equal(weights(resumed), weights(through))


def test_lessons_are_the_same_whoever_makes_them() -> None:
    people = sample(0, range(20))
    alone, helped = Lessons(RUN, people), Lessons(RUN, people, processes=2)
    for step in (0, 1, 4, 5):  # as after a resumption
        for one, other in zip(alone.lesson(step), helped.lesson(step)):
            assert torch.equal(one, other)
    assert not torch.equal(alone.lesson(0).tokens, alone.lesson(1).tokens)
    helped.close()


def test_half_of_a_lesson_is_about_what_is_drilled() -> None:
    people = sample(0, range(200))
    run = replace(RUN, batch=64, short=2, long=0, drilled=("glasses",))
    lesson = Lessons(run, people).lesson(0)
    first = lesson.tokens[lesson.owner.diff(prepend=torch.tensor([-1])) > 0][::2]  # of each second portrait
    words = Vocabulary(RUN.layout.words, RUN.layout.context)
    for kind, option in (("round glasses", "round"), ("square glasses", "square"), ("sunglasses", "sunglasses")):
        meant = {token for token in words([kind])[0].tolist() if token}
        rows = [int(row) for row, text in zip(lesson.rows[::2], first) if meant <= set(text.tolist())]
        assert len(rows) >= 4, "however rare, each kind comes up"
        assert people.rows(rows).has("glasses", option).all()
    assert torch.equal(lesson.rows[1::2], Lessons(replace(run, drilled=()), people).lesson(0).rows[1::2])


def test_training_goes_on_from_a_model(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"images": 8, "faces": 8, "batch": 8, "held_out": 10}
    TrainClip(tmp_path / "first", width=4, text_layers=1, **settings).main()
    first = tmp_path / "first" / NAME
    TrainClip(tmp_path / "second", start=str(first), drill=("glasses", "yaw"), lr=1e-6, **settings).main()
    begun, found = load_clip(str(first)), load_clip(str(tmp_path / "second" / NAME))
    assert found.about["run"]["start"] == begun.sha256 and found.layout == begun.layout
    for name, value in begun.network.state_dict().items():
        if name.endswith("proj.weight"):
            assert torch.allclose(found.network.state_dict()[name], value, atol=2e-3)
    with pytest.raises(InvalidInput, match="did you mean 'glasses'"):
        TrainClip(tmp_path, drill=("glases",), **settings).main()
    with pytest.raises(InvalidInput, match="nothing is ever said of 'nose'"):
        TrainClip(tmp_path, drill=("nose",), **settings).main()


def test_what_cannot_be_resumed_is_a_sentence(tmp_path: Path) -> None:
    begun = ClipTraining(RUN)
    with pytest.raises(InvalidInput, match="without --resume"):
        begun.restore(tmp_path)
    begun.save(tmp_path)
    with pytest.raises(InvalidInput, match="another run"):
        ClipTraining(ClipRun(**{**vars(RUN), "lr": 1e-4})).restore(tmp_path)
    state = tmp_path / STATE
    state.write_bytes(state.read_bytes()[:500])
    with pytest.raises(InvalidInput, match="damaged"):
        begun.restore(tmp_path)


def test_the_command_trains_measures_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = TrainClip()
    with pytest.raises(InvalidInput, match="--out FOLDER"):
        wrong.main()
    command = TrainClip(tmp_path, images=16, faces=8, batch=8, width=2, text_layers=1, held_out=30)
    assert command.main() == 0
    assert "mean of attributes" in capsys.readouterr().out
    loaded = load_clip(str(tmp_path / NAME))
    assert loaded.licence == "Apache-2.0" and loaded.about["scores"]["held out"]["zero_shot"]
    assert loaded.name == "faces-clip" and loaded.resolution == 64
    assert load_clip(str(tmp_path / NAME)) is loaded
    again = evaluate_clip(loaded, 20, 20)
    assert 0 <= again["trained"].mean <= 1
    assert (tmp_path / NAME).stat().st_size < 4_000_000


# files


ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: b"",
    "a pickle": lambda data: b"\x80\x04cos\nsystem\n.",
    "half": lambda data: data[: len(data) // 2],
    "a header of exabytes": lambda data: (1 << 60).to_bytes(8, "little") + data[8:],
    "no word of ours": lambda data: save_tensors(load_tensors(data)),
    "another family": lambda data: with_header(data, lambda h: h.update(family="stylegan2")),
    "no settings": lambda data: with_header(data, lambda h: h.pop("config")),
    "no words": lambda data: with_header(data, lambda h: h.update(vocabulary=[])),
    "words that are none": lambda data: with_header(data, lambda h: h.update(vocabulary=["a b"])),
    "words that are numbers": lambda data: with_header(data, lambda h: h.update(vocabulary=[1, 2])),
    "a word twice": lambda data: with_header(data, lambda h: h["vocabulary"].append("a")),
    "words without end": lambda data: with_header(data, lambda h: h.update(vocabulary=["a"] * 99_999)),
    "a word too many": lambda data: with_header(data, lambda h: h["vocabulary"].append("hat")),
    "a huge network": lambda data: with_header(data, lambda h: h["config"].update(width=10**9)),
    "heads that do not fit": lambda data: with_header(data, lambda h: h["config"].update(text_heads=3)),
    "an unknown setting": lambda data: with_header(data, lambda h: h["config"].update(code="x")),
    "a missing tensor": lambda data: with_tensor(data, "ln_final.bias", None),
    "a misshapen tensor": lambda data: with_tensor(data, "ln_final.bias", torch.zeros(1)),
    "doubles": lambda data: with_tensor(data, "ln_final.bias", torch.zeros(8, dtype=torch.float64)),
    "no numbers": lambda data: with_tensor(data, "ln_final.bias", torch.full((8,), torch.nan)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_files_that_are_not_ours_are_refused(attack: str, small: Clip, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    save_clip(good, small.network, LAYOUT, licence="Apache-2.0", about={})
    bad.write_bytes(ATTACKS[attack](good.read_bytes()))
    with pytest.raises(InvalidInput) as error:
        load_clip(str(bad))
    assert len(str(error.value)) < 300 and str(tmp_path) not in str(error.value)


def test_a_file_gives_the_same_again(small: Clip, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_clip(path, small.network, LAYOUT, licence="Apache-2.0", about={"data": "noise"})
    loaded = load_clip(str(path))
    assert loaded.name == "mine" and loaded.about == {"data": "noise"} and not loaded.network.training
    texts = ["a red face", "round glasses"]
    assert torch.equal(loaded.embed_texts(texts), small.embed_texts(texts))
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.allclose(loaded.embed_images(images), small.embed_images(images), atol=1e-5)


def test_a_model_of_open_clip_sees_and_reads_as_open_clip_does(tmp_path: Path) -> None:
    import open_clip
    from PIL import Image

    name, path = "ViT-S-32-alt", tmp_path / "random.safetensors"
    torch.manual_seed(0)
    theirs, _, prepare = open_clip.create_model_and_transforms(name)
    path.write_bytes(save_tensors({key: value.contiguous() for key, value in theirs.state_dict().items()}))
    ours, texts = load_clip(f"{name}:{path}"), ["a smiling person", "Ein Gesicht, 100 %"]
    pixels = torch.randint(0, 256, (3, 40, 40, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    pixels = pixels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    with torch.no_grad():
        seen = theirs.eval().encode_image(torch.stack([prepare(Image.fromarray(one.numpy())) for one in pixels]))
        read = theirs.encode_text(open_clip.get_tokenizer(name)(texts))
    found = ours.embed_images(pixels.permute(0, 3, 1, 2) / 127.5 - 1)
    assert torch.cosine_similarity(found, seen).min() > 0.999
    assert torch.cosine_similarity(ours.embed_texts(texts), read).min() > 0.9999

    maps = ours.maps(pixels.permute(0, 3, 1, 2) / 127.5 - 1)
    assert [tuple(part.shape) for part in maps] == [(3, 384, 7, 7)] * 3  # of 224 px in patches of 32


def test_a_published_pickle_is_read_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip
    from huggingface_hub.errors import EntryNotFoundError

    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    theirs, _, _ = open_clip.create_model_and_transforms("ViT-S-32-alt")
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")

    def download(place: str, file: str) -> str:
        if file != "pytorch_model.bin":
            raise EntryNotFoundError(file)
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    found = module._fetched("ViT-S-32-alt/some", "someone/repo/pytorch_model.bin")
    assert found.suffix == ".safetensors" and found.parent == tmp_path / "cache"
    assert found == module._fetched("ViT-S-32-alt/some", "someone/repo/pytorch_model.bin")
    ours = load_clip(f"ViT-S-32-alt:{found}")
    text = ["a smiling person"]
    with torch.no_grad():
        read = theirs.eval().encode_text(open_clip.get_tokenizer("ViT-S-32-alt")(text))
    assert torch.cosine_similarity(ours.embed_texts(text), read).item() > 0.9999

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"visual.proj": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InvalidInput):
        module._fetched("ViT-S-32-alt/some", "someone/repo/pytorch_model.bin")
    assert not (tmp_path / "ran").exists()


def test_feature_maps_tell_pictures_apart_and_lead_back_to_them(small: Clip) -> None:
    images = (torch.rand(2, 3, 48, 48) * 2 - 1).requires_grad_(True)
    maps = small.maps(images)
    sides = [part.shape[-1] for part in maps]
    assert len(maps) == 3 and sides == sorted(sides, reverse=True) and not torch.allclose(maps[0][0], maps[0][1])
    sum(part.square().mean() for part in maps).backward()
    assert images.grad is not None and (images.grad != 0).float().mean() > 0.5


def test_a_clip_that_cannot_be_had_leaves_the_rest_of_the_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv(CLIP_VARIABLE, "ViT-B-32/laion400m_e32")
    assert "cannot be read: the weights of ViT-B-32/laion400m_e32 are not on this machine" in OWN_TEXTS.missing()
    assert not OWN_TEXTS.photos()
    editing = Editing()
    painter = Renderer(model_files.load(write_model(tmp_path, resolution=16)), "tiny")
    offers = editing.offers(painter)
    assert offers["text"].startswith("Text cannot be read: the weights") and not offers["pca"]
    assert len(editing.directions(painter, "pca", None, lambda done, of: True)) > 3
    assert editing.eyes(painter) is None and editing.warning(painter) == ""
    with pytest.raises(InvalidInput, match="text: cannot be read"):
        editing.clip()


def test_a_clip_of_faces_alone_warns_where_other_pictures_are_made(tmp_path: Path) -> None:
    painter = Renderer(model_files.load(write_model(tmp_path, resolution=16)), "tiny")
    assert "knows cartoon faces alone" in Editing().warning(painter)
    painter.G.about = {"data": "cartoon faces"}  # type: ignore[assignment]
    assert Editing().warning(painter) == ""


def test_a_server_reads_texts_with_the_clip_it_is_given(
    small: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.safetensors"
    save_clip(path, small.network, LAYOUT, licence="Apache-2.0", about={})
    assert OWN_TEXTS.load().name == OWN and not OWN_TEXTS.photos()
    monkeypatch.setenv(CLIP_VARIABLE, str(path))
    assert OWN_TEXTS.load().name == "mine" and not OWN_TEXTS.photos() and OWN_TEXTS.missing() == ""
    with pytest.raises(InvalidInput, match="did you mean"):
        App(clip="facs").main()


def test_what_a_clip_sees_can_be_measured_by(tmp_path: Path) -> None:
    eye, pictures = any_extractor("clip", "faces"), torch.randint(0, 256, (5, 1, 64, 64), dtype=torch.uint8)
    assert (eye.name, eye.named("FD")) == ("clip-faces", "FD-clip-faces") and eye.version
    found = eye.near(pictures)
    assert torch.allclose(found, load_clip().embed_images(pictures.expand(-1, 3, -1, -1)), atol=1e-5)
    assert torch.allclose(eye.of_floats(pictures / 127.5 - 1), found, atol=1e-3)
    assert any_extractor("pyramid", "faces").name == "pyramid" and any_extractor("", "digits").name == "pyramid"
    with pytest.raises(InvalidInput, match="did you mean"):
        any_extractor("clip:facs", "faces")


WRONG_NAMES = [
    ("facs", "did you mean.*faces"),
    ("ViT-B-32/openia", "did you mean ViT-B-32/openai"),
    ("ViT-B-32:none.safetensors", "there is no file none.safetensors"),
    ("ViT-B-99:none.safetensors", "none of open_clip's models; did you mean ViT"),
    ("none.safetensors", "there is no file"),
    ("weights.pt", "may hold a pickle"),
    ("ViT-B-32:weights.bin", "may hold a pickle"),
]


@pytest.mark.parametrize(("name", "sentence"), WRONG_NAMES)
def test_a_wrong_name_is_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        load_clip(name)


def test_offline_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "ViT-B-32/openai" in open_clip_names()
    with pytest.raises(InvalidInput, match=r"not on this machine, and HF_HUB_OFFLINE is set; go online once.*'faces'"):
        load_clip("RN50/openai")


def test_weights_of_another_model_are_a_sentence(small: Clip, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_clip(path, small.network, LAYOUT, licence="Apache-2.0", about={})
    with pytest.raises(InvalidInput, match=r"mine.safetensors cannot be opened as a RN50: "):
        load_clip(f"RN50:{path}")


def test_importing_ganlab_text_does_not_import_open_clip() -> None:
    source = Path(module.__file__).read_text()
    assert not [line for line in source.splitlines() if line.startswith(("import open_clip", "from open_clip"))]


def test_a_model_is_learnt_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganlab.cli_clip.load_clip", lambda name: Colours())
    model, out = write_model(tmp_path, resolution=16), tmp_path / "out.safetensors"
    assert Learn(str(model), out=out).main() == 0
    assert "channels move something" in capsys.readouterr().out
    renderer = open_renderer(model)
    written, kept = load_effects(out, renderer, Colours()), known_effects(renderer, Colours())
    assert kept is not None and torch.equal(written.effects, kept.effects) and written.effects.any()
