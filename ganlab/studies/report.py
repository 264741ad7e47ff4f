"""What a study found: tables in Markdown, one HTML page of charts that needs no network, and the runs as files."""

import html
import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ganlab import files
from ganlab.studies.book import Book, the_optuna
from ganlab.studies.draws import of_study, told_figures
from ganlab.studies.outcome import OBJECTIVES
from ganlab.studies.published import Task, task_of_run

REPORT, CHARTS, RUNS = "report.md", "report.html", "runs"
SHOWN = 10  # draws in the table of the best ones
ENOUGH = 20  # draws, below which settings are not called important
QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95}
WHYS = 5  # reasons of failure that are listed
WIDE = '<div class="wide">%s</div>'
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em }}
pre, .wide {{ overflow-x: auto }}</style></head>
<body><h1>{title}</h1>
{charts}
<pre>{table}</pre></body></html>
"""


def written(book: Book) -> str:
    """The report in Markdown, written into the study's folder with its charts and the run of each draw."""
    text = report(book)
    for preset, study in book.studies.items():
        for trial in of_study(study):
            path = _path(book, preset, trial)
            if "run" in trial.user_attrs and not path.exists():
                files.write_atomic(path, json.dumps(trial.user_attrs["run"], indent=1).encode() + b"\n")
    files.write_atomic(book.folder / REPORT, text.encode())
    files.write_atomic(book.folder / CHARTS, charts(book, text).encode())
    return text


def report(book: Book) -> str:
    """Tables of the objective over draws, and for each preset of the best draws and of what mattered."""
    config = book.config
    parts = [
        f"# {', '.join(config.presets)}",
        f"{config.draws} draws ({config.sampler}, pruner {config.pruner}, seed {config.seed}) of {config.steps:,} steps"
        " for each preset. Smaller is better; quantiles are over the draws that were made to their end.",
        _table(["preset", "objective", *QUANTILES, "made", "pruned", "failed"], map(_over_draws, *_by_preset(book))),
    ]
    for preset, study in book.studies.items():
        parts += [f"## {preset}", *_of_preset(book, preset, study)]
    parts += _beside_published(book)
    return "\n\n".join(parts) + "\n"


def charts(book: Book, text: str) -> str:
    """One HTML page, plotly inside: the objective by preset, and against each setting; the report below."""
    boxes = go.Figure(
        layout={"template": "plotly_white", "title": "The objective over draws", "height": 500, "showlegend": False}
    )
    for preset, study in book.studies.items():
        rows = _made(study)
        boxes.add_box(
            y=[trial.value for trial in rows],
            text=[f"draw {trial.user_attrs['draw']}" for trial in rows],
            name=preset,
            boxpoints="all",
            jitter=0.4,
        )
    boxes.update_yaxes(type="log", title=" or ".join(dict.fromkeys(_objective(book, name) for name in book.studies)))
    figures = [boxes, *(_slices(book, preset, study) for preset, study in book.studies.items() if _varied(study))]
    inside = [
        WIDE % figure.to_html(full_html=False, include_plotlyjs=index == 0, div_id=f"chart-{index}")
        for index, figure in enumerate(figures)
    ]
    title = f"Study of {', '.join(book.config.presets)}"
    return PAGE.format(title=html.escape(title), charts="\n".join(inside), table=html.escape(text))


def importance(study: Any) -> dict[str, float]:
    """How much each setting decides whether a draw is among the best, summing to 1; {} of too few draws.

    PED-ANOVA (Watanabe et al. 2023), the one of Optuna's evaluators that needs no scikit-learn.
    """
    optuna, rows, varied = the_optuna(), _made(study), _varied(study)
    if len(rows) < ENOUGH or not varied:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator, params=varied)
    return found


def _of_preset(book: Book, preset: str, study: Any) -> list[str]:
    parts, best = [], _best(study)
    if best:
        names = list(best[0].params)
        rows = (
            [
                str(trial.user_attrs["draw"]),
                f"{trial.value:.4g}",
                told_figures(trial.user_attrs.get("figures", {})),
                *(_short(trial.params[name]) for name in names),
            ]
            for trial in best
        )
        parts.append(_table(["draw", _objective(book, preset), "figures", *names], rows))
        steps = book.config.steps
        measure = f" --measure {steps}" if "gan" in best[0].user_attrs["run"] else ""
        path = _path(book, preset, best[0])
        parts.append(f"Again: `python -m ganlab train --run {path} --steps {steps} --every {steps}{measure}`")
    weights = importance(study)
    if weights:
        parts.append("Importance (PED-ANOVA): " + ", ".join(f"{name} {value:.2f}" for name, value in weights.items()))
    whys = [trial.user_attrs["why"] for trial in of_study(study) if "why" in trial.user_attrs]
    counted = sorted({why: whys.count(why) for why in whys}.items(), key=lambda row: -row[1])[:WHYS]
    if counted:
        parts.append("\n".join(["Failed:", "", *(f"- {count} x {why}" for why, count in counted)]))
    return parts


def _beside_published(book: Book) -> list[str]:
    """Our draws on a published task, with the paper's figures; nothing where no draw is on one."""
    found: dict[Task, list[list[str]]] = {}
    for preset, study in book.studies.items():
        for task, rows in _by_task(_made(study)).items():
            found.setdefault(task, []).extend(_our_rows(preset, rows))
    parts = []
    for task, ours in found.items():
        theirs = [[f"{row.source}: {row.method}", row.modes, row.high_quality] for row in task.rows]
        parts += [
            f"## Beside published figures: {task.title}",
            "The same data and the same measure (a sample is of high quality within three sigma of a mode). Networks, "
            "batches and steps are not the papers': PacGAN's trained for 400,000 steps. Theirs are means over runs.",
            _table(["", "modes", "% of high quality"], [*ours, *theirs]),
        ]
    return parts


def _by_task(rows: Iterable[Any]) -> dict[Task, list[Any]]:
    found: dict[Task, list[Any]] = {}
    for trial in rows:
        task = task_of_run(trial.user_attrs["run"])
        if task is not None:
            found.setdefault(task, []).append(trial)
    return found


def _our_rows(preset: str, rows: Sequence[Any]) -> list[list[str]]:
    """The draw with most modes, and the median over draws."""
    figures = [(row.user_attrs["figures"]["covered"], 100 * row.user_attrs["figures"]["high_quality"]) for row in rows]
    modes, quality = (float(np.median(column)) for column in zip(*figures))
    best = max(figures)
    return [
        [f"{preset}, best of {len(rows)} draws", f"{best[0]:g}", f"{best[1]:.1f}"],
        [f"{preset}, median of {len(rows)} draws", f"{modes:g}", f"{quality:.1f}"],
    ]


def _slices(book: Book, preset: str, study: Any) -> Any:
    """The objective against each setting."""
    figure = the_optuna().visualization.plot_slice(study, _varied(study), target_name=_objective(book, preset))
    figure.update_layout(template="plotly_white", title=f"{preset}: the objective against each setting")
    return figure.update_yaxes(type="log")


def _by_preset(book: Book) -> tuple[list[str], list[str], list[Any]]:
    names = list(book.studies)
    return names, [_objective(book, name) for name in names], list(book.studies.values())


def _over_draws(preset: str, objective: str, study: Any) -> list[str]:
    rows, values = of_study(study), [trial.value for trial in _made(study)]
    quantiles = [f"{np.quantile(values, q):.4g}" if values else "" for q in QUANTILES.values()]
    states = [trial.state.name for trial in rows]
    return [preset, objective, *quantiles, *(str(states.count(name)) for name in ("COMPLETE", "PRUNED", "FAIL"))]


def _objective(book: Book, preset: str) -> str:
    """The name of what is minimised, with that of its features where it has some."""
    name = OBJECTIVES[type(book.runs[preset])]
    features = next((row.user_attrs["figures"].get("features") for row in _made(book.studies[preset])), None)
    return f"{name}-{features}" if features else name


def _made(study: Any) -> list[Any]:
    """The draws that were made to their end."""
    return [trial for trial in of_study(study) if trial.state.name == "COMPLETE"]


def _varied(study: Any) -> list[str]:
    """The settings that differ between draws, where any was made."""
    return [name for row in _made(study)[:1] for name, kind in row.distributions.items() if not kind.single()]


def _best(study: Any) -> list[Any]:
    return sorted(_made(study), key=lambda trial: trial.value)[:SHOWN]


def _path(book: Book, preset: str, trial: Any) -> Path:
    return book.folder / RUNS / f"{preset}-{trial.user_attrs['draw']:04d}.json"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
