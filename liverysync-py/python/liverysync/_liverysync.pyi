"""The native half of `liverysync`. Names that `liverysync` itself does not export are private."""

import os
from asyncio import Future
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

__all__ = [
    "BLOCK_OPEN",
    "Client",
    "Entry",
    "Events",
    "Manifest",
    "POLICIES",
    "RunningClient",
    "RunningServer",
    "SCOPES",
    "Server",
    "Skipped",
    "UPDATES",
    "__version__",
    "check_path",
    "conflict_name",
    "diff",
    "escape",
    "lint",
    "liveries_folder",
    "merge",
    "running_count",
    "scan",
    "shut_down",
    "texts",
]

__version__: Final[str]
"""Version of the package."""

BLOCK_OPEN: Final[str]
"""Text of the error for a block that is entered twice."""

POLICIES: Final[list[str]]
SCOPES: Final[list[str]]
UPDATES: Final[list[str]]

@final
class Entry:
    """One file: its path and its content. It is immutable, and can be pickled."""

    __match_args__: Final = ("path", "bytes", "sha256", "mtime")

    def __new__(
        cls,
        path: str,
        bytes: int,
        sha256: str,
        mtime: float | None = None,
        *,
        extensions: Iterable[str] | None = None,
    ) -> Entry:
        """Makes an entry by hand.

        `path` is relative to the liveries folder and has `/` between components; `bytes` is the size; `sha256` has 64
        hex digits; `mtime` is in seconds since 1970 UTC. `extensions` are the file types that may be shared (default:
        png, json, dds, jpg, jpeg, txt).

        Raises `InvalidPath` if the path cannot be shared, and `ValueError` for a wrong hash or time.
        """

    @property
    def path(self) -> str:
        """Path relative to the liveries folder, with `/` between components."""

    @property
    def bytes(self) -> int:
        """Size in bytes."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, 64 hex digits."""

    @property
    def mtime(self) -> float | None:
        """Time of the last change in seconds since 1970 UTC; `None` if unknown."""

    def __getnewargs_ex__(self) -> tuple[tuple[str, int, str, float | None], dict[str, list[str]]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Skipped:
    """A file in a folder that is not shared, with the reason. It is immutable."""

    __match_args__: Final = ("path", "kind", "reason")

    def __new__(cls, path: str, kind: str, reason: str) -> Skipped: ...
    @property
    def path(self) -> str:
        """Its path as the disk has it. Escape it before you show it."""

    @property
    def kind(self) -> str:
        """`name`, `extension`, `cache`, `placeholder`, `macos`, `collision`, `link`, `cloud`, `unreadable`, `too_many`,
        `too_large`, `damaged` or `other`: see "Skipped files" in docs/json.md. New ones may be added."""

    @property
    def reason(self) -> str:
        """The reason, for people."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Manifest:
    """The list of files that a PC shares, ordered by path regardless of case. It is immutable.

    `len()` is the number of files, and iteration yields each `Entry`. Two manifests are equal if they have the same
    paths with the same contents. Times and skipped files do not count.
    """

    def __new__(cls, entries: Iterable[Entry] | None = None) -> Manifest:
        """Makes a manifest by hand.

        Raises `InvalidPath` for two entries that do not fit into one folder: Windows takes them for the same file, or one
        is a file and the other a folder of the same name.
        """

    @property
    def hash(self) -> str:
        """SHA-256 over paths, sizes and contents, 64 hex digits: the manifest hash of protocol 1."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All files."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that a scan skipped. Empty for a manifest that was made by hand."""

    @property
    def total_bytes(self) -> int:
        """Sum of the sizes, in bytes."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Entry]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def scan(
    liveries: str | os.PathLike[str] | None = None,
    *,
    extensions: Iterable[str] | None = None,
    derived_dds: bool = False,
    max_entries: int | None = None,
    max_file_size: int | None = None,
) -> Manifest:
    """Reads a folder and hashes the files that are shared, on all cores. It writes nothing and follows no link.

    `liveries` is the folder (default: the game's). `extensions` are the file types to share (default: png, json, dds,
    jpg, jpeg, txt). `derived_dds` shares the game's cache files too. `max_entries` is the maximum number of files (default
    50,000), `max_file_size` the largest file in bytes (default 256 MiB).

    It blocks, with the GIL released. In asyncio: `await asyncio.to_thread(liverysync.scan, "Liveries")`.

    Raises `FolderError` if the folder does not exist or cannot be listed. A single file that cannot be read is in
    `Manifest.skipped`.
    """

def conflict_name(
    path: str,
    sha256: str,
    taken: Iterable[str] | Manifest | None = None,
    *,
    suffix: str | None = None,
    extensions: Iterable[str] | None = None,
) -> str:
    """Returns the conflict name of a content: `T/decals.png` becomes `T/decals__CONFLICT__ba7816bf.png`.

    If `taken` has that name (in any case), `_1`, `_2` and so on is appended. `taken` is a list of paths, or a `Manifest`,
    in which an entry with the same content does not count as taken. The conflict name of a conflict name has the digits
    replaced. `suffix` and `extensions` are as in `merge`.

    Raises `InvalidPath` if `path` cannot be shared, or leaves no room for the suffix.
    """

def check_path(path: str, extensions: Iterable[str] | None = None) -> None:
    """Checks that a path can be shared on every PC of a league.

    `extensions` are the file types that may be shared (default: png, json, dds, jpg, jpeg, txt).

    Raises `InvalidPath`, which has the reason.
    """

def escape(text: str, /) -> str:
    """Makes text from other people safe to show. Characters that control a terminal, or are invisible, become `\\u{..}`.

    Names of drivers, paths and reasons may contain such characters.
    """

def liveries_folder() -> Path:
    """Finds the game's liveries folder on this PC. On Linux, it looks where Proton keeps it too.

    It may not exist yet where the game is new: a client makes it when it starts.

    Raises `FolderError`, which lists the places where it was not.
    """

def lint(
    liveries: str | os.PathLike[str] | None,
    rules: str | os.PathLike[str] | None,
    extensions: Iterable[str] | None,
    derived_dds: bool,
    max_entries: int | None,
    max_file_size: int | None,
) -> list[tuple[str, str, str | None, str, str]]: ...

_Placed = tuple[int, str, str]

def diff(
    have: Manifest, want: Manifest
) -> tuple[list[Entry], list[tuple[Entry, Entry]], list[Entry]]: ...
def merge(
    manifests: Iterable[Manifest],
    policy: str,
    scope: str,
    suffix: str | None,
    extensions: Iterable[str] | None,
) -> tuple[
    list[tuple[str, int, str, float | None, list[tuple[int, str]]]],
    list[_Placed],
    list[_Placed],
    Manifest,
    str,
]: ...
def running_count() -> int: ...
def shut_down() -> None: ...
def texts() -> list[str]: ...

@final
class Events:
    """Reads events: wait until there is one, then take it. So a cancelled wait loses none."""

    def ready_async(self) -> Future[bool]: ...
    def ready(self, seconds: float | None) -> bool: ...
    def take(self) -> str | None: ...

@final
class Client:
    """The configuration of a client, for `liverysync.Client` and `liverysync.blocking.Client`."""

    def __new__(cls, options: Mapping[str, Any]) -> Client: ...
    def start(self) -> tuple[RunningClient, Events]: ...
    def start_async(self) -> Future[tuple[RunningClient, Events]]: ...
    def act(self, command: str, names: list[str], dry_run: bool) -> tuple[int, int]: ...
    def act_async(self, command: str, names: list[str], dry_run: bool) -> Future[tuple[int, int]]: ...

@final
class RunningClient:
    """A running client, for `liverysync.RunningClient` and `liverysync.blocking.RunningClient`."""

    def stop(self) -> None: ...
    def stop_async(self) -> Future[None]: ...
    def sync(self, timeout: float | None) -> tuple[str, str | None]: ...
    def sync_async(self, timeout: float | None) -> Future[tuple[str, str | None]]: ...
    def set_limits(self, limit_up: int | None, limit_down: int | None) -> None: ...
    def events(self) -> Events: ...

@final
class Server:
    """The configuration of a server, for `liverysync.Server` and `liverysync.blocking.Server`."""

    def __new__(cls, options: Mapping[str, Any]) -> Server: ...
    def start(self) -> tuple[RunningServer, Events]: ...
    def start_async(self) -> Future[tuple[RunningServer, Events]]: ...

@final
class RunningServer:
    """A running server, for `liverysync.RunningServer` and `liverysync.blocking.RunningServer`."""

    def stop(self) -> None: ...
    def stop_async(self) -> Future[None]: ...
    @property
    def address(self) -> tuple[str, int]: ...
    def status(self) -> str: ...
    def set_limits(self, limit_up: int | None, limit_down: int | None) -> None: ...
    def events(self) -> Events: ...
