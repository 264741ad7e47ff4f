"""The 2D lab's commands without process or socket: what each answers, and that a wrong one changes nothing."""

import time
from typing import Any

import pytest

from ganlab.config import InvalidInput
from ganlab.data.payloads import encode_points
from ganlab.run import GanConfig, Penalty, Run, from_link, to_link
from ganlab.serving.frames import unpack
from ganlab.serving.limits import Limits
from ganlab.serving.toy_session import COMMANDS, ToySession
from ganlab.training.loop import Snapshot
from ganlab.training.watch import Alarm

QUICK = GanConfig(name="quick", g_width=8, d_width=8, batch=32)
RUN = Run(gans=(QUICK,))


def session(run: Run = RUN, **limits: Any) -> ToySession:
    return ToySession(run, Limits(**limits))


def trained(steps: int, run: Run = RUN, **limits: Any) -> ToySession:
    """A session paused after exactly so many steps."""
    lab = session(run, **limits)
    lab.command({"do": "run", "run": run.to_dict(), "step": steps})
    while lab.playing:
        lab.tick(time.monotonic())
    assert lab.live.step == steps
    return lab


def fakes(lab: ToySession) -> bytes:
    """The samples on show."""
    return bytes(unpack(lab.frame())[1]["fakes"].tobytes())


@pytest.fixture(scope="module")
def at_60() -> ToySession:
    """For those who change nothing."""
    return trained(60)


def test_playing_advances_and_pausing_holds() -> None:
    lab = session()
    assert lab.tick(time.monotonic()) == (None, [])
    lab.command({"do": "play"})
    lab.tick(time.monotonic())
    step = lab.live.step
    assert step > 0
    lab.command({"do": "pause"})
    lab.tick(time.monotonic())
    assert lab.live.step == step
    lab.command({"do": "step"})
    assert lab.live.step == step + 1


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({}, "not a command"),
        ({"do": "__init__"}, "not a command"),
        ({"do": ["play"]}, "not a command"),
        ({"do": "speed", "value": "warp"}, "speed"),
        ({"do": "speed", "value": -1}, "speed"),
        ({"do": "speed", "value": float("nan")}, "speed"),
        ({"do": "set", "path": "lr_d", "value": 0}, "from 1e-07 to 1"),
        ({"do": "set", "path": "lr_d", "value": 1e9}, "from 1e-07 to 1"),
        ({"do": "set", "path": "lr_d", "value": "fast"}, "lr_d"),
        ({"do": "set", "path": "nothing", "value": 1}, "nothing"),
        ({"do": "set", "path": None, "value": 1}, "path"),
        ({"do": "set", "path": "lr_d", "value": 0.1, "gan": 5}, "gan"),
        ({"do": "set", "path": "penalties", "value": [{"name": "evil"}]}, "evil"),
        ({"do": "regularize", "edit": "add", "name": "evil"}, "no such regularizer"),
        ({"do": "regularize", "edit": "burn", "name": "r1"}, "or edit"),
        ({"do": "run", "run": {"gans": []}}, "from 1 to 8 GANs"),
        ({"do": "run", "run": {"gans": [{}] * 9}}, "at most 8"),
        ({"do": "run", "run": []}, "object"),
        ({"do": "run", "link": "%%%"}, "link"),
        ({"do": "run", "run": {}, "step": -1}, "step"),
        ({"do": "experiment", "name": "no such"}, "none of that name"),
        ({"do": "add", "preset": "no such"}, "none of that name"),
        ({"do": "remove", "gan": 0}, "at least one GAN"),
        ({"do": "remove", "gan": 7}, "gan"),
        ({"do": "data", "data": {"name": "moon"}}, "moon"),
        ({"do": "data", "data": {"name": "drawn"}}, "draw something first"),
        ({"do": "draw", "points": []}, "draw something first"),
        ({"do": "draw", "points": [[1, "x"]]}, "drawing"),
        ({"do": "seed", "value": -3}, "seed"),
        ({"do": "scrub", "step": "first"}, "step"),
        ({"do": "branch", "id": 9}, "none of that number"),
        ({"do": "view", "view": {"heat": "red"}}, "heat"),
        ({"do": "film", "kind": "exe"}, "gif or mp4"),
    ],
)
def test_wrong_commands_say_why_and_change_nothing(at_60: ToySession, message: dict[str, Any], says: str) -> None:
    lab = at_60
    before = lab.state(), fakes(lab)
    with pytest.raises(InvalidInput) as error:
        lab.command(message)
    assert says in str(error.value)
    assert (lab.state(), fakes(lab)) == before


def test_the_step_that_was_asked_for_is_shown() -> None:
    lab = session()
    lab.command({"do": "run", "run": RUN.to_dict(), "step": 30})
    while lab.playing:
        lab.dirty = False  # as after a frame was sent
        lab.tick(time.monotonic())
    assert lab.live.step == 30
    assert lab.dirty


def test_a_live_change_becomes_an_event_and_replays_the_same() -> None:
    lab = trained(70)
    lab.command({"do": "set", "path": "lr_d", "value": 0.01, "gan": 0})
    assert [(e.step, e.path, e.value) for e in lab.live.run.events] == [(70, "lr_d", 0.01)]
    for _ in range(30):
        lab.command({"do": "step"})
    assert fakes(trained(100, lab.live.run)) == fakes(lab)
    assert fakes(trained(100)) != fakes(lab)


def test_a_structural_change_starts_again_and_says_so() -> None:
    lab = trained(60)
    replies = lab.command({"do": "set", "path": "g_width", "value": 12})
    assert lab.live.step == 0
    assert lab.live.run.gans[0].g_width == 12
    assert any(r["type"] == "notice" and "starts again" in r["text"] for r in replies)


def test_scrubbing_shows_the_past_and_play_returns_to_now() -> None:
    lab = trained(400)
    now = fakes(lab)
    lab.command({"do": "scrub", "step": 157})
    header, _ = unpack(lab.frame())
    assert header["step"] == 150
    assert fakes(lab) != now
    lab.command({"do": "scrub", "step": None})
    assert fakes(lab) == now


@pytest.mark.parametrize("step", [0, 50, 137, 200])
def test_a_fork_is_exactly_at_its_step(step: int) -> None:
    lab = trained(200)
    lab.command({"do": "fork", "step": step})
    assert lab.live.step == step
    assert fakes(lab) == fakes(trained(step))
    for _ in range(200 - step):
        lab.command({"do": "step"})
    forked = fakes(lab)
    lab.command({"do": "branch", "id": 0})
    assert fakes(lab) == forked  # nothing was changed, so both branches are one


def test_a_fork_forgets_later_events_and_keeps_the_first_branch() -> None:
    lab = trained(100)
    lab.command({"do": "set", "path": "lr_g", "value": 0.02})
    lab.command({"do": "step"})
    lab.command({"do": "fork", "step": 50})
    assert lab.live.run.events == ()
    lab.command({"do": "branch", "id": 0})
    assert len(lab.live.run.events) == 1
    assert lab.live.step == 101


def test_noise_dimension_changed_on_a_saved_step_can_be_forked() -> None:
    lab = trained(100)
    lab.command({"do": "set", "path": "z_dim", "value": 5})
    for _ in range(20):
        lab.command({"do": "step"})
    shown = fakes(lab)
    lab.command({"do": "fork", "step": 120})
    assert fakes(lab) == shown


@pytest.mark.parametrize(
    "command",
    [
        {"do": "reset"},
        {"do": "seed", "value": 4},
        {"do": "data", "data": {"name": "spiral"}},
        {"do": "set", "path": "g_width", "value": 12},
        {"do": "add", "preset": "lsgan"},
        {"do": "draw", "points": [[0, 0], [0.5, 0.5]]},
    ],
)
def test_a_new_start_keeps_what_was_changed_live(command: dict[str, Any]) -> None:
    lab = trained(20)
    lab.command({"do": "set", "path": "loss", "value": "hinge"})
    lab.command(command)
    assert lab.live.step == 0
    assert lab.live.run.gans[0].loss == "hinge"


def test_a_change_to_what_is_looked_at_branches_off_there() -> None:
    lab = trained(200)
    lab.command({"do": "scrub", "step": 120})
    replies = lab.command({"do": "set", "path": "lr_g", "value": 0.01})
    assert len(lab.branches) == 2
    assert lab.live.step == 120
    assert lab.live.run.events[0].step == 120
    assert any("new branch at step 120" in r.get("text", "") for r in replies)
    assert lab.branches[0].step == 200
    assert lab.branches[0].run.events == ()


def test_what_is_looked_at_can_be_seen_in_another_view() -> None:
    lab = trained(200)
    lab.command({"do": "scrub", "step": 120})
    before = fakes(lab)
    lab.command({"do": "view", "view": {"arrows": True}})
    header, sections = unpack(lab.frame())
    assert "arrows" in sections
    assert header["step"] == 120
    assert fakes(lab) == before


@pytest.mark.parametrize("steps", [0, 10])
def test_regularizers_are_edited_by_name_in_one_gan_or_all(steps: int) -> None:
    small = {"g_width": 8, "d_width": 8, "batch": 32}
    lists = ((Penalty("r1", 1.0),), (Penalty("wgan_gp", 1.0), Penalty("r1", 1.0)))
    run = Run(gans=tuple(GanConfig(f"gan {i}", penalties=p, **small) for i, p in enumerate(lists)))  # type: ignore[arg-type]
    lab = trained(steps, run)
    edits = ({"edit": "tune", "name": "r1", "setting": "weight", "value": 7.0}, {"edit": "add", "name": "r2"})
    for edit in (*edits, {"edit": "remove", "name": "wgan_gp"}, {"edit": "remove", "name": "r1", "gan": 0}):
        lab.command({"do": "regularize", **edit})
    found = [[(p.name, p.weight) for p in c.penalties] for c in lab.live.training.arena.configs]
    assert found == [[("r2", 1.0)], [("r1", 7.0), ("r2", 1.0)]]
    with pytest.raises(InvalidInput, match="weight"):
        lab.command({"do": "regularize", "edit": "tune", "name": "r2", "setting": "weight", "value": -1})


def test_a_paused_setting_can_be_changed_to_and_fro() -> None:
    lab = trained(10, Run(gans=(GanConfig(loss="wgan", g_width=8, d_width=8, batch=32),)))
    for path, value in (
        ("penalties", [{"name": "r1"}]),
        ("penalties.0.weight", 7.0),
        ("penalties", []),
        ("penalties", [{"name": "r2"}]),
        ("loss", "non_saturating"),
        ("label_smoothing", 0.1),
        ("label_smoothing", 0.0),
        ("loss", "rpgan"),
    ):
        lab.command({"do": "set", "path": path, "value": value})
    assert lab.live.training.arena.configs[0].loss == "rpgan"
    assert [p.name for p in lab.live.training.arena.configs[0].penalties] == ["r2"]
    shown = fakes(lab)
    assert fakes(trained(10, lab.live.run)) == shown


def test_dragging_while_paused_makes_one_event() -> None:
    lab = trained(10)
    for value in (0.1, 0.2, 0.3):
        lab.command({"do": "set", "path": "lr_g", "value": value})
    assert [e.value for e in lab.live.run.events] == [0.3]


def test_a_change_in_the_middle_of_a_slow_step_ends_it() -> None:
    lab = trained(99)
    lab.command({"do": "speed", "value": "slow"})
    lab.command({"do": "play"})
    lab.tick(1000.0)
    lab.command({"do": "set", "path": "lr_g", "value": 0.01})
    assert (lab.live.step, lab.phase) == (100, "")
    assert lab.live.rows.items[-1][0] == 100


def test_alarms_are_not_thinned_with_the_rows() -> None:
    lab = trained(10)
    lab.live.rows.most = 4
    for step in range(20, 200, 10):
        alarm = Alarm(step, 0, "collapse", "x", "y")
        lab.live._record(Snapshot(step, tuple(lab.live.current), (alarm,)))
    assert len(lab.live.history()["alarms"]) == 18
    assert len(lab.live.rows.items) <= 4


@pytest.mark.parametrize("rows", [1, 3])
def test_a_file_of_one_point_can_be_learned(rows: int) -> None:
    lab = session()
    lab.command({"do": "data", "data": {"name": "points", "points": encode_points([[0.2, 0.4]] * rows)}})
    lab.command({"do": "step"})
    assert lab.live.step == 1


@pytest.mark.parametrize(
    "gan",
    [
        {"g_width": 512, "g_depth": 6, "d_width": 512, "d_depth": 6, "batch": 2048, "d_steps": 20},
        {"g_width": 256, "d_width": 256, "batch": 2048, "unroll": 20},
    ],
)
def test_runs_whose_steps_would_take_too_long_are_refused(gan: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="lower widths"):
        session().command({"do": "run", "run": {"gans": [gan]}})


def test_races_that_would_need_too_much_memory_are_refused() -> None:
    huge = {"g_width": 512, "g_depth": 6, "d_width": 512, "d_depth": 6, "batch": 8}
    with pytest.raises(InvalidInput, match="weights"):
        session().command({"do": "run", "run": {"gans": [huge] * 8}})


def test_branches_are_bounded() -> None:
    lab = trained(10, most_branches=3)
    lab.command({"do": "fork", "step": None})
    lab.command({"do": "fork", "step": None})
    with pytest.raises(InvalidInput, match="3 branches already"):
        lab.command({"do": "fork", "step": None})


@pytest.mark.parametrize(("limits", "says"), [({"most_steps": 40}, "40 steps"), ({"most_seconds": 1.0}, "1 seconds")])
def test_a_run_ends_at_its_limit_and_says_so(limits: dict[str, Any], says: str) -> None:
    lab = session(**limits)
    lab.command({"do": "play"})
    told: list[dict[str, Any]] = []
    end = time.monotonic() + 10
    while lab.playing and time.monotonic() < end:
        told += lab.tick(time.monotonic())[1]
    assert not lab.playing
    assert any(says in message.get("text", "") for message in told)
    step = lab.live.step
    lab.command({"do": "step"})
    assert lab.live.step == step


def test_races_grow_and_shrink_and_keep_what_was_changed_live() -> None:
    lab = trained(20, Run(gans=(QUICK, GanConfig(name="second", g_width=8, d_width=8, batch=32))))
    lab.command({"do": "set", "path": "lr_d", "value": 0.01, "gan": 1})
    lab.command({"do": "remove", "gan": 0})
    assert [g.name for g in lab.live.run.gans] == ["second"]
    assert [g.lr_d for g in lab.live.run.gans] == [0.01]
    for _ in range(7):
        lab.command({"do": "add", "preset": "lsgan"})
    with pytest.raises(InvalidInput, match="at most 8"):
        lab.command({"do": "add", "preset": "lsgan"})


def test_the_link_in_the_state_gives_the_run() -> None:
    run = Run(gans=(GanConfig(loss="wgan", penalties=(Penalty("wgan_gp", 5.0),)),), seed=3)
    assert from_link(session(run).state()["link"]) == run
    lab = session()
    lab.command({"do": "run", "link": to_link(run)})
    assert lab.live.run == run


@pytest.mark.parametrize("data", ["ring", "spiral", "gaussian1d", "mixture1d"])
@pytest.mark.parametrize("heat", ["d", "optimal", "off"])
def test_frames_hold_what_the_view_asks_for(data: str, heat: str) -> None:
    lab = session()
    lab.command({"do": "data", "data": {"name": data}})
    lab.command({"do": "view", "view": {"heat": heat, "arrows": True, "lattice": True}})
    header, sections = unpack(lab.frame())
    flat = data.endswith("1d")
    wanted = {"fakes"} | ({"p_g", "lines"} if flat else {"arrows", "lattice"}) | ({"heat"} if heat != "off" else set())
    assert set(sections) == wanted
    assert header["step"] == 0


def test_slow_motion_shows_both_halves_of_a_step() -> None:
    lab = session()
    lab.command({"do": "speed", "value": "slow"})
    lab.command({"do": "play"})
    phases = []
    for half in range(4):
        lab.tick(1000.0 * (half + 1))
        phases.append((unpack(lab.frame())[0]["phase"], lab.live.step))
    assert phases == [("d", 0), ("g", 1), ("d", 1), ("g", 2)]


def test_exports() -> None:
    lab = trained(300)
    (csv,) = lab.command({"do": "points"})
    lines = csv["data"].decode().splitlines()
    assert lines[0] == "gan,x,y"
    assert len(lines) == 1 + 2 * 2500
    (gif,) = lab.command({"do": "film", "kind": "gif"})
    assert gif["data"].startswith(b"GIF89a")
    (python,) = lab.command({"do": "python"})
    names: dict[str, Any] = {}
    exec(python["text"].split("for snapshot")[0], names)  # our own text: the run it makes must be this run
    assert names["run"] == lab.live.run


def test_every_command_is_reachable_by_name() -> None:
    lab = trained(10)
    for name in COMMANDS:
        try:
            lab.command({"do": name})
        except InvalidInput as error:
            assert str(error)
