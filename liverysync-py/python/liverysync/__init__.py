"""Keeps the custom liveries of an Assetto Corsa Competizione league the same on every driver's PC.

- `Client` is a driver's PC, `Server` the league's server, both for asyncio; `liverysync.blocking` has them for scripts.
- `liverysync.client_events` and `liverysync.server_events` are what they tell.
- `scan` says what a folder holds; `diff`, `merge`, `conflict_name` and `check_path` decide, and touch no file.

Sizes are in bytes, spans in seconds, times in seconds since 1970 UTC. Paths lie below the liveries folder and have `/`
between components. They may come from other people: `escape` them before you show them.
"""

from liverysync import blocking, client_events, server_events
from liverysync._aio import Client, EventStream, Server
from liverysync._base import Updates
from liverysync._decisions import Conflict, Diff, Policy, Refused, Scope, Union, UnionEntry, diff, merge
from liverysync._errors import (
    AlreadyStarted,
    CannotStart,
    ConnectionLost,
    FolderBusy,
    FolderError,
    InvalidPath,
    LiverySyncError,
    NotRunning,
    TimedOut,
    Unreachable,
)
from liverysync._liverysync import (
    Entry,
    Manifest,
    Skipped,
    __version__,
    check_path,
    conflict_name,
    escape,
    liveries_folder,
    scan,
)
from liverysync._reports import PeerStatus, Missing, Status, SyncReport
from liverysync.client_events import ClientEvent
from liverysync.server_events import ServerEvent

__all__ = [
    "AlreadyStarted",
    "CannotStart",
    "Client",
    "ClientEvent",
    "Conflict",
    "ConnectionLost",
    "Diff",
    "Entry",
    "EventStream",
    "FolderBusy",
    "FolderError",
    "InvalidPath",
    "LiverySyncError",
    "Manifest",
    "PeerStatus",
    "Missing",
    "NotRunning",
    "Policy",
    "Refused",
    "Scope",
    "Server",
    "ServerEvent",
    "Skipped",
    "Status",
    "SyncReport",
    "TimedOut",
    "Union",
    "UnionEntry",
    "Unreachable",
    "Updates",
    "__version__",
    "blocking",
    "check_path",
    "client_events",
    "conflict_name",
    "diff",
    "escape",
    "liveries_folder",
    "merge",
    "scan",
    "server_events",
]
