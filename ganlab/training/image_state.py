"""What an image GAN in training keeps between steps, as named tensors, and a start from another generator's weights."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ganlab.config import InvalidInput
from ganlab.training import second

if TYPE_CHECKING:
    from ganlab.training.image_gan import ImageGan

MOMENTS = (("m", "exp_avg"), ("v", "exp_avg_sq"))
State = dict[str, Tensor]


def state_of(gan: "ImageGan") -> State:
    """Everything that the next step depends on, but for the settings."""
    out: State = {f"ema.{name}": value for name, value in gan.ema.state_dict().items()}
    for prefix, net, opt in _players(gan):
        out |= {f"{prefix}.{name}": value for name, value in net.state_dict().items()}
        out |= _moments(prefix, net, opt)
    out |= {f"told.{name}": value for name, value in gan.measured.items()}  # lazy penalties: of an earlier step
    out["path_mean"], out["signs"] = gan.path_mean, gan.signs
    out["p"] = torch.tensor(gan.ada.p, dtype=torch.float64)
    out["r_t"] = torch.tensor(torch.nan if gan.r_t is None else gan.r_t, dtype=torch.float64)
    if gan.family.energy:
        out["balance"] = torch.tensor(gan.balance, dtype=torch.float64)
    return {name: value.detach().cpu().clone().contiguous() for name, value in out.items()}


def load(gan: "ImageGan", state: State, step: int) -> None:
    """The inverse of `state_of`, for a training that has made `step` steps."""
    second.resume(gan, state)
    for prefix, net, opt in _players(gan):
        net.load_state_dict({n: state[f"{prefix}.{n}"] for n in net.state_dict()})
        for name, p in net.named_parameters():
            if f"v.{prefix}.{name}" in state:
                opt.state[p] = {long: _like(p, state[f"{short}.{prefix}.{name}"]) for short, long in MOMENTS}
                count = state.get(f"t.{prefix}.{name}", state[f"t.{prefix}"])
                opt.state[p]["step"] = count.clone().float().to(_step_device(opt, p))
    gan.ema.load_state_dict({n: state[f"ema.{n}"] for n in gan.ema.state_dict()})
    gan.path_mean.copy_(state["path_mean"])
    gan.signs.copy_(state["signs"])
    gan.ada.p, r_t = float(state["p"]), float(state["r_t"])
    gan.r_t = None if r_t != r_t else r_t
    gan.balance = float(state.get("balance", 0.0))
    gan.steps, gan.fake = step, None
    gan.measured = {name[5:]: value.clone() for name, value in state.items() if name.startswith("told.")}
    gan.forget()


@torch.no_grad()
def take_over(gan: "ImageGan", weights: State) -> None:
    """Starts G and its average from another generator's weights; what does not fit raises `InvalidInput`.

    From a smaller one the blocks of its resolutions are taken, and the new ones' steps to colours begin at zero, so
    that the picture is the smaller one enlarged (Karras et al. 2018, sec. 2, without the fading).
    """
    mine = gan.G.state_dict()
    other = next((name for name in mine if name in weights and weights[name].shape != mine[name].shape), None)
    if other is not None or not any(name.startswith("synthesis.") for name in mine.keys() & weights.keys()):
        what = f"other sizes ({other})" if other else "other networks"
        raise InvalidInput("start", f"has {what}; take the family, widths, z_dim, w_dim and classes that it has")
    for name, value in mine.items():
        if name in weights:
            value.copy_(weights[name])
        elif name.endswith("torgb.weight"):  # of a new block
            value.zero_()
    gan.ema.load_state_dict(mine)


def _players(gan: "ImageGan") -> tuple[tuple[str, nn.Module, torch.optim.Optimizer], ...]:
    return ("G", gan.G, gan.opt_g), ("D", gan.D, gan.opt_d)


def _moments(prefix: str, net: nn.Module, opt: torch.optim.Optimizer) -> State:
    """Adam's of each parameter that has moved; their number of steps once, and beside it where one began later."""
    out: State = {}
    counts = {name: torch.as_tensor(opt.state[p]["step"]) for name, p in net.named_parameters() if p in opt.state}
    for name, p in net.named_parameters():
        out |= {f"{short}.{prefix}.{name}": opt.state[p][long] for short, long in MOMENTS if name in counts}
    if counts:
        out[f"t.{prefix}"] = most = max(counts.values(), key=float)
        out |= {f"t.{prefix}.{name}": count for name, count in counts.items() if float(count) != float(most)}
    return out


def _like(p: Tensor, value: Tensor) -> Tensor:
    """On p's device and in its memory layout, which fused optimizers want."""
    return torch.empty_like(p).copy_(value)


def _step_device(opt: torch.optim.Optimizer, p: Tensor) -> torch.device:
    return p.device if opt.defaults.get("fused") else torch.device("cpu")
