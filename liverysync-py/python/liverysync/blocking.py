"""Client and server for scripts and threads: the same as `liverysync.Client` and `liverysync.Server`, without asyncio.

Waiting releases the GIL, and Ctrl-C ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Generic, Protocol, TypeAlias, TypeVar

from liverysync import _liverysync as native
from liverysync import client_events, server_events
from liverysync._base import ClientBase, RunningClientBase, RunningServerBase, ServerBase
from liverysync._reports import Acted, SyncReport, report
from liverysync.client_events import ClientEvent
from liverysync.server_events import ServerEvent

__all__ = ["Client", "EventStream", "RunningClient", "RunningServer", "Server"]

_E = TypeVar("_E")


class EventStream(Iterator[_E], Generic[_E]):
    """Events from the moment on at which the stream was made. It ends when the client or server has stopped.

    A slow reader first misses events that only show progress. If it is so slow that it misses others too, it gets a
    `Missed` in their place.
    """

    __slots__ = ("_decode", "_native", "timeout")

    timeout: float | None
    """Longest wait for an event, in seconds; `None` is no limit. Then `TimedOut` is raised; ask again to go on."""

    def __init__(self, events: native.Events, decode: Callable[[str], _E], timeout: float | None = None) -> None:
        self._native = events
        self._decode = decode
        self.timeout = timeout

    def __iter__(self) -> EventStream[_E]:
        return self

    def __next__(self) -> _E:
        while self._native.ready(self.timeout):
            event = self._native.take()
            # Another thread that reads the same stream may have been faster.
            if event is not None:
                return self._decode(event)
        raise StopIteration


class RunningClient(RunningClientBase):
    """A running client, which `with Client(...)` makes: see `liverysync.RunningClient`."""

    __slots__ = ()

    def sync(self, timeout: float | None = None) -> SyncReport:
        """Waits until this PC is in sync: see `liverysync.RunningClient.sync`."""
        return report(self._native.sync(timeout))

    def events(self, timeout: float | None = None) -> EventStream[ClientEvent]:
        """Returns the events from now on. There may be several readers. `Client.with_events` misses none.

        `timeout` is the longest wait for each event, in seconds; then `TimedOut` is raised.

        Raises:
            Stopped: the block is over.
        """
        return EventStream(self._native.events(), client_events.decode, timeout)

    def _stop(self) -> None:
        self._native.stop()


class RunningServer(RunningServerBase):
    """A running server, which `with Server(...)` makes: see `liverysync.RunningServer`."""

    __slots__ = ()

    def events(self, timeout: float | None = None) -> EventStream[ServerEvent]:
        """Returns the events from now on. There may be several readers. `Server.with_events` misses none.

        `timeout` is the longest wait for each event, in seconds; then `TimedOut` is raised.

        Raises:
            Stopped: the block is over.
        """
        return EventStream(self._native.events(), server_events.decode, timeout)

    def _stop(self) -> None:
        self._native.stop()


class _Handle(Protocol):
    def _stop(self) -> None: ...


_H = TypeVar("_H", bound=_Handle)


class _Block(Generic[_H, _E]):
    """Starts a handle where a `with` block begins, and stops it where the block ends. One block at a time."""

    __slots__ = ("_is_open", "_running", "_start")

    def __init__(self, start: Callable[[], tuple[_H, EventStream[_E]]]) -> None:
        self._start = start
        self._is_open = False
        self._running: _H | None = None

    def __enter__(self) -> tuple[_H, EventStream[_E]]:
        if self._is_open:
            # The end of a block could not tell which of two handles is its own.
            raise RuntimeError(native.BLOCK_OPEN)
        self._is_open = True
        try:
            self._running, events = self._start()
        except BaseException:
            self._is_open = False
            raise
        return self._running, events

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running, self._running, self._is_open = self._running, None, False
        if running is not None:
            # It stops even if Ctrl-C ends the wait for that.
            running._stop()


def _start_client(config: native.Client) -> tuple[RunningClient, EventStream[ClientEvent]]:
    running, events = config.start()
    return RunningClient(running), EventStream(events, client_events.decode)


def _start_server(config: native.Server) -> tuple[RunningServer, EventStream[ServerEvent]]:
    running, events = config.start()
    return RunningServer(running), EventStream(events, server_events.decode)


_ClientBlock: TypeAlias = AbstractContextManager[tuple[RunningClient, EventStream[ClientEvent]]]
_ServerBlock: TypeAlias = AbstractContextManager[tuple[RunningServer, EventStream[ServerEvent]]]


class Client(ClientBase[_ClientBlock]):
    """The configuration of a driver's client: see `liverysync.Client`.

    `with` starts the client and yields it as a `RunningClient`.
    """

    __slots__ = ()

    def with_events(self) -> _ClientBlock:
        """Returns a block that yields the running client and its events, from the first one on.

        Each call returns a block of its own.
        """
        return _Block(partial(_start_client, self._native))

    def withdraw(self, *names: str, dry_run: bool = False) -> Acted:
        """Withdraws liveries that this driver owns, or files such as `Team/sponsors.png`, from every PC.

        No block has to be open, and one may be. The driver is told by their identity. With `dry_run` nothing changes.

        Raises:
            ActRefused: one of them does not exist or is not this driver's. Nothing has changed.
            Unreachable: there is no server.
            TimedOut: it does not answer within 30 s.
        """
        return Acted(*self._native.act("withdraw", list(names), dry_run))

    def rename(self, livery: str, new: str, *, dry_run: bool = False) -> Acted:
        """Gives a livery that this driver owns another name on every PC.

        Raises: what `withdraw` raises; `ActRefused` also if the name is taken or cannot be one.
        """
        return Acted(*self._native.act("rename", [livery, new], dry_run))

    def replace(self, old: str, new: str, *, dry_run: bool = False) -> Acted:
        """Makes `new`, which the league has already, the successor of `old`, which is withdrawn. This driver owns both.

        Raises: what `withdraw` raises.
        """
        return Acted(*self._native.act("replace", [old, new], dry_run))

    def __enter__(self) -> RunningClient:
        client, _events = self._block.__enter__()
        return client

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.__exit__(kind, error, traceback)


class Server(ServerBase[_ServerBlock]):
    """The configuration of a league's server: see `liverysync.Server`.

    `with` starts the server and yields it as a `RunningServer`.
    """

    __slots__ = ()

    def with_events(self) -> _ServerBlock:
        """Returns a block that yields the running server and its events, from the first one on.

        Each call returns a block of its own.
        """
        return _Block(partial(_start_server, self._native))

    def __enter__(self) -> RunningServer:
        server, _events = self._block.__enter__()
        return server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.__exit__(kind, error, traceback)
