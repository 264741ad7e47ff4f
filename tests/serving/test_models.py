"""The catalogue: what is listed, what stays loaded, what may be uploaded."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ganlab.config import InvalidInput
from ganlab.recipe import Recipe
from ganlab.serving import models
from ganlab.serving.models import Catalogue, Model, Painter, open_model
from tests.fake_painter import FakePainter
from tests.tiny_models import write_model


def fake(model: Model) -> Painter:
    return FakePainter(model.name, 16)


def test_shipped_wins_over_local_and_public_shows_only_safetensors(tmp_path: Path) -> None:
    shipped, local = tmp_path / "shipped", tmp_path / "local"
    for folder, name in ((shipped, "a.safetensors"), (local, "a.safetensors"), (local, "b.pkl")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    home, public = Catalogue(fake, local, False, shipped), Catalogue(fake, local, True, shipped)
    assert home.models()["a"].kind == "shipped"
    assert "b" in home.models() and "b" not in public.models()
    assert all(row["kind"] != "zoo" for row in public.menu())
    assert home.menu()[0]["name"] == "a" and not home.menu()[-1]["ready"]


def test_the_longest_unused_model_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / f"{name}.safetensors").write_bytes(b"x" * 100)
    loads: list[str] = []

    def load(model: Model) -> Painter:
        loads.append(model.name)
        return FakePainter(model.name, 16)

    monkeypatch.setattr(models, "MOST_LOADED", 250)
    catalogue = Catalogue(load, tmp_path, shipped=tmp_path / "none")
    for name in "abacab":
        catalogue.load(name)
    assert loads == ["a", "b", "c", "b"]


def test_an_upload_is_kept_only_if_it_loads(tmp_path: Path) -> None:
    catalogue = Catalogue(open_model, None, shipped=tmp_path / "none")
    path = write_model(tmp_path, "mine", 16)
    name = catalogue.add(path, "../my model.safetensors")
    assert name == "my-model" and not path.exists()
    assert catalogue.load(name).pictures([Recipe()])[0].image.shape == (16, 16, 3)
    broken = tmp_path / "broken"
    broken.write_bytes(b"hello")
    with pytest.raises(InvalidInput):
        catalogue.add(broken, "broken.safetensors")
    assert list(catalogue._uploaded) == ["my-model"]
    broken.write_bytes(b"")
    with pytest.raises(InvalidInput, match="empty"):
        catalogue.add(broken, "nothing.pkl")
    unnamed = catalogue.add(write_model(tmp_path, "again", 16), "weights")  # its content says what it is
    assert catalogue.load(unnamed).facts()["resolution"] == 16


@pytest.mark.parametrize(
    "name", ["...safetensors", "..safetensors", "../..", "..", ".", "/", "a/../../b.pkl", "..\\..pt"]
)
def test_no_name_of_a_file_reaches_beyond_its_folder(name: str, tmp_path: Path) -> None:
    def load(model: Model) -> Painter:
        raise InvalidInput("model", "is none")

    catalogue = Catalogue(load, shipped=tmp_path / "none")
    uploads = Path(catalogue._uploads.name)
    held = uploads / "another" / "model.safetensors"
    held.parent.mkdir()
    held.write_bytes(b"someone else's")
    sent = tmp_path / "sent"
    sent.write_bytes(b"junk")
    with pytest.raises(InvalidInput, match="is none"):
        catalogue.add(sent, name)
    assert held.read_bytes() == b"someone else's" and list(uploads.iterdir()) == [held.parent]
    path = write_model(tmp_path, "mine", 16)
    taken = Catalogue(open_model, shipped=tmp_path / "none")
    kept = taken.add(path, name)
    assert kept.strip(".") == kept != "" and Path(taken._uploads.name) == taken.find(kept).path.parent.parent  # type: ignore[union-attr]
    taken.drop(kept)
    assert list(Path(taken._uploads.name).iterdir()) == []


def test_a_public_server_takes_no_models(tmp_path: Path) -> None:
    catalogue = Catalogue(fake, None, True, tmp_path)
    with pytest.raises(InvalidInput, match="public"):
        catalogue.add(tmp_path / "x", "x.safetensors")
    with pytest.raises(InvalidInput, match="public"):
        catalogue.download("ffhq-256", lambda done, of: True)


def test_a_renderer_knows_its_title_and_classes(tmp_path: Path) -> None:
    path = write_model(tmp_path, "tiny", 16, classes=2)
    facts = open_model(Model("tiny", "tiny", "local", path)).facts()
    assert facts["title"].startswith("A tiny one") and facts["classes"] == ["kind 0", "kind 1"]
    assert len(facts["sha256"]) == 64


def test_uploads_of_one_name_at_once_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue(fake, shipped=tmp_path / "none")
    files = [tmp_path / f"{i}" for i in range(8)]
    for file in files:
        file.write_bytes(b"x" * 10)
    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(lambda file: catalogue.add(file, "../mine.safetensors"), files))
    assert len(set(names)) == 8 and set(names) <= set(catalogue.models())
    monkeypatch.setattr(models, "MOST_UPLOADED", 85)
    files[0].write_bytes(b"x" * 10)
    with pytest.raises(InvalidInput, match="no room"):
        catalogue.add(files[0], "mine.safetensors")
