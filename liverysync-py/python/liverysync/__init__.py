"""Keeps the custom liveries of an Assetto Corsa Competizione league the same on every driver's PC.

- `scan` says what a folder holds; `diff`, `merge`, `conflict_name` and `check_path` decide, and touch no file.

Sizes are in bytes, spans in seconds, times in seconds since 1970 UTC. Paths lie below the liveries folder and have `/`
between components. They may come from other people: escape them before you show them.
"""

from liverysync._decisions import Conflict, Diff, Policy, Refused, Union, UnionEntry, diff, merge
from liverysync._errors import (
    ConnectionLost,
    FolderBusy,
    FolderError,
    InvalidPath,
    ListenError,
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
    liveries_folder,
    scan,
)

__all__ = [
    "Conflict",
    "ConnectionLost",
    "Diff",
    "Entry",
    "FolderBusy",
    "FolderError",
    "InvalidPath",
    "ListenError",
    "LiverySyncError",
    "Manifest",
    "NotRunning",
    "Policy",
    "Refused",
    "Skipped",
    "TimedOut",
    "Union",
    "UnionEntry",
    "Unreachable",
    "__version__",
    "check_path",
    "conflict_name",
    "diff",
    "liveries_folder",
    "merge",
    "scan",
]
