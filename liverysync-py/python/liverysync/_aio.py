"""Client and server for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
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


class EventStream(AsyncIterator[_E], Generic[_E]):
    """Events from the moment on at which the stream was made. It ends when the client or server has stopped.

    A slow reader first misses events that only show progress. If it is so slow that it misses others too, it gets a
    `Missed` in their place. Cancelling a wait loses no event.
    """

    __slots__ = ("_decode", "_native")

    def __init__(self, events: native.Events, decode: Callable[[str], _E]) -> None:
        self._native = events
        self._decode = decode

    def __aiter__(self) -> EventStream[_E]:
        return self

    async def __anext__(self) -> _E:
        while await self._native.ready_async():
            event = self._native.take()
            # Another task that reads the same stream may have been faster.
            if event is not None:
                return self._decode(event)
        raise StopAsyncIteration


class RunningClient(RunningClientBase):
    """A running client, which `async with Client(...)` makes. It watches the folder and reconnects on its own.

    It works in threads of its own: the event loop only waits. After the block, every method raises `Stopped`.
    """

    __slots__ = ()

    async def sync(self, timeout: float | None = None) -> SyncReport:
        """Waits until this PC is in sync: it has the union, and nobody needs a file from it.

        Files that are in the folder by now take part. `timeout` is in seconds. Without one, a server that cannot be
        reached is an error at once; with one, the client keeps trying until then. A dry run ends with its plan.
        Cancelling this only ends the wait.

        Raises:
            TimedOut: the time is up. The client keeps running.
            Unreachable: there is no connection.
            ConnectionLost: the connection breaks again and again.
            FolderError: the folder cannot be read.
            Stopped: the block is over.
        """
        return report(await self._native.sync_async(timeout))

    def events(self) -> EventStream[ClientEvent]:
        """Returns the events from now on. There may be several readers. `Client.with_events` misses none.

        Raises:
            Stopped: the block is over.
        """
        return EventStream(self._native.events(), client_events.decode)

    async def _stop(self) -> None:
        await self._native.stop_async()


class RunningServer(RunningServerBase):
    """A running server, which `async with Server(...)` makes.

    It works in threads of its own: the event loop only waits. After the block, every method raises `Stopped`; `address`
    and `port` stay.
    """

    __slots__ = ()

    def events(self) -> EventStream[ServerEvent]:
        """Returns the events from now on. There may be several readers. `Server.with_events` misses none.

        Raises:
            Stopped: the block is over.
        """
        return EventStream(self._native.events(), server_events.decode)

    async def _stop(self) -> None:
        await self._native.stop_async()


class _Handle(Protocol):
    async def _stop(self) -> None: ...


_H = TypeVar("_H", bound=_Handle)


class _Block(Generic[_H, _E]):
    """Starts a handle where an `async with` block begins, and stops it where the block ends. One block at a time."""

    __slots__ = ("_is_open", "_running", "_start")

    def __init__(self, start: Callable[[], Awaitable[tuple[_H, EventStream[_E]]]]) -> None:
        self._start = start
        self._is_open = False
        self._running: _H | None = None

    async def __aenter__(self) -> tuple[_H, EventStream[_E]]:
        if self._is_open:
            # The end of a block could not tell which of two handles is its own.
            raise RuntimeError(native.BLOCK_OPEN)
        self._is_open = True
        try:
            self._running, events = await self._start()
        except BaseException:
            self._is_open = False
            raise
        return self._running, events

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running, self._running, self._is_open = self._running, None, False
        if running is not None:
            # It stops even if the wait for that is cancelled.
            await running._stop()


async def _start_client(config: native.Client) -> tuple[RunningClient, EventStream[ClientEvent]]:
    running, events = await config.start_async()
    return RunningClient(running), EventStream(events, client_events.decode)


async def _start_server(config: native.Server) -> tuple[RunningServer, EventStream[ServerEvent]]:
    running, events = await config.start_async()
    return RunningServer(running), EventStream(events, server_events.decode)


_ClientBlock: TypeAlias = AbstractAsyncContextManager[tuple[RunningClient, EventStream[ClientEvent]]]
_ServerBlock: TypeAlias = AbstractAsyncContextManager[tuple[RunningServer, EventStream[ServerEvent]]]


class Client(ClientBase[_ClientBlock]):
    """The configuration of a driver's client. `async with` starts the client and yields it as a `RunningClient`.

    The end of the block stops the client and waits until no temporary file is left. The same configuration may be used
    for one block after another, but not for two at the same time.

    The begin of the block raises:
        FolderError: the folder does not exist, or cannot be read or written.
        FolderBusy: another client on this PC syncs it.
        CannotStart: the system provides no threads or no lock.
        RuntimeError: the block before is still open.
    """

    __slots__ = ()

    def with_events(self) -> _ClientBlock:
        """Returns a block that yields the running client and its events, from the first one on.

        Each call returns a block of its own.
        """
        return _Block(partial(_start_client, self._native))

    async def withdraw(self, *names: str, dry_run: bool = False) -> Acted:
        """Withdraws liveries that this driver owns, or files such as `Team/sponsors.png`, from every PC.

        No block has to be open, and one may be. The driver is told by their identity. With `dry_run` nothing changes.

        Raises:
            ActRefused: one of them does not exist or is not this driver's. Nothing has changed.
            Unreachable: there is no server.
            TimedOut: it does not answer within 30 s.
        """
        return Acted(*await self._native.act_async("withdraw", list(names), dry_run))

    async def rename(self, livery: str, new: str, *, dry_run: bool = False) -> Acted:
        """Gives a livery that this driver owns another name on every PC.

        Raises: what `withdraw` raises; `ActRefused` also if the name is taken or cannot be one.
        """
        return Acted(*await self._native.act_async("rename", [livery, new], dry_run))

    async def replace(self, old: str, new: str, *, dry_run: bool = False) -> Acted:
        """Makes `new`, which the league has already, the successor of `old`, which is withdrawn. This driver owns both.

        Raises: what `withdraw` raises.
        """
        return Acted(*await self._native.act_async("replace", [old, new], dry_run))

    async def __aenter__(self) -> RunningClient:
        client, _events = await self._block.__aenter__()
        return client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._block.__aexit__(kind, error, traceback)


class Server(ServerBase[_ServerBlock]):
    """The configuration of a league's server. `async with` starts the server and yields it as a `RunningServer`.

    The end of the block stops the server. The same configuration may be used for one block after another, but not for
    two at the same time.

    The begin of the block raises:
        CannotStart: the server cannot listen, or cannot use the data folder or the allow list.
        LiverySyncError: the options do not fit together: `updates="owner"` needs `data`.
        RuntimeError: the block before is still open.
    """

    __slots__ = ()

    def with_events(self) -> _ServerBlock:
        """Returns a block that yields the running server and its events, from the first one on.

        Each call returns a block of its own.
        """
        return _Block(partial(_start_server, self._native))

    async def __aenter__(self) -> RunningServer:
        server, _events = await self._block.__aenter__()
        return server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._block.__aexit__(kind, error, traceback)
