"""What `Server.events` tells: one class per row of the table "Server" in docs/json.md, under the same names.

(`listening` is missing: `Server.port` says it.) Texts may come from other people: escape them before you show them. New
events and new fields may come; an event without a class here is an `UnknownEvent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, get_args

from liverysync import _liverysync as native
from liverysync._events import UnknownEvent, decoder

__all__ = [
    "Conflict",
    "InSync",
    "Joined",
    "Left",
    "Manifest",
    "DatabaseFault",
    "DifferingSetting",
    "Missed",
    "Refused",
    "ServerEvent",
    "SessionBegan",
    "SessionEnded",
    "SettingsDiffer",
    "SourceFault",
    "SourceSilent",
    "StoreFault",
    "TargetFault",
    "UnknownEvent",
    "Withheld",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A client has introduced itself."""

    peer: int
    """Its number, which no later connection gets again while the server runs."""
    name: str
    address: str
    """Where it connected from."""
    program: str
    """`liverysync`, `python-1.0.4` or `python-first`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A client is gone."""

    peer: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A client holds other files than before."""

    name: str
    liveries: int
    files: int
    bytes: int
    left_out: tuple[native.Skipped, ...] = field(metadata={"of": native.Skipped})
    """What of its manifest does not take part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A client's file conflicts with one in the union, and joins under its conflict name."""

    name: str
    path: str
    """Its name at that client."""
    conflict_path: str
    """Its name in the union."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file cannot join the union."""

    name: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBegan:
    """A session has begun."""

    sync_id: str
    source: str | None
    """`None` where files come from the store, or from the target's own PC."""
    target: str | None
    """`None` where they go into the store."""
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """A session has ended."""

    sync_id: str
    source: str | None
    target: str | None
    installed: int
    """Number of files that arrived."""
    failed: int
    """Number of files that did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFault:
    """A source did not send a file as it should. It is not asked for it again until its manifest changes."""

    name: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFault:
    """What the league remembers cannot be written down, or read. The league goes on, and it is tried again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingSetting:
    """A setting that a server was told, and that the league has with another value."""

    setting: str
    """The setting, such as `conflict-scope`."""
    used: str
    """Its value in the league, which counts."""
    given: str
    """The value that the server was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDiffer:
    """The server was told other settings than the league has. Those of the league count."""

    settings: tuple[DifferingSetting, ...] = field(metadata={"of": DifferingSetting})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """The store could not keep a content, or has lost it. The server fetches it again."""

    content: str
    """Its SHA-256."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSilent:
    """A source fell silent."""

    name: str
    files: int
    """Number of files that it still owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFault:
    """A target did not take a file."""

    name: str
    path: str
    reason: str
    for_good: bool
    """Whether it is never offered to it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A file of the union is not offered to a client. It is said once."""

    name: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InSync:
    """Every client holds all that it can get."""

    clients: int
    liveries: int
    """Number of liveries in the union."""
    files: int
    """Number of files in the union."""
    union_hash: str
    """64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """The reader was so slow that events were left out here."""

    events: int
    """How many."""


_Known: TypeAlias = (
    Conflict
    | InSync
    | Joined
    | Left
    | Manifest
    | DatabaseFault
    | Missed
    | Refused
    | SessionBegan
    | SessionEnded
    | SettingsDiffer
    | SourceFault
    | SourceSilent
    | StoreFault
    | TargetFault
    | Withheld
)

ServerEvent: TypeAlias = _Known | UnknownEvent
"""Any event of a server."""

decode: Callable[[str], ServerEvent] = decoder(get_args(_Known))
