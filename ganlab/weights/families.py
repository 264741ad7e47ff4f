"""Which network a file's tensors are of, with which arguments: the table of families, and how each is recognised."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ganlab.config import JSON_LIMIT, Config, InvalidInput
from ganlab.networks import (
    began,
    bigan,
    bigbigan,
    biggan,
    biggan_deep,
    dcgan,
    dcgan_norm,
    lapgan,
    lucidrains,
    mlp_images,
    progan,
    r3gan,
    stacked,
    stackgan,
    stylegan1,
    stylegan2,
    stylegan3,
    stylegan_xl,
    transgan,
    vitgan,
)
from ganlab.pickles import Found, Network, clip, refuse
from ganlab.weights import infer, translate
from ganlab.weights.arguments import (
    BigGanArguments,
    BigGanDeepArguments,
    DiscriminatorArguments,
    GeneratorArguments,
    LucidrainsArguments,
    PlainArguments,
    R3ganArguments,
    StackedArguments,
    StyleGan1Arguments,
    StyleGan3Arguments,
    StyleGanXlArguments,
    VitGanArguments,
    checked,
)

FORMAT = "ganlab network 1"
POSITIONS = {  # of arguments that are given without a name
    "G": ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"),
    "D": ("c_dim", "img_resolution", "img_channels"),
}
AVERAGED = 4096  # draws of z whose mean stands for a missing w_avg


class Hollow(TorchFunctionMode):
    """Networks built within have tensors with shapes but no memory, except for small constants.

    `torch.device("meta")` does so for all tensors, but loads torch's decompositions first, which takes .8 s.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.randn, torch.rand):
            return torch.empty(*args, device="meta")
        if func in (torch.empty, torch.zeros, torch.ones, torch.full):
            return func(*args, **{**(kwargs or {}), "device": "meta"})
        if func in (Tensor.div, Tensor.__truediv__) and args[0].is_meta:
            return args[0]  # initial weights, scaled
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True)
class Family:
    """One kind of network that can be built."""

    title: str
    role: str  # G or D
    build: Callable[..., nn.Module]
    arguments: type[Config]


@dataclass(frozen=True)
class Plan:
    """A network of a file, understood: what to build, and the state dict under the names here."""

    family: str  # a key of FAMILIES, or of UNBUILT
    config: dict[str, Any]
    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    header: dict[str, Any] = field(default_factory=dict)  # of our own files: licence, about

    def module(self) -> nn.Module:
        """The network with its weights: fp32, in eval mode, without gradients. Its `init_kwargs` is the config.

        Arguments are checked before it is built, hollow; names and shapes must agree before it gets any.
        """
        if self.family not in FAMILIES:
            refuse(UNBUILT[self.family][1], "`ganlab inspect` shows what the file holds")
        family = FAMILIES[self.family]
        config = checked(family.arguments, self.config)
        try:
            with Hollow():
                module = family.build(**config)
        except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
            refuse(f"has arguments that fit no {family.title}: {clip(str(error), 120)}")
        state = dict(self.state)
        average = module.state_dict().get("mapping.w_avg") if family.role == "G" else None
        fill = average is not None and "mapping.w_avg" not in state
        if fill:
            state["mapping.w_avg"] = torch.zeros(average.shape)  # type: ignore[union-attr]
        _agree(module.state_dict(), state)
        module.load_state_dict({name: value.float() for name, value in state.items()}, strict=True, assign=True)
        module.eval().requires_grad_(False)
        module.init_kwargs = config  # type: ignore[assignment]
        if fill:
            _estimate_average(module)
        return module


def plan(found: Found, name: str) -> Plan:
    """What the network `name` of a file is."""
    network = found.networks[name]
    if found.kind == "safetensors":
        return _own(found, network)
    if found.kind == "nvidia":
        return _nvidia(network)
    if found.kind == "rosinality" and name != "D":
        state = translate.from_rosinality(network.tensors)
        return Plan("stylegan2", infer.stylegan2_arguments(state), state, _no_average(state))
    if found.kind == "tf" and name != "D":
        return _tensorflow(network)
    if found.kind == "lucidrains" and name != "D":
        state = translate.from_lucidrains(network.tensors)
        return Plan("lucidrains", infer.lucidrains_arguments(state), state, _no_average(state))
    return _by_names(network.tensors)


def _own(found: Found, network: Network) -> Plan:
    text = found.metadata.get("ganlab", "")
    if not text:
        return _by_names(network.tensors)
    try:
        header = json.loads(text) if len(text) <= JSON_LIMIT else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT or not isinstance(header.get("config"), dict):
        refuse("has a header of ganlab that is damaged or of a later version")
    if header.get("family") not in FAMILIES:
        refuse("is of a family of networks that this version of ganlab does not know")
    return Plan(str(header["family"]), header["config"], network.tensors, (), header)


def _nvidia(network: Network) -> Plan:
    tensors = network.tensors
    role = "D" if "b4.out.weight" in tensors or "Discriminator" in network.class_name else "G"
    config = {**dict(zip(POSITIONS[role], network.args)), **network.kwargs}
    if len(network.args) > len(POSITIONS[role]):
        refuse("has more constructor arguments without a name than are known")
    if role == "D":
        return Plan("stylegan2-d" if "b4.out.weight" in tensors else "unknown", config, tensors)
    if "synthesis.b4.const" in tensors:
        return Plan("stylegan2", config, tensors)
    if "synthesis.input.freqs" in tensors:
        return Plan("stylegan3", config, tensors)
    return Plan("unknown", config, tensors)


def _tensorflow(network: Network) -> Plan:
    names = network.tensors
    if any(name.endswith("4x4/ToRGB/weight") or name.endswith("4x4/Conv/mod_weight") for name in names):
        state = translate.from_tf_stylegan2(names)
        return Plan("stylegan2", infer.stylegan2_arguments(state), state, _no_average(state))
    if any(name.endswith("4x4/Const/StyleMod/weight") for name in names):
        state = translate.from_tf_stylegan1(names)
        return Plan("stylegan1", infer.stylegan1_arguments(state), state, _no_average(state))
    return Plan("unknown", network.kwargs, names)


def _by_names(tensors: Mapping[str, Tensor]) -> Plan:
    state = dict(tensors)
    if "synthesis.b4.conv1.affine.weight" in state and "mapping.fc0.weight" in state:
        return Plan("stylegan2", infer.stylegan2_arguments(state), state, _no_average(state))
    return Plan("unknown", {}, state)


def _no_average(state: Mapping[str, Tensor]) -> tuple[str, ...]:
    if "mapping.w_avg" in state:
        return ()
    return (f"it carries no average w; the mean of {AVERAGED:,} draws stands for it in truncation",)


def _agree(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Exact names and shapes."""
    missing, more = [k for k in expected if k not in given], [k for k in given if k not in expected]
    if missing or more:
        what = f"misses {clip(missing[0])}" if missing else f"has {clip(more[0])} too many"
        refuse(f"{what}: its tensors are not those that its arguments describe")
    for name, value in expected.items():
        if value.shape != given[name].shape:
            sizes = f"{tuple(given[name].shape)} instead of {tuple(value.shape)}"
            refuse(f"has {clip(name)} of the shape {sizes}")


@torch.no_grad()
def _estimate_average(module: Any) -> None:
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(AVERAGED, module.z_dim, generator=rng)
    c = torch.eye(module.c_dim).repeat(-(-AVERAGED // module.c_dim), 1)[:AVERAGED] if module.c_dim else None
    module.mapping.w_avg.copy_(module.mapping(z, c)[:, 0].mean(0))


def family_of(module: nn.Module) -> str:
    """The key of a network's family."""
    for name, family in FAMILIES.items():
        if type(module) is family.build:
            return name
    raise InvalidInput("network", f"a {type(module).__name__} is not of a family that can be saved")


FAMILIES: dict[str, Family] = {
    "began": Family("BEGAN", "G", began.Generator, PlainArguments),
    "bigan": Family("BiGAN", "G", bigan.Generator, PlainArguments),
    "bigbigan": Family("BigBiGAN", "G", bigbigan.Generator, PlainArguments),
    "biggan": Family("BigGAN", "G", biggan.Generator, BigGanArguments),
    "biggan-deep": Family("BigGAN-deep", "G", biggan_deep.Generator, BigGanDeepArguments),
    "dcgan": Family("DCGAN", "G", dcgan.Generator, PlainArguments),
    "dcgan-norm": Family("DCGAN, conditional batch norm", "G", dcgan_norm.Generator, PlainArguments),
    "lapgan": Family("LAPGAN", "G", lapgan.Generator, PlainArguments),
    "mlp": Family("MLP", "G", mlp_images.Generator, PlainArguments),
    "progan": Family("ProGAN", "G", progan.Generator, PlainArguments),
    "r3gan": Family("R3GAN", "G", r3gan.Generator, R3ganArguments),
    "lucidrains": Family("StyleGAN2 of lucidrains", "G", lucidrains.Generator, LucidrainsArguments),
    "stacked": Family("Stacked GAN", "G", stacked.Generator, StackedArguments),
    "stackgan": Family("StackGAN", "G", stackgan.Generator, PlainArguments),
    "stylegan1": Family("StyleGAN", "G", stylegan1.Generator, StyleGan1Arguments),
    "stylegan2": Family("StyleGAN2", "G", stylegan2.Generator, GeneratorArguments),
    "stylegan3": Family("StyleGAN3", "G", stylegan3.Generator, StyleGan3Arguments),
    "stylegan-xl": Family("StyleGAN-XL", "G", stylegan_xl.Generator, StyleGanXlArguments),
    "transgan": Family("TransGAN", "G", transgan.Generator, PlainArguments),
    "vitgan": Family("ViTGAN", "G", vitgan.Generator, VitGanArguments),
    "stylegan2-d": Family("StyleGAN2 discriminator", "D", stylegan2.Discriminator, DiscriminatorArguments),
}
UNBUILT: dict[str, tuple[str, str]] = {  # recognised and read as tensors, but not built: title, what `load` says
    "unknown": ("unknown network", "holds a network of a kind that is not known"),
}
