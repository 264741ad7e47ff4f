"""Rooms with real trainer processes: frames come, newest first; nothing outlives its viewers."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from ganlab.run import GanConfig, Run
from ganlab.serving.frames import unpack
from ganlab.serving.limits import Limits
from ganlab.serving.rooms import Full, Room, Rooms, Viewer

RUN = Run(gans=(GanConfig(name="quick", g_width=8, d_width=8, batch=32),))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        await asyncio.sleep(0.02)
    return holds()


async def drain(viewer: Viewer, room: Room, seconds: float) -> list[Any]:
    """What a quick browser receives in a time."""
    out: list[Any] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for item in viewer.take():
            out.append(json.loads(item) if isinstance(item, str) else unpack(item))
            if isinstance(item, bytes):
                viewer.ready = True
                room.want()
        await asyncio.sleep(0.005)
    return out


def test_frames_and_messages_reach_the_viewers() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits())
        room = await rooms.open(RUN)
        quick, slow = Viewer(), Viewer()
        room.join(quick)
        room.join(slow)
        room.send({"do": "play"})
        got = await drain(quick, room, 4.0)
        frames = [item[0]["step"] for item in got if isinstance(item, tuple)]
        kinds = {item["type"] for item in got if isinstance(item, dict)}
        assert {"scene", "state", "history", "rows"} <= kinds
        assert len(frames) > 20
        assert frames == sorted(frames)
        # the slow one was never told twice what is old: one frame waits, and it is the newest
        waiting = slow.take()
        assert sum(isinstance(item, bytes) for item in waiting) == 1
        assert slow.take() == []
        rooms.left(room, quick)
        rooms.left(room, slow)
        pid = room.pid
        assert pid
        assert await within(2.0, lambda: not rooms.by_id)
        room.stop()

    asyncio.run(scenario())


def test_an_empty_room_ends_its_trainer_within_two_seconds() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits())
        room = await rooms.open(RUN)
        viewer = Viewer()
        room.join(viewer)
        room.send({"do": "play"})
        await drain(viewer, room, 1.5)
        pid = room.pid
        assert pid
        assert alive(pid)
        rooms.left(room, viewer)
        assert await within(2.0, lambda: not alive(pid))
        assert not rooms.by_id

    asyncio.run(scenario())


def test_a_viewer_who_comes_back_in_time_finds_the_room() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits(grace=0.5))
        room = await rooms.open(RUN)
        first, again = Viewer(), Viewer()
        room.join(first)
        rooms.left(room, first)
        room.join(again)
        await asyncio.sleep(1.0)
        assert room.id in rooms.by_id
        assert room.pid
        rooms.left(room, again)
        assert await within(3.0, lambda: not rooms.by_id)

    asyncio.run(scenario())


def test_places_are_bounded() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits(most_rooms=1, most_viewers=1))
        room = await rooms.open(RUN)
        with pytest.raises(Full, match="places on this server"):
            await rooms.open(RUN)
        room.join(Viewer())
        with pytest.raises(Full, match="room is full"):
            room.join(Viewer())
        room.stop()

    asyncio.run(scenario())


def test_a_viewer_that_never_reads_is_let_go_and_holds_little() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits())
        room = await rooms.open(RUN)
        deaf = Viewer()
        room.join(deaf)
        for _ in range(600):
            room.tell({"type": "notice", "text": "x"})
        assert deaf.gone
        room.stop()

    asyncio.run(scenario())


def test_a_busy_trainer_never_makes_the_server_wait() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits())
        room = await rooms.open(RUN)
        viewer = Viewer()
        room.join(viewer)
        await drain(viewer, room, 1.0)
        assert room.pid
        os.kill(room.pid, signal.SIGSTOP)  # as if in a long step
        start = time.monotonic()
        for _ in range(200):
            room.send({"do": "run", "link": "A" * 200_000}, viewer)
        assert time.monotonic() - start < 2.0
        assert any("busy" in str(item) for item in viewer.take())
        late = Viewer()
        room.join(late)
        viewer.ready = True
        room.want()
        os.kill(room.pid, signal.SIGCONT)
        got = await drain(late, room, 3.0)
        assert any(isinstance(item, tuple) for item in got)  # a frame
        assert any(isinstance(item, dict) and item["type"] == "state" for item in got)
        room.stop()

    asyncio.run(scenario())


def test_starting_twice_at_once_starts_one_trainer() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits())
        room = await rooms.open(RUN)
        room.stop()
        started: list[int | None] = []
        start = room.start

        def counted() -> None:
            start()
            started.append(room.pid)

        room.start = counted  # type: ignore[method-assign]
        await asyncio.gather(*(rooms.restart(room) for _ in range(5)))
        assert len(started) == 1
        room.stop()

    asyncio.run(scenario())


def test_a_room_that_everyone_left_while_it_started_is_stopped() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits(grace=0.0))
        room = await rooms.open(RUN)
        room.stop()
        viewer = Viewer()
        room.join(viewer)
        starting = asyncio.create_task(rooms.restart(room))
        await asyncio.sleep(0)
        rooms.left(room, viewer)
        await starting
        assert await within(2.0, lambda: room.pid is None)
        assert room.closed

    asyncio.run(scenario())


def test_answers_go_to_the_one_who_asked() -> None:
    async def scenario() -> None:
        rooms = Rooms(Limits())
        room = await rooms.open(RUN)
        asking, other = Viewer(), Viewer()
        room.join(asking)
        room.join(other)
        await drain(other, room, 1.0)
        room.send({"do": "python"}, asking)
        room.send({"do": "speed", "value": "warp"}, asking)
        kinds: set[str] = set()
        end = time.monotonic() + 20  # a busy machine
        while not {"python", "error"} <= kinds and time.monotonic() < end:
            kinds |= {m["type"] for m in await drain(asking, room, 0.2) if isinstance(m, dict)}
        others = [m["type"] for m in await drain(other, room, 0.1) if isinstance(m, dict)]
        assert {"python", "error"} <= kinds
        assert not {"python", "error"} & set(others)
        room.stop()

    asyncio.run(scenario())
