"""Alarms in plain language, from measured quantities alone: collapse, hopping, a D that has won, divergence."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ganlab.training.arena import GUARD
from ganlab.training.measure import Measures

PATIENCE = 3  # measurements in a row before an alarm: one alone may be chance
HOPS = 3  # changes of the largest mode within `WINDOW` measurements that count as hopping
WINDOW = 10
WON = 0.995  # share of pairs that D orders rightly when it has won
VANISHED = 0.02  # of the largest gradient norm seen
TINY_SPREAD = 0.1  # of the data's

Check = Callable[..., None]


@dataclass(frozen=True)
class Alarm:
    """Something happened to GAN `gan` at `step`. `why` names the measured quantities and the rule."""

    step: int
    gan: int
    kind: str  # a key of KINDS
    text: str
    why: str


class Watch:
    """Follows one GAN; `look` returns the alarms that a new measurement raises. Each says so once until it is over."""

    def __init__(self, gan: int) -> None:
        self.gan = gan
        self._best = 0  # modes held, the most since it last recovered
        self._fallen = 0  # modes left at the last alarm
        self._streak: dict[str, int] = {}
        self.on: set[str] = set()  # kinds of alarm that still hold
        self._tops: deque[int] = deque(maxlen=WINDOW)
        self._covered: deque[int] = deque(maxlen=PATIENCE)
        self._steepest = 0.0

    def look(self, step: int, m: Measures) -> list[Alarm]:
        """The alarms of this measurement, usually none."""
        alarms: list[Alarm] = []

        def check(kind: str, holds: bool, text: str, why: str, patience: int = PATIENCE) -> None:
            self._streak[kind] = self._streak.get(kind, 0) + 1 if holds else 0
            if not holds:
                self.on.discard(kind)
            elif self._streak[kind] >= patience and kind not in self.on:
                self.on.add(kind)
                alarms.append(Alarm(step, self.gan, kind, text, why))

        if m.frozen is not None:
            self.on &= {"diverged"}
            check(
                "diverged",
                True,
                f"diverged: NaN at step {m.frozen:,}, rolled back to step {m.frozen - GUARD:,} and stopped",
                "Its weights were no longer finite numbers. Change one of its settings to set it going again.",
                1,
            )
            return alarms
        self.on.discard("diverged")
        self._modes(m, step, check)
        self._gradients(m, check)
        check(
            "spot",
            m.spread < TINY_SPREAD and not m.covered,
            f"collapse at step {step:,}: all samples lie in one small spot",
            f"Their standard deviation is {m.spread:.3f} of the data's (alarm below {TINY_SPREAD}).",
        )
        return alarms

    def _modes(self, m: Measures, step: int, check: Check) -> None:
        if m.covered is None or m.modes is None or m.modes < 2:
            return
        self._covered.append(m.covered)
        held = min(self._covered) if len(self._covered) == PATIENCE else 0
        self._best = max(self._best, held)
        now = max(self._covered)  # at most so many for PATIENCE measurements
        collapsed = self._best >= 2 and now <= self._best // 2
        before = self._best
        if "collapse" in self.on and not collapsed:
            self._best = now  # recovered, if only in part
        elif "collapse" in self.on and self._fallen >= 2 and now <= self._fallen // 2:
            self.on.discard("collapse")  # it falls further: told again
            before = self._fallen
        if collapsed and "collapse" not in self.on:
            self._fallen = now
        check(
            "collapse",
            collapsed,
            f"mode collapse at step {step:,}: {before} -> {m.covered} modes",
            f"It held {before} of {m.modes} modes and for {PATIENCE} measurements now at most {now}. "
            f"A mode counts if one of 2,500 samples lies within 3 sigma of it.",
            1,
        )
        if m.top_mode is not None and m.covered:
            self._tops.append(m.top_mode)
        hops = sum(a != b for a, b in zip(self._tops, list(self._tops)[1:], strict=False))
        check(
            "hopping",
            hops >= HOPS and now <= m.modes // 2,
            f"mode hopping since step {step:,}: the samples jump from mode to mode",
            f"In the last {len(self._tops)} measurements the largest mode changed {hops} times, "
            f"with at most {now} of {m.modes} modes covered at a time.",
        )
        check(
            "all_modes",
            m.covered == m.modes and (m.high_quality or 0) > 0.5,
            f"all {m.modes} modes covered since step {step:,}",
            f"{100 * (m.high_quality or 0):.0f} % of the samples lie within 3 sigma of a mode.",
        )

    def _gradients(self, m: Measures, check: Check) -> None:
        if m.g_grad is None:
            return
        self._steepest = max(self._steepest, m.g_grad)
        check(
            "d_won",
            m.d_wins >= WON and m.g_grad <= VANISHED * self._steepest,
            "D has won: the generator's gradient has vanished",
            f"D puts {100 * m.d_wins:.1f} % of (real, fake) pairs in the right order, and G's gradient norm, "
            f"{m.g_grad:.2g}, is {100 * m.g_grad / max(self._steepest, 1e-30):.1f} % of the largest seen.",
        )


KINDS = {
    "collapse": "bad",
    "hopping": "bad",
    "d_won": "bad",
    "diverged": "bad",
    "spot": "bad",
    "all_modes": "good",
}
