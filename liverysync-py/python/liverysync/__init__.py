"""Keeps the custom liveries of an Assetto Corsa Competizione league in sync on every driver's PC.

- `Client` configures a driver's client, `Server` a league's server. `async with` runs them. `liverysync.blocking` has
  both for scripts.
- `liverysync.client_events` and `liverysync.server_events` have their events.
- `scan` reads a folder, and `lint` finds what is wrong with its liveries. `diff`, `merge`, `conflict_name` and `check_path` decide, and touch no file.

Sizes are in bytes, durations in seconds, times in seconds since 1970 UTC. Paths are relative to the liveries folder and
have `/` between components. They may come from other people: `escape` them before you show them.
"""

from liverysync import blocking, client_events, server_events
from liverysync._aio import Client, EventStream, RunningClient, RunningServer, Server
from liverysync._base import Updates
from liverysync._decisions import Conflict, Diff, Policy, Refused, Scope, Union, UnionEntry, diff, lint, merge
from liverysync._errors import (
    ActRefused,
    CannotStart,
    ConnectionLost,
    FolderBusy,
    FolderError,
    InvalidPath,
    LiverySyncError,
    Stopped,
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
from liverysync._reports import Acted, Missing, PeerStatus, Status, SyncReport
from liverysync.client_events import ClientEvent
from liverysync.server_events import ServerEvent

__all__ = [
    "ActRefused",
    "Acted",
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
    "Missing",
    "PeerStatus",
    "Policy",
    "Refused",
    "RunningClient",
    "RunningServer",
    "Scope",
    "Server",
    "ServerEvent",
    "Skipped",
    "Status",
    "Stopped",
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
    "lint",
    "liveries_folder",
    "merge",
    "scan",
    "server_events",
]
