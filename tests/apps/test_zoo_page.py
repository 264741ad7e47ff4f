"""The zoo page and its figures, without a browser."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from apps import zoo_page, zoo_routes
from ganlab.config import InvalidInput
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.zoo_results import FILE, ZooResult, ZooResults, load_results, save_results, sheet_path

FOUND = ZooResults(
    seconds=60,
    pictures=500,
    most_modes=40,
    device="2 CPU threads",
    rows=(
        ZooResult("dcgan", "", 812.0, 48_000, 1_000_000, 91.24, 3.1, 0.71, 0.04, 0.12, 0.03, 21),
        ZooResult("progan", "images: are missing"),
    ),
)


def test_every_preset_is_in_the_table_with_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_page, "results", lambda: None)
    table = zoo_page.table()
    assert table.count("<tr>") == len(IMAGE_PRESETS) + 1 and "FD-" not in table
    for name, row in IMAGE_PRESETS.items():
        assert row.title.replace("&", "&amp;") in table
        assert (f"./train?preset={name}'" in table) == (row.data is None)


def test_figures_and_pictures_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_page, "results", lambda: FOUND)
    table = zoo_page.table()
    assert "FD-faces" in table and "91.2 ± 3.1" in table and "21 of 40" in table and "FID" not in table
    assert table.count("<img") == 1, "no picture for those that were not measured"


@pytest.mark.parametrize("name", IMAGE_PRESETS)
def test_a_closer_look_has_formulas(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_page, "results", lambda: FOUND)
    told = zoo_page.closer(name)
    assert "$\\displaystyle" in told and f"--preset {name}" in told and IMAGE_PRESETS[name].text in told
    assert ("1,000,000 weights" in told) == (name == "dcgan")
    assert told.count("Regularizer:") == len(IMAGE_PRESETS[name].gan.penalties)
    assert all(text in told for text in ("Networks:", "Loss of D:", "Loss of G:"))
    assert told.count("$") % 2 == 0 and told.count("{") == told.count("}") and "\f" not in told


def test_results_come_back_and_others_are_refused(tmp_path: Path) -> None:
    assert load_results(tmp_path) is None
    save_results(tmp_path, FOUND)
    assert load_results(tmp_path) == FOUND
    assert FOUND.of("dcgan") is not None and FOUND.of("progan") is None and FOUND.of("mlp") is None
    (tmp_path / FILE).write_text('{"format": "another", "rows": []}')
    with pytest.raises(InvalidInput, match="format"):
        load_results(tmp_path)


def test_only_sheets_of_the_folder_are_sent(tmp_path: Path) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    sheet_path(folder, "dcgan").write_bytes(b"a picture")
    with TestClient(Starlette(routes=zoo_routes.routes(folder))) as client:
        found = client.get(zoo_routes.SHEET, params={"preset": "dcgan"})
        assert found.content == b"a picture" and found.headers["content-type"] == "image/png"
        for name in ("../secret", "nothing", "", "/etc/passwd", "x" * 500):
            assert client.get(zoo_routes.SHEET, params={"preset": name}).status_code == 404


def test_what_ships_can_be_read() -> None:
    zoo_page.results.cache_clear()
    found = zoo_page.results()
    assert found is None or all(row.preset in IMAGE_PRESETS for row in found.rows)
    assert zoo_page.build() is not None


def test_what_ships_knows_every_preset_and_has_its_pictures() -> None:
    found = load_results(zoo_routes.RESULTS)
    assert found is not None
    for name in (name for name, row in IMAGE_PRESETS.items() if row.data is None):
        row = found.of(name)
        assert row is not None and row.images > 0 and 0 <= row.modes <= found.most_modes, name
        assert sheet_path(zoo_routes.RESULTS, name).read_bytes().startswith(b"\x89PNG"), name
