"""The page is built from the library's tables: a new row shows up without a change here."""

import dataclasses

from apps import hub, toy_lab
from ganlab.data.toy2d import DENSITIES
from ganlab.presets import EXPERIMENTS, PRESETS
from ganlab.regularizers import REGULARIZERS
from ganlab.run import GanConfig


def test_menus_hold_every_row_of_the_tables() -> None:
    schema = toy_lab.schema()
    assert set(schema["presets"]) == set(PRESETS)
    assert set(schema["experiments"]) == set(EXPERIMENTS)
    assert set(schema["densities"]) == set(DENSITIES)
    assert set(schema["regularizers"]) == set(REGULARIZERS)
    shown = {field["name"] for field in schema["gan"]}
    assert shown == {f.name for f in dataclasses.fields(GanConfig)} - {"name", "seed", "penalties"}
    assert all(field["help"] for field in schema["gan"])
    assert len(EXPERIMENTS) >= 12


def test_the_pages_build() -> None:
    assert toy_lab.build().blocks
    assert hub.build().blocks


def test_the_page_names_no_other_host() -> None:
    page = toy_lab.script() + (toy_lab.WEB / "toy_lab.html").read_text() + (toy_lab.WEB / "toy_lab.css").read_text()
    assert "https://" not in page
    assert page.count("http://") == page.count("http://www.w3.org/2000/svg") + page.count("http://127.0.0.1")
