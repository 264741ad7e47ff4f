"""A long work on a page of Gradio's own widgets: its progress, and one sentence where it could not be done."""

import html
from collections.abc import Callable, Iterator
from typing import Any

from ganlab.serving.following import Following, Progress, Tick

STYLE = """
.following { display: flex; gap: 12px; align-items: center; flex-wrap: wrap; min-height: 32px; }
.following progress { flex: 1 1 160px; max-width: 640px; height: 10px; appearance: none; border: 0; border-radius: 5px;
  overflow: hidden; background: rgba(128, 128, 128, .2); }
.following progress::-webkit-progress-bar { background: transparent; }
.following progress::-webkit-progress-value { background: var(--color-accent); }
.following progress::-moz-progress-bar { background: var(--color-accent); }
.following .problem, .following .warning { padding: 8px 12px; border-radius: 8px; flex: 1 1 100%; }
.following .problem { background: #fdecea; color: #7a1a12; }
.following .warning { background: #fff6dd; color: #5c4300; }
"""


def followed(
    following: Following,
    visitor: str,
    work: Callable[[Tick], Any],
    shown: Callable[[Any], tuple[Any, ...]],
    blank: list[Any],
) -> Iterator[tuple[Any, ...]]:
    """What a handler yields: (status, *outputs). `shown` makes the outputs of a result; `blank` leaves one as it is."""
    for item in following.follow(visitor, work):
        if isinstance(item, Progress):
            yield bar(item), *blank
        elif item.problem is not None:
            yield said(item.problem, "problem"), *blank
        else:
            yield shown(item.value)


def bar(item: Progress) -> str:
    """The progress as HTML."""
    text = html.escape(item.what)
    share = f' value="{min(item.done, item.of)}" max="{max(item.of, 1)}"'
    return f'<div class="following" role="status"><span>{text}</span><progress{share}></progress></div>'


def said(text: str, kind: str = "") -> str:
    """A sentence as HTML; `kind`: problem, warning, or nothing."""
    inside = f'<span class="{kind}">{html.escape(text)}</span>' if text else ""
    return f'<div class="following" role="status">{inside}</div>'
