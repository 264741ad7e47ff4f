"""Bounded records of moments."""

import pytest

from ganlab.serving.timeline import Timeline


@pytest.mark.parametrize("most", [4, 10, 50])
def test_it_never_outgrows_its_bound_and_keeps_the_first(most: int) -> None:
    line: Timeline[int] = Timeline(most)
    for step in range(0, 5000, 10):
        line.add(step, step)
        assert len(line.items) <= most
    assert line.items[0] == (0, 0)
    assert line.items[-1][0] >= 5000 - 2 * line.stride
    gaps = [b[0] - a[0] for a, b in zip(line.items, line.items[1:], strict=False)]
    assert max(gaps) <= 2 * min(gaps)


@pytest.mark.parametrize(("step", "found"), [(0, 0), (9, 0), (10, 10), (35, 30), (1000, 40)])
def test_at_gives_the_newest_before(step: int, found: int) -> None:
    line: Timeline[str] = Timeline(100)
    for at in (0, 10, 20, 30, 40):
        line.add(at, str(at))
    assert line.at(step) == (found, str(found))
    assert [at for at, _ in line.until(25).items] == [0, 10, 20]
