"""Studies: what is drawn, what fails, that processes share a study and may be killed, and what is told in the end."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganlab.cli import main
from ganlab.config import InvalidInput, replaced
from ganlab.presets import preset_run
from ganlab.run import Run
from ganlab.studies import Book, Range, StudyConfig, Told, default_ranges, opened, work
from ganlab.studies.draws import GRACE, MOST_DEATHS, of_study
from ganlab.studies.outcome import Outcome, outcomes
from ganlab.studies.report import importance, report
from ganlab.training.folder import read_history, read_run
from ganlab.training.image_loop import Diverged
from ganlab.training.loop import train

optuna = pytest.importorskip("optuna")
ROOT = Path(__file__).parents[1]
SMALL = (Range("g_width", choices=(8,)), Range("d_width", choices=(8,)), Range("batch", choices=(16,)))
RANGES = (
    *SMALL,
    Range("lr_g", 1e-4, 1e-2, log=True),
    Range("gan.beta1", 0.0, 0.9),
    Range("d_steps", 1, 3),
    Range("gan.penalties.0.weight", 0.1, 10.0, log=True),
    Range("loss", choices=("hinge", "lsgan")),
)


def study(folder: Path, **settings: Any) -> Book:
    """An open study of small GANs."""
    given: dict[str, Any] = {"presets": ("toy-r1",), "ranges": RANGES, "draws": 4, "steps": 10, **settings}
    return opened(folder, StudyConfig(**given))


def made(book: Book) -> list[Told]:
    told: list[Told] = []
    work(book, told.append)
    return told


def draws(book: Book, preset: str = "toy-r1") -> list[Any]:
    return of_study(book.studies[preset])


@pytest.mark.parametrize(("sampler", "count"), [("random", 3), ("bayesian", 11)])
def test_draws_lie_in_their_ranges_and_are_the_same_for_the_same_seed(sampler: str, count: int, tmp_path: Path) -> None:
    books = [study(tmp_path / str(k), sampler=sampler, draws=count) for k in range(2)]
    told = [made(book) for book in books]
    first, again = ([trial.params for trial in draws(book)] for book in books)
    assert first == again and len(first) == count
    assert [row.objective for row in told[0]] == [row.objective for row in told[1]]
    assert told[0][-1].settled == told[0][-1].draws == count and told[0][-1].left == 0
    for params in first:
        assert 1e-4 <= params["gan.lr_g"] <= 1e-2 and 0 <= params["gan.beta1"] <= 0.9
        assert params["gan.d_steps"] in (1, 2, 3) and params["gan.loss"] in ("hinge", "lsgan")
        assert 0.1 <= params["gan.penalties.0.weight"] <= 10
    assert len({params["gan.lr_g"] for params in first}) == count


def test_another_seed_draws_otherwise(tmp_path: Path) -> None:
    books = [study(tmp_path / str(seed), draws=2, seed=seed) for seed in range(2)]
    for book in books:
        made(book)
    first, other = ([trial.params["gan.lr_g"] for trial in draws(book)] for book in books)
    assert not set(first) & set(other)
    assert {trial.user_attrs["run"]["seed"] for trial in draws(books[1])} == {1}


def test_bayesian_draws_learn_from_those_before(tmp_path: Path) -> None:
    """Where the objective falls with a setting, draws after the tenth crowd where it is small."""

    def easy(run: Run, stops: list[int], device: object) -> Iterator[Outcome]:
        yield Outcome(run.gans[0].beta1, {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganlab.studies.draws.outcomes", easy)
        book = study(tmp_path, sampler="bayesian", draws=30, ranges=(Range("beta1", 0.0, 0.9),))
        made(book)
    values = [trial.params["gan.beta1"] for trial in draws(book)]
    assert statistics.mean(values[20:]) < statistics.mean(values[:10]) / 2


def test_default_ranges() -> None:
    ranges = {item.path: item for item in default_ranges(preset_run("toy-r1"))}
    assert list(ranges) == [f"gan.{n}" for n in ("lr_g", "lr_d", "penalties.0.weight", "beta1", "d_steps", "batch")]
    assert (ranges["gan.lr_g"].low, ranges["gan.lr_g"].high) == pytest.approx((1e-4, 1e-2))
    assert ranges["gan.batch"].choices == (128, 256, 512)
    assert "gan.beta1" not in {item.path for item in default_ranges(preset_run("toy-sgd"))}
    for name in ("stylegan2-64", "dcgan-32"):
        assert len(StudyConfig(presets=(name,)).space(name)) >= 5


def test_a_failing_draw_is_recorded_and_the_study_goes_on(tmp_path: Path) -> None:
    ranges = (*SMALL[:2], Range("pack", choices=(1, 2)), Range("batch", choices=(17,)))
    book = study(tmp_path, ranges=ranges, draws=8)
    told = made(book)
    whys = [trial.user_attrs.get("why") for trial in draws(book)]
    wrong = "gans.0.batch: 17 is not a multiple of pack (2)"
    assert set(whys) == {None, wrong} and len(told) == 8
    assert [row.objective is None for row in told] == [why is not None for why in whys]
    assert [trial.state.name for trial in draws(book)] == ["COMPLETE" if why is None else "FAIL" for why in whys]
    assert f"- {whys.count(wrong)} x {wrong}" in report(book)


def test_a_run_that_diverges_fails_with_a_sentence() -> None:
    run = preset_run("toy-sgd")
    for name, value in (("lr_g", 1.0), ("lr_d", 1.0), ("loss", "wgan")):
        run = replaced(run, f"gans.0.{name}", value)
    with pytest.raises(Diverged, match="has diverged: a weight is not a number at step"):
        list(outcomes(run, [100]))


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_pruning_stops_bad_draws(pruner: str, tmp_path: Path) -> None:
    ranges = (*SMALL, Range("lr_g", choices=(1e-7, 1e-2)), Range("lr_d", choices=(1e-2,)))
    book = study(tmp_path, ranges=ranges, draws=9, steps=50, pruner=pruner)
    told = made(book)
    pruned = [trial for trial in draws(book) if trial.state.name == "PRUNED"]
    assert pruned and sum(row.note == "pruned" for row in told) == len(pruned)
    whole = [trial for trial in draws(book) if trial.state.name == "COMPLETE"]
    assert {len(trial.intermediate_values) for trial in whole} == {9}  # and the last is the objective
    for trial in pruned:
        last = trial.last_step
        others = [t.intermediate_values[last] for t in draws(book) if last in t.intermediate_values]
        assert trial.intermediate_values[last] > min(others)
    assert f"| {len(whole)} | {len(pruned)} | 0 |" in report(book)


def test_a_draw_can_be_repeated_exactly(tmp_path: Path) -> None:
    book = study(tmp_path / "study", pruner="median", steps=30)
    made(book)
    trial = draws(book)[2]
    snapshot = list(train(Run.from_dict(trial.user_attrs["run"]), 30, every=30))[-1]
    assert snapshot.gans[0].sliced_w == trial.value
    assert trial.user_attrs["figures"]["covered"] == snapshot.gans[0].covered
    assert main(["study", "--out", str(tmp_path / "study"), "--report"]) == 0
    path = tmp_path / "study" / "runs" / "toy-r1-0002.json"
    assert read_run(path).to_dict(full=True) == trial.user_attrs["run"]
    again = ["train", "--run", str(path), "--steps", "30", "--every", "30", "--out", str(tmp_path / "again")]
    assert main(again) == 0
    assert read_history(tmp_path / "again" / "history.jsonl")[-1].gans[0].sliced_w == trial.value


@pytest.mark.timeout(300)
def test_images_too(tmp_path: Path) -> None:
    small = {"channel_max": 8, "channel_base": 64, "z_dim": 8, "batch": 8}
    ranges = (*(Range(name, choices=(value,)) for name, value in small.items()), Range("lr_g", 1e-4, 1e-3, log=True))
    limit = Range("data.limit", choices=(64,))
    book = study(tmp_path, presets=("dcgan-16",), data="digits", ranges=(*ranges, limit), draws=2, steps=2)
    assert [row.objective is not None for row in made(book)] == [True, True]
    figures = draws(book, "dcgan-16")[0].user_attrs["figures"]
    assert figures["features"] == "pyramid" and 0 <= figures["precision"] <= 1 and 0 <= figures["recall"] <= 1
    text = report(book)
    assert "| FD-pyramid |" in text and "--steps 2 --every 2 --measure 2`" in text and "precision " in text


def started(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "ganlab", "study", "--out", str(folder), *options]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def running(book: Book, pid: int) -> Any:
    """The draw that a process makes just now."""
    trials = book.studies["toy-r1"].get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    return next((t for t in trials if t.user_attrs.get("by", {}).get("pid") == pid and "run" in t.user_attrs), None)


@pytest.mark.parametrize("kept", ["journal", pytest.param("sqlite", marks=pytest.mark.slow)])
def test_two_processes_share_a_study_and_one_is_killed(kept: str, tmp_path: Path) -> None:
    folder, address = tmp_path / "study", f"sqlite:///{tmp_path / 'x.db'}" if kept == "sqlite" else None
    config = StudyConfig(presets=("toy-r1",), ranges=RANGES, draws=5, steps=600)
    book = opened(folder, config, address)
    options = ["--storage", address] if address else []
    victim, other = started(folder, *options), started(folder, *options)
    try:
        deadline, draw = time.monotonic() + 60, None
        while draw is None and time.monotonic() < deadline and victim.poll() is None:
            draw = running(book, victim.pid)
            time.sleep(0.02)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        assert draw is not None, victim.communicate()[0]
        out, _ = other.communicate(timeout=80)
    finally:
        victim.kill()
        other.kill()
    assert other.returncode == 0, out
    rows = draws(book)
    assert [trial.user_attrs["draw"] for trial in rows] == list(range(5))
    assert all(trial.state.name == "COMPLETE" for trial in rows)
    number = draw.user_attrs["draw"]
    lost, again = book.studies["toy-r1"].get_trials()[draw.number], rows[number]
    assert lost.state.name == "FAIL" and again.number > lost.number
    assert again.params == lost.params and again.user_attrs["run"] == lost.user_attrs["run"]
    assert {trial.user_attrs["by"]["pid"] for trial in rows} >= {other.pid}
    assert " of 5  toy-r1 draw " in out and "0:00 left" in out and "## toy-r1" in out


@pytest.mark.slow
def test_processes_make_the_asked_number_together(tmp_path: Path) -> None:
    options = ["--presets", "toy-r1", "--draws", "6", "--steps", "300", "--processes", "2"]
    process = started(tmp_path, *options)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, out
    assert len(re.findall(r"toy-r1 draw \d", out)) == 6 and out.count("# toy-r1\n") == 2  # the report, once
    trials = opened(tmp_path).studies["toy-r1"].get_trials()
    assert sorted(trial.user_attrs["draw"] for trial in trials if trial.state.name == "COMPLETE") == list(range(6))


def begun(book: Book, **by: Any) -> Any:
    """A draw that another worker has begun."""
    trial = book.studies["toy-r1"].ask()
    trial.set_user_attr("by", {"worker": "other", "host": "elsewhere", "pid": 1, "started": time.time(), **by})
    return trial


def test_workers_of_other_machines_are_dead_once_their_time_stamps_are_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = study(tmp_path, draws=2)
    for draw in range(2):
        book.studies["toy-r1"].enqueue_trial({}, user_attrs={"draw": draw})
    trial = begun(book)
    looks = 0

    def wait(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            trial.set_user_attr("beat", time.time() - 2 * GRACE)
            monkeypatch.setattr("ganlab.studies.draws.GRACE", -1.0)

    monkeypatch.setattr("ganlab.studies.draws.time.sleep", wait)
    assert sorted(row.draw for row in made(book)) == [0, 1] and looks == 2


def test_a_draw_that_kills_its_processes_is_given_up(tmp_path: Path) -> None:
    book = study(tmp_path, draws=1)
    optuna_study = book.studies["toy-r1"]
    for _ in range(MOST_DEATHS):
        optuna_study.enqueue_trial({}, user_attrs={"draw": 0})
        optuna_study.tell(begun(book).number, state=optuna.trial.TrialState.FAIL)
    (told,) = made(book)
    assert told.objective is None and told.note == "draw: the process that made it died, 3 times"


def test_a_draw_that_waits_twice_is_made_once(tmp_path: Path) -> None:
    book = study(tmp_path, draws=2)
    for draw in (0, 1, 1, 0):
        book.studies["toy-r1"].enqueue_trial({}, user_attrs={"draw": draw})
    assert [row.draw for row in made(book)] == [0, 1] and len(draws(book)) == 2


def test_an_interrupted_draw_waits_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = study(tmp_path)

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ganlab.studies.draws.outcomes", interrupted)
        assert main(["study", "--out", str(tmp_path), "--device", "cpu"]) == 130
    (stopped,) = (t for t in book.studies["toy-r1"].get_trials() if "stopped" in t.user_attrs)
    assert [row.draw for row in made(book)][-1] == stopped.user_attrs["draw"] == 0
    assert len(draws(book)) == 4 and draws(book)[0].params == stopped.params


def test_what_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlab.studies.report.ENOUGH", 12)
    names, loss = ("toy-r1", "toy-lazy-r1"), "gan.loss=hinge,lsgan"
    ranges = ["--range", "g_width=8", "--range", "batch=16", "--range", "lr_g=1e-4:1e-2:log", "--range", loss]
    command = ["study", "--out", str(tmp_path), "--presets", *names, *ranges, "--draws", "12", "--steps", "10"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"^ +\d+ of 24  toy-\S+ draw \d+: [\d.]+  \d/8 modes \| \d+:\d\d left$", out, re.M)) == 24
    text = (tmp_path / "report.md").read_text()
    assert text in out and str(tmp_path / "report.html") in out
    assert "| preset | objective | min | 5 % | median | 95 % | made | pruned | failed |" in text
    assert text.count("| 12 | 0 | 0 |") == 2 and text.count("Importance (PED-ANOVA): gan.l") == 2
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| \d/8 modes \| 8 \| 16 \| \S+ \| (?:hinge|lsgan) \|$", text, re.M)
    assert len(rows) == 20
    values = [float(value) for _, value in rows[:10]]
    assert values == sorted(values)
    book = opened(tmp_path)
    assert set(importance(book.studies["toy-r1"])) == {"gan.lr_g", "gan.loss"}
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"""src\s*=\s*["']?\s*(?:https?:)?//|<link[^>]+href""", page)
    assert page.count('id="chart-') == 3 and "Plotly.newPlot" in page and len(page) > 3_000_000
    assert '"gan.g_width"' not in page  # which is always the same
    assert all(name in page for name in (*names, "gan.lr_g", "gan.loss", "sliced Wasserstein distance"))
    assert len(list((tmp_path / "runs").glob("*.json"))) == 24
    assert main(["study", "--out", str(tmp_path)]) == 0  # nothing is left to be made
    assert " draw " not in capsys.readouterr().out.split("# toy")[0]


def test_a_report_before_the_first_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study(tmp_path)
    assert main(["study", "--out", str(tmp_path), "--report"]) == 0
    assert "| toy-r1 | sliced Wasserstein distance |  |  |  |  | 0 | 0 | 0 |" in capsys.readouterr().out


WRONG: dict[str, tuple[list[str], str]] = {
    "preset": (["--presets", "toy-wgna"], "error: preset: there is no toy-wgna; did you mean"),
    "twice": (["--presets", "toy-r1", "toy-r1"], "error: presets: must be one or more, each once"),
    "race": (["--presets", "toy-unrolling"], "error: presets: toy-unrolling is a race of 2 GANs"),
    "path": (["--range", "lrd=1:2"], "error: gan.lrd: there is no such setting"),
    "penalty": (["--range", "gan.penalties.0.weight=1:2"], "error: gan.penalties.0.weight: there is no such"),
    "order": (["--range", "lr_d=1e-2:1e-3"], "error: lr_d: the smallest value, 0.01, is not below the largest, 0.001"),
    "log": (["--range", "beta1=0:0.5:log"], "error: beta1: a logarithmic range must begin above 0, not at 0"),
    "bounds": (["--range", "lr_d=1e-3:5"], "error: gans.0.lr_d: 5 is out of range; it must be a number from"),
    "whole": (["--range", "d_steps=1:2.5"], "error: gans.0.d_steps: must be a whole number"),
    "choice": (["--range", "loss=hinge,hnige"], 'error: gans.0.loss: "hnige" is not one of'),
    "text": (["--range", "lr_d"], "error: range: lr_d must be as lr_g=1e-5:1e-2:log"),
    "scale": (["--range", "lr_d=1e-3:1e-2:lin"], "error: range: lr_d=1e-3:1e-2:lin must be as"),
    "words": (["--range", "lr_d=a:b"], 'error: low: must be a number, not "a"'),
    "same": (["--range", "lr_d=1e-3,1e-2", "--range", "gan.lr_d=1e-3:1e-2"], "error: ranges: gan.lr_d stands there"),
    "no number": (["--range", "data.modes=2:8"], "error: data.modes: is not a number in this preset; give choices"),
    "labels": (["--labels", "hat"], "error: labels: are for images; toy-non-saturating learns points"),
    "draws": (["--draws", "0"], "error: draws: 0 is out of range"),
    "processes": (["--processes", "0"], "error: processes: 0 is out of range; from 1 to 64"),
    "nothing": (["--report"], "holds no study"),
}


@pytest.mark.parametrize("row", WRONG.values(), ids=list(WRONG))
def test_wrong_input(row: tuple[list[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args, words = row
    assert main(["study", "--out", str(tmp_path / "new"), *args]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_another_study_in_the_folder_or_the_database(tmp_path: Path) -> None:
    held = study(tmp_path / "a")
    assert study(tmp_path / "a").config == held.config == opened(tmp_path / "a").config
    with pytest.raises(InvalidInput, match=r"out: .* holds another study; choose a new folder"):
        study(tmp_path / "a", seed=1)
    address = f"sqlite:///{tmp_path / 'x.db'}"
    with pytest.raises(InvalidInput, match="storage: the study in this folder is kept there, not in a database"):
        opened(tmp_path / "a", None, address)
    opened(tmp_path / "b", held.config, address)
    with pytest.raises(InvalidInput, match="storage: give the address of this study's database again"):
        opened(tmp_path / "b")
    with pytest.raises(InvalidInput, match="storage: holds another study named ganlab-toy-r1"):
        opened(tmp_path / "c", replaced(held.config, "seed", 5), address)
    for wrong in ("nowhere", "nosql://x", "sqlite:////nowhere/x.db"):
        with pytest.raises(InvalidInput, match="storage: this database cannot be opened"):
            opened(tmp_path / "d", held.config, wrong)
    (tmp_path / "a" / "study.json").write_text(json.dumps({"draws": "many"}))
    with pytest.raises(InvalidInput, match="draws: must be a whole number"):
        opened(tmp_path / "a")


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["study", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == 'error: study: needs Optuna: pip install "ganlab[study]"\n'


def test_a_worker_that_slept_too_long_leaves_its_draw_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, slept = study(tmp_path, draws=2), []

    def sleepy(run: Run, stops: list[int], device: object) -> Iterator[Outcome]:
        trial = book.studies["toy-r1"].get_trials(states=(optuna.trial.TrialState.RUNNING,))[0]
        if not slept:
            slept.append(trial.number)
            book.studies["toy-r1"].tell(trial.number, state=optuna.trial.TrialState.FAIL)
        yield Outcome(1.0, {})

    monkeypatch.setattr("ganlab.studies.draws.outcomes", sleepy)
    assert sorted(row.draw for row in made(book)) == [0, 1]
    assert [trial.number for trial in draws(book)] != slept and len(draws(book)) == 2
