"""Latents from files: what projectors write is read, what is hostile or wrong is refused with a sentence."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.latents.uploads import read_latents
from ganlab.recipe import unpack_latent

RNG = np.random.default_rng(0)
WS = RNG.normal(size=(1, 14, 512)).astype(np.float32)


def file_of(folder: Path, data: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(data)
    return path


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def torch_file(record: Any) -> bytes:
    out = io.BytesIO()
    torch.save(record, out)
    return out.getvalue()


def test_a_projectors_npz(tmp_path: Path) -> None:
    (text,) = read_latents(file_of(tmp_path, npz(w=WS)))
    assert np.array_equal(unpack_latent(text), WS[0])


def test_npy_of_several_w(tmp_path: Path) -> None:
    w = RNG.normal(size=(3, 512))
    texts = read_latents(file_of(tmp_path, npy(w)))
    assert [unpack_latent(text).shape for text in texts] == [(1, 512)] * 3
    assert np.allclose(unpack_latent(texts[2])[0], w[2])


def test_one_w_alone_and_four_axes(tmp_path: Path) -> None:
    assert len(read_latents(file_of(tmp_path, npy(WS[0, 0])))) == 1
    assert len(read_latents(file_of(tmp_path, npy(WS[None])))) == 1


def test_a_pt_of_rosinalitys_projector(tmp_path: Path) -> None:
    latent = torch.randn(14, 512)
    record = {"a.png": {"img": torch.zeros(3, 4, 4), "latent": latent}}
    (text,) = read_latents(file_of(tmp_path, torch_file(record)))
    assert np.array_equal(unpack_latent(text), latent.numpy())


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", b"\x93NUMPY" + b"\0" * (64 << 20))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello", "known"),
        (npy(np.full((1, 512), np.nan)), "NaN"),
        (npy(np.zeros((1, 7))), "7 numbers"),
        (npy(np.zeros((40, 512))), "40 latents"),
        (npy(np.zeros((2, 3, 4, 512))), "shape"),
        (npy(np.array([{"a": 1}], dtype=object)), "objects"),
        (npy(np.array(["text"])), "real numbers"),
        (npy(np.zeros((1, 512)))[:200], "cut off"),
        (npz(act_comp=np.zeros((1, 512)), lat_comp=np.zeros((1, 512))), "directions"),
        (npz(a=np.zeros(3), b=np.zeros(3)), "no array called w"),
        (npz(w=WS)[:300], "damaged"),
        (zip_bomb(), "20 MB"),
        (torch_file({"weight": torch.zeros(3)}), "no latents"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_latents(file_of(tmp_path, data))
