"""`ganlab.config`: every wrong setting is refused with a sentence that names it; JSON both ways is exact."""

import json
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest

from ganlab.config import JSON_LIMIT, Config, InvalidInput, Knob, knob, knob_of, replaced

SHAPES = {"ring": 1, "grid": 2}


@dataclass(frozen=True)
class Penalty(Config):
    name: str = knob("r1", "which", choices=("r1", "gp"))
    weight: float = knob(1.0, "how strong", lo=0, hi=100)


@dataclass(frozen=True)
class Gan(Config):
    lr: float = knob(1e-3, "learning rate", lo=1e-6, hi=1, log=True)
    steps: int = knob(10, "steps", lo=1, hi=1000)
    ema: bool = False
    penalties: tuple[Penalty, ...] = knob((), "penalties", longest=3)


@dataclass(frozen=True)
class Lab(Config):
    title: str = knob("", "what it is called", longest=20)
    shape: str = knob("ring", "the data", choices=lambda: SHAPES)
    gan: Gan = Gan()
    gans: tuple[Gan, ...] = (Gan(), Gan(steps=5))
    point: tuple[float, ...] = knob((0.0, 1.0), "start", lo=-2, hi=2)
    limit: float | None = knob(None, "stop here", lo=0)
    psi: int | None = None


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    # name: (data, field that the error must name, words of the sentence)
    "unknown key": ({"colour": 1}, "colour", "not a known setting; known are gan, gans"),
    "unknown key inside": ({"gan": {"lr_d": 1}}, "gan.lr_d", "not a known setting"),
    "unknown key in a list": ({"gans": [{}, {"lrd": 1}]}, "gans.1.lrd", "not a known setting"),
    "three levels down": ({"gans": [{"penalties": [{}, {"weight": -1}]}]}, "gans.0.penalties.1.weight", "0 to 100"),
    "same name twice on the path": ({"gans": [{"penalties": [{"penalties": []}]}]}, "gans.0.penalties.0.penalties", ""),
    "below": ({"gan": {"lr": 0}}, "gan.lr", "0 is out of range; it must be a number from 1e-06 to 1"),
    "above": ({"gan": {"steps": 1001}}, "gan.steps", "1001 is out of range; it must be a whole number from 1 to 1000"),
    "one-sided": ({"limit": -1}, "limit", "a number of at least 0"),
    "item out of range": ({"point": [0, 3]}, "point.1", "from -2 to 2"),
    "NaN": ({"gan": {"lr": float("nan")}}, "gan.lr", "NaN"),
    "infinity": ({"limit": float("inf")}, "limit", "Infinity"),
    "bool for a whole number": ({"gan": {"steps": True}}, "gan.steps", "not true"),
    "bool for a number": ({"gan": {"lr": True}}, "gan.lr", "not true"),
    "number for a bool": ({"gan": {"ema": 1}}, "gan.ema", "true or false, not 1"),
    "text for a bool": ({"gan": {"ema": "no"}}, "gan.ema", 'not "no"'),
    "half a step": ({"gan": {"steps": 1.5}}, "gan.steps", "whole number"),
    "text for a number": ({"gan": {"lr": "1e-3"}}, "gan.lr", 'not "1e-3"'),
    "huge int": ({"psi": 10**400}, "psi", "a huge number"),
    "huge int for a float": ({"limit": 10**400}, "limit", "a huge number"),
    "negative huge int": ({"gan": {"steps": -(10**400)}}, "gan.steps", "a huge number"),
    "null where none may be": ({"title": None}, "title", "a text, not null"),
    "null for a group": ({"gan": None}, "gan", "named settings"),
    "list for a group": ({"gan": []}, "gan", "named settings"),
    "object for a list": ({"gans": {}}, "gans", "must be a list"),
    "text for a list": ({"point": "01"}, "point", "must be a list"),
    "number in a list of groups": ({"gans": [3]}, "gans.0", "named settings"),
    "long list": ({"gan": {"penalties": [{}] * 4}}, "gan.penalties", "has 4 items; at most 3"),
    "long text": ({"title": "x" * 21}, "title", "21 characters long; at most 20"),
    "not a choice": ({"shape": "circle"}, "shape", '"circle" is not one of ring, grid'),
    "not a choice inside": ({"gan": {"penalties": [{"name": "r9"}]}}, "gan.penalties.0.name", "r1, gp"),
    "list for a text": ({"shape": ["ring"]}, "shape", "a text, not list"),
    "not an object": ([1], "Lab", "named settings"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings_are_named(case: str) -> None:
    data, field, words = WRONG[case]
    with pytest.raises(InvalidInput) as caught:
        Lab.from_dict(data)
    assert caught.value.field.replace('"', "") == field  # an unknown key stands in quotes
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{caught.value.field}: ")


@pytest.mark.parametrize(
    ("make", "field"),
    {
        "range": (lambda: Gan(lr=2.0), "lr"),
        "choice": (lambda: Penalty(name="none"), "name"),
        "a dict is not a Config": (lambda: Lab(gan={"lr": 1.0}), "gan"),
        "another Config": (lambda: Lab(gan=Penalty()), "gan"),
    }.values(),
)
def test_wrong_settings_are_refused_when_made(make: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.field == field


@pytest.mark.parametrize(
    "text",
    {
        "cut off": '{"title": "a"',
        "not JSON": "hello",
        "empty": "",
        "NaN": '{"limit": NaN}',
        "Infinity": '{"limit": -Infinity}',
        "deep lists": '{"title": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "deep objects": '{"gan": ' * 20_000 + "{}" + "}" * 20_000,
        "too many digits": '{"psi": ' + "9" * 10_000 + "}",
    }.values(),
)
def test_bad_json_is_one_clear_error(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Lab.from_json(text)
    assert len(str(caught.value)) < 300


def test_long_json_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *a, **k: pytest.fail("parsed"))
    with pytest.raises(InvalidInput, match="at most"):
        Lab.from_json(" " * (JSON_LIMIT + 1))


def test_float_overflow_in_json_is_refused() -> None:
    with pytest.raises(InvalidInput, match="limit: must be a number of at least 0"):
        Lab.from_json('{"limit": 1e999}')


def test_an_error_repeats_little_of_a_hostile_text() -> None:
    with pytest.raises(InvalidInput) as caught:
        Lab.from_dict({"x" * 100_000: 1})
    assert len(str(caught.value)) < 300
    with pytest.raises(InvalidInput) as caught:
        Lab.from_dict({"limit": "<script>" * 1000})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "lab",
    [
        Lab(),
        Lab(title="é λ 图", shape="grid", limit=0.1, psi=-3),
        Lab(gans=(), point=()),
        Lab(gan=Gan(lr=1 / 3, ema=True, penalties=(Penalty(), Penalty("gp", 10.0)))),
    ],
    ids=["defaults", "texts", "empty", "nested"],
)
def test_json_both_ways_is_exact(lab: Lab) -> None:
    assert Lab.from_json(lab.to_json()) == lab
    assert Lab.from_dict(lab.to_dict()) == lab
    assert Lab.from_dict(json.loads(json.dumps(lab.to_dict(full=True)))) == lab
    assert hash(Lab.from_json(lab.to_json())) == hash(lab)


def test_json_leaves_defaults_out() -> None:
    assert Lab().to_json() == "{}"
    assert Lab(gan=Gan(steps=7)).to_json() == '{"gan":{"steps":7}}'
    assert set(Lab().to_dict(full=True)) == {"title", "shape", "gan", "gans", "point", "limit", "psi"}


def test_numbers_take_the_type_of_their_field() -> None:
    gan = Gan.from_dict({"lr": 1, "steps": 5.0})
    assert (gan.lr, gan.steps) == (1.0, 5) and isinstance(gan.lr, float) and isinstance(gan.steps, int)
    assert Lab.from_dict({"point": [1, -1]}).point == (1.0, -1.0)


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Gan().lr = 0.1  # type: ignore[misc]


REPLACED: dict[str, tuple[str, Any, Lab]] = {
    "top": ("title", "a", Lab(title="a")),
    "inside": ("gan.steps", 3, Lab(gan=Gan(steps=3))),
    "in a list": ("gans.1.ema", True, Lab(gans=(Gan(), Gan(steps=5, ema=True)))),
    "a whole group": ("gan", {"steps": 3}, Lab(gan=Gan(steps=3))),
    "a whole list": ("gans", [], Lab(gans=())),
    "an item": ("point.0", -1, Lab(point=(-1.0, 1.0))),
    "to null": ("limit", None, Lab()),
}


@pytest.mark.parametrize("case", REPLACED)
def test_replaced(case: str) -> None:
    path, value, want = REPLACED[case]
    before = Lab()
    assert replaced(before, path, value) == want
    assert before == Lab()


@pytest.mark.parametrize(
    "path",
    ["titles", "gan.lrs", "gans.2.lr", "gans.x", "gans.y", "title.0", "gan.lr.0", "", ".", "limit.x"],
)
def test_replaced_knows_no_new_settings(path: str) -> None:
    with pytest.raises(InvalidInput, match="there is no such setting"):
        replaced(Lab(), path, 1)


def test_replaced_checks_the_value() -> None:
    with pytest.raises(InvalidInput) as caught:
        replaced(Lab(), "gans.1.lr", 5)
    assert caught.value.field == "gans.1.lr"


def test_knobs() -> None:
    fields = {field.name: field for field in Lab.__dataclass_fields__.values()}
    assert knob_of(fields["shape"]).names() == ("ring", "grid")
    assert knob_of(fields["psi"]) == Knob("")
    assert knob_of(fields["title"]).longest == 20
