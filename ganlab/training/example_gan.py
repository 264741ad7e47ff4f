"""A GAN on images whose D judges examples, not pictures (`networks.several`), in training."""

import torch
from torch import Tensor

from ganlab.losses import LOSSES
from ganlab.networks.several import SeveralGenerator
from ganlab.training.image_gan import ImageGan
from ganlab.training.step import GENERATED, REAL


class ExampleGan(ImageGan):
    """As `ImageGan`; what `generate` and `seen` give are examples [n, p]."""

    G: SeveralGenerator
    ema: SeveralGenerator

    def generate(self, step: int, j: int, part: int, moved: float = 0.0) -> Tensor:
        """Examples of fakes, with their graph."""
        z, c = self.latents(step, j, part), self.labels_of(step, j, part, GENERATED)
        with self.fast():
            return self.G.of_fakes(z, c, self.real(step, j, part))

    def seen(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """Examples; of data without a graph."""
        if side != REAL:
            return x
        with torch.no_grad():
            return self.example(x, step, j, part)

    def example(self, real: Tensor, step: int, j: int, part: int) -> Tensor:
        """The examples that data are, with G's part in them."""
        rng = self.draws.rng("example", step, j, part)
        with self.fast():
            return self.G.of_data(real, self.labels_of(step, j, part, REAL), rng)

    def extra_d(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
        """Also what D owes by itself."""
        total = super().extra_d(real, fake, step, j, part)
        of_data, of_fakes = (self.labels_of(step, j, part, side) for side in (REAL, GENERATED))
        z = self.latents(step, j, part)
        owed = self.G.owed_by_d(self.D, z, (of_data, of_fakes), self.seen(real, step, j, part, REAL), fake.detach())
        return self._sum(total, owed)

    def extra_g(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
        """Also what G owes by itself, and its encoder, which wants D to take data for fakes (Donahue et al. 2017)."""
        total = super().extra_g(real, fake, step, j, part)
        z, c = self.latents(step, j, part), self.labels_of(step, j, part, GENERATED)
        total = self._sum(total, self.G.owes(self.D, z, c, real, fake))
        if self.G.encodes:
            logits = self.judge(self.example(real, step, j, part), step, j, part, REAL)
            total = total + LOSSES[self.config.loss].g(logits, -logits)
        return total

    def _labels(self, step: int, j: int | str, part: int, count: int | None = None) -> Tensor | None:
        """Those of the data, where fakes go on from them."""
        if self.G.continues and isinstance(j, int) and self.draws.classes:
            return self._batch(step, j, part)[1]
        return super()._labels(step, j, part, count)

    @property
    def reconstructs(self) -> bool:
        """Whether an encoder learns with G."""
        return self.G.encodes

    @torch.no_grad()
    def reconstructed(self, x: Tensor) -> Tensor:
        """G(E(x)), of their averages."""
        made: Tensor = self.ema.synthesis(self.ema.mapping(self.ema.encoder(x)))
        return made.float()

    @torch.no_grad()
    def score(self, x: Tensor, c: Tensor | None) -> Tensor:
        """D's mean logit [N] of the example that each picture is."""
        self.G.eval()
        self.D.eval()
        logits: Tensor = self.D(self.G.of_data(x, c), c)
        self.D.train()
        self.G.train()
        return logits.float().mean(1)

    def _sum(self, total: Tensor, owed: dict[str, Tensor]) -> Tensor:
        for name, value in owed.items():
            self.observe(name, value.detach()[None])
            total = total + value
        return total
