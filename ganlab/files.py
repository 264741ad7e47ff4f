"""Files that are whole or not there: atomic writes, checksums, one writer at a time."""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
MOST_HEADER = 1_000_000  # bytes of a header of ours

OURS = re.compile(r".+\.[a-z0-9_]{8}\.part")  # what `write_atomic` calls a file that is not whole yet


class Cancelled(Exception):
    """A download or another long work was stopped by whoever asked for it."""


def cache_folder(part: str = "") -> Path:
    """Where downloads are kept: GANLAB_CACHE, or else `part` of ganlab's folder in the user's cache."""
    given = os.environ.get("GANLAB_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "ganlab" / part


def own_header(data: bytes) -> dict[str, Any] | None:
    """What ganlab wrote into the header of a safetensors file; None where no such thing stands there.

    No tensor is looked at, and no more than `MOST_HEADER` bytes are read.
    """
    size = int.from_bytes(data[:8], "little")
    if size > min(MOST_HEADER, len(data) - 8):
        return None
    try:
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["ganlab"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def write_atomic(path: Path, data: bytes) -> None:
    """Writes `path` all or nothing: a crash, a full disk or a kill leaves the old file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.name + ".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())  # temporary files are for their owner alone
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Removes what killed writers of ours left behind, in the folders right inside too."""
    for part in (*folder.glob("*.part"), *folder.glob("*/*.part")):
        if OURS.fullmatch(part.name):
            part.unlink(missing_ok=True)


def sha256(data: bytes) -> str:
    """The checksum that stands beside a file."""
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """The checksum of a file of any size."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Holds `folder` against a second writer; `BlockingIOError` if one has it. Freed when the holder dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a+b") as file:
        if os.name == "nt":  # pragma: no cover
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _umask() -> int:
    """The process's mask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable, where folders can be synced."""
    if os.name == "nt":  # pragma: no cover
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
