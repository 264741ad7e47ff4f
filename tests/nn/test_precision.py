"""Which processors are made for bfloat16: what is true of them, whichever one the test runs on."""

import pytest
import torch

from ganlab.nn import precision


@pytest.mark.parametrize(
    ("vendor", "avx512", "amx", "expected"),
    [
        ("GenuineIntel", True, True, True),
        ("GenuineIntel", True, False, False),
        ("AuthenticAMD", True, False, True),
        ("AuthenticAMD", False, False, False),
    ],
)
def test_bf16_is_for_processors_that_are_faster_with_it(
    monkeypatch: pytest.MonkeyPatch, vendor: str, avx512: bool, amx: bool, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr("pathlib.Path.read_text", lambda path: f"processor : 0\nvendor_id : {vendor}\n")
    assert precision.has_bf16.__wrapped__(torch.device("cpu")) == expected


def test_processors_are_known_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", missing)
    monkeypatch.setattr("platform.processor", lambda: "Intel64 Family 6 Model 143 Stepping 8, GenuineIntel")
    assert precision._of_intel()
    monkeypatch.setattr("platform.processor", lambda: "AMD64 Family 25 Model 17 Stepping 1, AuthenticAMD")
    assert not precision._of_intel()
