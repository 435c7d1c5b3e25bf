"""An old client of protocol 1, for tests against a server.

Imitates the Python client in two generations, `first` and `1.0.4`: `wire.py` says what each publishes, `source.py` how
it sends, `target.py` how it takes. Habits kept here on purpose:

* HELLO, MANIFEST_SUMMARY and MANIFEST_FULL go out in a row after WELCOME; nothing else is waited for.
* REQUEST_MANIFEST is answered with MANIFEST_FULL and then MANIFEST_SUMMARY, after a fresh scan.
* One loop reads and acts: while files go out, nothing is read.
* Unknown messages are ignored. PING is never sent. There is no reconnect: when the link closes, the program ends.

What the old client does not do: `known.py` looks at each message first, and what protocol 1 does not know is printed
as an `unexpected` event. The counts of what the server began to send (`begun`) and asked for (`asked`) come at the end.

Events: connected offer asked sent skipped fault begin installed kept_local refused mismatch abandoned sync_done ack
server_state manifest error unknown_message unexpected timed_out disconnected.
Exit code: 0 the link closed, 1 it could not be opened or broke with an error, 3 `--max-seconds` are over.
"""

import argparse
import asyncio
import socket

from events import report, run_bounded, unexpected
from known import SERVER, ServerWatch, shape_of
from source import Faults, LinkDropped, Source
from target import Target
from wire import CLIENT_1_0_4, FIRST, LINK_LOST, read_frame, scan, write_frame


class Link:
    """The connection to the server."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    async def read(self):
        return await read_frame(self._reader)

    async def send(self, message):
        await write_frame(self._writer, message)

    def drop(self):
        self._writer.close()


class OldClient:
    """One client on one link."""

    def __init__(self, options, link):
        self.options = options
        self.link = link
        self.watch = ServerWatch()
        self.source = Source(options.root, options.generation, link, Faults(options.fault))
        self.target = Target(options.root, options.generation, link)
        self.actions = {
            "SERVER_STATE": self._server_state,
            "SYNC_OFFER": self._offer,
            "REQUEST_MANIFEST": self._manifest_wanted,
            "SEND_FILES": self.source.serve,
            "FILE_BEGIN": self.target.begin,
            "FILE_CHUNK": self.target.chunk,
            "FILE_END": self.target.end,
            "SYNC_DONE_ACK": self._acknowledged,
            "ERROR": self._error,
        }

    async def run(self):
        """Introduces itself and then acts on what comes. Returns the exit code."""
        why, code = "closed by the server", 0
        try:
            await self._introduce()
            while True:
                await self._act(await self.link.read())
        except LinkDropped:
            why = "fault"
        except LINK_LOST:
            pass
        except (OSError, ValueError) as error:
            why, code = str(error), 1
        self.link.drop()
        report("disconnected", why=why, begun=self.target.begun, asked=self.source.asked)
        return code

    async def _introduce(self):
        welcome = await self.link.read()
        self._look(welcome)
        if welcome.get("type") != "WELCOME":
            raise ValueError("the server did not begin with WELCOME")
        manifest = scan(self.options.root, self.options.generation)
        await self.link.send(
            {
                "type": "HELLO",
                "steam_id": self.options.steam_id,
                "client_name": self.options.name,
                "manifest_hash": manifest.hash,
            }
        )
        await self.link.send(manifest.summary_message())
        await self.link.send(manifest.full_message())
        report(
            "connected",
            client_id=welcome.get("client_id"),
            manifest_hash=manifest.hash,
            files=len(manifest.entries),
            extra=sorted(welcome.keys() - {"type", "client_id"}),
        )

    async def _act(self, message):
        self._look(message)
        kind = message.get("type")
        action = self.actions.get(kind) if isinstance(kind, str) else None
        if action:
            await action(message)

    def _look(self, message):
        if shape_of(message, SERVER) is None:
            report("unknown_message", type=message.get("type"))
        for complaint in self.watch.look(message):
            unexpected(complaint)

    async def _manifest_wanted(self, message):
        manifest = scan(self.options.root, self.options.generation)
        await self.link.send(manifest.full_message(str(message.get("sync_id", ""))))
        await self.link.send(manifest.summary_message())
        report("manifest", manifest_hash=manifest.hash, files=len(manifest.entries))

    async def _offer(self, message):
        report("offer", sync_id=message.get("sync_id"), role=message.get("role"))

    async def _server_state(self, message):
        report("server_state", current_hash=message.get("current_hash"))

    async def _acknowledged(self, message):
        report("ack", sync_id=message.get("sync_id"), manifest_hash=message.get("new_manifest_hash"))

    async def _error(self, message):
        report("error", sync_id=message.get("sync_id"), message=message.get("message"))


async def connect_and_run(options):
    """Opens the link and runs a client on it."""
    try:
        reader, writer = await asyncio.open_connection(options.host, options.port)
    except OSError as error:
        report("disconnected", why=str(error), begun={}, asked={})
        return 1
    return await OldClient(options, Link(reader, writer)).run()


def parse(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--generation", choices=(FIRST, CLIENT_1_0_4), required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default=socket.gethostname())
    parser.add_argument("--root", required=True, metavar="DIR", help="the liveries folder; created if it is missing")
    parser.add_argument("--steam-id", default="UNKNOWN")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND[:PATH]", help="see source.py; repeatable")
    parser.add_argument("--max-seconds", type=float, default=120.0, help="the program never lives longer")
    options = parser.parse_args(arguments)
    try:
        Faults(options.fault)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    chosen = parse()
    run_bounded(connect_and_run(chosen), chosen.max_seconds)
