"""Public files, downloaded only when asked for: resumed where it stopped, cancelled at will, checked by sha256.

The checksum is the known one, or else the one that the first download had.
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
from ganlab.files import Cancelled, only_writer, sha256_of, write_atomic

MOST_BYTES = 2 << 30  # the largest that is known has 0.4 GB
CHUNK = 1 << 20
PATIENCE = 20.0  # seconds that a server may be silent
PINS = "sha256.json"  # in the folder of downloads: what each name had when it first came
OFFLINE = "cannot be fetched: no connection to {host}. Go online and try again; what has arrived already is kept"
Tick = Callable[[int, int | None], bool]  # (bytes so far, of) -> whether to go on


class Wanted(NamedTuple):
    """A file to download."""

    name: str  # what users call it
    url: str
    path: Path  # where it is kept
    sha256: str | None = None  # None: pinned by the first download
    kind: str = "model"  # a word for what it is


def fetch(wanted: Wanted, tick: Tick | None = None) -> Path:
    """Brings a file here, or goes on with what an earlier try left; returns its path.

    `tick` hears of the progress; when it returns False, `Cancelled` is raised. Anything that goes wrong is an
    `InvalidInput` with one sentence.
    """
    name, path = wanted.name, wanted.path
    if path.is_file():
        return path
    try:
        with only_writer(path.parent / f".{name}"):
            if not path.is_file():
                _fetch(wanted, tick or (lambda done, of: True))
    except BlockingIOError:
        raise InvalidInput(name, "is being downloaded already") from None
    except OSError as error:
        raise InvalidInput(name, f"cannot be written to {path.parent}: {error.strerror or 'unknown error'}") from None
    return path


def _fetch(wanted: Wanted, tick: Tick) -> None:
    name, url, path, known, _ = wanted
    part = path.with_suffix(".part")
    try:
        _receive(wanted, part, tick)
    except urllib.error.HTTPError as error:
        raise InvalidInput(name, f"cannot be fetched: the server answers {error.code}; it may have moved") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException):
        raise InvalidInput(name, OFFLINE.format(host=urlsplit(url).hostname)) from None
    pins = _pins(path.parent)
    found, expected = sha256_of(part), known or pins.get(name)
    if expected is not None and found != expected:
        part.unlink()
        raise InvalidInput(name, "arrived damaged or was replaced by another file (its checksum differs); try again")
    if expected is None:
        write_atomic(path.parent / PINS, json.dumps({**pins, name: found}, indent=1).encode())
    os.replace(part, path)


def _receive(wanted: Wanted, part: Path, tick: Tick) -> None:
    """Brings `part` to its full length."""
    have, kind = part.stat().st_size if part.exists() else 0, wanted.kind
    with _opened(wanted.url, have) as answer:
        if answer.status != 206:  # the server sends all of it again
            have = 0
        rest = answer.headers.get("content-length", "")
        of = have + int(rest) if rest.isdigit() else None
        if (of or 0) > MOST_BYTES or (of or 0) > have + shutil.disk_usage(part.parent).free:
            raise InvalidInput("download", f"is {(of or 0) / 1e9:.1f} GB large: too large for this disk or a {kind}")
        if "text/html" in answer.headers.get("content-type", ""):
            raise InvalidInput("download", f"is a web page instead of a {kind}; it may have moved or need a login")
        with open(part, "ab" if have else "wb") as file:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > MOST_BYTES:
                    raise InvalidInput("download", f"does not end; it is larger than any {kind} of the list")
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


def _pins(folder: Path) -> dict[str, str]:
    try:
        pins = json.loads((folder / PINS).read_text())
    except (OSError, ValueError):
        return {}
    return pins if isinstance(pins, dict) else {}
