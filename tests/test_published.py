"""Figures of papers beside a study's own, where the task is the same."""

from pathlib import Path

import pytest

from ganlab.cli import main
from ganlab.data.toy2d import DataConfig
from ganlab.studies.published import GRID, RING, Task, task_of

pytest.importorskip("optuna")
SMALL = ["--range", "g_width=8", "--range", "d_width=8", "--range", "batch=16", "--range", "lr_g=1e-4:1e-2:log"]


@pytest.mark.parametrize(
    ("data", "task"),
    [
        (DataConfig("ring", sigma=0.01), RING),  # 8 modes and radius 1 are what the density has anyway
        (DataConfig("ring"), None),
        (DataConfig("ring", modes=12, sigma=0.01), None),
        (DataConfig("grid", modes=25, radius=4.0, sigma=0.05), GRID),
        (DataConfig("spiral"), None),
    ],
)
def test_only_the_same_data_are_the_same_task(data: DataConfig, task: Task | None) -> None:
    assert task_of(data) is task


@pytest.mark.parametrize(("sigma", "same"), [("0.01", True), ("0.02", False)])
def test_the_report_has_the_papers_rows_where_the_task_is_theirs(sigma: str, same: bool, tmp_path: Path) -> None:
    ranges = [*SMALL, "--range", f"data.sigma={sigma}"]
    made = ["--presets", "toy-non-saturating", "toy-pacgan2", "--draws", "2", "--steps", "4"]
    assert main(["study", "--out", str(tmp_path), *made, *ranges]) == 0
    text = (tmp_path / "report.md").read_text()
    assert ("PacGAN, Table 1: PacGAN2 | 7.9 ± .1 | 95.6" in text) is same
    assert ("toy-pacgan2, best of 2 draws" in text) is same
