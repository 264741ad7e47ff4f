"""All systems for images with the same time: what each makes of small faces or digits, and what it costs.

    python benchmarks/zoo.py [--seconds 60] [--presets dcgan r3gan] [--data faces|digits] [--resolution 32]
                             [--channels 64] [--sheet zoo.png] [--out apps/web/zoo]

Each preset is trained for so many seconds of its own (drawing the data, which stay in memory, is not counted; on one
thread of a CPU what other programs take does not count either) with the settings that it has; G's average is measured
on 500 pictures beside 2,000 real ones: Fréchet distance and precision and recall on the features of the faces'
classifier (digits: the pyramid's), and modes: how many pairs of a hat and a hairstyle the classifier sees among its
pictures, of those that it sees among as many real ones; of digits, how many of the ten are the nearest real image of
more than one picture in a hundred. Wide and slow systems have seen few images when their time is over: a table of one
minute is about first steps, not about what each can reach. An error ends a row, not the table. The sheet has twelve
pictures for each preset, in the order of the table. `--out` writes the figures and a small sheet for each preset into a
folder; those of apps/web/zoo are what the app's zoo page shows. Presets that the folder knows already and that are not
measured now keep their rows, if the settings are the same.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, ImageSet, open_images
from ganlab.features.extractors import usual
from ganlab.features.faces import in_batches, load_classifier
from ganlab.nn.devices import best_device
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.images import image_preset
from ganlab.presets.zoo_results import ZooResult, ZooResults, load_results, save_results, sheet_path
from ganlab.render.pictures import png
from ganlab.render.sheet import sheet
from ganlab.run_images import ImageRun
from ganlab.training.image_loop import ImageTraining
from ganlab.training.quality import to_bytes

PICTURES, SHOWN, ACROSS, LIMIT = 500, 12, 6, 4000
KINDS = ("hat", "hairstyle")
RARE = 0.01  # share of the pictures, up to which a digit does not count as made
ROW = "| {} | {:,.0f} | {:,} | {:,} | {} | {} | {} | {} |"


def modes(pictures: torch.Tensor, data: ImageData) -> int:
    """Of faces: pairs of a hat and a hairstyle that the classifier sees. Of digits: those that are not rare."""
    if data.name != "faces":
        known = open_images(replace(data, labels="class")).train
        real, classes = known.get(range(len(known)))
        near = torch.cdist(pictures.flatten(1).float(), real.flatten(1).float()).argmin(1)
        return int((classes[near].bincount() > RARE * len(pictures)).sum())
    classifier = load_classifier()

    def read(part: torch.Tensor) -> torch.Tensor:
        found = classifier(part)
        return torch.stack([found[name].argmax(1) for name in KINDS], 1)

    return len(torch.cat(in_batches(read, pictures)).unique(dim=0))


def run_of(name: str, data: ImageData, channels: int) -> ImageRun:
    """The preset on the data of all, with the labels that it asks for, at most so wide (0: as it is)."""
    run = image_preset(f"{name}-{max(32, data.resolution)}")
    if channels:
        most = min(channels, run.gan.channel_max)
        base = min(most * data.resolution, run.gan.channel_base)
        run = replace(run, gan=replace(run.gan, channel_max=most, channel_base=base))
    labels = run.data.labels if data.name == "faces" else ("class" if run.data.labels else "")
    return replace(run, data=replace(data, labels=labels))


def row(name: str, run: ImageRun, images: ImageSet, seconds: float) -> tuple[ZooResult, np.ndarray]:
    """The figures of a preset, and pictures."""
    training = ImageTraining(run, every=10**9, images=images)
    alone = torch.get_num_threads() == 1 and best_device().type == "cpu"
    clock = time.process_time if alone else time.monotonic
    began = clock()
    while clock() - began < seconds:
        training.step()
    spent, seen = clock() - began, run.images_at(training.at)
    found = training.quality(PICTURES)
    pictures = training.grid(SHOWN)
    many = modes(to_bytes(training.grid(PICTURES)), replace(run.data, labels=""))
    weights = sum(p.numel() for p in training.gan.G.parameters())
    figures = {}
    for key in ("fd", "precision", "recall"):
        value = getattr(found, key)
        figures |= {key: round(value.value, 4), f"{key}_off": round((value.hi - value.lo) / 2, 4)}
    return ZooResult(name, "", round(seen / spent, 2), seen, weights, **figures, modes=many), sheet(pictures, ACROSS)


def line(found: ZooResult) -> str:
    """A row of the table."""
    numbers = (f"{value:.3g}" for value in (found.fd, found.precision, found.recall))
    speed = found.images_per_second, found.images, found.parameters
    return ROW.format(found.preset, *speed, *numbers, found.modes or "")


def written(folder: Path, results: ZooResults) -> None:
    """Writes the figures, and those of other presets that were found with the same settings."""
    try:
        before = load_results(folder)
    except InvalidInput:
        before = None
    same = before is not None and replace(before, rows=()) == replace(results, rows=())
    new = {found.preset for found in results.rows}
    kept = [found for found in before.rows if found.preset not in new] if same and before else []
    save_results(folder, replace(results, rows=(*kept, *results.rows)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    known = [key for key, p in IMAGE_PRESETS.items() if p.data is None]
    parser.add_argument("--presets", nargs="*", default=known, choices=IMAGE_PRESETS, metavar="PRESET")
    parser.add_argument("--data", default="faces", choices=("faces", "digits"))
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--channels", type=int, default=0, help="most channels of a layer, for slow machines")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--out", type=Path, help="folder for the figures and a sheet of each preset")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = ImageData(options.data, resolution=options.resolution, limit=LIMIT if options.data == "faces" else 0)
    sets: dict[str, ImageSet] = {}
    print("| preset | images/s | images | parameters of G | FD | precision | recall | modes |", flush=True)
    print("|---|---|---|---|---|---|---|---|", flush=True)
    sheets, rows = [], []
    device = "a GPU" if best_device().type == "cuda" else f"{options.threads} CPU thread" + "s" * (options.threads > 1)
    results = ZooResults(
        features=usual(options.data).name,
        data=options.data,
        resolution=data.resolution,
        seconds=options.seconds,
        channels=options.channels,
        pictures=PICTURES,
        most_modes=modes(open_images(data).train.get(range(PICTURES))[0], data),
        device=device,
    )
    for name in options.presets:
        try:
            run = run_of(name, data, options.channels)
            key = run.data.to_json()
            if key not in sets:
                sets[key] = open_images(run.data)
            found, pictures = row(name, run, sets[key], options.seconds)
            rows.append(found)
            sheets.append(pictures)
            print(line(found), flush=True)
            if options.out is not None:
                files.write_atomic(sheet_path(options.out, name), png(pictures))
        except InvalidInput as error:
            rows.append(ZooResult(name, str(error)))
            print(f"| {name} | {error} | | | | | | |", flush=True)
        if options.sheet is not None and sheets:
            files.write_atomic(options.sheet, png(np.concatenate(sheets)))
        if options.out is not None:
            written(options.out, replace(results, rows=tuple(rows)))
    print(f"\n{PICTURES} real pictures show {results.most_modes} modes")


if __name__ == "__main__":
    main()
