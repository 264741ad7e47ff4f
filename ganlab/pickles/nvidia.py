"""Pickles of NVIDIA: for torch (StyleGAN2-ADA, StyleGAN3, and what grew from them) and of TensorFlow days.

A torch one is a dict of G, D, G_ema and more, or one network. Its modules are records of class name and state, the
state that of `torch.nn.Module`, plus `_init_args` and `_init_kwargs`. A TensorFlow one is the tuple (G, D, G_ema).
"""

from typing import Any

from ganlab.pickles.copying import Copier, plain
from ganlab.pickles.machine import Machine
from ganlab.pickles.rebuild import PICKLES
from ganlab.pickles.records import (
    BadCheckpoint,
    Budget,
    Found,
    ModuleRecord,
    Network,
    Span,
    TensorRecord,
    TfRecord,
    Unknown,
    clip,
    refuse,
)
from ganlab.pickles.source import Source

NETWORKS = ("G", "D", "G_ema")
TF_VERSIONS = range(2, 7)
TF_DEPTH = 4  # components within components


def read_pickle(source: Source, budget: Budget, want: tuple[str, ...] | None, first: bool) -> Found:
    """The networks of a pickle."""
    machine = Machine(source, Span(0, source.size), budget)
    top = machine.run(PICKLES)
    machine.check(machine.position == machine.end, "has something after its end")
    if type(top) is Unknown:
        refuse(f"holds {clip(top.label)}, which is not known, and no network")
    if type(top) is tuple and len(top) == 3 and all(type(item) is TfRecord for item in top):
        kind, held = "tf", dict(zip(NETWORKS, top))
    elif type(top) is ModuleRecord:
        kind, held = "nvidia", {"D" if "Discriminator" in top.class_name else "G": top}
    elif type(top) is dict:
        kind, held = "nvidia", {name: top[name] for name in NETWORKS if top.get(name) is not None}
    else:
        refuse(f"holds {clip(top)} and no network")
    found = chosen(Copier(source, budget.limits), kind, held, want, first)
    unknown = tuple(f"{clip(label)} is not known and was left out" for label in list(budget.unknown)[:10])
    return Found(kind, found.networks, found.skipped + unknown, found.warnings)


def chosen(copier: Copier, kind: str, held: dict[str, Any], want: tuple[str, ...] | None, first: bool) -> Found:
    """The wanted networks of those that a file holds; without a wish all, but a discriminator that cannot be read."""
    names = tuple(name for name in (tuple(held) if want is None else want) if name in held)
    if not names:
        there = ", ".join(map(clip, list(held)[:8])) or "none"
        refuse(f"holds no network {' or '.join(want or ('at all',))} (it holds: {there})", "give a generator's file")
    networks: dict[str, Network] = {}
    skipped = []
    for name in names[:1] if first else names:
        try:
            networks[name] = network(copier, held[name])
        except BadCheckpoint as error:
            if want is not None or name != "D":
                raise
            skipped.append(f"the discriminator: it {error.problem.partition(';')[0]}")
    if not networks:
        refuse("holds no network that can be read")
    left = [name for name in held if name not in networks and want is not None]
    skipped += [f"{clip(name)} was not asked for" for name in left]
    return Found(kind, networks, tuple(skipped), copier.warnings())


def network(copier: Copier, record: Any) -> Network:
    """A network of a record of any kind: of torch modules, of TensorFlow, or a dict of tensors."""
    if type(record) is ModuleRecord:
        return _torch_network(copier, record)
    if type(record) is TfRecord:
        return _tf_network(copier, record)
    if type(record) is dict:
        return Network("", [], {}, {name: copier.tensor(name, value) for name, value in record.items()})
    if type(record) is Unknown:
        refuse(f"is made of {clip(record.label)}, which is not known")
    refuse(f"holds {clip(record)} where a network is expected")


def _torch_network(copier: Copier, root: ModuleRecord) -> Network:
    state, out = root.state or {}, dict[str, Any]()
    seen: set[int] = set()
    todo: list[tuple[str, Any, int]] = [("", root, 0)]
    while todo:
        prefix, module, depth = todo.pop()
        if depth > copier.limits.module_depth:
            refuse(f"has modules nested more than {copier.limits.module_depth} deep")
        if type(module) is not ModuleRecord or module.state is None:
            what = clip(module.label) + ", which is not known" if type(module) is Unknown else clip(module)
            refuse(f"is made of {what}, where a module is expected")
        if id(module) in seen:
            refuse("uses a module twice or within itself")
        seen.add(id(module))
        tensors, modules = _members(prefix, module.state)
        for name, value in tensors.items():
            out[name] = copier.tensor(name, value)
        todo.extend((name + ".", value, depth + 1) for name, value in reversed(modules.items()))
    arguments = plain(state.get("_init_args", ()), copier, "constructor arguments")
    keywords = plain(state.get("_init_kwargs", {}), copier, "constructor arguments")
    if type(arguments) is not list or type(keywords) is not dict:
        refuse("has constructor arguments that are not arguments")
    return Network(root.class_name, arguments, keywords, out)


def _members(prefix: str, state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors that a state dict would hold, and submodules, of one module; by full name."""
    if any(state.get(key) for key in state if key.endswith("_hooks")):
        refuse("has hooks: functions to be run when the network is")
    passing = state.get("_non_persistent_buffers_set", ())
    tensors = {name: value for name, value in _group(state, "_parameters").items() if value is not None}
    for name, value in _group(state, "_buffers").items():
        if value is not None and name not in passing:
            if name in tensors:
                refuse(f"has the member {clip(name)} twice")
            tensors[name] = value
    modules = {name: value for name, value in _group(state, "_modules").items() if value is not None}
    return {prefix + name: value for name, value in tensors.items()}, {prefix + n: v for n, v in modules.items()}


def _group(state: dict[str, Any], key: str) -> dict[str, Any]:
    group = state.get(key, {})
    if type(group) is not dict:
        refuse(f"has {clip(group)} as a module's {key}")
    for name in group:
        fine = type(name) is str and 0 < len(name) <= 128 and name.isascii() and "." not in name
        if not fine or name.startswith("__"):
            refuse(f"has a module with the odd member name {clip(name)}")
    return group


def _tf_network(copier: Copier, root: TfRecord) -> Network:
    out: dict[str, Any] = {}
    todo: list[tuple[str, Any, int]] = [("", root, 0)]
    while todo:
        prefix, record, depth = todo.pop()
        if depth > TF_DEPTH or type(record) is not TfRecord or type(record.state) is not dict:
            refuse("has a TensorFlow network with odd components")
        state = record.state
        version, variables = state.get("version"), state.get("variables")
        components = state.get("components", {})
        if type(version) is not int or version not in TF_VERSIONS:
            refuse(f"is of the version {clip(version)} of TensorFlow networks, which is not known")
        if type(variables) is not list or type(components) is not dict:
            refuse("has a TensorFlow network without variables")
        for pair in variables:
            if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not str:
                refuse("has a TensorFlow variable without a name")
            name = prefix + pair[0]
            if name in out:
                refuse(f"has the variable {clip(name)} twice")
            out[name] = _tf_variable(copier, name, pair[1])
        for name, value in components.items():
            todo.append((f"{prefix}{name}/", value, depth + 1))
    state = root.state or {}
    keywords = plain(state.get("static_kwargs", {}), copier, "constructor arguments")
    function = state.get("build_func_name")
    if type(keywords) is not dict or type(function) is not str:
        refuse("has a TensorFlow network without a name or arguments")
    return Network(function[:128], [], keywords, out)


def _tf_variable(copier: Copier, name: str, value: Any) -> Any:
    if type(value) in (bool, int, float):
        return copier.number(value)
    if type(value) is TensorRecord:
        refuse(f"has {clip(name)} as a tensor of torch in a TensorFlow network")
    return copier.tensor(name, value)
