"""Checkpoints of others, read as data: nothing that a file names is imported or called.

NVIDIA's pickles (StyleGAN2-ADA, StyleGAN3, TensorFlow's StyleGAN and StyleGAN2), files of `torch.save` (rosinality,
lucidrains), and safetensors; told apart by their first bytes, never by their names.
"""

from pathlib import Path

from ganlab.pickles.legacy import START
from ganlab.pickles.nvidia import read_pickle
from ganlab.pickles.records import BadCheckpoint, Budget, Found, Limits, Network, clip, refuse
from ganlab.pickles.safe import read_safetensors
from ganlab.pickles.source import Source, opened
from ganlab.pickles.torch_files import read_old, read_zip

__all__ = ["BadCheckpoint", "Found", "Limits", "Network", "clip", "read", "refuse"]

HEAD = 64  # bytes by which a file is recognised


def read(path: str | Path, want: tuple[str, ...] | None = None, *, first: bool = False) -> Found:
    """What the file at `path` holds.

    `want` names the networks to copy (of G, D, G_ema); only the first of them that is there if `first`. Without it all
    are copied, and a discriminator that cannot be read is reported in `skipped`. Memory stays at about the size of the
    tensors that are returned.

    Raises: BadCheckpoint, which says what is wrong and what to do.
    """
    path, budget = Path(path), Budget()
    try:
        with opened(path, budget.limits) as source:
            return _read(source, budget, want, first)
    except BadCheckpoint as error:
        raise BadCheckpoint(clip(path.name)[1:-1] or "checkpoint", error.problem) from None


def _read(source: Source, budget: Budget, want: tuple[str, ...] | None, first: bool) -> Found:
    head = source.read(0, min(HEAD, source.size))
    if head[5:9] == b"\0\0\0{":  # first of all: its first bytes are a length, which may look like any other start
        return read_safetensors(source, budget)
    for start, (problem, advice) in NOT_CHECKPOINTS.items():
        if head.lstrip().lower().startswith(start) if start.isascii() and start[:1] == b"<" else head.startswith(start):
            refuse(problem, advice)
    if head.startswith(b"PK"):
        return read_zip(source, budget, want, first)
    if head.startswith(START):
        return read_old(source, budget, want, first)
    if head.startswith(b"\x80"):
        return read_pickle(source, budget, want, first)
    if head[8:9] == b"{":
        return read_safetensors(source, budget)
    if not head:
        refuse("is empty", "download it again")
    refuse("is none of the checkpoints that are known", "known are NVIDIA's .pkl, torch's .pt and .safetensors")


UNPACK = "unpack it first"
HTML = ("is a web page, not a checkpoint", "open the link in a browser and save the file itself")
NOT_CHECKPOINTS = {
    b"version https://git-lfs": (
        "is a git-LFS pointer: the name of the file, not the file",
        "run `git lfs pull`, or download the file itself",
    ),
    b"<!doctype": HTML,
    b"<html": HTML,
    b"<?xml": HTML,
    b"\x1f\x8b": ("is compressed with gzip", UNPACK),
    b"BZh": ("is compressed with bzip2", UNPACK),
    b"\xfd7zXZ": ("is compressed with xz", UNPACK),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstd", UNPACK),
    b"7z\xbc\xaf": ("is a 7z archive", UNPACK),
    b"Rar!": ("is a RAR archive", UNPACK),
    b"\x89HDF": ("is a Keras file (HDF5), which is not read", "give a checkpoint of PyTorch"),
    b"\x89PNG": ("is an image, not a checkpoint", "give a checkpoint file"),
    b"\xff\xd8\xff": ("is an image, not a checkpoint", "give a checkpoint file"),
}
