"""Client and server for scripts and threads: as `liverysync.Client` and `liverysync.Server`, without asyncio.

Waiting releases the GIL, and Ctrl-C ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from liverysync import _liverysync as native
from liverysync import client_events, server_events
from liverysync._base import ClientBase, ServerBase
from liverysync._errors import LiverySyncError
from liverysync._reports import SyncReport, report
from liverysync.client_events import ClientEvent
from liverysync.server_events import ServerEvent

__all__ = ["Client", "EventStream", "Server"]

_E = TypeVar("_E")


class EventStream(Iterator[_E], Generic[_E]):
    """What happens from the moment on at which it was asked for. It ends when the client or server has stopped.

    A reader that is slow misses events that only show progress first; if it is so slow that others are left out too, a
    `Missed` stands in their place.
    """

    __slots__ = ("_decode", "_native", "timeout")

    timeout: float | None
    """How long to wait for an event, in seconds; `None` for ever. `TimedOut` says that none came; ask again to go on."""

    def __init__(self, events: native.Events, decode: Callable[[str], _E], timeout: float | None) -> None:
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


def _start(held: native.Client | native.Server) -> None:
    try:
        held.start()
    except LiverySyncError:
        raise
    except BaseException:
        # Ctrl-C. It may come to run even so.
        held.stop()
        raise


class Client(ClientBase):
    """A driver's client, as `liverysync.Client`. `with` starts and stops it."""

    __slots__ = ()

    def start(self) -> None:
        """Starts the client: see `liverysync.Client.start`."""
        _start(self._native)

    def stop(self) -> None:
        """Stops the client, and waits until no temp file is left. May be called again."""
        self._native.stop()

    def sync(self, timeout: float | None = None) -> SyncReport:
        """Waits until this PC holds the union: see `liverysync.Client.sync`. `timeout` is in seconds."""
        return report(self._native.sync(timeout))

    def events(self, timeout: float | None = None) -> EventStream[ClientEvent]:
        """What happens from now on. Ask before the start to miss nothing.

        `timeout` is how long to wait for each event, in seconds; then `TimedOut` is raised.
        """
        return EventStream(self._native.events(), client_events.decode, timeout)

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class Server(ServerBase):
    """A league's server, as `liverysync.Server`. `with` starts and stops it."""

    __slots__ = ()

    def start(self) -> None:
        """Starts the server: see `liverysync.Server.start`."""
        _start(self._native)

    def stop(self) -> None:
        """Stops the server. May be called again."""
        self._native.stop()

    def events(self, timeout: float | None = None) -> EventStream[ServerEvent]:
        """What happens from now on. Ask before the start to miss nothing.

        `timeout` is how long to wait for each event, in seconds; then `TimedOut` is raised.
        """
        return EventStream(self._native.events(), server_events.decode, timeout)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
