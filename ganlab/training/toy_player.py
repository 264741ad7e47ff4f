"""A toy GAN as the training step sees it: the tricks of its settings, put in their places."""

from collections.abc import Callable

from torch import Tensor, nn

from ganlab.training import tricks
from ganlab.training.gan import Gan
from ganlab.training.step import FAKE


class ToyPlayer(Gan):
    """What `step.Player` asks for; a batch is one part."""

    one_stage = False

    @property
    def graph_serves_twice(self) -> bool:
        """Consensus optimisation goes through G for both players."""
        return bool(self.config.consensus)

    @property
    def reuses_fakes(self) -> bool:
        """LOGAN's latents depend on D, which has moved since."""
        return not self.config.latent_optimization

    def parts(self) -> tuple[int, ...]:
        """One."""
        return (0,)

    def real(self, step: int, j: int, part: int) -> Tensor:
        """Data [B, dim]."""
        return self.draws.real(step, j, self.config.batch)

    def generate(self, step: int, j: int, part: int) -> Tensor:
        """G's points [B, dim], with their graph."""
        c = self.config
        z = self.draws.latents(step, j, c.batch, c.z_dim, c.z_kind)
        return self.G(tricks.latent_optimization(self, z) if c.latent_optimization else z)

    def seen(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """With instance noise; in D's step some fakes are exchanged for old ones."""
        x = tricks.replay(self, x, step, j) if side == FAKE else x
        return tricks.instance_noise(self, x, step, j, side)

    def judge(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """Logits."""
        return self.D(x)

    def penalised(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """The same logits."""
        return self.D(x)

    def ahead(self, real: Tensor, fake: Tensor) -> Callable[[Tensor], Tensor] | None:
        """The unrolled D."""
        return tricks.unrolled_d(self, real, fake) if self.config.unroll else None

    def uniform(self, kind: str, step: int, j: int, part: int, rows: int, columns: int) -> Tensor:
        """Numbers in [0, 1), [rows, columns]."""
        return self.draws.uniform(kind, step, j, self.config.batch, columns)[:rows]

    def observe(self, what: str, values: Tensor) -> None:
        """Nothing here adapts to D."""

    def extra_d(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
        """Historical averaging and consensus."""
        return tricks.historical_averaging(self, self.D, "D") + tricks.consensus(self, real)

    def extra_g(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
        """The same, and feature matching."""
        averaging = tricks.historical_averaging(self, self.G, "G")
        return averaging + tricks.feature_matching(self, real, fake) + tricks.consensus(self, real)

    def gather(self, net: nn.Module) -> None:
        """There is one part."""

    def mean(self, value: Tensor) -> Tensor:
        """There is one process."""
        return value

    def finish(self, fake: Tensor, step: int) -> None:
        """Feeds the memories."""
        tricks.remember(self, fake, step)

    def settle(self, step: int) -> None:
        """Nothing here follows D."""
