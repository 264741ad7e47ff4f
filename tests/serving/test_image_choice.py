"""What a browser may train: never a path of the server, nothing beyond the limits."""

import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganlab.config import InvalidInput, to_link
from ganlab.data.images import ImageData
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.images import image_preset
from ganlab.run_images import ImageRun
from ganlab.serving import image_choice
from ganlab.serving.image_choice import FACES, MOST_IMAGES, Uploads, available, chosen, confined
from ganlab.serving.image_script import as_python
from ganlab.serving.limits import ImageLimits

LIMITS = ImageLimits(most_resolution=64)
FORM = {"preset": "stylegan2-quick", "data": "faces", "resolution": 32, "batch": 8}


def test_a_form_becomes_a_run_with_some_faces_held_out() -> None:
    run = chosen(FORM, LIMITS, None)
    assert (run.data.name, run.data.limit, run.data.resolution, run.gan.batch) == ("faces", FACES, 32, 8)
    assert run.data.valid > 0
    few = chosen({**FORM, "preset": "few-shot-ada"}, LIMITS, None)
    assert few.data == IMAGE_PRESETS["few-shot-ada"].data


@pytest.mark.parametrize("preset", IMAGE_PRESETS)
def test_every_preset_can_be_chosen_on_faces_and_on_uploads(preset: str) -> None:
    assert chosen({**FORM, "preset": preset}, LIMITS, None).data.limit > 0
    assert chosen({**FORM, "preset": preset, "data": "folder"}, LIMITS, 10).data.valid == 0
    assert chosen({**FORM, "preset": preset, "data": "folder"}, LIMITS, 1000).data.valid > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"preset": "evil"}, "preset"),
        ({"data": "hub"}, "not on this server"),
        ({"data": "/etc"}, "not on this server"),
        ({"data": "folder"}, "someone's own images"),
        ({"resolution": 1024}, "32, 64"),
        ({"resolution": 128}, "more than the 64"),
        ({"resolution": True}, "resolution"),
        ({"batch": 4096}, "batch"),
        ({"count": 10**9}, "count"),
        ({"seed": -1}, "seed"),
        ({"labels": "age"}, "labels"),
        ({"preset": "stylegan1", "labels": "hairstyle"}, "knows no classes"),
        ({"run": "not a link"}, "link"),
    ],
)
def test_wrong_wishes_get_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        chosen({**FORM, **change}, LIMITS, None)


@pytest.mark.parametrize(
    "data",
    [
        ImageData("folder", path="/etc"),
        ImageData("mnist", path="/root/secret.npz"),
        ImageData("hub", hub="someone/pictures"),
        ImageData("folder"),
        ImageData("faces", resolution=512),
    ],
)
def test_a_link_cannot_name_what_lies_on_the_server(data: ImageData) -> None:
    run = ImageRun(data, image_preset("stylegan2-quick-32").gan)
    with pytest.raises(InvalidInput):
        chosen({"run": to_link(run)}, LIMITS, None)


def test_a_link_cannot_ask_for_huge_networks_or_sets() -> None:
    run = image_preset("stylegan2-quick-32")
    for name, value in (("channel_max", 1024), ("batch", 4096), ("d_steps", 20)):
        with pytest.raises(InvalidInput, match=name):
            confined(replace(run, gan=replace(run.gan, **{name: value})), LIMITS, False)
    many = confined(replace(run, data=replace(run.data, limit=10**6)), LIMITS, False)
    assert many.data.limit == MOST_IMAGES


def test_only_sets_whose_file_is_here_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_choice, "data_folders", lambda: (tmp_path,))
    assert set(available()) == {"faces", "digits", "polygons"}
    (tmp_path / "mnist.npz").write_bytes(b"")
    assert set(available()) == {"faces", "digits", "polygons", "mnist"}


def test_uploads_are_bounded_counted_and_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(1000)
    name = uploads.open()
    uploads.add(name, "../../etc/passwd.png", b"x" * 300)
    uploads.add(name, "passwd.png", b"y" * 300)
    held = uploads.sets[name]
    assert len({path.name for path in held.paths}) == held.count == 2
    assert all(path.parent == held.folder for path in held.paths)
    with pytest.raises(InvalidInput, match="empty"):
        uploads.add(name, "a.png", b"")
    with pytest.raises(InvalidInput, match="no room"):
        uploads.add(name, "a.png", b"z" * 500)
    assert uploads.open(name) == name
    assert uploads.open("guessed") not in ("guessed", name)
    monkeypatch.setattr(image_choice, "UNUSED", -1.0)
    held.trainings = 1
    uploads.tidy()
    assert name in uploads.sets
    held.trainings, held.used = 0, time.monotonic() - 10
    uploads.tidy()
    assert not uploads.sets
    assert not held.folder.exists()


def test_a_zip_counts_as_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(5):
            archive.writestr(f"{i}.png", b"")
    uploads = Uploads(1 << 20)
    name = uploads.open()
    uploads.add(name, "some.zip", path.read_bytes())
    assert uploads.sets[name].count == 5


@pytest.mark.parametrize("preset", IMAGE_PRESETS)
def test_the_python_of_a_run_gives_the_run_again(preset: str) -> None:
    run = chosen({**FORM, "preset": preset}, LIMITS, None).changed(3, "lr_g", 1e-4)
    names: dict[str, Any] = {}
    exec(as_python(run, 100).split("training = ")[0], names)
    assert names["run"] == run
    own = chosen({**FORM, "preset": preset, "data": "folder"}, LIMITS, 10)
    assert "my-images" in as_python(own, 100)
