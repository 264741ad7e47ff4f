"""Films of a race: real GIF and MP4 files that show each moment."""

import io
import time

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganlab.data.toy2d import DataConfig
from ganlab.render.film import MOST_FRAMES, film, heat_colours
from ganlab.run import GanConfig, Run
from ganlab.serving.frames import unpack
from ganlab.serving.limits import Limits
from ganlab.serving.toy_session import ToySession


def session(data: str, steps: int = 60) -> ToySession:
    gans = (GanConfig(name="a", g_width=8, d_width=8, batch=32), GanConfig(name="b", g_width=8, d_width=8, batch=32))
    lab = ToySession(Run(DataConfig(data), gans), Limits())
    lab.command({"do": "run", "run": lab.live.run.to_dict(), "step": steps})
    while lab.playing:
        lab.tick(time.monotonic())
    return lab


@pytest.mark.parametrize("data", ["ring", "gaussian1d"])
@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_a_film_shows_the_history(data: str, kind: str) -> None:
    lab = session(data)
    (reply,) = lab.command({"do": "film", "kind": kind})
    if kind == "mp4":
        assert b"ftyp" in reply["data"][:12]
        return
    frames = [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(Image.open(io.BytesIO(reply["data"])))]
    assert len(frames) == len(lab.live.frames.items)
    assert (frames[0] != frames[-1]).any()


def test_long_histories_are_thinned() -> None:
    lab = session("ring")
    frames = [unpack(lab.live.frames.items[0][1])] * (3 * MOST_FRAMES)
    picture = Image.open(io.BytesIO(film(frames, ["a", "b"], lab.live.painter.scene(), "gif")))
    assert getattr(picture, "n_frames", 1) <= MOST_FRAMES


def test_colours_say_fake_unsure_real() -> None:
    fake, unsure, real = heat_colours(np.array([0, 128, 255], dtype=np.uint8)).astype(int)
    assert fake[2] > fake[1]  # purple
    assert real[1] > real[0]  # green
    assert unsure.min() > 245  # white
