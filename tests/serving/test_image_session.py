"""A training of the training lab without a browser: its process, what is remembered, the line of those who wait."""

import asyncio
import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganlab.config import InvalidInput
from ganlab.presets.images import image_preset
from ganlab.run_images import ImageRun
from ganlab.serving.image_record import MOST_BRANCHES, MOST_SAVED, Record
from ganlab.serving.image_rooms import ImageRoom, ImageRooms
from ganlab.serving.image_trainer import main
from ganlab.serving.limits import ImageLimits
from ganlab.serving.models import Catalogue, Model
from ganlab.serving.rooms import Viewer
from tests.fake_painter import FakePainter


def tiny(**data: Any) -> ImageRun:
    """The quickest run there is."""
    run = image_preset("stylegan2-quick-32", "digits")
    gan = replace(run.gan, channel_max=4, channel_base=64, batch=2, z_dim=4, w_dim=4, mapping_layers=1)
    return replace(run, gan=gan, data=replace(run.data, **{"limit": 12, "resolution": 16, **data}))


class Told:
    """A trainer in a thread, and all that it says."""

    def __init__(self, run: ImageRun, folder: Path, **order: Any) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.items: list[dict[str, Any]] = []
        self.record = Record(run, folder, 1 << 30)
        all_of_it = {"run": run.to_dict(), "uploads": None, "folder": str(folder), "branch": 0, "saved": None}
        all_of_it |= {"seconds": None, **order}
        self.thread = threading.Thread(target=main, args=(theirs, all_of_it), daemon=True)
        self.thread.start()

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Reads on until a message fulfils a condition."""
        while True:
            assert self.pipe.poll(60), "the trainer says nothing"
            data = self.pipe.recv_bytes()
            letter, body = data[:1], data[9:]
            item = self.record.hear(body.decode()) if letter == b"J" else self.record.see(letter, body)
            self.items.append(item)
            if item.get("type") != "failed" and holds(item):
                return item
            assert item.get("type") != "failed", item

    def send(self, **command: Any) -> None:
        self.pipe.send_bytes(json.dumps({**command, "to": "-" * 8}).encode())


def is_frame(step: int) -> Callable[[dict[str, Any]], bool]:
    return lambda item: item.get("type") == "frame" and item["step"] >= step


def test_a_training_tells_saves_changes_and_forks(tmp_path: Path) -> None:
    told = Told(tiny(), tmp_path)
    told.until(is_frame(2))
    kinds = {item.get("type") or item["name"] for item in told.items}
    assert {"opened", "state", "frame", "row", "real", "seen"} <= kinds
    told.send(do="set", path="lr_g", value=0.0005)
    told.until(lambda item: item.get("type") == "state" and item["now"]["lr_g"] == 0.0005)
    told.send(do="set", path="z_dim", value=3)
    assert "cannot change" in told.until(lambda item: item.get("type") == "error")["text"]
    told.send(do="save")
    step = told.until(lambda item: item.get("type") == "saved")["step"]
    told.send(do="nearest", index=1)
    assert told.until(lambda item: item.get("name") == "pair")["count"] == 2
    told.send(do="pause")
    told.until(lambda item: item.get("type") == "state" and not item["playing"])
    told.send(**told.record.fork((0, step)))
    forked = told.until(lambda item: item.get("type") == "state" and item["branch"] == 1)
    assert (forked["step"], forked["playing"]) == (step, True)
    told.until(is_frame(step + 1))
    assert told.record.moment(1, 0) is not None
    told.send(do="stop")
    told.until(lambda item: item.get("type") == "end")
    told.thread.join(10)
    assert told.record.nearest_saved(1, 1 << 60)
    assert all(list(path.glob("generator-*.safetensors")) for path in told.record.saved.values())


def test_time_that_is_over_ends_a_training_with_all_saved(tmp_path: Path) -> None:
    told = Told(tiny(), tmp_path, seconds=0.01)
    assert "time" in told.until(lambda item: item.get("type") == "end")["text"]
    assert told.record.saved


def test_a_run_that_cannot_be_trained_ends_with_a_sentence(tmp_path: Path) -> None:
    told = Told(tiny(), tmp_path, uploads=[str(tmp_path / "gone.png")])
    with pytest.raises(AssertionError, match="gone"):
        told.until(lambda item: False)


def test_a_record_keeps_a_bounded_number_of_moments_and_branches(tmp_path: Path) -> None:
    record = Record(tiny(), tmp_path, 1 << 30)
    for step in range(10, 400, 10):
        folder = tmp_path / f"0-{step:09d}"
        folder.mkdir()
        record.hear(json.dumps({"type": "saved", "branch": 0, "step": step, "folder": folder.name, "then": None}))
    assert len(record.saved) == len(list(tmp_path.iterdir())) == MOST_SAVED
    assert record.nearest_saved(0, 1 << 60) == (0, 390)
    for _ in range(2 * MOST_BRANCHES):
        record.fork((0, 390))
    assert len(record.branches) == MOST_BRANCHES
    assert 0 in record.branches
    assert record.nearest_saved(record.live, 1 << 60) == (0, 390)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    yield Catalogue(lambda model: FakePainter(model.name, 16), public=True, shipped=tmp_path)


def test_a_trained_model_is_opened_by_name_listed_to_nobody_else_and_dropped(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    path = tmp_path / "g.bin"
    path.write_bytes(b"weights")
    heard: list[str] = []
    catalogue.on_drop = heard.append
    name = catalogue.adopt(path, "mine")
    found: Model = catalogue.find(name)
    assert (found.kind, found.title) == ("trained", "mine")
    assert catalogue.menu() == []
    catalogue.drop(name)
    assert heard == [name]
    with pytest.raises(InvalidInput):
        catalogue.find(name)


def test_two_train_a_third_waits_and_is_told_its_place(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    class Quiet(ImageRoom):
        """Without a process."""

        on = False

        @property
        def running(self) -> bool:
            return self.on

        def start(self) -> None:
            self.on = True

        def stop(self) -> None:
            self.on = False

    monkeypatch.setattr("ganlab.serving.image_rooms.ImageRoom", Quiet)

    async def play() -> None:
        rooms = ImageRooms(ImageLimits(most_running=2, most_rooms=4, turn=1.0, kept=0.0), catalogue)
        first, second, third, fourth = (rooms.open(tiny(), None) for _ in range(4))
        viewer = Viewer()
        fourth.join(viewer)
        await asyncio.sleep(0.1)
        assert (first.running, second.running, third.running, fourth.running) == (True, True, False, False)
        assert "number 2 in line" in fourth.text
        assert "number 2 in line" in str(viewer.texts)
        first.end("ended", "")
        await asyncio.sleep(0.1)
        assert third.running
        assert "number 1 in line" in fourth.text
        rooms.obey(fourth, viewer, {"do": "stop"})
        assert fourth.status == "ended"
        rooms.obey(fourth, viewer, {"do": "explore"})
        rooms.obey(fourth, viewer, {"do": "fork"})
        assert "Nothing is saved yet" in str(viewer.texts)
        rooms.open(tiny(), None)  # the place of the first one, which has ended and nobody looks at
        assert first.id not in rooms.by_id
        for room in list(rooms.by_id.values()):
            room.close()
        rooms.by_id.clear()

    asyncio.run(play())
