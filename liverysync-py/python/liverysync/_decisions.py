"""The pure decisions and the check of a folder, with named results."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from liverysync import _liverysync as native
from liverysync._liverysync import Entry, Manifest
from liverysync.client_events import Finding

__all__ = ["Conflict", "Diff", "Policy", "Refused", "Scope", "Union", "UnionEntry", "diff", "lint", "merge"]

Policy = Literal["established", "lowest-hash", "newest-mtime"]
"""The rule that picks the name's keeper when several contents claim it at the same moment.

- `established`: the first manifest in the list.
- `lowest-hash`: the lowest SHA-256, like the first Python server.
- `newest-mtime`: the newest file, like the later Python server.
"""

Scope = Literal["file", "livery"]
"""The extent of a conflict copy.

- `file`: the file in conflict, beside the established one.
- `livery`: the whole livery that it belongs to, in a folder of its own, so that two liveries of one name do not mix,
  even if none of their files collides.
"""


@dataclass(frozen=True, slots=True)
class Diff:
    """The difference between two manifests. It is false when they have the same files."""

    missing: tuple[Entry, ...]
    """Wanted files that are missing."""
    different: tuple[tuple[Entry, Entry], ...]
    """Files with another content: pairs of the present and the wanted entry."""
    extra: tuple[Entry, ...]
    """Present files that are not wanted."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.different or self.extra)


@dataclass(frozen=True, slots=True)
class UnionEntry:
    """One file of the union."""

    path: str
    """Its name in the union, relative to the liveries folder."""
    bytes: int
    """Size in bytes."""
    sha256: str
    """SHA-256 of the content, 64 hex digits."""
    mtime: float | None
    """Time of the last change in seconds since 1970 UTC; `None` if unknown."""
    holders: tuple[tuple[int, str], ...]
    """The manifests that have this content: pairs of a position in the list and the path there."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that joins the union under a conflict name, because its own name has another content."""

    peer: int
    """Position of its manifest in the list."""
    path: str
    """Its path there."""
    conflict_path: str
    """Its name in the union."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that cannot join the union."""

    peer: int
    """Position of its manifest in the list."""
    path: str
    """Its path there."""
    reason: str
    """The reason, for people."""


@dataclass(frozen=True, slots=True)
class Union:
    """All liveries that every PC should have."""

    entries: tuple[UnionEntry, ...]
    """All files, ordered by path without regard to case."""
    conflicts: tuple[Conflict, ...]
    """Files that have a conflict name."""
    refused: tuple[Refused, ...]
    """Files that cannot join."""
    manifest: Manifest
    """The union as a manifest: `diff(have=mine, want=union.manifest)` has the files that I am missing."""
    hash: str
    """The union hash of protocol 1, 64 hex digits. It is not `manifest.hash`, which orders the fields differently."""


def lint(
    liveries: str | os.PathLike[str] | None = None,
    *,
    rules: str | os.PathLike[str] | None = None,
    extensions: Iterable[str] | None = None,
    derived_dds: bool = False,
    max_entries: int | None = None,
    max_file_size: int | None = None,
) -> tuple[Finding, ...]:
    """Finds what is probably wrong with the liveries of a folder, ordered by livery. It writes nothing.

    `liveries` is the folder (default: the game's). `rules` are those of a league, a TOML file (default: only what the game
    needs is checked). The other options are as in `scan`.

    It blocks, with the GIL released. In asyncio: `await asyncio.to_thread(liverysync.lint, "Liveries")`.

    Raises `FolderError` if the folder does not exist or cannot be listed, `OSError` if the rules cannot be read, and
    `ValueError` for a mistake in them.
    """
    found = native.lint(liveries, rules, extensions, derived_dds, max_entries, max_file_size)
    return tuple(
        Finding(kind=kind, livery=livery, path=path, reason=reason, fix=fix)
        for kind, livery, path, reason, fix in found
    )


def diff(have: Manifest, want: Manifest) -> Diff:
    """Compares the files that a PC has with those that it should have.

    Case and times do not count. The GIL is released.
    """
    missing, different, extra = native.diff(have, want)
    return Diff(tuple(missing), tuple(different), tuple(extra))


def merge(
    manifests: Iterable[Manifest],
    *,
    policy: Policy = "established",
    scope: Scope = "file",
    suffix: str | None = None,
    extensions: Iterable[str] | None = None,
) -> Union:
    """Merges manifests into the union: every file that any of them has.

    `policy` picks the keeper of a name that several contents claim; `scope` is the extent of a conflict copy. `suffix` is
    the text between the name and the digits of a conflict copy (default `__CONFLICT__`). `extensions` are the file types
    that may be shared (default: png, json, dds, jpg, jpeg, txt). The GIL is released.

    Raises `ValueError` for a wrong policy, scope, suffix or extension.
    """
    entries, conflicts, refused, manifest, union_hash = native.merge(manifests, policy, scope, suffix, extensions)
    return Union(
        tuple(UnionEntry(path, size, sha256, mtime, tuple(holders)) for path, size, sha256, mtime, holders in entries),
        tuple(Conflict(*conflict) for conflict in conflicts),
        tuple(Refused(*refusal) for refusal in refused),
        manifest,
        union_hash,
    )
