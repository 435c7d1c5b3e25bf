"""The events of a server: one class for each row of the table "Server" in docs/json.md, under the same names.

There is none for `listening`: see `RunningServer.port`. Texts may come from other people: escape them before you show
them. New events and new fields may be added; an event without a class here is an `UnknownEvent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, get_args

from liverysync import _liverysync as native
from liverysync._events import UnknownEvent, decoder

__all__ = [
    "AllowListFault",
    "AllowListUnmatched",
    "Conflict",
    "Damaged",
    "Finding",
    "Held",
    "InSync",
    "Joined",
    "Left",
    "Manifest",
    "DatabaseFault",
    "DifferingSetting",
    "Missed",
    "OwnerActed",
    "OwnerChanged",
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
    """The address that it connected from."""
    program: str
    """`liverysync`, `python-1.0.4` or `python-first`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A client has disconnected."""

    peer: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A client has reported its files, and they differ from before."""

    name: str
    liveries: int
    files: int
    bytes: int
    left_out: tuple[native.Skipped, ...] = field(metadata={"of": native.Skipped})
    """The files of its manifest that do not take part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A client's file is in conflict. It joins the union under a conflict name."""

    name: str
    path: str
    """Its path on that client's PC."""
    conflict_path: str
    """Its conflict name in the union."""


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
    """`None` for a download from the store, or if the target copies on its own PC."""
    target: str | None
    """`None` for an upload into the store."""
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
    """A source did not send a file correctly. The server does not ask it for the file again until its manifest changes."""

    name: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowListFault:
    """The allow list cannot be read any more. The last one stays in force. It is reported once."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowListUnmatched:
    """Names of the allow list are of no livery that the league has. It is reported once for each list."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerActed:
    """A member has changed liveries of their own."""

    name: str
    act: str
    """`withdraw`, `rename` or `replace`."""
    names: tuple[str, ...]
    """The livery or file that was withdrawn, or the old name and the new one."""
    placed: int
    """Number of files that have another name now."""
    retired: int
    """Number of files that have no name any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A file is damaged. It is published only if it replaces nothing intact."""

    name: str | None
    """The driver who brought it; `None` for drivers without a key."""
    path: str
    reason: str
    """The damage, for people."""
    published: bool
    """True if the league has it. Otherwise the livery is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A livery breaks a rule of the league. It is reported once."""

    name: str | None
    """The driver who brought it; `None` for drivers without a key."""
    kind: str
    """One of the words below "Findings" in docs/json.md. New ones may be added."""
    livery: str
    path: str | None
    """The file; None if it is about all of the livery."""
    reason: str
    fix: str
    """The fix, in plain words."""
    published: bool
    """True if the league has it. Otherwise the livery is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerChanged:
    """A livery has got its first owner, or has none any more because several members brought it."""

    livery: str
    owner: str | None
    """The member who edited it and owns it now; `None` if nobody does."""
    by: str
    """The member whose files are the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFault:
    """The league database cannot be written or read. The league goes on, and the server tries again."""

    reason: str


@dataclass(frozen=True, slots=True)
class DifferingSetting:
    """A setting with which a server was started, and for which the league has another value."""

    setting: str
    """The setting, such as `conflict-scope`."""
    used: str
    """The league's value, which counts."""
    given: str
    """The value with which the server was started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDiffer:
    """The server was started with other settings than the league has, and ignores them."""

    settings: tuple[DifferingSetting, ...] = field(metadata={"of": DifferingSetting})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """The store could not keep a content, or has lost it. The server fetches it again."""

    content: str
    """Its SHA-256."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSilent:
    """A source stopped responding."""

    name: str
    files: int
    """Number of files that it still had to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFault:
    """A target did not take a file."""

    name: str
    path: str
    reason: str
    for_good: bool
    """`True` if the file is never offered to that target again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A file of the union is not offered to a client. It is reported once."""

    name: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A driver has changed a livery, and the others do not get that before an admin approves it or a freeze ends."""

    name: str | None
    """The driver; `None` for drivers without a key."""
    livery: str
    files: int
    """Number of changed files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InSync:
    """Every client has everything that it can get."""

    clients: int
    liveries: int
    """Number of liveries in the union."""
    files: int
    """Number of files in the union."""
    union_hash: str
    """64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """The reader was so slow that it missed events here."""

    events: int
    """Number of missed events."""


_Known: TypeAlias = (
    AllowListFault
    | AllowListUnmatched
    | Conflict
    | Damaged
    | Finding
    | Held
    | InSync
    | Joined
    | Left
    | Manifest
    | DatabaseFault
    | Missed
    | OwnerActed
    | OwnerChanged
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
