"""The errors of this package. Rust raises them too."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "ActRefused",
    "CannotStart",
    "ConnectionLost",
    "FolderBusy",
    "FolderError",
    "InvalidPath",
    "LiverySyncError",
    "Stopped",
    "TimedOut",
    "Unreachable",
]


class LiverySyncError(Exception):
    """The base class of all errors of this package. Wrong arguments are a plain `ValueError` or `TypeError`."""


class InvalidPath(LiverySyncError, ValueError):
    """A path that cannot be shared."""

    path: str
    """The path as it was given. It may come from other people: escape it before you show it."""
    reason: str
    """The reason, for people. It is safe to show."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path!r} is refused: {self.reason}"


class TimedOut(LiverySyncError, TimeoutError):
    """The time is up. The client keeps running."""


class Unreachable(LiverySyncError, ConnectionError):
    """There is no connection to the server. The client keeps trying."""


class ConnectionLost(LiverySyncError, ConnectionError):
    """The connection to the server breaks again and again. The client keeps reconnecting."""


class Stopped(LiverySyncError, RuntimeError):
    """A client or server is used after its `with` block. It runs only inside."""


class ActRefused(LiverySyncError, PermissionError):
    """The server refuses to change a livery: it is not the driver's, does not exist, or the name is taken. Nothing changed."""


class FolderError(LiverySyncError, OSError):
    """A liveries folder that does not exist or cannot be used.

    `errno` is the system's number if it is known, and `ENOENT` for a folder that does not exist. `filename` is the folder.
    """

    @property
    def path(self) -> Path | None:
        """The folder; `None` if none was found."""
        return None if self.filename is None else Path(self.filename)

    @property
    def reason(self) -> str:
        """The reason, for people."""
        return str(self.strerror)

    def __str__(self) -> str:
        return self.reason if self.filename is None else f"the folder {self.filename} cannot be used: {self.reason}"


class FolderBusy(FolderError):
    """Another client on this PC already syncs the folder. `errno` is `EBUSY`."""


class CannotStart(LiverySyncError, OSError):
    """The system does not let a client or server start. For example, the port is in use.

    `errno` is the system's number; `None` if it has none, as for an unknown host.
    """
