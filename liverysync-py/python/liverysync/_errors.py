"""What can go wrong. Rust raises these too."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "AlreadyStarted",
    "CannotStart",
    "ConnectionLost",
    "FolderBusy",
    "FolderError",
    "InvalidPath",
    "LiverySyncError",
    "NotRunning",
    "TimedOut",
    "Unreachable",
]


class LiverySyncError(Exception):
    """Every error of this package. Wrong arguments are a plain `ValueError` or `TypeError`."""


class InvalidPath(LiverySyncError, ValueError):
    """A path that cannot be shared."""

    path: str
    """The path as it was given. It may come from other people: escape it before you show it."""
    reason: str
    """What is wrong with it, for people; safe to show."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path!r} is refused: {self.reason}"


class TimedOut(LiverySyncError, TimeoutError):
    """It was not done in the time that was given. The client goes on."""


class Unreachable(LiverySyncError, ConnectionError):
    """There is no connection to the server. A client that runs goes on trying."""


class ConnectionLost(LiverySyncError, ConnectionError):
    """The connection to the server broke while it was needed. A client that runs connects again."""


class NotRunning(LiverySyncError, RuntimeError):
    """It has not been started, or it has been stopped."""


class AlreadyStarted(LiverySyncError, RuntimeError):
    """It was started before. A client or server runs once: make a new one."""


class FolderError(LiverySyncError, OSError):
    """A liveries folder that cannot be found or used. It is made as any `OSError`: number, reason, folder.

    `errno` is the system's number where it is known, `ENOENT` for a folder that is not there; `filename` is the folder.
    """

    @property
    def path(self) -> Path | None:
        """The folder; `None` where none was found."""
        return None if self.filename is None else Path(self.filename)

    @property
    def reason(self) -> str:
        """What is wrong with it, for people."""
        return str(self.strerror)

    def __str__(self) -> str:
        return self.reason if self.filename is None else f"the folder {self.filename} cannot be used: {self.reason}"


class FolderBusy(FolderError):
    """Another client on this PC already syncs the folder. `errno` is `EBUSY`."""


class CannotStart(LiverySyncError, OSError):
    """A client or server cannot start, because the system does not let it: the port is in use, say.

    `errno` says why; it is `None` where the system has no number for it, as for a host that is not known.
    """
