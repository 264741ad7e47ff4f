"""`ganlab.networks.mlp`: one test over all norms, activations, minibatch layers and packings."""

import itertools

import pytest
import torch

from ganlab.networks.mlp import ACTIVATIONS, D_NORMS, G_NORMS, MINIBATCH, Mlp, MlpDiscriminator, MlpEnergy, MlpGenerator
from ganlab.nn.minibatch import MinibatchDiscrimination, MinibatchStd
from ganlab.nn.norms import SpectralLinear, VirtualBatchNorm

N, WIDTH, Z = 24, 16, 3


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=rng(seed))


def generator(activation: str = "relu", norm: str = "none", depth: int = 2, seed: int = 0) -> MlpGenerator:
    net = MlpGenerator(Z, WIDTH, depth, 2, activation, norm)
    net.reset(rng(seed))
    if net.virtual:
        net.set_reference(noise(32, Z, seed=9))
    return net


def assert_all_learn(net: torch.nn.Module, x: torch.Tensor) -> None:
    net(x).square().sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None and bool(p.grad.isfinite().all()), name
        assert float(p.grad.abs().sum()) > 0, name


@pytest.mark.parametrize(("activation", "norm", "depth"), [*itertools.product(ACTIVATIONS, G_NORMS, (1, 3))])
def test_generators(activation: str, norm: str, depth: int) -> None:
    net = generator(activation, norm, depth)
    z = noise(N, Z, seed=1)
    assert net(z).shape == (N, 2)
    assert_all_learn(net, z)
    assert torch.equal(generator(activation, norm, depth)(z), generator(activation, norm, depth)(z))
    assert not torch.equal(generator(activation, norm, depth)(z), generator(activation, norm, depth, seed=1)(z))


DISCRIMINATORS = [
    *((a, n, "none", 1) for a, n in itertools.product(ACTIVATIONS, D_NORMS)),
    *(("relu", n, m, p) for n, m, p in itertools.product(D_NORMS, MINIBATCH, (1, 3))),
]


@pytest.mark.parametrize(("activation", "norm", "minibatch", "pack"), DISCRIMINATORS)
def test_discriminators(activation: str, norm: str, minibatch: str, pack: int) -> None:
    def made(seed: int) -> MlpDiscriminator:
        net = MlpDiscriminator(2, WIDTH, 2, activation, norm, minibatch, pack)
        net.reset(rng(seed))
        return net

    x = noise(N, 2, seed=1)
    net = made(0)
    assert net(x).shape == (N // pack, 1)
    assert net.features(x).shape == (N // pack, WIDTH)
    assert net.score(x).shape == (N, 1)
    assert_all_learn(net, x)
    assert torch.equal(made(0)(x), made(0)(x)) and not torch.equal(made(0)(x), made(1)(x))


def test_packing_puts_neighbours_side_by_side() -> None:
    net = MlpDiscriminator(2, WIDTH, 1, pack=2)
    net.reset(rng())
    x = noise(4, 2)
    other = x.clone()
    other[3] += 1
    same = (net(x) == net(other)).flatten().tolist()
    assert same == [True, False]
    torch.testing.assert_close(net.score(x[:1]), net(x[:1].repeat(2, 1)))


@pytest.mark.parametrize(("activation", "norm"), [*itertools.product(ACTIVATIONS, ("none", "layer", "batch"))])
def test_energies(activation: str, norm: str) -> None:
    net = MlpEnergy(2, WIDTH, 2, activation, norm)
    net.reset(rng())
    x = noise(N, 2, seed=1)
    energy = net(x)
    assert energy.shape == (N, 1) and (energy >= 0).all()
    torch.testing.assert_close(energy, (x - net.body(x)).abs().mean(1, keepdim=True))
    torch.testing.assert_close(net.score(x), -energy)
    assert_all_learn(net, x)


def test_spectral_norm_reaches_one() -> None:
    layer = SpectralLinear(20, 30)
    with torch.no_grad():
        layer.weight.copy_(5 * noise(30, 20))
    layer.power_iterate(300)
    sigma = layer.u @ layer.weight @ layer.v
    assert float(torch.linalg.svdvals(layer.weight / sigma)[0]) == pytest.approx(1, abs=1e-4)
    x = noise(6, 20)
    torch.testing.assert_close(layer(x), x @ (layer.weight / torch.linalg.svdvals(layer.weight)[0]).T + layer.bias,
                               rtol=1e-3, atol=1e-3)  # fmt: skip
    before = layer.u.clone()
    layer(x)
    assert torch.equal(layer.u, before), "only power_iterate moves the vectors"


def test_d_with_spectral_norm_is_lipschitz() -> None:
    net = MlpDiscriminator(2, WIDTH, 2, norm="spectral")
    net.reset(rng())
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(20)
    net.power_iterate(200)
    x, y = 3 * noise(200, 2, seed=1), 3 * noise(200, 2, seed=2)
    assert ((net(x) - net(y)).abs()[:, 0] <= (x - y).norm(dim=1) * 1.001).all()


def test_virtual_batch_norm_looks_at_no_other_sample() -> None:
    net = generator(norm="virtual_batch")
    z = noise(N, Z, seed=1)
    torch.testing.assert_close(net(z)[:5], net(z[:5]))
    other = generator(norm="batch")
    assert not torch.allclose(other(z)[:5], other(z[:5]), atol=1e-3)


def test_virtual_batch_norm_by_hand() -> None:
    layer = VirtualBatchNorm(1)
    layer.reference = 2
    x = torch.tensor([[0.0], [2.0], [4.0]])
    mean, square = (0 + 2 + 4) / 3, (0 + 4 + 16) / 3  # the sample is one more member of the reference batch
    assert float(layer(x)[2]) == pytest.approx((4 - mean) / (square - mean**2 + 1e-5) ** 0.5, rel=1e-5)


@pytest.mark.parametrize("name", ["std", "discrimination"])
def test_minibatch_layers_see_collapse(name: str) -> None:
    layer = MINIBATCH[name](WIDTH)
    assert isinstance(layer, MinibatchStd | MinibatchDiscrimination)
    for p in layer.parameters():
        torch.nn.init.normal_(p, generator=rng())
    spread = layer(noise(N, WIDTH))[:, WIDTH:]
    collapsed = layer(noise(1, WIDTH).expand(N, WIDTH))[:, WIDTH:]
    if name == "std":
        assert spread[0, 0] > 0.8 and collapsed.max() < 1e-3
    else:
        assert spread.mean() < 0.3 and torch.allclose(collapsed, torch.ones_like(collapsed))
    # and a D with it tells the two apart even where each sample alone looks the same
    net = MlpDiscriminator(2, WIDTH, 1, minibatch=name)
    net.reset(rng())
    x = noise(N, 2)
    assert float((net(x)[0] - net(x[:1].expand(N, 2))[0]).abs()) > 1e-3


def test_weights_follow_fan_in() -> None:
    net = Mlp(4, 64, 2, 1, "relu", "none")
    net.reset(rng())
    assert float(net.layers[1].weight.abs().max()) == pytest.approx(1 / 8, rel=0.01)
    assert all(float(layer.bias.abs().max()) == 0 for layer in net.layers)
