"""Fixtures of several tests: folders with liveries in them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Makes a liveries folder: `make_folder("aoi", {"T/decals.png": b"..."})`."""

    def make(name: str, files: dict[str, bytes] | None = None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path, content in (files or {}).items():
            put(folder, path, content)
        return folder

    return make


def put(folder: Path, path: str, content: bytes) -> None:
    """Writes one file."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def files(folder: Path) -> dict[str, bytes]:
    """All files of a folder but the backups."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if path.relative_to(folder).parts[0] != ".backup"
    }


def program() -> str:
    """The command-line program, which `cargo xtask test` builds."""
    found = os.environ.get("LIVERYSYNC_PROGRAM")
    if found is None:
        pytest.skip("LIVERYSYNC_PROGRAM names no liverysync program")
    return found
