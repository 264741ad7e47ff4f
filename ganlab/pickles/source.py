"""A file that is read piece by piece.

It is not mapped into memory: a mapped file that shrinks while it is read kills the process, and its pages count as
memory twice, once in the map and once in the tensor.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ganlab.pickles.records import AGAIN, Limits, Span, refuse

Blob = Span | bytes  # bytes of the file: left where they are, or (short ones) as they are


class Source:
    """Reads spans of an open file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start`."""
        return self.array(Span(start, length), 0, length).tobytes()

    def array(self, blob: Blob, start: int, length: int) -> NDArray[np.uint8]:
        """An own copy of `length` bytes of a blob, [length]."""
        out = np.empty(length, np.uint8)
        self.into(blob, start, out)
        return out

    def into(self, blob: Blob, start: int, out: NDArray[np.uint8]) -> None:
        """Fills `out`, [length], with the bytes of a blob from `start` on."""
        if isinstance(blob, bytes):
            out[:] = np.frombuffer(blob, np.uint8, len(out), start)
            return
        view, done = out.data, 0
        self.file.seek(blob.start + start)
        while done < len(view):
            count = self.file.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                refuse(f"is cut short at byte {blob.start + start + done:,}", AGAIN)
            done += count


def length(blob: Blob) -> int:
    """Bytes of a blob."""
    return len(blob) if isinstance(blob, bytes) else blob.length


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[Source]:
    """The file at `path`; refuses folders, pipes, devices and what is larger than the limit."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        refuse(f"cannot be opened ({error.strerror})", "check the path")
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        refuse("is not a regular file", "give the path of a checkpoint file")
    with os.fdopen(handle, "rb", buffering=0) as file:
        if about.st_size > limits.file_bytes:
            refuse(f"is {about.st_size >> 20:,} MB large", f"at most {limits.file_bytes >> 20:,} MB are read")
        yield Source(file, about.st_size)
