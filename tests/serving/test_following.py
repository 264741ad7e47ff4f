"""A long work is followed to its end, to its one sentence, or until nobody wants it any more."""

import threading
import time
from collections.abc import Callable

import pytest

from ganlab.config import InvalidInput
from ganlab.serving.following import CANCELLED, FAILED, Following, Progress, Result, Tick


def endless(started: threading.Event, ended: threading.Event) -> Callable[[Tick], None]:
    def work(tick: Tick) -> None:
        started.set()
        try:
            for i in range(10_000):
                tick("steps", i, 10_000)
                time.sleep(0.005)
        finally:
            ended.set()

    return work


def test_progress_then_the_result() -> None:
    def work(tick: Tick) -> str:
        for i in range(3):
            tick("pictures", i, 3)
        return "done"

    items = list(Following().follow("a", work))
    assert items[-1] == Result("done", None) and all(isinstance(item, Progress) for item in items[:-1])


def _raise(error: Exception) -> Callable[[Tick], None]:
    def work(tick: Tick) -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidInput("count", "must be 16 or more"), "Count: must be 16 or more."),
        (ZeroDivisionError("inside"), FAILED),
    ],
)
def test_an_error_is_one_sentence(error: Exception, told: str) -> None:
    assert list(Following().follow("a", _raise(error))) == [Result(None, told)]


@pytest.mark.parametrize("how", ["cancel", "again", "leave"])
def test_it_ends_when_nobody_wants_it(how: str) -> None:
    following, started, ended = Following(), threading.Event(), threading.Event()
    items = following.follow("a", endless(started, ended))
    assert isinstance(next(items), Progress) and started.wait(5)
    following.cancel("someone else")
    assert not ended.wait(0.05)
    if how == "cancel":
        following.cancel("a")
        assert list(items)[-1] == Result(None, CANCELLED)
    elif how == "again":
        assert list(following.follow("a", lambda tick: 1)) == [Result(1, None)]
    else:
        items.close()  # type: ignore[attr-defined]
    assert ended.wait(5)
