"""CLIP (Radford et al. 2021): pictures and sentences as unit vectors; one that fits the other lies close to it.

`load_clip()` gives our own, small one, which knows cartoon faces; any model of open_clip is loaded by its
name. Both are open_clip's classes, and used alike. open_clip is imported when a model is made: that takes seconds.
"""

import difflib
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ganlab import pickles
from ganlab.config import InvalidInput
from ganlab.files import cache_folder, sha256, sha256_of, write_atomic
from ganlab.text.small import SHIPPED, ClipLayout, SmallFile, read_small, write_small
from ganlab.text.words import Vocabulary

OWN = "faces"  # the name of the one that ships
HEAD = 32  # channels of a head of the pictures' last attention
UNPICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".npz", ".npy")
WEIGHTS = ("open_clip_model.safetensors", "model.safetensors")  # what they are called on the hub
PICKLED = ("open_clip_pytorch_model.bin", "pytorch_model.bin")  # and where they are pickles
MOST_LOADED = 3
Tokenize = Callable[[list[str]], Tensor]


class Clip:
    """A model of pictures and words: eval mode, without gradients of its own, shared by all: do not change it."""

    def __init__(
        self, name: str, network: nn.Module, tokenize: Tokenize, look: dict[str, Any], vocabulary: Vocabulary | None
    ) -> None:
        self.name, self.network, self.vocabulary = name, network.eval().requires_grad_(False), vocabulary
        self.licence, self.about = "", dict[str, Any]()  # as its file says
        self.sha256 = ""  # of the file of a small one, which may be trained again under the same name
        self.layout: ClipLayout | None = None  # of a small one
        self._tokenize, size = tokenize, look["size"]
        self.resolution = int(size if isinstance(size, int) else size[0])  # pixels of a picture's side
        self._squash, self._filter = look["resize_mode"] == "squash", look["interpolation"]
        self._mean = torch.tensor(look["mean"]).view(3, 1, 1)
        self._std = torch.tensor(look["std"]).view(3, 1, 1)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied with to be logits: the inverse of the learnt temperature."""
        return float(cast(Tensor, self.network.logit_scale).exp())

    def embed_images(self, images: Shaped[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Unit vectors [N, D] of pictures: floats in [-1, 1], which get a gradient, or uint8 from 0 to 255.

        They are resized to `resolution` as the model was trained; of an oblong one its middle is seen.
        """
        return F.normalize(self.network.encode_image(self.prepared(images)).float(), dim=-1)  # type: ignore[operator]

    def maps(self, images: Shaped[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c s s"]]:
        """Feature maps of pictures after a quarter, a half and three quarters of its blocks, with their gradients."""
        visual: Any = self.network.visual
        given = visual.forward_intermediates(self.prepared(images), intermediates_only=True)
        found = cast("list[Tensor]", given["image_intermediates"])
        return [found[max(0, len(found) * k // 4 - 1)].float() for k in (1, 2, 3)]

    def prepared(self, images: Shaped[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 side side"]:
        """Pictures as the model's network sees them; nothing is clipped, so that all has a gradient."""
        x = images.to(self.device)
        x = x.float() / 255 if x.dtype == torch.uint8 else (x.float() + 1) / 2
        x = self._resized(x)
        x = (x - self._mean.to(x.device)) / self._std.to(x.device)
        return x.contiguous(memory_format=torch.channels_last)

    def _resized(self, x: Tensor) -> Tensor:
        side, (h, w) = self.resolution, x.shape[-2:]
        if (h, w) == (side, side):
            return x
        if self._squash:
            h, w = side, side
        else:  # the shorter side becomes `side`, and of the longer one the middle is kept
            h, w = (max(side, round(length * side / min(h, w))) for length in (h, w))
        x = F.interpolate(x, (h, w), mode=self._filter, antialias=True, align_corners=False)
        top, left = (h - side) // 2, (w - side) // 2
        return x[..., top : top + side, left : left + side]

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Unit vectors [N, D] of sentences. What our own model does not know, `unknown_words` tells."""
        if isinstance(texts, str) or not texts or not all(isinstance(text, str) for text in texts):
            raise InvalidInput("texts", "must be a list of one text or more")
        tokens = self._tokenize(list(texts)).to(self.device)
        return F.normalize(self.network.encode_text(tokens).float(), dim=-1)  # type: ignore[operator]

    def embed_choices(self, choices: Sequence[str | Sequence[str]]) -> Float[Tensor, "n d"]:
        """A unit vector [N, D] for each choice: a text, or several texts that mean the same, of which the mean is."""
        groups = [[choice] if isinstance(choice, str) else list(choice) for choice in choices]
        vectors = self.embed_texts([text for group in groups for text in group]).split([len(g) for g in groups])
        return F.normalize(torch.stack([group.mean(0) for group in vectors]), dim=-1)

    @torch.no_grad()
    def zero_shot(
        self, images: Shaped[Tensor, "n 3 h w"], choices: Sequence[str | Sequence[str]]
    ) -> Float[Tensor, "n k"]:
        """How probable each choice (a text, or several that mean the same) is for each picture, [N, K], rows of sum 1.

        Radford et al. 2021, section 3.1.
        """
        logits = self.logit_scale * self.embed_images(images) @ self.embed_choices(choices).T
        return logits.softmax(-1)

    def unknown_words(self, text: str) -> list[str]:
        """Words that our own model has never seen; a model of the whole language knows parts of every word."""
        return self.vocabulary.unknown(text) if self.vocabulary else []

    def hint(self, text: str) -> str:
        """A sentence on the unknown words of a text, with near known ones; "" where there are none."""
        return self.vocabulary.hint(text) if self.vocabulary else ""


def build_small(layout: ClipLayout) -> nn.Module:
    """open_clip's CLIP of a layout, with random weights from torch's global generator."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    look = CLIPVisionCfg(
        layers=cast(Any, list(layout.blocks)),  # a tuple of JSON is a list
        width=layout.width,
        head_width=HEAD,
        image_size=layout.side,
    )
    text = CLIPTextCfg(
        context_length=layout.context,
        vocab_size=len(Vocabulary(layout.words, layout.context)),
        width=layout.text_width,
        heads=layout.text_heads,
        layers=layout.text_layers,
        mlp_ratio=2.0,
    )
    return CLIP(layout.dim, look, text)


def small_clip(name: str, network: nn.Module, layout: ClipLayout) -> Clip:
    """A network of `build_small` as a `Clip`."""
    vocabulary = Vocabulary(layout.words, layout.context)
    half = (0.5, 0.5, 0.5)
    look = {"size": layout.side, "resize_mode": "shortest", "interpolation": "bicubic", "mean": half, "std": half}
    clip = Clip(name, network, vocabulary, look, vocabulary)
    clip.layout = layout
    return clip


def encode_texts(network: nn.Module, tokens: Int[Tensor, "n context"]) -> Float[Tensor, "n d"]:
    """What open_clip's `encode_text` gives for a small CLIP, but only as long as the longest of the texts.

    It has the time of one step: half of all texts are short, and no word sees those after it.
    """
    net: Any = network
    length = int((tokens != 0).sum(1).max())
    tokens = tokens[:, :length]
    x = net.token_embedding(tokens) + net.positional_embedding[:length]
    x = net.ln_final(net.transformer(x, attn_mask=net.attn_mask[:length, :length]))
    return cast(Tensor, x[torch.arange(len(x)), tokens.argmax(1)] @ net.text_projection)


def save_clip(path: str | Path, network: nn.Module, layout: ClipLayout, *, licence: str, about: dict[str, Any]) -> None:
    """Writes a small CLIP, in the precision that it has (`.half()` takes half the room), all or nothing."""
    write_small(Path(path), SmallFile(layout, licence, about, network.state_dict()))


def load_clip(name: str = OWN, device: torch.device | str = "cpu") -> Clip:
    """A model by name, read once and shared.

    - "faces": our own, which ships with ganlab; or the path of a file that `ganlab train-clip` has written.
    - "ViT-B-32/openai", "ViT-B-32/laion2b_s34b_b79k", ...: a model of open_clip and its weights (`open_clip_names`).
      They are fetched from the Hugging Face hub the first time, unless HF_HUB_OFFLINE is set.
    - "ViT-B-32:FILE.safetensors": a model of open_clip with the weights of a file here.

    What is published as a pickle alone is read as data; nothing in it is ever run. `InvalidInput` says what is wrong,
    and what to do.
    """
    model, _, path = str(name).strip().partition(":")
    if path.endswith((*UNPICKLED, ".safetensors")):
        return _of_file(model, Path(path).resolve(), str(device))
    if model == OWN:
        return _of_small_file(OWN, SHIPPED, _stamp(SHIPPED), str(device))
    if model.endswith((*UNPICKLED, ".safetensors")):
        path_here = _safe(Path(model)).resolve()
        return _of_small_file(path_here.stem, path_here, _stamp(path_here), str(device))
    return _of_hub(str(name).strip().replace(":", "/", 1), str(device))


def open_clip_names() -> list[str]:
    """The models of open_clip with their weights, as `load_clip` takes them."""
    import open_clip

    return [f"{model}/{tag}" for model, tag in open_clip.list_pretrained()]


@lru_cache(maxsize=MOST_LOADED)
def _of_small_file(name: str, path: Path, stamp: int, device: str) -> Clip:
    file = read_small(path)
    network = build_small(file.layout)  # small: its bounds are checked
    expected = network.state_dict()
    for key, wanted in expected.items():
        found = file.tensors.get(key)
        kinds = (torch.float32, torch.float16) if wanted.is_floating_point() else (wanted.dtype,)
        if found is None or found.shape != wanted.shape or found.dtype not in kinds or not found.isfinite().all():
            raise InvalidInput(path.name[:60], f"is no small CLIP: {key} is missing, misshapen or not finite")
    network.load_state_dict({key: file.tensors[key] for key in expected})
    network.to(memory_format=torch.channels_last)
    clip = small_clip(name, network.to(device), file.layout)
    clip.licence, clip.about, clip.sha256 = file.licence, file.about, sha256_of(path)
    return clip


def _stamp(path: Path) -> int:
    """When a file was written last: one that is trained again is read again."""
    return path.stat().st_mtime_ns if path.is_file() else 0


def _safe(path: Path) -> Path:
    if path.suffix != ".safetensors":
        raise InvalidInput(
            "clip", f"{path.name[:60]} may hold a pickle, which could run code; give a .safetensors file instead"
        )
    if not path.is_file():
        raise InvalidInput("clip", f"there is no file {path.name[:60]}")
    return path


@lru_cache(maxsize=MOST_LOADED)
def _of_hub(name: str, device: str) -> Clip:
    """A model of open_clip with its published weights, where those are safetensors."""
    from open_clip.pretrained import get_pretrained_cfg

    known = open_clip_names()
    if name not in known:
        near = difflib.get_close_matches(name, [OWN, *known], 3, 0.4)
        raise InvalidInput("clip", f"{name[:60]!r} is unknown; did you mean {', '.join(near or [OWN, known[0]])}?")
    model, tag = name.split("/")
    config = get_pretrained_cfg(model, tag)
    return _foreign(name, model, _fetched(name, str(config.get("hf_hub", ""))), device, dict(config))


@lru_cache(maxsize=MOST_LOADED)
def _of_file(model: str, path: Path, device: str) -> Clip:
    """A model of open_clip with the weights of a safetensors file."""
    import open_clip

    known = open_clip.list_models()
    if model not in known:
        near = difflib.get_close_matches(model, known, 3, 0.4)
        raise InvalidInput("clip", f"{model[:60]!r} is none of open_clip's models; did you mean {', '.join(near)}?")
    return _foreign(f"{model}:{path.name}", model, _safe(path), device, {})


def _foreign(name: str, model: str, path: Path, device: str, config: dict[str, Any]) -> Clip:
    import open_clip
    from open_clip.factory import load_checkpoint
    from open_clip.transform import PreprocessCfg

    look = {key: config[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in config}
    try:
        network = open_clip.create_model(
            model,
            device="cpu",
            load_weights=False,
            pretrained_text=False,
            force_quick_gelu=bool(config.get("quick_gelu")),
            force_preprocess_cfg=look,
        )
        load_checkpoint(network, str(path), strict=True)
        tokenize = open_clip.get_tokenizer(model)
    except Exception as error:  # a foreign library and a foreign file: whatever it is, the user hears it in a sentence
        words = " ".join(str(error).split())[:160]
        raise InvalidInput("clip", f"{path.name[:60]} cannot be opened as a {model}: {words}") from None
    full = vars(PreprocessCfg(**network.visual.preprocess_cfg))
    return Clip(name, network.to(device), cast(Tokenize, tokenize), full, None)


def _fetched(name: str, source: str) -> Path:
    """The safetensors file of a model on the hub, from the cache or, where that is allowed, the net."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    place, _, given = source.rpartition("/")
    wanted = (str(Path(given).with_suffix(".safetensors")), given) if given else (*WEIGHTS, *PICKLED)
    for file in wanted if place else ():
        try:
            path = Path(hf_hub_download(place, file))
            return path if path.suffix == ".safetensors" else _unpickled(name, path)
        except LocalEntryNotFoundError:
            off = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
            why = "HF_HUB_OFFLINE is set" if off else "the Hugging Face hub cannot be reached"
            raise InvalidInput(
                "clip",
                f"the weights of {name} are not on this machine, and {why}; go online once, give a file "
                f"({name.split('/')[0]}:FILE.safetensors), or take {OWN!r}, which ships with ganlab",
            ) from None
        except EntryNotFoundError:
            continue
        except (HfHubHTTPError, OSError) as error:
            raise InvalidInput("clip", f"{name} cannot be fetched: {' '.join(str(error).split())[:120]}") from None
    raise InvalidInput("clip", f"{name} is not published in a form that is known here; choose another")


def _unpickled(name: str, path: Path) -> Path:
    """The tensors of a pickle as safetensors in the user's cache; it is read as data, and nothing in it is run."""
    stamp = sha256(f"{name}/{path.resolve()}/{_stamp(path)}".encode())[:24]
    out = cache_folder("clip") / f"clip-{stamp}.safetensors"
    if not out.is_file():
        tensors = next(iter(pickles.read(path).networks.values())).tensors
        write_atomic(out, save_tensors({key: value.clone().contiguous() for key, value in tensors.items()}))
    return out
