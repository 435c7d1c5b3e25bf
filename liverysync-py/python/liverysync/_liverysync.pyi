"""The native half of `liverysync`. Its names that are not offered by `liverysync` itself are private."""

import os
from asyncio import Future
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

__all__ = [
    "Client",
    "Entry",
    "Events",
    "Manifest",
    "POLICIES",
    "SCOPES",
    "UPDATES",
    "Server",
    "Skipped",
    "__version__",
    "check_path",
    "conflict_name",
    "diff",
    "escape",
    "liveries_folder",
    "merge",
    "running_count",
    "scan",
    "shut_down",
]

__version__: Final[str]
"""Version of the package."""

POLICIES: Final[list[str]]
SCOPES: Final[list[str]]
UPDATES: Final[list[str]]

@final
class Entry:
    """One file: where it lies below the liveries folder and what it holds. It does not change, and can be pickled."""

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

        `path` lies below the liveries folder and has `/` between components; `bytes` is its size; `sha256` has 64 hex
        digits; `mtime` is in seconds since 1970 UTC. `extensions` are the types that may be shared (default: png,
        json, dds, jpg, jpeg, txt).

        Raises `InvalidPath` where the path could not be shared, `ValueError` for a wrong hash or time.
        """

    @property
    def path(self) -> str:
        """Path below the liveries folder, with `/` between components."""

    @property
    def bytes(self) -> int:
        """Size in bytes."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, 64 hex digits."""

    @property
    def mtime(self) -> float | None:
        """Time of the last change in seconds since 1970 UTC; `None` where it is not known."""

    def __getnewargs_ex__(self) -> tuple[tuple[str, int, str, float | None], dict[str, list[str]]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Skipped:
    """Something in a folder that is not shared, and why. It does not change."""

    __match_args__: Final = ("path", "kind", "reason")

    def __new__(cls, path: str, kind: str, reason: str) -> Skipped: ...
    @property
    def path(self) -> str:
        """Its path as it stands on the disk. Escape it before you show it."""

    @property
    def kind(self) -> str:
        """`name`, `extension`, `cache`, `placeholder`, `collision`, `link`, `cloud`, `unreadable`, `too_many`,
        `too_large` or `other`: see "Skipped files" in docs/json.md. New ones may come."""

    @property
    def reason(self) -> str:
        """Why, for people."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Manifest:
    """Which files a PC holds, ordered by path without regard to case. It does not change.

    `len()` is the number of files, iteration gives each `Entry`, and two manifests are equal when they have the same
    paths with the same contents; times and what was skipped do not count.
    """

    def __new__(cls, entries: Iterable[Entry] | None = None) -> Manifest:
        """Makes a manifest by hand.

        Raises `InvalidPath` for two entries that cannot lie in one folder: the same file for Windows, or a file and a
        folder of one name.
        """

    @property
    def hash(self) -> str:
        """SHA-256 over paths, sizes and contents, 64 hex digits: the manifest hash of protocol 1."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All files."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What a scan left out, with reasons. Empty for a manifest that was made by hand."""

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
    """Walks a folder and hashes what of it is shared, on all cores. Nothing is written, no link is followed.

    `liveries` is the folder (default: the game's). `extensions` are the types that are shared (default: png, json,
    dds, jpg, jpeg, txt); `derived_dds` shares the game's own cache files too; `max_entries` is the largest number of
    files (default 50,000); `max_file_size` is in bytes (default 1 TiB).

    It blocks, with the GIL released. In asyncio: `await asyncio.to_thread(liverysync.scan, "Liveries")`.

    Raises `FolderError` where the folder is not there or cannot be listed. A single file that cannot be read is in
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
    """Returns the conflict name of the content `sha256` at `path`: `T/decals.png` becomes `T/decals__CONFLICT__ba7816bf.png`.

    Where that name is in `taken` (in any case), it gets `_1`, `_2` and so on; a `Manifest` takes its
    names but where it has this very content there. A conflict name is never named again:
    what follows its stem is replaced. `suffix` and `extensions` as for `merge`.

    Raises `InvalidPath` where `path` could not be shared or there is no room for a name.
    """

def check_path(path: str, extensions: Iterable[str] | None = None) -> None:
    """Checks a path against the path rule: it may be shared, on any PC of the league.

    `extensions` are the types that may be shared (default: png, json, dds, jpg, jpeg, txt).

    Raises `InvalidPath` with the reason.
    """

def escape(text: str, /) -> str:
    """Makes text that came from other people safe to show: what acts on a terminal, or hides, becomes `\\u{..}`.

    Names of drivers, paths and reasons may hold such characters.
    """

def liveries_folder() -> Path:
    """Finds the game's liveries folder on this PC, on Linux also where Proton keeps it.

    Raises `FolderError`, which names the places that were looked at.
    """

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

@final
class Events:
    """Reads events: wait until there is one, then take it. So none is lost when a wait is cancelled."""

    def ready_async(self) -> Future[bool]: ...
    def ready(self, seconds: float | None) -> bool: ...
    def take(self) -> str | None: ...

@final
class Client:
    """A client, for `liverysync.Client` and `liverysync.blocking.Client`."""

    def __new__(cls, options: Mapping[str, Any]) -> Client: ...
    def start(self) -> None: ...
    def start_async(self) -> Future[None]: ...
    def stop(self) -> None: ...
    def stop_async(self) -> Future[None]: ...
    def sync(self, timeout: float | None) -> tuple[str, str | None]: ...
    def sync_async(self, timeout: float | None) -> Future[tuple[str, str | None]]: ...
    def set_limits(self, limit_up: int | None, limit_down: int | None) -> None: ...
    def events(self) -> Events: ...

@final
class Server:
    """A server, for `liverysync.Server` and `liverysync.blocking.Server`."""

    def __new__(cls, options: Mapping[str, Any]) -> Server: ...
    def start(self) -> None: ...
    def start_async(self) -> Future[None]: ...
    def stop(self) -> None: ...
    def stop_async(self) -> Future[None]: ...
    @property
    def address(self) -> tuple[str, int] | None: ...
    def status(self) -> str: ...
    def set_limits(self, limit_up: int | None, limit_down: int | None) -> None: ...
    def events(self) -> Events: ...
