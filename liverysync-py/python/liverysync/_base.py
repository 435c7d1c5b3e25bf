"""The parts that the asyncio and the blocking classes share."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, Literal, TypeVar

from liverysync import _liverysync as native
from liverysync._decisions import Policy, Scope
from liverysync._reports import Status, status

_Path = str | os.PathLike[str]

_Block = TypeVar("_Block")

Updates = Literal["anyone", "owner"]
"""Members who may change a livery.

- `anyone`: anyone who edits what they had in sync.
- `owner`: only its owners. An edit or addition by anybody else becomes a conflict copy. This needs `data`.
"""


class ClientBase(ABC, Generic[_Block]):
    """The configuration of a driver's client."""

    __slots__ = ("_block", "_host", "_native", "_port")

    def __init__(
        self,
        host: str,
        port: int = 9239,
        *,
        name: str | None = None,
        liveries: _Path | None = None,
        state: _Path | None = None,
        identity: _Path | None = None,
        share: Iterable[str] | None = None,
        lint_rules: _Path | None = None,
        receive_only: bool = False,
        send_only: bool = False,
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
        """Checks the options. Nothing starts or connects until the `with` block.

        Args:
            host: host name or address of the league's server.
            port: TCP port of the server.
            name: the driver's name, as the other drivers see it: 1 to 64 characters (default: the host name).
            liveries: the liveries folder (default: the game's, which is found now).
            state: a folder for the list of ignored liveries and a scan cache that makes the next start fast (default:
                none).
            identity: the file with the driver's member key, by which leagues recognize them in whatever folder; it is
                made if it is missing. Give each driver of one program a file of their own (default: that of the user,
                `liverysync/identity.json` in their config folder; without `state` and `identity` the driver is
                anonymous and owns nothing).
            share: liveries to share although the league does not have them, as globs: `["*"]` for all, `[]` for none
                (default: what was chosen before, which `state` keeps; without a choice all, unless they are more than 10:
                then none, and the event `ShareNeeded` says so).
            lint_rules: the league's rules by which the event `Finding` judges this PC's liveries, a TOML file as for `lint`
                (default: only what the game needs is checked).
            receive_only: only download; nothing of this PC is shared.
            send_only: only share; nothing is downloaded.
            extensions: file types to share (default: png, json, dds, jpg, jpeg, txt).
            derived_dds: share the game's cache files too.
            placeholders: share the game's placeholders too.
            steam_id: a label that the server shows, never a credential (default: the account that Steam names, or
                `UNKNOWN`).
            conflict_suffix: the text between the name and the digits of a conflict copy, for old servers, which do not
                say it (default `__CONFLICT__`).
            dry_run: find out what would happen and change nothing; see `SyncReport.plan`.
            max_entries: maximum number of files that this PC may share (default 50,000).
            max_file_size: largest file to share, in bytes (default 256 MiB).
            rescan_seconds: scan the folder at least this often, even if nothing seems to have changed (default 60).
            settle_seconds: share a file once it has not changed for this long; the rest of its livery waits for it, for
                at most 10 s (default 0.3).
            retry_first_seconds: wait this long before reconnecting for the first time; the wait doubles each time
                (default 1).
            retry_max_seconds: longest wait before reconnecting (default 30).
            silence_timeout_seconds: reconnect when the server is silent for this long (default 90).
            stall_timeout_seconds: stop waiting for a file that an old server does not send for this long (default 60).
            limit_up: maximum speed of outgoing files, in bytes per second (default: no limit). Less than 50,000 counts
                as 50,000. `RunningClient.set_limits` changes it later.
            limit_down: maximum speed of incoming files, in the same form.

        Raises:
            FolderError: no folder was given, and the game's was not found.
            OSError: `lint_rules` cannot be read.
            ValueError: an argument is out of range, or `lint_rules` has a mistake. 0 never means unlimited.
        """
        self._host = host
        self._port = port
        self._native = native.Client(
            {
                "host": host,
                "port": port,
                "name": name,
                "liveries": liveries,
                "state": state,
                "identity": identity,
                "share": share,
                "lint_rules": lint_rules,
                "receive_only": receive_only,
                "send_only": send_only,
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
        self._block = self.with_events()

    @abstractmethod
    def with_events(self) -> _Block: ...

    @property
    def host(self) -> str:
        """Host name or address of the server."""
        return self._host

    @property
    def port(self) -> int:
        """TCP port of the server."""
        return self._port

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.host}:{self.port}>"


class RunningClientBase:
    """A running client."""

    __slots__ = ("_native",)

    def __init__(self, running: native.RunningClient) -> None:
        self._native = running

    def set_limits(self, *, limit_up: int | None = None, limit_down: int | None = None) -> None:
        """Changes the speed limits from now on, in bytes per second; `None` is no limit.

        Less than 50,000 counts as 50,000.

        Raises:
            Stopped: the block is over.
            ValueError: a limit is 0, which does not mean unlimited.
        """
        self._native.set_limits(limit_up, limit_down)


class ServerBase(ABC, Generic[_Block]):
    """The configuration of a league's server."""

    __slots__ = ("_block", "_host", "_native", "_port")

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
        conflict_policy: Policy | None = None,
        conflict_scope: Scope | None = None,
        updates: Updates | None = None,
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
        """Checks the options. Nothing starts or listens until the `with` block.

        Args:
            host: address to listen on.
            port: TCP port to listen on; 0 picks a free one, which `RunningServer.port` returns.
            data: a folder for the league database and the store, created if missing; with it a restarted server still
                has every livery (default: a temporary folder, removed at the end).
            allow_list: a file with the names of the liveries to distribute, one per line. It is read again when it
                changes. An empty file allows all liveries; a missing one is an error at the start.
            extensions: file types to share (default: png, json, dds, jpg, jpeg, txt).
            max_entries: maximum number of files that one PC may share (default 50,000).
            max_file_size: largest file to share, in bytes (default 256 MiB).
            conflict_suffix: the text between the name and the digits of a conflict copy (default `__CONFLICT__`).
            conflict_policy: the rule for a name that several drivers publish at the same moment (default "established").
            conflict_scope: the extent of a conflict copy (default "file").
            updates: the members who may change a livery. By default "owner" in a league that begins in `data`, else "anyone".
                A league with a `data` folder keeps the extensions, the conflict settings and this one from its first
                start. `server_events.SettingsDiffer` tells which arguments differ from them.
            max_files_per_session: maximum number of files in one session (default 50).
            max_sessions_per_client: maximum number of sessions per client and direction (default 4).
            max_sessions: maximum number of sessions in all (default 1,024).
            manifest_stale_seconds: ask an old client for its list of files again after this time (default 15).
            scheduler_tick_seconds: look for work at least this often (default 1).
            hello_timeout_seconds: close a connection that does not introduce itself within this time (default 10).
            silence_timeout_seconds: disconnect a client that is silent for this long (default 90).
            first_file_timeout_seconds: give up on a client that does not begin the first file it was asked for within
                this time (default 60).
            stall_timeout_seconds: end a session that makes no progress for this long (default 30).
            limit_up: maximum speed of outgoing files, over all connections together, in bytes per second (default: no
                limit). Less than 50,000 counts as 50,000. `RunningServer.set_limits` changes it later.
            limit_down: maximum speed of incoming files, in the same form.
            store_size: disk space in bytes for liveries kept for later drivers (default 8 GiB). The least recently
                needed are removed first. 0 keeps a file only while someone is downloading it.
            spool_size: disk space in bytes for files on their way from one driver to the others, whatever `store_size`
                is (default 1 GiB).

        Raises:
            ValueError: an argument is out of range. 0 never means unlimited.
        """
        self._host = host
        self._port = port
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
        self._block = self.with_events()

    @abstractmethod
    def with_events(self) -> _Block: ...

    @property
    def host(self) -> str:
        """Address to listen on."""
        return self._host

    @property
    def port(self) -> int:
        """TCP port to listen on. 0 means any free one: `RunningServer.port` is the real one."""
        return self._port

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self.host}:{self.port}>"


class RunningServerBase:
    """A running server."""

    __slots__ = ("_native",)

    def __init__(self, running: native.RunningServer) -> None:
        self._native = running

    @property
    def address(self) -> str:
        """Address that the server listens on, or listened on."""
        return self._native.address[0]

    @property
    def port(self) -> int:
        """TCP port that the server listens on, or listened on."""
        return self._native.address[1]

    def status(self) -> Status:
        """Returns the state of the league: the connected clients, and the files they are missing. It does not wait.

        Raises:
            Stopped: the block is over.
        """
        return status(self._native.status())

    def set_limits(self, *, limit_up: int | None = None, limit_down: int | None = None) -> None:
        """Changes the speed limits from now on, in bytes per second; `None` is no limit.

        Less than 50,000 counts as 50,000.

        Raises:
            Stopped: the block is over.
            ValueError: a limit is 0, which does not mean unlimited.
        """
        self._native.set_limits(limit_up, limit_down)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.address}:{self.port}>"
