"""What the asyncio and the blocking classes have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

from liverysync import _liverysync as native
from liverysync._decisions import Policy, Scope
from liverysync._errors import NotRunning
from liverysync._reports import Status, status

_Path = str | os.PathLike[str]

Updates = Literal["anyone", "owner"]
"""Who may change a livery that is established.

- `anyone`: anyone who edits what they had in sync.
- `owner`: of these only its owners; what others make of it, or add to it, is a conflict copy. This needs `data`.
"""


class ClientBase:
    """A driver's client. Making one starts nothing and connects to nothing; it runs once, from `start` to `stop`."""

    __slots__ = ("_native", "host", "port")

    host: str
    """Host name or address of the server."""
    port: int
    """TCP port of the server."""

    def __init__(
        self,
        host: str,
        port: int = 9239,
        *,
        name: str | None = None,
        liveries: _Path | None = None,
        state: _Path | None = None,
        extensions: Iterable[str] | None = None,
        derived_dds: bool = False,
        placeholders: bool = False,
        steam_id: str | None = None,
        conflict_suffix: str | None = None,
        dry_run: bool = False,
        max_entries: int | None = None,
        max_file_size: int | None = None,
        rescan_seconds: float | None = None,
        settle_seconds: float | None = None,
        retry_first_seconds: float | None = None,
        retry_max_seconds: float | None = None,
        silence_timeout_seconds: float | None = None,
        stall_timeout_seconds: float | None = None,
        limit_up: int | None = None,
        limit_down: int | None = None,
    ) -> None:
        """Makes a client.

        Args:
            host: host name or address of the server.
            port: TCP port of the server.
            name: what others call this PC, 1 to 64 characters (default: the host name).
            liveries: the liveries folder (default: the game's; it is looked for at once).
            state: a folder in which it is kept what the files hold, so that the next start reads only those that have
                changed, and the key by which the league knows this client again (default: nothing is kept, and the
                client is nobody in particular, who owns no livery).
            extensions: types of the files that are shared (default: png, json, dds, jpg, jpeg, txt).
            derived_dds: share the game's own cache files too.
            placeholders: share what the game leaves of a livery that this PC does not have, too.
            steam_id: a label that the server shows, never a credential (default: the account that Steam names, or
                `UNKNOWN`).
            conflict_suffix: what stands between the name and the digits of a conflict copy, where a server of the old
                kind does not say (default `__CONFLICT__`).
            dry_run: find out what would happen, and change nothing: see `SyncReport.plan`.
            max_entries: most files that this PC may share (default 50,000).
            max_file_size: largest file in bytes (default 1 TiB).
            rescan_seconds: how often the folder is looked through even if nothing seems to have changed (default 60).
            settle_seconds: how long a file must have kept still before it is shared (default 0.3). The rest of its
                livery waits for it, for at most 10 s.
            retry_first_seconds: first wait before connecting again; it doubles each time (default 1).
            retry_max_seconds: longest wait before connecting again (default 30).
            silence_timeout_seconds: how long the server may be silent (default 90).
            stall_timeout_seconds: how long to wait for a file from a server of protocol 1 (default 60).
            limit_up: how fast files may leave, in bytes per second (default: no limit); less than 50,000 counts as
                50,000. `set_limits` changes it later.
            limit_down: how fast files may come in, likewise.

        Raises:
            FolderError: no folder was given, and the game's was not found.
            ValueError: an argument makes no sense. 0 never means unlimited.
        """
        self.host = host
        self.port = port
        self._native = native.Client(
            {
                "host": host,
                "port": port,
                "name": name,
                "liveries": liveries,
                "state": state,
                "extensions": extensions,
                "derived_dds": derived_dds,
                "placeholders": placeholders,
                "steam_id": steam_id,
                "conflict_suffix": conflict_suffix,
                "dry_run": dry_run,
                "max_entries": max_entries,
                "max_file_size": max_file_size,
                "rescan_seconds": rescan_seconds,
                "settle_seconds": settle_seconds,
                "retry_first_seconds": retry_first_seconds,
                "retry_max_seconds": retry_max_seconds,
                "silence_timeout_seconds": silence_timeout_seconds,
                "stall_timeout_seconds": stall_timeout_seconds,
                "limit_up": limit_up,
                "limit_down": limit_down,
            }
        )

    def set_limits(self, *, limit_up: int | None = None, limit_down: int | None = None) -> None:
        """Changes how fast files may leave and come in, in bytes per second, from now on; `None` is no limit.

        Raises `ValueError` for 0, which does not mean unlimited. Less than 50,000 counts as 50,000.
        """
        self._native.set_limits(limit_up, limit_down)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.host}:{self.port}>"


class ServerBase:
    """A league's server. Making one starts nothing; it runs once, from `start` to `stop`."""

    __slots__ = ("_native",)

    def __init__(
        self,
        host: str = "0.0.0.0",
        port: int = 9239,
        *,
        data: _Path | None = None,
        allow_list: _Path | None = None,
        extensions: Iterable[str] | None = None,
        max_entries: int | None = None,
        max_file_size: int | None = None,
        conflict_suffix: str | None = None,
        conflict_policy: Policy = "established",
        conflict_scope: Scope = "file",
        updates: Updates = "anyone",
        max_files_per_session: int | None = None,
        max_sessions_per_client: int | None = None,
        max_sessions: int | None = None,
        manifest_stale_seconds: float | None = None,
        scheduler_tick_seconds: float | None = None,
        hello_timeout_seconds: float | None = None,
        silence_timeout_seconds: float | None = None,
        first_file_timeout_seconds: float | None = None,
        stall_timeout_seconds: float | None = None,
        limit_up: int | None = None,
        limit_down: int | None = None,
        store_size: int | None = None,
        spool_size: int | None = None,
    ) -> None:
        """Makes a server.

        Args:
            host: address to listen at.
            port: TCP port to listen at; 0 picks a free one, which `port` says after the start.
            data: a folder in which the server keeps the files that it has got, also for its next start (default: a
                temporary one, which goes with the server).
            allow_list: a file with the names of the liveries that are distributed, one per line; it is read again when it
                changes; absent or empty allows all.
            extensions: types of the files that are shared (default: png, json, dds, jpg, jpeg, txt).
            max_entries: most files that one PC may share (default 50,000).
            max_file_size: largest file in bytes (default 1 TiB).
            conflict_suffix: what stands between the name and the digits of a conflict copy (default `__CONFLICT__`).
            conflict_policy: who keeps a name when several drivers bring different files under it at once.
            conflict_scope: what becomes a conflict copy: the file alone, or all of the livery that it belongs to, in a folder
                of its own.
            updates: who may change a livery that is established.
            max_files_per_session: most files of one session (default 50).
            max_sessions_per_client: most sessions that one client takes part in at a time (default 4).
            max_sessions: most sessions at a time in all (default 1,024).
            manifest_stale_seconds: after how long a client of the old kind is asked again what it has (default 15).
            scheduler_tick_seconds: how often the scheduler looks for work that nothing else told it of (default 1).
            hello_timeout_seconds: how long a connection may last before it introduces itself (default 10).
            silence_timeout_seconds: how long a client may be silent (default 90).
            first_file_timeout_seconds: how long a client may take until the first file that it was asked for (default 60).
            stall_timeout_seconds: how long a session may go without progress (default 30).
            limit_up: how fast files may leave, over all connections together, in bytes per second (default: no limit); less than 50,000 counts as
                50,000. `set_limits` changes it later.
            limit_down: how fast files may come in, likewise.
            store_size: how many bytes may be kept for those who come later (default 8 GiB); what was needed least recently goes
                first; 0 keeps nothing longer than somebody waits for it.
            spool_size: how many bytes may lie there in any case, on their way to others (default 1 GiB).

        Raises:
            ValueError: an argument makes no sense. 0 never means unlimited.
        """
        self._native = native.Server(
            {
                "host": host,
                "port": port,
                "data": data,
                "allow_list": allow_list,
                "extensions": extensions,
                "max_entries": max_entries,
                "max_file_size": max_file_size,
                "conflict_suffix": conflict_suffix,
                "conflict_policy": conflict_policy,
                "conflict_scope": conflict_scope,
                "updates": updates,
                "max_files_per_session": max_files_per_session,
                "max_sessions_per_client": max_sessions_per_client,
                "max_sessions": max_sessions,
                "manifest_stale_seconds": manifest_stale_seconds,
                "scheduler_tick_seconds": scheduler_tick_seconds,
                "hello_timeout_seconds": hello_timeout_seconds,
                "silence_timeout_seconds": silence_timeout_seconds,
                "first_file_timeout_seconds": first_file_timeout_seconds,
                "stall_timeout_seconds": stall_timeout_seconds,
                "limit_up": limit_up,
                "limit_down": limit_down,
                "store_size": store_size,
                "spool_size": spool_size,
            }
        )

    @property
    def address(self) -> str:
        """The address that it listens at, or listened. Raises `NotRunning` before the start."""
        return self._listening()[0]

    @property
    def port(self) -> int:
        """The TCP port that it listens at, or listened. Raises `NotRunning` before the start."""
        return self._listening()[1]

    def status(self) -> Status:
        """How the league stands: who is there, and what each of them lacks. It does not wait for anything."""
        return status(self._native.status())

    def _listening(self) -> tuple[str, int]:
        listening = self._native.address
        if listening is None:
            raise NotRunning("the server has not been started")
        return listening

    def set_limits(self, *, limit_up: int | None = None, limit_down: int | None = None) -> None:
        """Changes how fast files may leave and come in, in bytes per second, from now on; `None` is no limit.

        Raises `ValueError` for 0, which does not mean unlimited. Less than 50,000 counts as 50,000.
        """
        self._native.set_limits(limit_up, limit_down)

    def __repr__(self) -> str:
        listening = self._native.address
        return f"<{type(self).__name__} {'not started' if listening is None else f'at {listening[0]}:{listening[1]}'}>"
