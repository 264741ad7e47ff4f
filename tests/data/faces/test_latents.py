"""Faces as a latent space: the people of normal numbers are those of the table, and codes keep them apart."""

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, sample
from ganlab.data.faces.latents import (
    CODE_DIM,
    HATLESS,
    IN_CODE,
    LABEL,
    LEVEL_OF,
    Z_DIM,
    code,
    detail,
    mixed,
    people,
    truncated,
)

N = 20_000
HAIR = ATTRIBUTES[LABEL]


def crowd(n: int = N, z_dim: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    chances = torch.tensor([option.probability for option in HAIR.options.values()])
    return torch.randn(n, z_dim, generator=rng), torch.multinomial(chances, n, True, generator=rng)


def test_people_of_latents_are_as_frequent_as_the_data() -> None:
    z, hairstyle = crowd()
    found, _ = people(z, hairstyle)
    data = sample(0, range(N))
    for name, row in ATTRIBUTES.items():
        if row.continuous:
            spread = row.hi - row.lo
            assert float(found[name].mean()) == pytest.approx(float(data[name].mean()), abs=0.02 * spread), name
            assert float(found[name].std()) == pytest.approx(float(data[name].std()), abs=0.02 * spread), name
        elif name not in ("hat", LABEL):  # hats decide hairstyles in the data, and hairstyles hats here
            shares = [torch.bincount(each[name], minlength=len(row.options)) / N for each in (found, data)]
            assert shares[0].tolist() == pytest.approx(shares[1].tolist(), abs=0.03), name


def test_the_class_is_what_is_drawn() -> None:
    z, hairstyle = crowd(4000)
    found, phases = people(z, hairstyle)
    assert torch.equal(found[LABEL], hairstyle)
    assert not (found.has(LABEL, *HATLESS) & ~found.has("hat", "none")).any()
    assert found.has("hat", "crown").any() and phases.min() >= 0 and phases.max() < 1 + 1e-6


def test_only_directions_of_z_count_and_few_numbers_are_refused() -> None:
    z, hairstyle = crowd(100)
    for name, value in people(z, hairstyle)[0].values.items():
        assert torch.allclose(value.float(), people(3 * z, hairstyle)[0][name].float(), atol=1e-5), name
    with pytest.raises(InvalidInput, match=f"at least {Z_DIM}"):
        people(z[:, : Z_DIM - 1], hairstyle)


def test_codes_have_mean_zero_and_tell_people_apart() -> None:
    who = sample(1, range(N))
    codes = code(who, torch.rand(N, 6, generator=torch.Generator().manual_seed(0)))
    assert codes.shape == (N, CODE_DIM)
    for name, row in ATTRIBUTES.items():
        part = codes[:, IN_CODE[name]]
        if row.continuous:
            assert float(part.mean()) == pytest.approx(0, abs=0.05) and float(part.std()) == pytest.approx(1, abs=0.05)
        else:
            chances = torch.tensor([option.probability for option in row.options.values()])
            assert torch.equal((part / 2 + chances).argmax(1), who[name]), name


def test_truncation_and_mixing() -> None:
    a, b, c = (sample(seed, range(200)) for seed in (1, 2, 3))
    near = truncated(a, torch.zeros(200))
    assert float(near["yaw"].abs().max()) == 0 and torch.equal(near["glasses"], a["glasses"])
    assert float(near["smile"].std()) < 1e-6 and float(near["smile"][0]) == pytest.approx(0.15)
    both = mixed((a, b, c))
    for name in ("yaw", "hat", "nose", "glasses", "skin", "lipstick"):  # no exclusion changes them
        assert torch.equal(both[name], (a, b, c)[LEVEL_OF[name]][name]), name


def test_detail_differs_in_phases_alone() -> None:
    phases = torch.rand(3, 6)
    drawn = detail(phases)
    assert torch.equal(drawn.phases, phases) and torch.equal(drawn.spots[0], drawn.spots[2])
