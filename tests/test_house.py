"""The rules of the house: requirements in step, a README a Space understands, layers clean, files short."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tomlkit  # comes with gradio; tomllib only with Python 3.11

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("ganlab", "apps") for path in (ROOT / folder).rglob("*.py"))
UI = ("gradio", "streamlit", "torchvision")


def requirement_lines() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def front_matter(text: str) -> dict[str, str]:
    """The `key: value` lines between the first two lines of dashes."""
    assert text.startswith("---\n"), "README.md must begin with the Space's front matter"
    head = text[4:].split("\n---", 1)[0]
    pairs = (line.split(":", 1) for line in head.splitlines() if re.match(r"\w+:", line))
    return {key: value.strip().strip("\"'") for key, value in pairs}


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_requirements_and_pyproject_say_the_same() -> None:
    project = tomlkit.parse((ROOT / "pyproject.toml").read_text()).unwrap()["project"]
    assert project["dependencies"] == requirement_lines()


def test_every_requirement_has_a_floor_and_a_cap() -> None:
    project = tomlkit.parse((ROOT / "pyproject.toml").read_text()).unwrap()["project"]
    for line in project["dependencies"] + project["optional-dependencies"]["dev"]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+,<\d+", line), line


def test_readme_front_matter_starts_the_space() -> None:
    head = front_matter((ROOT / "README.md").read_text(encoding="utf-8"))
    assert head["sdk"] == "gradio"
    assert (ROOT / head["app_file"]).is_file()
    assert head.get("license", "apache-2.0") == "apache-2.0"
    if "sdk_version" in head:
        floor = next(line for line in requirement_lines() if line.startswith("gradio>="))
        low = tuple(map(int, re.search(r">=([\d.]+)", floor)[1].split(".")))
        assert tuple(map(int, head["sdk_version"].split(".")))[: len(low)] >= low


def test_licence_is_apache() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0" in text and "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_file_is_called_utils() -> None:
    assert not [path for path in SOURCES if path.stem in ("utils", "util", "helpers", "misc", "common")]


def test_importing_the_library_imports_no_ui_and_opens_no_socket() -> None:
    """In a fresh process: all of ganlab but text/ (open_clip itself needs torchvision) and `__main__`."""
    result = run_python(f"""
import importlib, pkgutil, socket, sys
def refuse(*args, **kwargs): raise SystemExit("ganlab reached for the network at import")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import ganlab
for module in pkgutil.walk_packages(ganlab.__path__, "ganlab."):
    if module.name.startswith("ganlab.text") or module.name.endswith("__main__"):
        continue
    importlib.import_module(module.name)
    found = [name for name in {UI!r} if name in sys.modules]
    if found: raise SystemExit(f"importing {{module.name}} imports {{', '.join(found)}}")
""")
    assert result.returncode == 0, result.stderr[-2000:]


def test_the_network_is_closed_to_tests() -> None:
    with pytest.raises(RuntimeError, match="tried to connect"):
        socket.socket().connect(("192.0.2.1", 80))
    with pytest.raises(RuntimeError, match="tried to look up"):
        socket.getaddrinfo("example.org", 80)
