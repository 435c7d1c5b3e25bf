"""What a sync has come to and how a league stands."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from liverysync.client_events import Plan, decode

__all__ = ["PeerStatus", "Missing", "Status", "SyncReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a sync has come to."""

    liveries: int
    """Number of liveries that this PC shares and holds."""
    files: int
    """Number of files that this PC shares and holds."""
    bytes: int
    """Sum of their sizes."""
    received_files: int
    """Number of files that came, but for those that were copied on this PC."""
    received_bytes: int
    """Sum of their sizes."""
    sent_files: int
    """Number of times that a file left for another PC."""
    sent_bytes: int
    """Sum of their sizes."""
    conflicts: tuple[str, ...]
    """Paths of this PC's files that have a conflict name."""
    withheld: int
    """Number of files of the union that will not come as things are."""
    certain: bool
    """`False` where a server of the old kind has only been seen to be quiet."""
    seconds: float
    """How long it took."""
    plan: Plan | None = None
    """What a dry run has found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A file of the union that a client does not hold."""

    path: str
    bytes: int
    """Its size."""
    withheld: str | None
    """Why it will not come as things are; `None` if it is on its way or will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """How one client stands. Its name comes from it: escape it before you show it."""

    peer: int
    """Its number, which no later connection gets again while the server runs."""
    name: str
    """What it calls itself."""
    address: str
    """Where it connected from."""
    program: str
    """`liverysync`, `python-1.0.4` or `python-first`."""
    files: int | None
    """Number of files that it holds; `None` until it has said so."""
    bytes: int | None
    """Sum of their sizes; `None` until it has said so."""
    missing: tuple[Missing, ...]
    """Files of the union that it does not hold."""

    @property
    def in_sync(self) -> bool:
        """Whether it holds all that it can get."""
        return self.files is not None and all(file.withheld is not None for file in self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a league stands."""

    files: int
    """Number of files in the union."""
    bytes: int
    """Sum of their sizes."""
    union_hash: str | None
    """Hash of the union, 64 hex digits; `None` while it is empty. Two servers with the same files have the same."""
    conflicts: tuple[str, ...]
    """Paths in the union that are conflict names."""
    sessions: int
    """Number of sessions that are under way."""
    peers: tuple[PeerStatus, ...]
    """Who is there, in the order in which they connected."""


def _known(cls: type[Any], values: dict[str, Any], **made: Any) -> Any:
    """Makes an object of the fields that its class knows: a later version may send more."""
    return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values} | made)


def report(reported: tuple[str, str | None]) -> SyncReport:
    """Reads what the native half says of a sync."""
    text, plan = reported
    values = json.loads(text)
    made: SyncReport = _known(
        SyncReport, values, conflicts=tuple(values["conflicts"]), plan=None if plan is None else decode(plan)
    )
    return made


def status(text: str) -> Status:
    """Reads what the native half says of a league."""
    values = json.loads(text)
    peers = (
        _known(PeerStatus, peer, missing=tuple(_known(Missing, file) for file in peer["missing"]))
        for peer in values["peers"]
    )
    made: Status = _known(Status, values, conflicts=tuple(values["conflicts"]), peers=tuple(peers))
    return made
