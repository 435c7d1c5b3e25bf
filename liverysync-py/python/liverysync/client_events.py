"""What `Client.events` tells: one class per row of the table "Client" in docs/json.md, under the same names.

Texts may come from other people: escape them before you show them. New events and new fields may come; an event without
a class here is an `UnknownEvent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from liverysync._events import UnknownEvent, decoder

__all__ = [
    "ClientEvent",
    "Connected",
    "Disconnected",
    "FileSent",
    "FolderUnreadable",
    "InSync",
    "Installed",
    "Missed",
    "Plan",
    "PlannedConflict",
    "PlannedFile",
    "PlannedRefusal",
    "ReceiveFailed",
    "Received",
    "Receiving",
    "RetireFailed",
    "Retired",
    "OpenConflict",
    "Scanned",
    "SendFailed",
    "Sent",
    "ServerError",
    "SessionBegan",
    "SessionEnded",
    "Skipped",
    "SyncStatus",
    "SyncBegan",
    "UnknownEvent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The server greeted."""

    server: Literal["liverysync", "protocol-1"]
    """`protocol-1` is a server of the old kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """There is no connection, or an attempt has failed."""

    reason: str
    retry_in_seconds: float
    """When it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderUnreadable:
    """The liveries folder cannot be walked."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """The folder was walked for the first time, or shares other files than before."""

    liveries: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something in the folder is not shared. It is said once."""

    path: str
    """As it stands on the disk."""
    kind: str
    """As `liverysync.Skipped.kind`."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBegan:
    """A session has begun."""

    sync_id: str
    role: Literal["source", "target"]
    """What this PC is in it."""
    files: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """A file has begun to arrive."""

    sync_id: str
    path: str
    bytes: int
    """Size of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A piece has arrived. Left out when the reader is slow."""

    sync_id: str
    bytes: int
    """Size of the piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A piece has left. Left out when the reader is slow."""

    sync_id: str
    bytes: int
    """Size of the piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSent:
    """A whole file has left."""

    sync_id: str
    path: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A file is in place."""

    sync_id: str
    path: str
    bytes: int
    backup: str | None
    """Where what it replaced lies, below the liveries folder."""
    copied: bool
    """Whether it was copied on this PC and not downloaded."""
    kept_as: str | None
    """The second name that what it replaced has got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """The league retired a file. It was moved to the backup folder."""

    path: str
    backup: str
    """Where it lies now, below the liveries folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireFailed:
    """A file that nobody is to have any more is still here."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFailed:
    """A file could not be sent."""

    sync_id: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveFailed:
    """A file did not arrive or could not be put in place. What was there still is."""

    sync_id: str
    path: str
    reason: str
    declined: bool
    """Whether it is refused for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """A session has ended."""

    sync_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError:
    """The server reports an error."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncBegan:
    """Somebody waits in `sync`. What is said from here on is about what the folder holds now."""

    connected: bool
    """Whether there is a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """How this PC stands to the union."""

    missing: int
    """Files that are still to come."""
    missing_bytes: int
    needed_by_others: int
    """Files that others still need this PC for."""
    withheld: int
    """Files that will not come as things are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InSync:
    """This PC holds the union, and nobody needs anything more from it."""

    liveries: int
    files: int
    bytes: int
    conflicts: tuple[str, ...]
    """Paths of this PC's files that have a conflict name."""
    withheld: int
    """Files of the union that will not come as things are."""
    certain: bool
    """`False` where a server of the old kind has only been seen to be quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """The reader was so slow that events were left out here."""

    events: int
    """How many."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that would come or go."""

    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PlannedConflict:
    """A file that would be replaced."""

    path: str
    kept_as: str
    """The name under which this PC's own would live on."""


@dataclass(frozen=True, slots=True)
class PlannedRefusal:
    """A file of the union that this PC would refuse."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A conflict of the league in which this PC's driver has a part."""

    path: str
    """The name."""
    copy: str
    """The conflict name that the later content has instead."""
    yours: Literal["established", "copy", "both"]
    """The side that belongs to this PC's driver."""
    sha256: str
    """The driver's content, 64 hex digits; that of the conflict copy if both are theirs, or if no content has the name."""
    free: bool
    """Set if no file has the name. It belongs to a livery that has it all the same: another livery of that name went to a
    conflict folder as a whole, or somebody who does not own the livery added the file to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a dry run has found out."""

    liveries: int
    """Number of liveries that this PC shares and holds."""
    files: int
    """Number of files that this PC shares and holds."""
    bytes: int
    """Sum of their sizes."""
    receive: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    conflicts: tuple[PlannedConflict, ...] = field(metadata={"of": PlannedConflict})
    send: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    refuse: tuple[PlannedRefusal, ...] = field(metadata={"of": PlannedRefusal})
    retire: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    """Files that the league has retired and that would be moved to the backup folder."""
    unavailable: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    """Files that this PC lacks and nobody can send at present."""
    undistributed: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    """Files of this PC whose livery is not on the league's allow list."""
    open_conflicts: tuple[OpenConflict, ...] = field(metadata={"of": OpenConflict})


_Known: TypeAlias = (
    Connected
    | Disconnected
    | FileSent
    | FolderUnreadable
    | InSync
    | Installed
    | Missed
    | Plan
    | ReceiveFailed
    | Received
    | Receiving
    | RetireFailed
    | Retired
    | Scanned
    | SendFailed
    | Sent
    | ServerError
    | SessionBegan
    | SessionEnded
    | Skipped
    | SyncStatus
    | SyncBegan
)

ClientEvent: TypeAlias = _Known | UnknownEvent
"""Any event of a client."""

decode: Callable[[str], ClientEvent] = decoder(get_args(_Known))
