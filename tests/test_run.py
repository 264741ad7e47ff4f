"""`ganlab.run`: a run is one JSON object, travels as a link, and refuses everything that makes no sense."""

import base64
import json
import zlib
from typing import Any

import pytest

from ganlab.config import JSON_LIMIT, InvalidInput
from ganlab.data.toy2d import DataConfig
from ganlab.losses import LOSSES
from ganlab.run import Event, GanConfig, Penalty, Run, from_link, is_live, to_link

RUNS = {
    "default": Run(),
    "race": Run(DataConfig("grid", modes=9), tuple(GanConfig(loss=name) for name in LOSSES)[:8], seed=5),
    "settings": Run(gans=(GanConfig("α-GAN", lr_d=1 / 3, penalties=(Penalty("r1", 0.1), Penalty("clip", 0.01, 4))),)),
    "events": Run(
        gans=(GanConfig(), GanConfig(seed=1)),
        events=(
            Event(10, None, "lr_g", 1e-4),
            Event(10, 1, "penalties", [{"name": "r1", "weight": 2.0}]),
            Event(20, 1, "penalties.0.weight", 0.5),
            Event(99, 0, "update", "d"),
        ),
    ),
}


def link_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode().rstrip("=")


@pytest.mark.parametrize("name", RUNS)
def test_links_and_json_both_ways(name: str) -> None:
    run = RUNS[name]
    assert Run.from_json(run.to_json()) == run
    assert from_link(to_link(run)) == run
    assert from_link(f" {to_link(run)}\n") == run
    assert set(to_link(run)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_only_what_differs_is_written() -> None:
    assert Run().to_json() == "{}"
    run = Run(gans=(GanConfig(lr_d=0.5), GanConfig()), seed=3)
    assert json.loads(run.to_json()) == {"gans": [{"lr_d": 0.5}, {}], "seed": 3}
    assert len(to_link(RUNS["race"])) < 400


GAN = {"loss": "wgan"}
WRONG: dict[str, tuple[Any, str, str]] = {
    # (data, what the error names, words of the sentence)
    "unknown key": ({"speed": 1}, "speed", "known are data, events, gans, seed"),
    "unknown key of a GAN": ({"gans": [{}, {"lr": 1}]}, "gans.1.lr", "known are activation"),
    "nine GANs": ({"gans": [GAN] * 9}, "gans", "at most 8"),
    "no GAN": ({"gans": []}, "gans", "from 1 to 8"),
    "lr 0": ({"gans": [{"lr_d": 0}]}, "gans.0.lr_d", "from 1e-07 to 1"),
    "lr 1e9": ({"gans": [{"lr_g": 1e9}]}, "gans.0.lr_g", "from 1e-07 to 1"),
    "unknown loss": ({"gans": [{"loss": "wgna"}]}, "gans.0.loss", "non_saturating, minimax"),
    "unknown density": ({"data": {"name": "cube"}}, "data.name", "ring"),
    "penalty twice": ({"gans": [{"penalties": [{}, {}]}]}, "gans.0.penalties", "twice"),
    "five penalties": ({"gans": [{"penalties": [{}] * 5}]}, "gans.0.penalties", "at most 4"),
    "penalty weight": ({"gans": [{"penalties": [{"weight": -1}]}]}, "gans.0.penalties.0.weight", "from 0 to 1000"),
    "batch and pack": ({"gans": [{"batch": 256, "pack": 3}]}, "gans.0.batch", "multiple of pack"),
    "labels": ({"gans": [{"loss": "rpgan", "label_flip": 0.1}]}, "gans.0.label_smoothing", "needs a loss with labels"),
    "energy and spectral": ({"gans": [{"loss": "began", "d_norm": "spectral"}]}, "gans.0.loss", "autoencoder"),
    "unroll and sgd": ({"gans": [{"unroll": 3, "optimizer": "sgd"}]}, "gans.0.unroll", "adam"),
    "seed": ({"seed": -1}, "seed", "from 0 to 2.14748e+09"),
    "not live": ({"events": [{"path": "g_width", "value": 3}]}, "events.0.path", "g_width cannot change"),
    "no such setting": ({"events": [{"path": "lr_x", "value": 3}]}, "events.0.path", "cannot change"),
    "event out of range": ({"events": [{"path": "lr_d", "value": 5}]}, "events.0.lr_d", "from 1e-07 to 1"),
    "event of a wrong type": ({"events": [{"path": "lr_d", "value": "fast"}]}, "events.0.lr_d", '"fast"'),
    "event on no penalty": ({"events": [{"path": "penalties.0.weight"}]}, "events.0.penalties.0.weight", "no such"),
    "order of events": (
        {"events": [{"step": 5, "value": 0.1}, {"step": 4, "value": 0.1}]}, "events", "in the order of their steps",
    ),
    "GAN index": ({"events": [{"gan": 1, "value": 0.1}]}, "events.0.gan", "only 1 GANs"),
    "GAN index far": ({"events": [{"gan": 8, "value": 0.1}]}, "events.0.gan", "from 0 to 7"),
    "step of an event": ({"events": [{"step": 10**9}]}, "events.0.step", "from 0 to 1e+07"),
    "to an energy mid-run": ({"events": [{"path": "loss", "value": "began"}]}, "events.0.value", "autoencoder"),
    "too many events": ({"events": [{"value": 0.1}] * 1001}, "events", "at most 1,000"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_runs_are_named(case: str) -> None:
    data, field, words = WRONG[case]
    with pytest.raises(InvalidInput) as caught:
        from_link(link_of(json.dumps(data).encode()))
    assert caught.value.field.replace('"', "") == field
    assert words in caught.value.problem


GOOD = to_link(RUNS["events"])
LINKS = {
    "empty": "",
    "cut": GOOD[:-6],
    "cut in the middle": GOOD[: len(GOOD) // 2],
    "one character changed": GOOD[:40] + ("A" if GOOD[40] != "A" else "B") + GOOD[41:],
    "no base64": "ä" * 20,
    "odd length": "AAAAA",
    "not compressed": base64.urlsafe_b64encode(b"{}").decode(),
    "not text": link_of(b"\xff\xfe\x00"),
    "not JSON": link_of(b"{"),
    "NaN": link_of(b'{"gans":[{"lr_d":NaN}]}'),
    "NaN in an event": link_of(b'{"events":[{"value":NaN}]}'),
    "deep": link_of(b"[" * 200_000),
    "deep event": link_of(b'{"events":[{"value":' + b"[" * 90_000 + b"]" * 90_000 + b"}]}"),
    "a list": link_of(b"[]"),
    "too long": "A" * (JSON_LIMIT + 1),
    "bomb": link_of(b" " * 200_000_000),
}


@pytest.mark.parametrize("case", LINKS)
def test_broken_and_hostile_links(case: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_link(LINKS[case])
    assert len(str(caught.value)) < 200


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(LINKS["bomb"]) < JSON_LIMIT
    sizes = []
    read = Run.from_json
    monkeypatch.setattr(Run, "from_json", lambda text: (sizes.append(len(text)), read(text)))
    with pytest.raises(InvalidInput, match="at most"):
        from_link(LINKS["bomb"])
    assert sizes == [JSON_LIMIT + 1]


def test_gans_at() -> None:
    run = RUNS["events"]
    rates = [[gan.lr_g for gan in run.gans_at(step)] for step in (9, 10, 1000)]
    assert rates == [[1e-3, 1e-3], [1e-4, 1e-4], [1e-4, 1e-4]]
    assert [gan.penalties for gan in run.gans_at(10)] == [(), (Penalty("r1", 2.0),)]
    assert run.gans_at(19)[1].penalties[0].weight == 2 and run.gans_at(20)[1].penalties[0].weight == 0.5
    assert [gan.update for gan in run.gans_at(99)] == ["d", "both"]
    assert run.gans_at(0) == run.gans


def test_changed_forks() -> None:
    run = RUNS["events"].changed(15, "lr_d", 0.01)
    assert [(e.step, e.path) for e in run.events] == [(10, "lr_g"), (10, "penalties"), (15, "lr_d")]
    again = run.changed(15, "lr_d", 0.02)
    assert [e.value for e in again.events if e.path == "lr_d"] == [0.02], "the same knob moved twice is one event"
    assert run.changed(15, "lr_d", 0.5, gan=1).gans_at(15)[0].lr_d == 0.01
    assert RUNS["events"].changed(10, "batch", 64).until(9) == RUNS["events"].until(9)
    with pytest.raises(InvalidInput):
        run.changed(20, "g_width", 8)


def test_until() -> None:
    run = RUNS["events"]
    assert [len(run.until(step).events) for step in (0, 9, 10, 20, 98, 99)] == [0, 0, 2, 3, 3, 4]
    assert run.until(99) == run


def test_live_settings() -> None:
    assert is_live("lr_d") and is_live("penalties.0.weight") and is_live("z_dim")
    assert not is_live("g_width") and not is_live("seed") and not is_live("") and not is_live("lr")


@pytest.mark.parametrize("value", [False, True, 0, 0.0, 0.5, "both"])
def test_the_value_of_an_event_comes_back_as_it_was(value: object) -> None:
    again = Event.from_json(Event(3, path="noise", value=value).to_json())
    assert again.value == value and isinstance(again.value, bool) == isinstance(value, bool)
