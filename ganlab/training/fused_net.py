"""K copies of a two-hidden-layer MLP in flat buffers, with gradients written by hand.

For networks this small autograd's bookkeeping costs more than the arithmetic. Hidden weights are stored [K, in, out],
the output weight transposed [K, out, in]; what has only one or two columns (outputs, gradients of inputs) is computed
transposed, [K, columns, N]: such thin matrix products are several times faster that way round.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor

LAYERS = ("layers.0", "layers.1", "output")
ADAM_EPS = 1e-8
LEAK = 0.2
TINY = 1e-12  # as torch's normalize
_relu_backward = torch.ops.aten.threshold_backward.grad_input
_leaky_backward = torch.ops.aten.leaky_relu_backward.grad_input


class Activations:
    """What one forward pass keeps for its backward pass, for n rows of k networks like `net`."""

    def __init__(self, k: int, n: int, net: "FusedNet") -> None:
        def new(*shape: int) -> Tensor:
            return torch.empty(k, *shape, dtype=net.p.dtype)

        self.h1, self.h2 = new(n, net.width), new(n, net.width)
        self.d1, self.d2 = new(n, net.width), new(n, net.width)  # gradients before the activations
        self.y, self.dx = new(net.d_out, n), new(net.d_in, n)

    def first(self, k: int) -> "Activations":
        """A view of the first k networks."""
        view = copy.copy(self)
        view.__dict__ = {name: value[:k] for name, value in self.__dict__.items()}
        return view


class FusedNet:
    """Weights `p`, gradients `g` and Adam's moments `m`, `v` of K networks, each a [K, P] buffer with views in it."""

    def __init__(self, k: int, d_in: int, width: int, d_out: int, leaky: bool, dtype: torch.dtype) -> None:
        self.k, self.d_in, self.width, self.d_out, self.leaky = k, d_in, width, d_out, leaky
        shapes = [(d_in, width), (1, width), (width, width), (1, width), (d_out, width), (d_out, 1)]
        sizes = [math.prod(shape) for shape in shapes]

        def views(buffer: Tensor) -> list[Tensor]:
            return [part.view(k, *s) for part, s in zip(buffer.split(sizes, 1), shapes, strict=True)]

        self.p, self.g, self.m, self.v, self.work = (torch.zeros(k, sum(sizes), dtype=dtype) for _ in range(5))
        self.average = torch.zeros(k, sum(sizes), dtype=dtype)  # a moving average of p, for those who want one
        self.weights, self.grads, self.m_views, self.v_views, self.averages = (
            views(buffer) for buffer in (self.p, self.g, self.m, self.v, self.average)
        )
        self.t = 0
        self.spectral: slice | None = None  # which of the K are spectrally normalised
        self.uv: list[tuple[Tensor, Tensor]] = []  # of those, per layer: u [S, out, 1], v [S, in, 1]
        self._sigma: list[Tensor] = []
        self._divided, self._used = self.work.clone(), self.weights
        self._views = views

    def forward(self, a: Activations, x: Tensor, w: list[Tensor]) -> Tensor:
        """Outputs [K, d_out, N] for inputs [K, N, d_in]."""
        torch.baddbmm(w[5], w[4], self.hidden(a, x, w).mT, out=a.y)
        return a.y

    def hidden(self, a: Activations, x: Tensor, w: list[Tensor]) -> Tensor:
        """The last hidden layer, [K, N, width]."""
        torch.baddbmm(w[1], x, w[0], out=a.h1)
        self._activate(a.h1)
        torch.baddbmm(w[3], a.h1, w[2], out=a.h2)
        self._activate(a.h2)
        return a.h2

    def backward(self, a: Activations, dy: Tensor, w: list[Tensor], to_input: bool = False) -> Tensor:
        """Gradients of the activations for dy [K, d_out, N], the outputs'; a.dx holds the input's, if asked for."""
        if self.d_out == 1:
            torch.mul(dy.mT, w[4], out=a.d2)
        else:
            torch.bmm(dy.mT, w[4], out=a.d2)
        self.mask(a.d2, a.h2, a.d2)
        torch.bmm(a.d2, w[2].mT, out=a.d1)
        self.mask(a.d1, a.h1, a.d1)
        if to_input:
            torch.bmm(w[0], a.d1.mT, out=a.dx)
        return a.dx

    def weight_gradients(self, a: Activations, x: Tensor, dy: Tensor) -> None:
        """Fills `g` from a finished backward pass."""
        g = self.grads
        torch.bmm(x.mT, a.d1, out=g[0])
        torch.sum(a.d1, 1, True, out=g[1])
        torch.bmm(a.h1.mT, a.d2, out=g[2])
        torch.sum(a.d2, 1, True, out=g[3])
        torch.bmm(dy, a.h2, out=g[4])
        torch.sum(dy, 2, True, out=g[5])

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
        self.spectral, self._used = which, self._views(self._divided)
        self._tall = [
            w[which] if layer < 2 else w[which].mT for layer, w in enumerate(self.weights[::2])
        ]  # [S, in, out]
        self.uv = [(w.new_zeros(len(w), w.shape[2], 1), w.new_zeros(len(w), w.shape[1], 1)) for w in self._tall]

    def effective(self) -> list[Tensor]:
        """The weights that a pass uses: after one power iteration, those normalised are divided by sigma."""
        if self.spectral is None:
            return self.weights
        self._sigma = []
        for w, (u, v) in zip(self._tall, self.uv, strict=True):
            torch.bmm(w, u, out=v)
            v.div_(_norm(v))
            torch.bmm(w.mT, v, out=u)
            sigma = _norm(u)
            u.div_(sigma)
            self._sigma.append(sigma)
        return self._divide()

    def looked_at(self) -> list[Tensor]:
        """As `effective`, without a power iteration: looking must not change the training."""
        if self.spectral is None:
            return self.weights
        self._sigma = [u.mT @ w.mT @ v for w, (u, v) in zip(self._tall, self.uv, strict=True)]
        return self._divide()

    def through_sigma(self) -> None:
        """Turns gradients of the normalised weights into those of the weights (Miyato et al. 2018, eq. 12)."""
        k = self.spectral
        if k is None:
            return
        for layer, ((u, v), sigma) in enumerate(zip(self.uv, self._sigma, strict=True)):
            g = self.grads[2 * layer][k]
            along = (g * self._used[2 * layer][k]).sum((1, 2), keepdim=True)
            left, right = (v, u) if layer < 2 else (u, v)
            g.baddbmm_(left * along, right.mT, alpha=-1).div_(sigma)

    def export(self, k: int, views: list[Tensor]) -> dict[str, Tensor]:
        """The k-th network's share of a list of views, named and shaped as the module's."""
        out = {}
        for layer, name in enumerate(LAYERS):
            w = views[2 * layer][k]
            out[f"{name}.weight"] = (w.T if layer < 2 else w).clone(memory_format=torch.contiguous_format)
            out[f"{name}.bias"] = views[2 * layer + 1][k].flatten().clone()
        return out

    def load(self, k: int, views: list[Tensor], named: dict[str, Tensor]) -> None:
        """The inverse of `export`."""
        for layer, name in enumerate(LAYERS):
            w = named[f"{name}.weight"]
            views[2 * layer][k].copy_(w.T if layer < 2 else w)
            views[2 * layer + 1][k].copy_(named[f"{name}.bias"].view(views[2 * layer + 1][k].shape))

    def _divide(self) -> list[Tensor]:
        self._divided.copy_(self.p)
        for layer, sigma in enumerate(self._sigma):
            self._used[2 * layer][self.spectral].div_(sigma)
        return self._used

    def _activate(self, h: Tensor) -> None:
        if self.leaky:
            F.leaky_relu_(h, LEAK)
        else:
            h.relu_()


def _norm(x: Tensor) -> Tensor:
    """Lengths of the columns x [S, n, 1], as [S, 1, 1]."""
    return torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min_(TINY)
