"""The Python of an image run: what "show me the Python" prints in the training lab."""

from dataclasses import replace

from ganlab.run_images import ImageRun
from ganlab.spelling import classes_in, spelled

HOMES = {
    "AdaConfig": "ganlab.augment.ada",
    "ImageData": "ganlab.data.images",
    "Event": "ganlab.run",
    "Penalty": "ganlab.run",
    "ImageGanConfig": "ganlab.run_images",
    "ImageRun": "ganlab.run_images",
}
MINE = "my-images"  # stands for the folder that a visitor uploaded


def as_python(run: ImageRun, steps: int) -> str:
    """A script that trains `run` for `steps` steps and saves its generator, and the command that does the same."""
    if run.data.name == "folder":
        run = replace(run, data=replace(run.data, path=MINE))
    homes: dict[str, set[str]] = {}
    for name in {*classes_in(run), "ImageData", "ImageGanConfig", "ImageRun"}:
        homes.setdefault(HOMES[name], set()).add(name)
    imports = [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(homes.items())]
    mine = f"# {MINE} is the folder that holds your images\n" if run.data.path else ""
    return (
        "from pathlib import Path\n\n"
        + "\n".join(imports)
        + "\nfrom ganlab.training.image_loop import ImageTraining\n\n"
        + f"{mine}run = {spelled(run, always=('gan', 'data'))}\n\n"
        + "training = ImageTraining(run)\n"
        + f"while training.at < {max(steps, 100)}:\n"
        + "    snapshot = training.step()\n"
        + "    if snapshot:\n"
        + "        print(snapshot)\n"
        + 'training.save_generator(Path("generator.safetensors"))\n\n'
        + "# The same without Python, with the run.json that this page saves:\n"
        + f"# python -m ganlab train --run run.json --steps {max(steps, 100)} --out my-training\n"
    )
