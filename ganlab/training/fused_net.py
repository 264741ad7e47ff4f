"""K copies of a two-hidden-layer MLP in flat buffers, with gradients written by hand.

For networks this small autograd's bookkeeping costs more than the arithmetic. Hidden weights are stored [K, in, out],
the output weight transposed [K, out, in], since a matrix product with two columns is several times slower.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LAYERS = ("layers.0", "layers.1", "output")
ADAM_EPS = 1e-8
_relu_backward = torch.ops.aten.threshold_backward.grad_input
_leaky_backward = torch.ops.aten.leaky_relu_backward.grad_input
LEAK = 0.2


class Activations:
    """What one forward pass keeps for its backward pass, for N rows of K networks."""

    def __init__(self, net: "FusedNet", n: int) -> None:
        def new(width: int) -> Tensor:
            return torch.empty(net.k, n, width, dtype=net.p.dtype)

        h = net.width
        self.h1, self.h2, self.y = new(h), new(h), new(net.d_out)
        self.e1, self.e2, self.d1, self.d2 = new(h), new(h), new(h), new(h)
        self.dx = new(net.d_in)


class FusedNet:
    """Weights `p`, gradients `g` and Adam's moments `m`, `v` of K networks, each a [K, P] buffer with views in it."""

    def __init__(self, k: int, d_in: int, width: int, d_out: int, leaky: bool, dtype: torch.dtype) -> None:
        self.k, self.d_in, self.width, self.d_out, self.leaky = k, d_in, width, d_out, leaky
        shapes = [(d_in, width), (1, width), (width, width), (1, width), (d_out, width), (1, d_out)]
        sizes = [math.prod(shape) for shape in shapes]
        self.p, self.g, self.m, self.v, self.work = (torch.zeros(k, sum(sizes), dtype=dtype) for _ in range(5))
        self.t = 0
        self.weights, self.grads, self.m_views, self.v_views = (
            [part.view(k, *s) for part, s in zip(buffer.split(sizes, 1), shapes, strict=True)]
            for buffer in (self.p, self.g, self.m, self.v)
        )
        self.spectral: slice | None = None  # which of the K are spectrally normalised
        self.uv: list[tuple[Tensor, Tensor]] = []  # per layer: u [K, out, 1], v [K, in, 1]
        self._sigma: list[Tensor] = []

    def forward(self, a: Activations, x: Tensor, w: list[Tensor]) -> Tensor:
        """Outputs [K, N, d_out] for inputs [K, N, d_in]."""
        torch.baddbmm(w[5], self.hidden(a, x, w), w[4].mT, out=a.y)
        return a.y

    def hidden(self, a: Activations, x: Tensor, w: list[Tensor]) -> Tensor:
        """The last hidden layer, [K, N, width]."""
        torch.baddbmm(w[1], x, w[0], out=a.h1)
        self._activate(a.h1)
        torch.baddbmm(w[3], a.h1, w[2], out=a.h2)
        self._activate(a.h2)
        return a.h2

    def backward(self, a: Activations, dy: Tensor, w: list[Tensor], to_input: bool = False) -> Tensor:
        """Gradients of the activations for the output gradient dy; a.dx holds the input's, if asked for."""
        torch.bmm(dy, w[4], out=a.e2)
        self.mask(a.e2, a.h2, a.d2)
        torch.bmm(a.d2, w[2].mT, out=a.e1)
        self.mask(a.e1, a.h1, a.d1)
        if to_input:
            torch.bmm(a.d1, w[0].mT, out=a.dx)
        return a.dx

    def weight_gradients(self, a: Activations, x: Tensor, dy: Tensor) -> None:
        """Fills `g` from a finished backward pass."""
        g = self.grads
        torch.bmm(x.mT, a.d1, out=g[0])
        torch.sum(a.d1, 1, True, out=g[1])
        torch.bmm(a.h1.mT, a.d2, out=g[2])
        torch.sum(a.d2, 1, True, out=g[3])
        torch.bmm(dy.mT, a.h2, out=g[4])
        torch.sum(dy, 1, True, out=g[5])

    def mask(self, gradient: Tensor, result: Tensor, out: Tensor) -> None:
        """The activation's backward pass: `gradient` where the unit is on."""
        if self.leaky:
            _leaky_backward(gradient, result, LEAK, True, grad_input=out)
        else:
            _relu_backward(gradient, result, 0, grad_input=out)

    def adam(self, rate: float | Tensor, beta1: float, beta2: float) -> None:
        """One Adam step; rate: one learning rate, or one for each network [K, 1]."""
        self.t += 1
        root = math.sqrt(1 - beta2**self.t)
        self.m.lerp_(self.g, 1 - beta1)
        self.v.mul_(beta2).addcmul_(self.g, self.g, value=1 - beta2)
        torch.sqrt(self.v, out=self.work)
        self.work.add_(ADAM_EPS * root)
        scale = -root / (1 - beta1**self.t)
        if isinstance(rate, float):
            self.p.addcdiv_(self.m, self.work, value=rate * scale)
        else:
            torch.div(self.m, self.work, out=self.work)
            self.p.addcmul_(self.work, rate * scale)

    def normalise(self, which: slice) -> None:
        """Switches spectral normalisation on for some of the K."""
        self.spectral = which
        self.uv = [
            (self.p.new_zeros(self.k, w.shape[1 + out], 1), self.p.new_zeros(self.k, w.shape[2 - out], 1))
            for w, out in zip(self.weights[::2], (1, 1, 0), strict=True)
        ]

    def effective(self) -> list[Tensor]:
        """The weights that a pass uses: after one power iteration, those normalised are divided by sigma."""
        k = self.spectral
        if k is None:
            return self.weights
        out, self._sigma = list(self.weights), []
        for layer, (u, v) in enumerate(self.uv):
            w = self.weights[2 * layer][k]
            tall = w if layer < 2 else w.mT  # [k, in, out]
            v[k] = F.normalize(torch.bmm(tall, u[k]), dim=1)
            x = torch.bmm(tall.mT, v[k])
            u[k] = F.normalize(x, dim=1)
            sigma = x.norm(dim=1, keepdim=True)
            self._sigma.append(sigma)
            out[2 * layer] = self.weights[2 * layer].clone()
            out[2 * layer][k] /= sigma
        return out

    def through_sigma(self, w: list[Tensor]) -> None:
        """Turns gradients of the normalised weights into those of the weights (Miyato et al. 2018, eq. 12)."""
        k = self.spectral
        if k is None:
            return
        for layer, (u, v) in enumerate(self.uv):
            g, normalised = self.grads[2 * layer][k], w[2 * layer][k]
            along = (g * normalised).sum((1, 2), keepdim=True)
            outer = torch.bmm(v[k], u[k].mT) if layer < 2 else torch.bmm(u[k], v[k].mT)
            g.sub_(along * outer).div_(self._sigma[layer])

    def export(self, k: int, views: list[Tensor]) -> dict[str, Tensor]:
        """The k-th network's share of a list of views, named and shaped as the module's."""
        out = {}
        for layer, name in enumerate(LAYERS):
            w = views[2 * layer][k]
            out[f"{name}.weight"] = (w.T if layer < 2 else w).clone()
            out[f"{name}.bias"] = views[2 * layer + 1][k, 0].clone()
        return out

    def load(self, k: int, views: list[Tensor], named: dict[str, Tensor]) -> None:
        """The inverse of `export`."""
        for layer, name in enumerate(LAYERS):
            w = named[f"{name}.weight"]
            views[2 * layer][k].copy_(w.T if layer < 2 else w)
            views[2 * layer + 1][k, 0].copy_(named[f"{name}.bias"])

    def _activate(self, h: Tensor) -> None:
        if self.leaky:
            F.leaky_relu_(h, LEAK)
        else:
            h.relu_()
