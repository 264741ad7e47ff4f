"""Global directions (StyleCLIP, Patashnik et al. 2021, sec. 6): from the difference of two texts to channels of styles.

What each channel of StyleSpace does to pictures, as CLIP sees it, is found once per model: by moving one after the
other (`channel_effects`), as the paper does, or from how all of them vary together (`joint.joint_effects`). Then a
sentence becomes a direction by a product of matrices, at once.
"""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.recipe import Noise
from ganlab.synthesis import Cancelled, Renderer
from ganlab.synthesis.store import Store
from ganlab.text import HOWS

SIGMAS = 5.0  # a channel is moved by so many of its standard deviations, either way (sec. 6.1)
PICTURES = 8  # that each channel is tried on; the paper takes 100 of a model with ten times as many channels
SAMPLES = 2000  # of w, for the standard deviations
SEED = 0
LONGEST = 300  # characters of a text
FORMAT = "ganlab channel effects 1"
MOST_IDEAS = 12
SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "effects"
MOST_BYTES = 64_000_000
TEMPLATES = ("{}", "a picture of {}", "a drawing of {}", "a portrait of {}", "a cartoon of {}", "an image of {}")
Tick = Callable[[int, int], bool]  # (done, of) -> whether to go on


@runtime_checkable
class Embedder(Protocol):
    """What sees pictures and reads texts, as `clip.Clip` does."""

    name: str

    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors [N, D] of images [N, 3, H, W] in [-1, 1]."""

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors [N, D]."""


@dataclass(frozen=True)
class ChannelEffects:
    """What the channels of one model's styles do, as one CLIP sees it."""

    model: str  # sha256 of the model
    clip: str  # the CLIP: its name, with the checksum of its file where it has one
    deviations: Tensor  # [channels] of each style
    effects: Tensor  # [channels, D]; apart: unit vectors, zero where a channel does nothing, or makes colours
    how: str = "apart"  # one of `ganlab.text.HOWS`
    suggestions: tuple[str, ...] = ()  # texts that were tried, and work; empty: none were


@torch.inference_mode()
def channel_effects(
    renderer: Renderer, clip: Embedder, pictures: int = PICTURES, tick: Tick | None = None
) -> ChannelEffects:
    """Moves each channel of each convolution's styles on some pictures, and looks.

    Channels of the steps to colours are left out, as in the paper. `tick` returning False raises `Cancelled`;
    `InvalidInput` where the model has no styles.
    """
    space, engine = renderer.space, renderer.engine
    check_styles(renderer)
    deviations = style_deviations(renderer)
    base = _samples(renderer)[:pictures].repeat(2, 1, 1)  # moved up, moved down
    signs = torch.cat([torch.ones(pictures), -torch.ones(pictures)])
    maps = [renderer.noise.map(Noise(), i) for i in range(len(renderer.noise.inputs))]
    store = Store(1 << 40, engine.device)
    engine.run(base, maps, store)
    effects = torch.zeros(space.channels, len(clip.embed_texts(["face"])[0]))
    first = torch.tensor([0, *space.sizes]).cumsum(0).tolist()
    moved = [i for i, step in enumerate(engine.steps) if step.styles and step.kind == "conv"]
    done, of = 0, sum(space.sizes[i] for i in moved)
    for i in reversed(moved):  # the later steps first: what the earlier ones made stays as it was
        for channel in range(first[i], first[i + 1]):
            if tick is not None and not tick(done, of):
                raise Cancelled
            offsets = torch.zeros(2 * pictures, space.channels)
            offsets[:, channel] = SIGMAS * deviations[channel] * signs
            seen = clip.embed_images(engine.run(base, maps, store, start=i, offsets=offsets)).cpu()
            effects[channel] = F.normalize((seen[:pictures] - seen[pictures:]).mean(0), dim=0)
            done += 1
    return ChannelEffects(renderer.sha256, named(clip), deviations, effects)


def check_styles(renderer: Renderer) -> None:
    """`InvalidInput` where a model has no styles."""
    if renderer.space.missing:
        raise InvalidInput("model", f"has no styles that a text could move: {renderer.space.missing}")


def coloured(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 h w"]:
    """Grey pictures with three channels, as CLIPs see them."""
    return images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1)


@torch.no_grad()
def style_deviations(renderer: Renderer) -> Float[Tensor, " channels"]:
    """One standard deviation of each channel of S."""
    return torch.cat([renderer.engine.styles(part).cpu() for part in _samples(renderer).split(256)]).std(0)


def _samples(renderer: Renderer) -> Float[Tensor, "n num_ws w_dim"]:
    """The latents that a model's styles are learnt from."""
    w = renderer.latents.sample(SAMPLES, torch.Generator().manual_seed(SEED))
    return w[:, None].expand(-1, renderer.engine.num_ws, -1)


def text_change(clip: Embedder, neutral: str, target: str) -> Float[Tensor, " d"]:
    """The unit vector from a neutral text to a target, each the mean over the prompt templates (sec. 6.2)."""
    change = whole_text(clip, target) - whole_text(clip, neutral, "neutral")
    if change.norm() < 1e-4:
        raise InvalidInput("target", "says the same as the neutral text, as far as this CLIP knows; write another")
    return F.normalize(change, dim=0)


def whole_text(clip: Embedder, text: str, field: str = "target") -> Float[Tensor, " d"]:
    """The unit vector of a text, the mean over the prompt templates; `InvalidInput` where it is empty or too long."""
    if not text.strip():
        raise InvalidInput(field, "is empty; write what the picture shows, as: a smiling person")
    if len(text) > LONGEST:
        raise InvalidInput(field, f"is {len(text):,} characters long; a sentence of up to {LONGEST} is enough")
    vectors = clip.embed_texts([template.format(text.strip()) for template in TEMPLATES])
    return F.normalize(vectors.mean(0), dim=0).cpu()


def relevance(effects: ChannelEffects, change: Float[Tensor, " d"]) -> Float[Tensor, " channels"]:
    """How much of each channel's effect is what the text asks for, in -1 .. 1 (eq. 4); unless apart, the most 1."""
    score = effects.effects @ change
    return score if effects.how == "apart" else score / score.abs().max().clamp_min(1e-12)


def text_offsets(effects: ChannelEffects, change: Float[Tensor, " d"], beta: float) -> Float[Tensor, " channels"]:
    """Offsets of styles [channels] for a strength alpha of 1 (sec. 6.1, 6.3); zero where the relevance is below beta.

    The most relevant channel moves by one standard deviation. `InvalidInput` where beta leaves no channel.
    """
    score = relevance(effects, change)
    kept = torch.where(score.abs() < beta, 0.0, score)
    if not kept.any():
        raise InvalidInput("beta", f"leaves no channel: it must be below {float(score.abs().max()):.3f} for this text")
    return kept / kept.abs().max() * effects.deviations


def known_effects(renderer: Renderer, clip: Embedder, how: str = HOWS[0]) -> ChannelEffects | None:
    """What is known of this model's channels: it came with ganlab, or `keep_effects` has kept it."""
    kept = [path for path in _places(renderer, clip, how) if path.is_file()]
    for path in (*sorted(SHIPPED.glob("*.safetensors")), *kept):
        with contextlib.suppress(InvalidInput):  # of another model; or damaged, and then it is made anew
            found = load_effects(path, renderer, clip)
            if found.how == how:
                return found
    return None


def keep_effects(renderer: Renderer, clip: Embedder, found: ChannelEffects) -> Path | None:
    """Keeps them for the next time: in a folder beside the model's file, else in the user's cache; where it did.

    None where neither can be written.
    """
    for path in _places(renderer, clip, found.how):
        with contextlib.suppress(OSError):
            save_effects(path, found)
            return path
    return None


def _places(renderer: Renderer, clip: Embedder, how: str) -> list[Path]:
    """Where effects may be kept; nothing is written beside the models that came with ganlab."""
    name = files.sha256(f"{renderer.sha256}/{named(clip)}/{how}".encode())[:24]
    cache, model = files.cache_folder("effects") / f"effects-{name}.safetensors", renderer.path
    if model is None or model.parent == SHIPPED.parent:
        return [cache]
    return [model.parent / SHIPPED.name / f"{model.stem}-{name}.safetensors", cache]


def named(clip: Embedder) -> str:
    """A CLIP's name, and of one that can be trained anew under the same name the checksum of its file."""
    checksum = getattr(clip, "sha256", "")
    return f"{clip.name}/{checksum}" if checksum else clip.name


def save_effects(path: Path, found: ChannelEffects) -> None:
    """Writes them as safetensors, all or nothing."""
    header: dict[str, object] = {"format": FORMAT, "model": found.model, "clip": found.clip, "how": found.how}
    if found.suggestions:
        header["suggestions"] = list(found.suggestions)
    tensors = {"deviations": found.deviations, "effects": found.effects.half()}
    files.write_atomic(path, save_tensors(tensors, metadata={"ganlab": json.dumps(header)}))


def load_effects(path: Path, renderer: Renderer, clip: Embedder) -> ChannelEffects:
    """What `save_effects` wrote for this model and CLIP; anything else raises `InvalidInput`."""
    wrong = InvalidInput("effects", f"{path.name[:60]} is not what ganlab has written; delete it to make it anew")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise wrong
        data = path.read_bytes()
        tensors = load_tensors(data)
        deviations, effects = tensors["deviations"].float(), tensors["effects"].float()
    except OSError as error:
        raise InvalidInput("effects", f"{path.name[:60]} cannot be read: {error.strerror}") from None
    except (KeyError, SafetensorError):
        raise wrong from None
    header = files.own_header(data)
    how = (header or {}).get("how", "apart")  # the first files did not say it
    if header is None or header.get("format") != FORMAT or how not in HOWS:
        raise wrong
    if (header.get("model"), header.get("clip")) != (renderer.sha256, named(clip)):
        raise InvalidInput("effects", f"{path.name[:60]} belongs to another model or another CLIP")
    width = len(clip.embed_texts(["face"])[0])
    if deviations.shape != (renderer.space.channels,) or effects.shape != (renderer.space.channels, width):
        raise wrong
    if not (deviations.isfinite().all() and effects.isfinite().all()):
        raise wrong
    return ChannelEffects(renderer.sha256, named(clip), deviations, effects, how, _ideas(header.get("suggestions")))


def _ideas(given: object) -> tuple[str, ...]:
    """The suggestions in a file, as far as they are short texts."""
    texts = given if isinstance(given, list) else []
    return tuple(text for text in texts[:MOST_IDEAS] if isinstance(text, str) and 0 < len(text) <= LONGEST)
