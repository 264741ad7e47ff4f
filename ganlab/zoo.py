"""Models by name: those that ship with ganlab, and well-known public checkpoints, downloaded only when asked for.

A download is resumed where it stopped, can be cancelled, and is checked by sha256: by the one in the table where it is
known, else by the one that the first download had.
"""

import contextlib
import http.client
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ganlab.config import InvalidInput
from ganlab.files import only_writer, sha256_of, write_atomic

SHIPPED_FOLDER = Path(__file__).resolve().parents[1] / "checkpoints"
MOST_BYTES = 2 << 30  # the largest of the table has 0.4 GB
CHUNK = 1 << 20
PATIENCE = 20.0  # seconds that a server may be silent
PINS = "sha256.json"  # in the folder of downloads: what each name had when it first came
OFFLINE = "cannot be fetched: no connection to {host}. Go online and try again; what has arrived already is kept"
Tick = Callable[[int, int | None], bool]  # (bytes so far, of) -> whether to go on


class ZooRow(NamedTuple):
    """A public checkpoint."""

    title: str
    url: str
    resolution: int
    licence: str
    megabytes: int | None  # about
    classes: int = 0
    sha256: str | None = None  # None: pinned by the first download


class Cancelled(Exception):
    """The download was stopped by whoever asked for it; what has arrived is kept."""


def shipped() -> dict[str, Path]:
    """The models that come with ganlab, by name."""
    return {path.stem: path for path in sorted(SHIPPED_FOLDER.glob("*.safetensors"))}


def folder() -> Path:
    """Where downloads are kept: GANLAB_CACHE, or a folder of the user's cache."""
    given = os.environ.get("GANLAB_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "ganlab" / "models"


def downloaded(name: str) -> Path | None:
    """The file of a model of the table if it is here."""
    path = _target(name)
    return path if path.is_file() else None


def path_of(name: str) -> Path:
    """The file of a shipped or downloaded model; `InvalidInput` says how to get one that is not here."""
    ours = shipped()
    if name in ours:
        return ours[name]
    if name not in ZOO:
        known = ", ".join([*ours, *ZOO])
        raise InvalidInput("model", f"there is no file and no model called {name[:60]!r}; known are {known}")
    path = downloaded(name)
    if path is None:
        raise InvalidInput("model", f"{name} is not downloaded yet; get it with: python -m ganlab download {name}")
    return path


def download(name: str, tick: Tick | None = None) -> Path:
    """Fetches a model of the table, or goes on with what an earlier try left; returns its file.

    `tick` hears of the progress; when it returns False, `Cancelled` is raised. Anything that goes wrong is an
    `InvalidInput` with one sentence.
    """
    if name not in ZOO:
        raise InvalidInput("model", f"there is no model called {name[:60]!r} in the list; known are {', '.join(ZOO)}")
    path = _target(name)
    if path.is_file():
        return path
    try:
        with only_writer(path.parent / f".{name}"):
            if not path.is_file():
                _fetch(name, path, tick or (lambda done, of: True))
    except BlockingIOError:
        raise InvalidInput(name, "is being downloaded already") from None
    except OSError as error:
        raise InvalidInput(name, f"cannot be written to {path.parent}: {error.strerror or 'unknown error'}") from None
    return path


def _fetch(name: str, path: Path, tick: Tick) -> None:
    row = ZOO[name]
    part = path.with_suffix(".part")
    try:
        _receive(row.url, part, tick)
    except urllib.error.HTTPError as error:
        raise InvalidInput(name, f"cannot be fetched: the server answers {error.code}; it may have moved") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException):
        raise InvalidInput(name, OFFLINE.format(host=urlsplit(row.url).hostname)) from None
    found, expected = sha256_of(part), row.sha256 or _pins().get(name)
    if expected is not None and found != expected:
        part.unlink()
        raise InvalidInput(name, "arrived damaged or was replaced by another file (its checksum differs); try again")
    if row.sha256 is None and expected is None:
        write_atomic(path.parent / PINS, json.dumps({**_pins(), name: found}, indent=1).encode())
    os.replace(part, path)


def _receive(url: str, part: Path, tick: Tick) -> None:
    """Brings `part` to its full length."""
    have = part.stat().st_size if part.exists() else 0
    with _opened(url, have) as answer:
        if answer.status != 206:  # the server sends all of it again
            have = 0
        rest = answer.headers.get("content-length", "")
        of = have + int(rest) if rest.isdigit() else None
        if (of or 0) > MOST_BYTES or (of or 0) > have + shutil.disk_usage(part.parent).free:
            raise InvalidInput("download", f"is {(of or 0) / 1e9:.1f} GB large: too large for this disk or for a model")
        if "text/html" in answer.headers.get("content-type", ""):
            raise InvalidInput("download", "is a web page instead of a model; it may have moved or need a login")
        with open(part, "ab" if have else "wb") as file:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > MOST_BYTES:
                    raise InvalidInput("download", "does not end; it is larger than any model of the list")
                if not tick(have, of):
                    raise Cancelled
    if of is not None and have < of:
        raise ConnectionError("cut off")


@contextlib.contextmanager
def _opened(url: str, have: int) -> Iterator[Any]:
    """The answer to a request for all bytes from `have` on; of all bytes if the server wants that."""
    request = urllib.request.Request(url, headers={"User-Agent": "ganlab"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    opener = urllib.request.build_opener(_SameScheme)
    try:
        answer = opener.open(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:  # 416: all of it is here already, or it changed
            raise
        answer = opener.open(urllib.request.Request(url, headers={"User-Agent": "ganlab"}), timeout=PATIENCE)
    with answer:
        yield answer


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to the scheme it came from: https never falls back to http, nor to a local file."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
            raise urllib.error.URLError("redirected to another scheme")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _target(name: str) -> Path:
    return folder() / f"{name}{Path(urlsplit(ZOO[name].url).path).suffix}"


def _pins() -> dict[str, str]:
    try:
        pins = json.loads((folder() / PINS).read_text())
    except (OSError, ValueError):
        return {}
    return pins if isinstance(pins, dict) else {}


NVIDIA = "NVIDIA Source Code License (research, non-commercial)"
ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/"
SG2 = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files/"
SG3 = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan3/versions/1/files/"
ZOO: dict[str, ZooRow] = {
    "ffhq-256": ZooRow("Faces, 256 px (StyleGAN2)", SG2 + "stylegan2-ffhq-256x256.pkl", 256, NVIDIA, 300),
    "ffhq-512": ZooRow("Faces, 512 px (StyleGAN2)", SG2 + "stylegan2-ffhq-512x512.pkl", 512, NVIDIA, 360),
    "ffhq-1024": ZooRow("Faces, 1024 px (StyleGAN2)", SG2 + "stylegan2-ffhq-1024x1024.pkl", 1024, NVIDIA, 380),
    "ffhq-ada": ZooRow("Faces, 1024 px (StyleGAN2-ADA)", ADA + "ffhq.pkl", 1024, NVIDIA, 380),
    "celebahq-256": ZooRow("Celebrities, 256 px (StyleGAN2)", SG2 + "stylegan2-celebahq-256x256.pkl", 256, NVIDIA, 300),
    "metfaces": ZooRow("Portraits in art, 1024 px (StyleGAN2-ADA)", ADA + "metfaces.pkl", 1024, NVIDIA, 380),
    "afhq-cat": ZooRow("Cats, 512 px (StyleGAN2-ADA)", ADA + "afhqcat.pkl", 512, NVIDIA, 360),
    "afhq-dog": ZooRow("Dogs, 512 px (StyleGAN2-ADA)", ADA + "afhqdog.pkl", 512, NVIDIA, 360),
    "afhq-wild": ZooRow("Wild animals, 512 px (StyleGAN2-ADA)", ADA + "afhqwild.pkl", 512, NVIDIA, 360),
    "afhq-v2": ZooRow("Animals, 512 px (StyleGAN2)", SG2 + "stylegan2-afhqv2-512x512.pkl", 512, NVIDIA, 360),
    "church-256": ZooRow("Churches, 256 px (StyleGAN2)", SG2 + "stylegan2-lsunchurch-256x256.pkl", 256, NVIDIA, 360),
    "horse-256": ZooRow("Horses, 256 px (StyleGAN2)", SG2 + "stylegan2-lsunhorse-256x256.pkl", 256, NVIDIA, 360),
    "cat-256": ZooRow("Cats, 256 px (StyleGAN2)", SG2 + "stylegan2-lsuncat-256x256.pkl", 256, NVIDIA, 360),
    "car-512": ZooRow("Cars, 512 px (StyleGAN2)", SG2 + "stylegan2-lsuncar-512x384.pkl", 512, NVIDIA, 360),
    "cifar10": ZooRow(
        "CIFAR-10, 32 px, 10 classes (StyleGAN2)", SG2 + "stylegan2-cifar10-32x32.pkl", 32, NVIDIA, 160, 10
    ),
    "stylegan3-t-ffhq": ZooRow(
        "Faces, 1024 px (StyleGAN3-T)", SG3 + "stylegan3-t-ffhq-1024x1024.pkl", 1024, NVIDIA, 300
    ),
    "stylegan3-r-ffhq": ZooRow(
        "Faces, 1024 px (StyleGAN3-R)", SG3 + "stylegan3-r-ffhq-1024x1024.pkl", 1024, NVIDIA, 210
    ),
}
