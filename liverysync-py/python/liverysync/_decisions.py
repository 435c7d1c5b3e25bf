"""The pure decisions, with names for their parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from liverysync import _liverysync as native
from liverysync._liverysync import Entry, Manifest

__all__ = ["Conflict", "Diff", "Policy", "Refused", "Scope", "Union", "UnionEntry", "diff", "merge"]

Policy = Literal["established", "lowest-hash", "newest-mtime"]
"""Who keeps a name when several contents claim it at once.

- `established`: the first manifest in the list.
- `lowest-hash`: the lowest SHA-256, as the first Python server had it.
- `newest-mtime`: the newest file, as the later Python server had it.
"""

Scope = Literal["file", "livery"]
"""What gets a conflict name.

- `file`: the conflicting file alone, beside the established one.
- `livery`: all of the livery that it belongs to, in a folder of its own, so that two liveries of one name are not mixed,
  even if none of their files collides.
"""


@dataclass(frozen=True, slots=True)
class Diff:
    """What two manifests differ in. It is false when they hold the same files."""

    missing: tuple[Entry, ...]
    """Files that are wanted and not there."""
    different: tuple[tuple[Entry, Entry], ...]
    """Files that are there with another content: what is there, and what is wanted."""
    extra: tuple[Entry, ...]
    """Files that are there and not wanted."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.different or self.extra)


@dataclass(frozen=True, slots=True)
class UnionEntry:
    """One file of the union."""

    path: str
    """Its name in the union, below the liveries folder."""
    bytes: int
    """Size in bytes."""
    sha256: str
    """SHA-256 of the content, 64 hex digits."""
    mtime: float | None
    """Time of the last change in seconds since 1970 UTC; `None` where it is not known."""
    holders: tuple[tuple[int, str], ...]
    """Who has this content: pairs of a place in the list of manifests and the file's name there."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that joins the union under another name, because its own has another content."""

    peer: int
    """Whose file it is: a place in the list of manifests."""
    path: str
    """Its name there."""
    conflict_path: str
    """Its name in the union."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that cannot join the union."""

    peer: int
    """Whose file it is: a place in the list of manifests."""
    path: str
    """Its name there."""
    reason: str
    """Why, for people."""


@dataclass(frozen=True, slots=True)
class Union:
    """What every PC should hold."""

    entries: tuple[UnionEntry, ...]
    """All files, ordered by path without regard to case."""
    conflicts: tuple[Conflict, ...]
    """Files that got a conflict name."""
    refused: tuple[Refused, ...]
    """Files that could not join."""
    manifest: Manifest
    """The union as a manifest: `diff(have=mine, want=union.manifest)` says what I lack."""
    hash: str
    """The union hash of protocol 1, 64 hex digits. Its fields stand in another order than in `manifest.hash`."""


def diff(have: Manifest, want: Manifest) -> Diff:
    """Compares what a PC has with what it should have.

    Spelling in another case and times do not count. The GIL is released.
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
    """Merges manifests into the union: every file that anybody has.

    `policy` says who keeps a name that several contents claim, `scope` whether a conflicting file goes beside it alone or with
    its whole livery. `suffix` stands between the name and the digits of
    a conflict copy (default `__CONFLICT__`). `extensions` are the types that may be shared (default: png, json, dds,
    jpg, jpeg, txt). The GIL is released.

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
