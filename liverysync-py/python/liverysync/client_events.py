"""The events of a client: one class for each row of the table "Client" in docs/json.md, under the same names.

Texts may come from other people: escape them before you show them. New events and new fields may be added; an event without
a class here is an `UnknownEvent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from liverysync._events import UnknownEvent, decoder

__all__ = [
    "ClientEvent",
    "Conflict",
    "Connected",
    "Disconnected",
    "FileSent",
    "Finding",
    "FolderUnreadable",
    "GlobsUnmatched",
    "Held",
    "IgnoreListFault",
    "InSync",
    "Installed",
    "LiveryReturns",
    "Missed",
    "Plan",
    "PlannedConflict",
    "PlannedFile",
    "PlannedHold",
    "PlannedRefusal",
    "ReceiveFailed",
    "Received",
    "Receiving",
    "Refused",
    "RetireFailed",
    "Retired",
    "OpenConflict",
    "Outstanding",
    "OwnerNews",
    "Scanned",
    "SendFailed",
    "Sent",
    "ServerError",
    "SessionBegan",
    "SessionEnded",
    "ShareNeeded",
    "Skipped",
    "SyncStatus",
    "SyncBegan",
    "UnknownEvent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The client is connected."""

    server: Literal["liverysync", "protocol-1"]
    """`protocol-1` is an old server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The connection is lost, or an attempt to connect has failed."""

    reason: str
    retry_in_seconds: float
    """Time until the next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderUnreadable:
    """The liveries folder cannot be read."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreListFault:
    """The list of ignored liveries cannot be read any more. The last one stays in force. It is reported once."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareNeeded:
    """This PC has more than 10 liveries that the league does not have, and its driver has not chosen what to share. None of
    them is shared until they choose."""

    liveries: int
    files: int
    bytes: int
    names: tuple[str, ...]
    """The names of the liveries, at most the first 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobsUnmatched:
    """Globs of a list match no livery. It is reported once for each list."""

    list: Literal["ignore", "share"] | str
    globs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveryReturns:
    """A livery that was deleted on this PC is downloaded again, because the league still has it."""

    livery: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Other drivers do not get a livery as it is on this PC for now."""

    livery: str
    cause: (
        Literal[
            "approval",
            "freeze",
            "rejected",
            "blocked",
            "damaged",
            "member-liveries",
            "member-bytes",
            "livery-bytes",
            "lint",
        ]
        | str
    )
    until: str | None
    """The date at which a freeze ends by itself, in the form of RFC 3339; `None` if an admin ends it."""
    limit: int | None
    """The limit that would be exceeded: a number of liveries or bytes."""
    finding: str | None
    """The first rule of the league that it breaks, with the fix, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The league cannot take a file of this PC. It is reported once for each reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerNews:
    """Somebody did something to a livery that this PC's driver owns, or its owner has changed."""

    livery: str
    news: Literal["conflict", "changed", "owned", "disowned"] | str
    by: str | None
    """The name of the driver who did it, if it is known. An admin has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """The folder was read for the first time, or shares other files than before."""

    liveries: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file in the folder is not shared. It is reported once."""

    path: str
    """Its path as the disk has it."""
    kind: str
    """The same as `liverysync.Skipped.kind`."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something is probably wrong with a livery that this PC brings. It is reported once."""

    kind: str
    """One of the words below "Findings" in docs/json.md. New ones may be added."""
    livery: str
    path: str | None
    """The file; None if it is about all of the livery."""
    reason: str
    fix: str
    """The fix, in plain words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBegan:
    """A session has begun."""

    sync_id: str
    role: Literal["source", "target"]
    """This PC's part in it."""
    files: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """A file begins to arrive."""

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
    """A piece has been sent. Left out when the reader is slow."""

    sync_id: str
    bytes: int
    """Size of the piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSent:
    """A whole file has been sent."""

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
    """The backup of the file that it replaced; relative to the liveries folder."""
    copied: bool
    """`True` if it was copied on this PC and not downloaded."""
    kept_as: str | None
    """The conflict name under which the file that it replaced is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A file of this PC is in conflict and lost its name. It is kept under a conflict name."""

    path: str
    """The name that it lost."""
    conflict_path: str
    """Its conflict name."""
    keeper: str | None
    """The name of the driver whose file keeps the name; `None` if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A retired file was moved to the backup folder."""

    path: str
    backup: str
    """Its path there, relative to the liveries folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireFailed:
    """A retired file is still here."""

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
    """A file did not arrive or could not be installed. The file that was there before is unchanged."""

    sync_id: str
    path: str
    reason: str
    declined: bool
    """`True` if it is refused for good."""


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
    """A `sync` has begun. Later events are about the files that the folder has now."""

    connected: bool
    """`True` if the client is connected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """The distance of this PC from being in sync."""

    missing: int
    """Files that are still to come."""
    missing_bytes: int
    needed_by_others: int
    """Files that others still need from this PC."""
    withheld: int
    """Files of the union that this PC will not get as things are."""


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Something that this PC lacks although it is in sync, because somebody has to do something about it first."""

    kind: str
    """`not_installable`: a file that this PC cannot install as things are. `refused`: a file that the league cannot take. `damaged`: a damaged file of this
    PC, of which the league has an intact version. `held`: a livery that other drivers do not get as it is here.
    `share_needed`: a livery that the league does not have, while the driver has not chosen what to share. More kinds may
    follow."""
    path: str = ""
    """The file, as the league spells it."""
    reason: str = ""
    """The reason, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InSync:
    """This PC has the union, and nobody needs a file from it."""

    liveries: int
    files: int
    bytes: int
    conflicts: tuple[str, ...]
    """Paths of this PC's files that have a conflict name."""
    withheld: int
    """Files of the union that this PC will not get as things are."""
    outstanding: tuple[Outstanding, ...] = field(metadata={"of": Outstanding})
    """The part of that which somebody has to do something about."""
    certain: bool
    """`False` for an old server, which can only be seen to be quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """The reader was so slow that it missed events here."""

    events: int
    """Number of missed events."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that would be downloaded, uploaded or retired."""

    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PlannedConflict:
    """A file that would be replaced."""

    path: str
    kept_as: str
    """The conflict name under which this PC's own would be kept."""


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
    other: str | None
    """The name of the other driver; `None` if unknown."""


@dataclass(frozen=True, slots=True)
class PlannedHold:
    """A livery that a driver has changed and the others do not get yet."""

    livery: str
    name: str | None
    """The driver's name; `None` if unknown."""
    yours: bool
    """Set if it is this PC's driver."""
    since: str | None
    """The date from which it is held, in the form of RFC 3339; `None` if unknown."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The result of a dry run."""

    liveries: int
    """Number of liveries that this PC has and shares."""
    files: int
    """Number of their files."""
    bytes: int
    """Sum of their sizes."""
    receive: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    conflicts: tuple[PlannedConflict, ...] = field(metadata={"of": PlannedConflict})
    send: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    refuse: tuple[PlannedRefusal, ...] = field(metadata={"of": PlannedRefusal})
    outstanding: tuple[Outstanding, ...] = field(metadata={"of": Outstanding})
    """Files that this PC cannot install as things are."""
    failed: tuple[PlannedRefusal, ...] = field(metadata={"of": PlannedRefusal})
    """Files of `receive` that could not be installed so far."""
    retire: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    """Retired files that would be moved to the backup folder."""
    unavailable: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    """Files that this PC is missing and nobody can send at present."""
    undistributed: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    """Files of this PC whose livery is not on the league's allow list."""
    unshared: tuple[PlannedFile, ...] = field(metadata={"of": PlannedFile})
    """Files that this PC does not share."""
    only: Literal["source", "target"] | None
    """The only role that this PC takes, if any: a source only sends, a target only receives."""
    open_conflicts: tuple[OpenConflict, ...] = field(metadata={"of": OpenConflict})
    held: tuple[PlannedHold, ...] = field(metadata={"of": PlannedHold})
    """Liveries of the league that a driver has changed and the others do not get yet."""
    damaged: tuple[PlannedRefusal, ...] = field(metadata={"of": PlannedRefusal})
    """Damaged files of the league, with the damage."""


_Known: TypeAlias = (
    Conflict
    | Connected
    | Disconnected
    | FileSent
    | Finding
    | FolderUnreadable
    | GlobsUnmatched
    | Held
    | IgnoreListFault
    | InSync
    | Installed
    | LiveryReturns
    | Missed
    | OwnerNews
    | Plan
    | ReceiveFailed
    | Received
    | Receiving
    | Refused
    | RetireFailed
    | Retired
    | Scanned
    | SendFailed
    | Sent
    | ServerError
    | SessionBegan
    | SessionEnded
    | ShareNeeded
    | Skipped
    | SyncStatus
    | SyncBegan
)

ClientEvent: TypeAlias = _Known | UnknownEvent
"""Any event of a client."""

decode: Callable[[str], ClientEvent] = decoder(get_args(_Known))
