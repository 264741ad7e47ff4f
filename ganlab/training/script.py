"""A run as the Python that makes it: what "show me the Python" prints."""

from ganlab.run import Run
from ganlab.spelling import classes_in, spelled


def as_python(run: Run, steps: int) -> str:
    """A script that trains `run` for `steps` steps and prints each snapshot; running it needs only ganlab."""
    names = sorted({*classes_in(run), "GanConfig"} - {"DataConfig"})
    return (
        "from ganlab.data.toy2d import DataConfig\n"
        f"from ganlab.run import {', '.join(names)}\n"
        "from ganlab.training.loop import train\n\n"
        f"run = {spelled(run, always=('gans', 'data'))}\n\n"
        f"for snapshot in train(run, steps={max(steps, 100)}):\n"
        "    for config, gan in zip(run.gans, snapshot.gans):\n"
        '        print(snapshot.step, config.name, "modes", gan.covered, "JS", round(gan.js, 3))\n'
    )
