"""What README shows runs."""

import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: code.split("\n", 1)[0])
def test_the_lines_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    if "img" in names:
        img = names["img"]
        assert isinstance(img, torch.Tensor) and img.shape == (1, 3, 64, 64) and img.abs().mean() < 1
    if "recipe" in names:
        assert (tmp_path / "picture.png").stat().st_size > 1000


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 3
