"""A GAN on images in training, as the training step sees it; `step.py` advances it."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganlab.augment.ada import AdaController, AdaPipe
from ganlab.augment.diffaugment import diff_augment
from ganlab.losses import LOSSES
from ganlab.networks.auxiliary import AuxiliaryD, SemiSupervisedD
from ganlab.networks.table import TRAINABLE
from ganlab.networks.vision_aided import VisionAided
from ganlab.nn.precision import convolving
from ganlab.run_images import ImageGanConfig, ImageRun
from ganlab.training import extras, image_state, second
from ganlab.training.classes import Reader, know_classes
from ganlab.training.draws import seed_of
from ganlab.training.image_draws import ImageDraws
from ganlab.training.image_state import State
from ganlab.training.one_stage import Handed
from ganlab.training.processes import Alone
from ganlab.training.step import REAL

ADA_EVERY = 4  # steps between looks at r_t (Karras et al. 2020, sec. 3.3)
W_BETA = 0.998  # of the mean w
RAMP_UP = 0.05  # G's average looks back at most so much of the training: at first it follows quickly
HALF_LIFE = 0.5


class ImageGan:
    """Networks, optimizers and what they remember, on one device; a `step.Player`.

    `state()` names weights as the modules do (`G.`, `D.`, G's average `ema.`), moments `m.` and `v.` before them.
    """

    graph_serves_twice = False

    def __init__(
        self, run: ImageRun, draws: ImageDraws, processes: Alone | None = None, compiled: bool = False
    ) -> None:
        """`compiled`: through torch.compile where nothing is differentiated twice; pays on GPUs after a minute."""
        self.run, self.config, self.draws = run, run.gan, draws
        self.processes = processes or Alone()
        self.family = TRAINABLE[run.gan.family]
        classes = draws.classes
        shape = run.shape(0 if run.gan.labelled else classes)  # who knows few labels draws without
        self.g_arguments = self.family.g_arguments(shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(run.seed, "weights"))
            self.G: Any = self.family.g(**self.g_arguments)
            self.D: Any = self._discriminator(classes)
            self.D = second.aided(self, shape.classes) or self.D
        if classes:
            know_classes(draws.images, (self.G, self.D))
        if run.start and hasattr(self.G, "freeze_stem"):  # the stage before has learned it
            self.G.freeze_stem()  # type: ignore[operator]
        self.reader = Reader()
        for net in (self.G, self.D):
            net.to(draws.device).to(memory_format=torch.channels_last)
        self._quick: dict[str, Any] = {"mapping": self.G.mapping, "synthesis": self.G.synthesis, "D": self.D}
        if compiled:
            self._quick = {name: torch.compile(net, dynamic=False) for name, net in self._quick.items()}
        self._grow(0)
        self.ema: Any = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.opt_g: torch.optim.Optimizer = _adam(self.G, self.config, self.config.lr_g)
        self.restart_d()
        self.pipe = AdaPipe(self.config.ada) if self.config.augment == "ada" else None
        self.ada = AdaController(self.config.ada_target, self.config.ada_kimg, self.config.ada_p)
        self.path_mean = torch.zeros((), device=draws.device)
        self.signs = torch.zeros(2, device=draws.device)  # of D on data since p last moved: their sum, their number
        self.r_t: float | None = None
        self.balance = 0.0
        self.fake: Tensor | None = None
        self.handed: Handed | None = None
        self.measured: dict[str, Tensor] = {}
        self.steps = 0
        self._moved = False  # G has, in this step
        self._local: dict[str, list[Tensor]] = {}  # what the parts of this step saw, to be averaged over all
        second.choose(self, 0)

    def restart_d(self) -> None:
        """D's optimizer begins anew."""
        self.opt_d: torch.optim.Optimizer = _adam(self.D, self.config, self.config.lr_d)

    def _discriminator(self, classes: int) -> nn.Module:
        """Of the family, with a second head where something is to be read off pictures."""
        c, data = self.config, self.run.data
        read = classes if c.classifier_d or c.classifier_g or c.labelled else 0
        own = self.family.d(**self.family.d_arguments(self.run.shape(0 if read else classes, c.d_width)))
        if read and c.labelled:
            return SemiSupervisedD(own, read, data.channels, data.resolution)
        if not (read or c.info or c.kinds):
            return own
        return AuxiliaryD(own, read, c.info, data.channels, data.resolution, c.kinds)

    def _grow(self, step: int) -> None:
        """How far networks that grow are at a step: each resolution settles, then the next one fades in."""
        if not hasattr(self.G, "grow") or not self.config.grow_kimg:
            return
        phase = self.run.images_at(step) / (1000 * self.config.grow_kimg)  # settle, fade, settle, fade, ...
        level = (phase - 1) // 2 + min((phase - 1) % 2, 1.0) if phase > 1 else 0.0
        growing = [module for module in self.D.modules() if hasattr(module, "grow")]
        for net in (self.G, *growing[:1]):
            net.grow(level)

    @property
    def one_stage(self) -> bool:
        """Whether G learns from D's own pass: not while it learns alone."""
        return self.config.one_stage and self.config.update == "both"

    @property
    def reuses_fakes(self) -> bool:
        """D's step and G's step share fakes where a batch is one part, and fakes do not depend on D."""
        return len(self.parts()) == 1 and not self.config.latent_optimization

    def parts(self) -> range:
        """The parts that this process makes: every world-th one."""
        return range(self.processes.rank, self.config.parts, self.processes.world)

    @property
    def size(self) -> int:
        """Images of one part."""
        return self.config.part or self.config.batch

    def real(self, step: int, j: int, part: int) -> Tensor:
        """Data [n, C, H, W] in [-1, 1]."""
        return self._batch(step, j, part)[0]

    def generate(self, step: int, j: int, part: int, moved: float = 0.0) -> Tensor:
        """Fakes [n, C, H, W], with their graph; `moved`: the deviation of what is added to their z."""
        ws = self._ws(step, j, part, self.size, self._quick["mapping"], moved)
        if moved:
            return self._synthesised(ws, step, j, part, self._quick["synthesis"])
        if j == self.config.d_steps - 1:  # those of G's step
            self._note("w", ws[:, 0].detach().mean(0))
        return self._synthesised(ws, step, j, part, self._quick["synthesis"])

    def seen(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """What D is shown in a step."""
        return self.augmented(x, step, j, part, side)

    def augmented(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """Augmented images; each side of D and G has draws of its own."""
        key = "augment", step, j, part, side
        if self.pipe is not None:
            return self.pipe(x, self.ada.p, self.draws.rng(*key)) if self.ada.p > 0 else x
        if self.config.augment == "diffaugment":
            return diff_augment(x, self.config.policy.split(","), self.draws.rng(*key))
        return x

    def judge(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """D's logits [n, k], with the labels of this side."""
        return self._logits(self._quick["D"], x, step, j, part, side)

    def penalised(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """D's own logits [n, 1]: what a frozen network says is steep by nature."""
        own = self.D.own if isinstance(self.D, VisionAided) else self.D  # not compiled: differentiated twice
        return self._logits(own, x, step, j, part, side)

    def generate_for_path(self, step: int, part: int) -> tuple[Tensor, Tensor]:
        """Half as many fakes, and the ws that they were made from; nothing of it compiled."""
        ws = self._ws(step, "path", part, max(1, self.size // 2), self.G.mapping)
        return self._synthesised(ws, step, "path", part, self.G.synthesis), ws

    def drawn_from(self, z: Tensor, step: int, j: int, part: int) -> Tensor:
        """Fakes of given z, with the labels and the noise of this step."""
        return self._synthesised(
            self.G.mapping(z, self._labels(step, j, part, len(z))), step, j, part, self.G.synthesis
        )

    def latents(self, step: int, j: int | str, part: int, count: int | None = None) -> Tensor:
        """The z [n, z_dim] of the fakes."""
        return self.draws.latents(count or self.size, self.config.z_dim, step, j, part)

    def labels_of(self, step: int, j: int, part: int, side: int) -> Tensor | None:
        """One-hot labels [n, classes] of data or fakes; None without classes."""
        if not self.draws.classes:
            return None
        return self._batch(step, j, part)[1] if side == REAL else self._labels(step, j, part)

    def known(self, step: int, j: int, part: int) -> Tensor:
        """Which of the real pictures of a batch [n] D may know the class of."""
        return self.draws.known(self._first(step, j, part), self.size, self.config.labelled)

    def _logits(self, net: Any, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        labels = self.labels_of(step, j, part, side)
        with self.fast():
            logits: Tensor = net(x, labels)
        return logits.float()

    def ahead(self, real: Tensor, fake: Tensor) -> Callable[[Tensor], Tensor] | None:
        """G plays against D as it is."""
        return None

    def uniform(self, kind: str, step: int, j: int, part: int, rows: int, columns: int) -> Tensor:
        """Numbers in [0, 1), [rows, columns]."""
        return self.draws.uniform(rows, columns, kind, step, j, part)

    def observe(self, what: str, values: Tensor) -> None:
        """Logits and penalties, for charts and for ADA."""
        if what == "lead":
            if self.family.energy:  # of which the sign says nothing
                return
            own = values[:, :1] if isinstance(self.D, VisionAided) else values  # frozen heads overfit in their own way
            self._note("sign", own.sign().mean())
        else:
            self._note(what, values.mean())

    def extra_d(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
        """`extras.for_d`."""
        return extras.for_d(self, real, fake, step, j, part)

    def extra_g(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
        """`extras.for_g`."""
        return extras.for_g(self, fake, step, j, part)

    def gather(self, net: nn.Module) -> None:
        """The mean of the gradients of all parts, of all processes."""
        mine = len(self.parts())
        if mine == 1 and self.processes.world == 1:
            return
        with torch.no_grad():
            grads = [p.grad for p in net.parameters() if p.grad is not None]
            torch._foreach_div_(grads, float(mine))
            if self.processes.world > 1:
                flat = self.processes.mean(torch.cat([g.flatten() for g in grads]))
                for g, part in zip(grads, flat.split([g.numel() for g in grads])):
                    g.copy_(part.view_as(g))

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a number over processes."""
        return self.processes.mean(value)

    def finish(self, fake: Tensor, step: int) -> None:
        """G has moved: `settle` lets its averages follow."""
        self._moved = True

    @torch.no_grad()
    def settle(self, step: int) -> None:
        """Figures of all parts and processes; the mean w and path length, G's average, ADA's p."""
        seen, moved, self._moved = self._shared(), self._moved, False
        w, path, sign = (seen.pop(name, None) for name in ("w", "path", "sign"))
        self.measured |= seen
        if moved and w is not None and self.family.styles:
            self.G.mapping.w_avg.copy_(w.lerp(self.G.mapping.w_avg, W_BETA))
        if path is not None:
            self.path_mean.lerp_(path, extras.PATH_DECAY)
        if moved:
            self._average(step)
        self.steps = step + 1
        self._grow(step + 1)
        second.choose(self, step + 1)
        if sign is not None:
            self.signs += torch.stack([sign, torch.ones_like(sign)])
        if self.steps % ADA_EVERY == 0 and self.signs[1] > 0:
            self.r_t = float(self.signs[0] / self.signs[1])
            self.signs.zero_()
            if self.pipe is not None and self.config.ada_target > 0:
                self.ada.update(self.r_t, ADA_EVERY * self.config.batch * self.config.d_steps)

    def _average(self, step: int) -> None:
        """G's moving average (Karras et al. 2018), half of it forgotten in ema_kimg thousand images."""
        images = self.run.images_at(step + 1)
        half = min(1000 * self.config.ema_kimg, images * RAMP_UP)
        decay = HALF_LIFE ** (self.config.batch * self.config.d_steps / half) if half > 0 else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.G.parameters()), 1 - decay)
            for copied, buffer in zip(self.ema.buffers(), self.G.buffers()):
                copied.copy_(buffer)

    def change(self, run: ImageRun, step: int) -> None:
        """The settings of a run that are in force at a step."""
        self.run, config = run, run.gan_at(step)
        self.config = config
        for opt, lr in ((self.opt_g, config.lr_g), (self.opt_d, config.lr_d)):
            for group in opt.param_groups:
                group["lr"], group["betas"] = lr, (config.beta1, config.beta2)
        self.ada.target, self.ada.kimg = config.ada_target, config.ada_kimg

    @torch.no_grad()
    def images(self, z: Tensor, c: Tensor | None, *, average: bool = True) -> Tensor:
        """Pictures of G's average (or of G) for latents and one-hot labels, [N, C, H, W], noise as it is kept."""
        net = self.ema if average else self.G
        was = net.training
        net.eval()
        ws = net.mapping(z, c)
        out: Tensor = net.synthesis(ws, noise_mode="const" if self.config.noise else "none")
        net.train(was)
        return out.float()

    @property
    def reconstructs(self) -> bool:
        """Whether pictures have a code that they can come back from."""
        return self.family.energy

    @torch.no_grad()
    def reconstructed(self, x: Tensor) -> Tensor:
        """Pictures [N, C, H, W] as they come back from their code, where there is one."""
        made: Tensor = self.D.reconstructed(x)
        return made.float()

    @torch.no_grad()
    def score(self, x: Tensor, c: Tensor | None) -> Tensor:
        """D's logits [N] of images that are not augmented."""
        self.D.eval()
        logits: Tensor = self.D(x, c)
        self.D.train()
        return logits.float()[:, 0] if isinstance(self.D, VisionAided) else logits.float().mean(1)

    def take_over(self, weights: State) -> None:
        """`image_state.take_over`."""
        image_state.take_over(self, weights)

    def state(self) -> State:
        """`image_state.state_of`."""
        return image_state.state_of(self)

    def load(self, state: State, step: int) -> None:
        """`image_state.load`."""
        image_state.load(self, state, step)

    def finite(self) -> bool:
        """Whether all weights are."""
        flags = [p.isfinite().all() for net in (self.G, self.D) for p in net.parameters()]
        return bool(torch.stack(flags).all())

    def fast(self) -> contextlib.AbstractContextManager[Any]:
        """Convolutions in the precision of the settings."""
        return convolving(self.draws.device, self.config.precision)

    def _batch(self, step: int, j: int, part: int) -> tuple[Tensor, Tensor]:
        return self.draws.real(self._first(step, j, part), self.size, alike=self.config.single_label)

    def _first(self, step: int, j: int, part: int) -> int:
        """The number of a batch's first image."""
        return self.run.images_at(step) + j * self.config.batch + part * self.size

    def _labels(self, step: int, j: int | str, part: int, count: int | None = None) -> Tensor | None:
        together = LOSSES[self.config.loss].pairs or self.config.single_label
        if isinstance(j, int) and together and self.draws.classes:
            return self._batch(step, j, part)[1]  # pairs are of one class: D's opinion of classes stays out of it
        return self.draws.labels(count or self.size, step, j, part)

    def _ws(self, step: int, j: int | str, part: int, count: int, mapping: Any, moved: float = 0.0) -> Tensor:
        """ws [n, num_ws, w_dim]; some have two sources, which meet at a layer drawn for each (Karras et al. 2019)."""
        c, labels = self.config, self._labels(step, j, part, count)
        z = self.latents(step, j, part, count)
        if c.latent_optimization and isinstance(j, int):
            z = extras.optimised_latents(self, z, step, j, part)
        if moved:
            z = z + moved * self.draws.latents(count, c.z_dim, "moved", step, j, part)
        ws: Tensor = mapping(z, labels)
        if not c.style_mixing:
            return ws
        other: Tensor = mapping(self.draws.latents(count, c.z_dim, "mixed", step, j, part), labels)
        u = self.draws.uniform(count, 2, "mixing", step, j, part)
        layers = ws.shape[1]
        cut = torch.where(u[:, :1] < c.style_mixing, 1 + (u[:, 1:] * (layers - 1)).floor(), layers)  # [n, 1]
        beyond = torch.arange(layers, device=ws.device)[None] >= cut  # [n, layers]
        return torch.where(beyond[:, :, None], other, ws)

    def _synthesised(self, ws: Tensor, step: int, j: int | str, part: int, synthesis: Any) -> Tensor:
        noise = None
        if self.family.styles:
            rng, mode = self.draws.rng("noise", step, j, part), "random" if self.config.noise else "none"
            noise = self.G.synthesis.noise_inputs(mode, len(ws), rng, ws.device)
        with self.fast():
            images: Tensor = synthesis(ws, noise=noise)
        return images.float()

    def forget(self) -> None:
        """Drops what the parts of an unfinished step saw."""
        self._local.clear()

    def _note(self, what: str, value: Tensor) -> None:
        self._local.setdefault(what, []).append(value)

    def _shared(self) -> dict[str, Tensor]:
        """The means over parts and processes of what was noted in this step."""
        means = {what: torch.stack(values).mean(0) for what, values in self._local.items()}
        self._local.clear()
        if self.processes.world == 1 or not means:
            return means
        flat = self.processes.mean(torch.cat([value.flatten() for value in means.values()]))
        pieces = flat.split([value.numel() for value in means.values()])
        return {what: piece.view_as(value) for (what, value), piece in zip(means.items(), pieces)}


def _adam(net: nn.Module, config: ImageGanConfig, lr: float) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), lr=lr, betas=(config.beta1, config.beta2), fused=True)
