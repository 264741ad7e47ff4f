"""HYPE: rates by hand, intervals over people, the staircase of exposures."""

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.metrics.hype import FIRST, LONGEST, SHORTEST, Answer, hype_infinity, hype_time, next_exposure


def somebody(fooled: int, of: int, doubted: int, reals: int) -> list[Answer]:
    """Takes `fooled` of the generated pictures for real, and `doubted` of the real ones for generated."""
    fakes = [Answer(False, k < fooled) for k in range(of)]
    return fakes + [Answer(True, k >= doubted) for k in range(reals)]


def test_rates_are_of_wrong_answers() -> None:
    found = hype_infinity([somebody(6, 10, 2, 10), somebody(3, 10, 5, 10)])
    assert found.fakes.value == pytest.approx(0.45) and found.reals.value == pytest.approx(0.35)
    assert found.score.value == pytest.approx(0.4)
    assert found.fakes.lo == pytest.approx(0.3) and found.fakes.hi == pytest.approx(0.6)
    assert hype_infinity([somebody(0, 5, 0, 50)]).score.value == 0, "many real pictures weigh no more than few fakes"
    assert hype_infinity([somebody(9, 10, 9, 10)]).score.value == pytest.approx(0.9), (
        "above a half: more real than real"
    )


def test_intervals_are_over_people_and_narrow_with_them() -> None:
    alike = hype_infinity([somebody(4, 10, 4, 10)] * 20)
    assert alike.score.hi == pytest.approx(alike.score.lo), "people who agree leave no doubt"
    few, many = (hype_infinity([somebody(k % 10, 10, 3, 10) for k in range(n)]) for n in (10, 400))
    assert many.score.hi - many.score.lo < (few.score.hi - few.score.lo) / 3
    assert few == hype_infinity([somebody(k % 10, 10, 3, 10) for k in range(10)])


def test_exposures_settle_where_three_in_four_are_right() -> None:
    assert next_exposure(500, True) == 490 and next_exposure(500, False) == 530
    assert next_exposure(SHORTEST, True) == SHORTEST and next_exposure(LONGEST, False) == LONGEST
    rng = torch.Generator().manual_seed(0)

    def watcher(needs: float) -> list[bool]:
        """Right more often the longer they see a picture; three times in four at `needs` milliseconds."""
        now, answers = FIRST, []
        for _ in range(600):
            chance = 0.5 + 0.5 / (1 + (needs / now) ** 4)
            answers.append(bool(torch.rand(1, generator=rng) < chance))
            now = next_exposure(now, answers[-1])
        return answers

    slow, quick = (hype_time([watcher(needs) for _ in range(8)]) for needs in (600.0, 250.0))
    assert abs(slow - 600) < 90 and abs(quick - 250) < 60
    assert hype_time([[True] * 100]) == SHORTEST and hype_time([[False] * 200]) == LONGEST


@pytest.mark.parametrize("people", [[], [[]], [[Answer(True, True)]], [[Answer(False, True)]]])
def test_answers_that_are_missing(people: list[list[Answer]]) -> None:
    with pytest.raises(InvalidInput, match="people"):
        hype_infinity(people)


def test_times_that_are_missing() -> None:
    with pytest.raises(InvalidInput, match="each with answers"):
        hype_time([[True], []])
