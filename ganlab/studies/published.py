"""What papers report of tasks that a study can repeat, to stand beside its own figures."""

from typing import Any, NamedTuple

from ganlab.data.toy2d import DataConfig, shape_of


class Published(NamedTuple):
    """A row of a paper's table of covered modes; a trailing ± part is the paper's standard error of the mean."""

    source: str
    method: str
    modes: str
    high_quality: str  # per cent of the samples within three sigma of a mode
    reverse_kl: str = ""


class Task(NamedTuple):
    """Data and measure of a paper, and what it found there."""

    title: str
    data: DataConfig
    rows: tuple[Published, ...]


PACGAN, VEEGAN = "PacGAN, Table 1", "VEEGAN, Table 1"  # Lin et al. 2018; Srivastava et al. 2017
RING = Task(
    "ring of 8, radius 1, sigma .01",
    DataConfig("ring", modes=8, radius=1.0, sigma=0.01),
    (
        Published(PACGAN, "GAN", "6.3 ± .5", "98.2", ".45"),
        Published(PACGAN, "PacGAN2", "7.9 ± .1", "95.6", ".07"),
        Published(PACGAN, "PacGAN3", "7.8 ± .1", "97.7", ".10"),
        Published(PACGAN, "PacGAN4", "7.8 ± .1", "95.9", ".07"),
        Published(VEEGAN, "GAN", "1", "99.3"),
        Published(VEEGAN, "unrolled (5)", "7.6", "35.6"),
    ),
)
GRID = Task(
    "grid of 25 from -4 to 4, sigma .05",
    DataConfig("grid", modes=25, radius=4.0, sigma=0.05),
    (
        Published(PACGAN, "GAN", "17.3 ± .8", "94.8", ".70"),
        Published(PACGAN, "PacGAN2", "23.8 ± .7", "91.3", ".13"),
        Published(PACGAN, "PacGAN3", "24.6 ± .4", "94.2", ".06"),
        Published(PACGAN, "PacGAN4", "24.8 ± .2", "93.6", ".04"),
        Published(VEEGAN, "GAN", "3.3", ".5"),
        Published(VEEGAN, "unrolled (5)", "23.6", "16"),
    ),
)
TASKS = (RING, GRID)


def task_of(data: DataConfig) -> Task | None:
    """The published task with just these data, if there is one."""
    return next((task for task in TASKS if shape_of(task.data) == shape_of(data)), None)


def task_of_run(run: dict[str, Any]) -> Task | None:
    """That of a run's JSON; None too where it learns images."""
    return task_of(DataConfig.from_dict(run["data"])) if "gans" in run else None
