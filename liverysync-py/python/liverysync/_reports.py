"""The report of a sync, and the status of a league."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from liverysync.client_events import Outstanding, Plan, decode

__all__ = ["Acted", "Missing", "PeerStatus", "Status", "SyncReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """The result of a sync."""

    liveries: int
    """Number of liveries that this PC has and shares."""
    files: int
    """Number of their files."""
    bytes: int
    """Sum of their sizes."""
    received_files: int
    """Number of downloaded files. Files that were copied on this PC do not count."""
    received_bytes: int
    """Sum of their sizes."""
    sent_files: int
    """Number of uploads. A file that several PCs needed may count several times."""
    sent_bytes: int
    """Sum of their sizes."""
    conflicts: tuple[str, ...]
    """Paths of this PC's files that have a conflict name."""
    withheld: int
    """Number of files of the union that this PC will not get as things are."""
    outstanding: tuple[Outstanding, ...]
    """The part of that which somebody has to do something about. Empty: this PC is in sync in every way."""
    certain: bool
    """`False` for an old server, which can only be seen to be quiet."""
    seconds: float
    """Duration of the sync."""
    plan: Plan | None = None
    """The plan of a dry run."""


@dataclass(frozen=True, slots=True)
class Acted:
    """The extent of a change of a driver's own liveries."""

    placed: int
    """Number of files that have another name."""
    retired: int
    """Number of files that no PC keeps under their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A file of the union that a client does not have."""

    path: str
    bytes: int
    """Its size."""
    withheld: str | None
    """The reason why the client will not get it as things are; `None` if it is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """One connected client. Its name comes from other people: escape it before you show it."""

    peer: int
    """Its number, which no later connection gets again while the server runs."""
    name: str
    """The driver's name."""
    address: str
    """The address that it connected from."""
    program: str
    """`liverysync`, `python-1.0.4` or `python-first`."""
    only: str | None
    """`source` if it only sends, `target` if it only receives, otherwise `None`."""
    files: int | None
    """Number of its files; `None` until it has reported them."""
    bytes: int | None
    """Sum of their sizes; `None` until it has reported them."""
    missing: tuple[Missing, ...]
    """Files of the union that it does not have; none if it only sends."""

    @property
    def in_sync(self) -> bool:
        """`True` if it has everything that it can get."""
        return self.files is not None and all(file.withheld is not None for file in self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a league."""

    files: int
    """Number of files in the union."""
    bytes: int
    """Sum of their sizes."""
    union_hash: str | None
    """Hash of the union, 64 hex digits; `None` while it is empty. Two servers with the same files have the same."""
    conflicts: tuple[str, ...]
    """Paths in the union that are conflict names."""
    sessions: int
    """Number of sessions under way."""
    peers: tuple[PeerStatus, ...]
    """The connected clients, in the order in which they connected."""


def _known(cls: type[Any], values: dict[str, Any], **made: Any) -> Any:
    """Makes an object from the fields that its class knows: a later version may send more."""
    return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values} | made)


def report(reported: tuple[str, str | None]) -> SyncReport:
    """Makes a report from the JSON of the native half."""
    text, plan = reported
    values = json.loads(text)
    made: SyncReport = _known(
        SyncReport,
        values,
        conflicts=tuple(values["conflicts"]),
        outstanding=tuple(_known(Outstanding, item) for item in values["outstanding"]),
        plan=None if plan is None else decode(plan),
    )
    return made


def status(text: str) -> Status:
    """Makes a status from the JSON of the native half."""
    values = json.loads(text)
    peers = (
        _known(PeerStatus, peer, missing=tuple(_known(Missing, file) for file in peer["missing"]))
        for peer in values["peers"]
    )
    made: Status = _known(Status, values, conflicts=tuple(values["conflicts"]), peers=tuple(peers))
    return made
