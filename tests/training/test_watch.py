"""`ganlab.training.watch`: what sets an alarm off, on made-up measurements."""

import math
from dataclasses import replace
from typing import Any

import pytest

from ganlab.training.arena import GUARD
from ganlab.training.measure import Measures
from ganlab.training.watch import KINDS, Alarm, Watch

HEALTHY = Measures(
    d_loss=1.3, g_loss=0.7, d_grad=0.1, g_grad=0.1, covered=6, modes=8, high_quality=0.8, balance=0.7, reverse_kl=0.2,
    top_mode=3, js=0.1, sliced_w=0.1, real_score=0.1, fake_score=-0.1, d_wins=0.6, spread=0.9, frozen=None,
)  # fmt: skip


def watched(rows: list[dict[str, Any]], watch: Watch | None = None) -> list[Alarm]:
    watch = watch or Watch(2)
    return [a for i, row in enumerate(rows, 1) for a in watch.look(100 * i, replace(HEALTHY, **row))]


def test_healthy() -> None:
    assert watched([{"covered": c} for c in (0, 1, 3, 5, 6, 7, 7, 6, 5, 7, 6)]) == []


def test_collapse() -> None:
    alarms = watched([{"covered": 8, "high_quality": 0.3}] * 4 + [{"covered": 2}] * 6)
    assert [(a.kind, a.step, a.gan) for a in alarms] == [("collapse", 700, 2)]
    assert "8 -> 2 modes" in alarms[0].text and "step 700" in alarms[0].text and "8 of 8" in alarms[0].why


def test_collapse_in_two_falls_and_again_after_recovery() -> None:
    held = [{"covered": n, "high_quality": 0.3} for n in [8] * 3 + [4] * 4 + [2] * 4 + [6] * 4 + [1] * 4]
    assert [a.text.split(": ")[1] for a in watched(held) if a.kind == "collapse"] == [
        "8 -> 4 modes", "4 -> 2 modes", "6 -> 1 modes",
    ]  # fmt: skip


def test_one_bad_measurement_is_no_collapse() -> None:
    assert watched([{"covered": n} for n in (7, 7, 7, 2, 7, 3, 2, 7)]) == []


def test_hopping() -> None:
    alarms = watched([{"covered": 1, "top_mode": i % 5} for i in range(20)])
    assert [a.kind for a in alarms] == ["hopping"]
    assert watched([{"covered": 1, "top_mode": 4}] * 20) == []
    assert watched([{"covered": 7, "top_mode": i % 5} for i in range(20)]) == [], "many modes, the largest by chance"


def test_d_won() -> None:
    start = [{"g_grad": 1.0}] * 3
    won = {"g_grad": 0.001, "d_wins": 1.0}
    alarms = watched(start + [won] * 6)
    assert [(a.kind, a.step) for a in alarms] == [("d_won", 600)]
    assert "100.0 %" in alarms[0].why and "0.1 %" in alarms[0].why
    assert watched(start + [{"g_grad": 1.0, "d_wins": 1.0}] * 6) == [], "ahead, but it still teaches"
    assert watched(start + [{"g_grad": 0.001, "d_wins": 0.5}] * 6) == [], "converged"
    assert watched([{"g_grad": None, "d_wins": 1.0}] * 6) == []


def test_all_modes() -> None:
    alarms = watched([{"covered": 8}] * 5)
    assert [(a.kind, a.step) for a in alarms] == [("all_modes", 300)] and "80 %" in alarms[0].why
    assert watched([{"covered": 8, "high_quality": 0.4}] * 5) == []
    assert KINDS["all_modes"] == "good"


def test_spot() -> None:
    row = {"covered": 0, "spread": 0.01}
    assert [a.kind for a in watched([row] * 6)] == ["spot"]
    nothing = {"covered": None, "modes": None, "top_mode": None, "high_quality": None}
    assert [a.kind for a in watched([{**nothing, "spread": 0.01}] * 6)] == ["spot"]
    assert watched([{"covered": 1, "spread": 0.01}] * 6) == [], "on a mode: that is collapse, and said as such"


def test_diverged_is_said_once_and_again_after_a_thaw() -> None:
    watch = Watch(0)
    alarms = watched([{"frozen": 300, "js": math.nan}] * 4, watch)
    assert [a.kind for a in alarms] == ["diverged"]
    assert f"step 300, rolled back to step {300 - GUARD}" in alarms[0].text
    assert watched([{}], watch) == []
    assert [a.kind for a in watched([{"frozen": 500}] * 3, watch)] == ["diverged"]


@pytest.mark.parametrize("kind", ["all_modes", "d_won", "hopping"])
def test_each_says_so_once_until_it_is_over(kind: str) -> None:
    on: dict[str, list[dict[str, Any]]] = {
        "all_modes": [{"covered": 8}] * 8,
        "d_won": [{"g_grad": 0.001, "d_wins": 1.0}] * 8,
        "hopping": [{"covered": 1, "top_mode": i % 2} for i in range(8)],
    }
    off = [{"g_grad": 1.0, "top_mode": 0}] * 12
    alarms = watched(off + on[kind] + off + on[kind])
    assert [a.kind for a in alarms if a.kind == kind] == [kind, kind]


def test_not_finite_measurements_do_no_harm() -> None:
    nan = math.nan
    rows = [{"js": nan, "spread": nan, "d_wins": nan, "g_grad": None, "d_loss": None, "covered": 0}] * 6
    assert watched([{"covered": 3}] * 2 + rows) == []


def test_measures_survive_json_exactly() -> None:
    row = replace(HEALTHY, js=1 / 3, d_loss=math.inf, spread=math.nan, g_loss=None).rounded()
    assert row.js == 0.3333333 and row.d_loss is None and math.isnan(row.spread)
    assert repr(Measures.from_dict(row.to_dict())) == repr(row)
