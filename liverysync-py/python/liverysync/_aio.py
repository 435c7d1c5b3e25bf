"""Client and server for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, TypeVar

from liverysync import _liverysync as native
from liverysync import client_events, server_events
from liverysync._base import ClientBase, ServerBase
from liverysync._reports import SyncReport, report
from liverysync.client_events import ClientEvent
from liverysync.server_events import ServerEvent

__all__ = ["Client", "EventStream", "Server"]

_E = TypeVar("_E")


class EventStream(AsyncIterator[_E], Generic[_E]):
    """What happens from the moment on at which it was asked for. It ends when the client or server has stopped.

    A reader that is slow misses events that only show progress first; if it is so slow that others are left out too, a
    `Missed` stands in their place. Cancelling a wait loses no event.
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


async def _start(held: native.Client | native.Server) -> None:
    try:
        await held.start_async()
    except asyncio.CancelledError:
        # It may come to run even so.
        held.stop_async()
        raise


class Client(ClientBase):
    """A driver's client: it shares what lies in the liveries folder, installs what is missing, and connects again by itself.

    `async with` starts and stops it. It works in threads of its own: the loop only waits.
    """

    __slots__ = ()

    async def start(self) -> None:
        """Starts the client. It goes on by itself until it is stopped.

        Raises:
            FolderError: the folder is not there, or cannot be read or written.
            FolderBusy: another client on this PC syncs it.
            AlreadyStarted: it was started before.
            CannotStart: the system gives no threads or no lock.
        """
        await _start(self._native)

    async def stop(self) -> None:
        """Stops the client, and waits until no temp file is left. It stops even if this is cancelled. May be called again."""
        await self._native.stop_async()

    async def sync(self, timeout: float | None = None) -> SyncReport:
        """Waits until this PC holds the union and nobody needs anything more from it.

        What lies in the folder by now takes part. `timeout` is in seconds. Without one, a server that cannot be reached is
        an error at once; with one it is tried until then. A dry run ends with its plan. Cancelling this only ends the
        waiting.

        Raises:
            TimedOut: the time is over. The client goes on.
            Unreachable: there is no connection.
            ConnectionLost: the connection breaks again and again.
            FolderError: the folder cannot be read.
            NotRunning: the client has not been started, or has been stopped.
        """
        return report(await self._native.sync_async(timeout))

    def events(self) -> EventStream[ClientEvent]:
        """What happens from now on. Ask before the start to miss nothing. There may be several readers."""
        return EventStream(self._native.events(), client_events.decode)

    async def __aenter__(self) -> Client:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


class Server(ServerBase):
    """A league's server: it merges what all drivers have and passes on what they lack.

    `async with` starts and stops it. It works in threads of its own: the loop only waits.
    """

    __slots__ = ()

    async def start(self) -> None:
        """Starts the server.

        Raises:
            CannotStart: it cannot listen, or cannot use the data folder or the allow list. It is an `OSError` with `errno`.
            AlreadyStarted: it was started before.
        """
        await _start(self._native)

    async def stop(self) -> None:
        """Stops the server. It stops even if this is cancelled. May be called again."""
        await self._native.stop_async()

    def events(self) -> EventStream[ServerEvent]:
        """What happens from now on. Ask before the start to miss nothing. There may be several readers."""
        return EventStream(self._native.events(), server_events.decode)

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
