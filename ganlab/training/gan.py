"""One GAN in training: networks, optimizers and what the tricks remember, as plain modules with autograd."""

import copy

import torch
from torch import Tensor, nn

from ganlab.losses import LOSSES
from ganlab.networks.mlp import MlpDiscriminator, MlpEnergy, MlpGenerator
from ganlab.run import GanConfig
from ganlab.training.draws import Draws, generator
from ganlab.training.one_stage import Handed

REPLAY_SIZE = 4096  # fakes of the past that replay keeps
REFERENCE = 128  # latents in virtual batch norm's reference batch
State = dict[str, Tensor]


class Gan:
    """The readable form of a GAN in training; `step.py` advances it.

    `state()` names weights as the modules do (`G.layers.0.weight` [out, in]), optimizer moments `m.` and `v.` before
    them, the moving average `ema.`, and counters as 0-d tensors. The fast engine reads and writes the same names.
    """

    def __init__(self, config: GanConfig, draws: Draws, dim: int) -> None:
        self.config, self.draws, self.dim = config, draws, dim
        self.G = MlpGenerator(config.z_dim, config.g_width, config.g_depth, dim, config.activation, config.g_norm)
        self.D = _discriminator(config, dim)
        self.G.reset(generator(draws.seed, "weights", "G"))
        self.D.reset(generator(draws.seed, "weights", "D"))
        if self.G.virtual:
            rng = generator(draws.seed, "reference")
            self.G.set_reference(torch.randn(REFERENCE, config.z_dim, generator=rng))
        for net in self.nets():
            net.to(draws.dtype)
        self.opt_g = _optimizer(config, self.G, config.lr_g)
        self.opt_d = _optimizer(config, self.D, config.lr_d)
        self.ema = copy.deepcopy(self.G).requires_grad_(False)
        self.balance = 0.0  # BEGAN's k
        self.handed: Handed | None = None
        self.averages: dict[str, Tensor] = {}  # historical averages of parameters
        self.averaged = 0  # how many steps they average over
        self.past = torch.zeros(0, dim, dtype=draws.dtype)  # replayed fakes
        self.fake: Tensor | None = None  # G's last output with its graph, shared by the D- and the G-step
        self.measured: dict[str, Tensor] = {}

    def nets(self) -> tuple[MlpGenerator, MlpDiscriminator | MlpEnergy]:
        """(G, D)."""
        return self.G, self.D

    def state(self) -> State:
        """Everything that the next step depends on, but for the settings."""
        out: State = {}
        for prefix, net, opt in (("G", self.G, self.opt_g), ("D", self.D, self.opt_d)):
            for name, value in net.state_dict().items():
                out[f"{prefix}.{name}"] = value
            for name, p in net.named_parameters():
                for short, long in MOMENTS[self.config.optimizer]:
                    if long in opt.state.get(p, {}):
                        out[f"{short}.{prefix}.{name}"] = opt.state[p][long]
            out[f"t.{prefix}"] = torch.tensor(_steps(opt))
        if self.config.ema:
            out |= {f"ema.{name}": value for name, value in self.ema.state_dict().items()}
        if self.config.historical_averaging:
            out |= {f"mean.{name}": value for name, value in self.averages.items()}
            out["averaged"] = torch.tensor(self.averaged)
        if self.config.replay:
            out["past"] = self.past
        if LOSSES[self.config.loss].balanced:
            out["balance"] = torch.tensor(self.balance, dtype=torch.float64)
        return {name: value.detach().clone() for name, value in out.items()}

    def load(self, state: State) -> None:
        """The inverse of `state`; what a state lacks (an average just switched on) starts anew."""
        for prefix, net, opt in (("G", self.G, self.opt_g), ("D", self.D, self.opt_d)):
            net.load_state_dict({n: state[f"{prefix}.{n}"] for n in net.state_dict()})
            for name, p in net.named_parameters():
                for short, long in MOMENTS[self.config.optimizer]:
                    if f"{short}.{prefix}.{name}" in state:
                        opt.state[p][long] = state[f"{short}.{prefix}.{name}"].clone()
                        opt.state[p]["step"] = torch.tensor(float(state[f"t.{prefix}"]))
        self.ema.load_state_dict({n: state.get(f"ema.{n}", state[f"G.{n}"]) for n in self.G.state_dict()})
        self.averages = {n[5:]: v.clone() for n, v in state.items() if n.startswith("mean.")}
        self.averaged = int(state["averaged"]) if "averaged" in state else 0
        self.past = state["past"].clone() if "past" in state else self.past
        self.balance = float(state["balance"]) if "balance" in state else 0.0

    @torch.no_grad()
    def points(self, z: Tensor, *, average: bool = True) -> Tensor:
        """Points of G (of its moving average where it has one) for latents z [N, z_dim]."""
        net = self.ema if average and self.config.ema else self.G
        net.eval()
        points = net(z.to(self.draws.dtype))
        net.train()
        return points

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        """D's logit of each point, [N]; minus the energy for an autoencoder."""
        self.D.eval()
        scores = self.D.score(x.to(self.draws.dtype))[:, 0]
        self.D.train()
        return scores


MOMENTS = {"adam": (("m", "exp_avg"), ("v", "exp_avg_sq")), "rmsprop": (("v", "square_avg"),), "sgd": ()}


def resized(state: State, z_dim: int, seed: int) -> State:
    """A GAN's state with G's first layer cut or grown to `z_dim` inputs; new weights as at the start, new moments 0."""
    out = dict(state)
    for name, value in state.items():
        if not name.endswith("G.layers.0.weight") and not name.startswith("ema.layers.0.weight"):
            continue
        fresh = torch.zeros(value.shape[0], z_dim, dtype=value.dtype)
        if not name.startswith(("m.", "v.")):
            rng = generator(seed, "grown", z_dim)
            fresh = ((2 * torch.rand(fresh.shape, generator=rng, dtype=torch.float64) - 1) / z_dim**0.5).to(value.dtype)
        keep = min(z_dim, value.shape[1])
        fresh[:, :keep] = value[:, :keep]
        out[name] = fresh
    return out


def _discriminator(config: GanConfig, dim: int) -> MlpDiscriminator | MlpEnergy:
    if LOSSES[config.loss].energy:
        return MlpEnergy(dim, config.d_width, config.d_depth, config.activation, config.d_norm)
    return MlpDiscriminator(
        dim, config.d_width, config.d_depth, config.activation, config.d_norm, config.minibatch, config.pack
    )


def _optimizer(config: GanConfig, net: nn.Module, lr: float) -> torch.optim.Optimizer:
    if config.optimizer == "adam":
        return torch.optim.Adam(net.parameters(), lr=lr, betas=(config.beta1, config.beta2))
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(net.parameters(), lr=lr, alpha=0.9)
    return torch.optim.SGD(net.parameters(), lr=lr)


def _steps(opt: torch.optim.Optimizer) -> int:
    return max((int(s["step"]) for s in opt.state.values() if "step" in s), default=0)
