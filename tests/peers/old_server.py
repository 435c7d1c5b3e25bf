"""An old server of protocol 1, for tests against a client.

Imitates the Python server in two generations, `first` and `later`; `rules.py` lists what the two decide differently.
Habits kept here on purpose:

* WELCOME at once. HELLO is answered with SERVER_STATE and REQUEST_MANIFEST; SYNC_DONE with SYNC_DONE_ACK to the source
  and REQUEST_MANIFEST to the target; PING with PONG. A manifest that is older than 15 s is asked for again.
* MANIFEST_SUMMARY changes nothing.
* The union is rebuilt from the manifests of the clients that are connected at that moment.
* Every event and every second, at most one session begins: the first match, and that is all. A client is in one
  session at a time.
* Files are relayed only from the session's source to its target, at the target's pace.
* A session ends on the first SYNC_DONE of its target, on any ERROR that names it (whoever sends it), or when an end of
  it disconnects. There are no timeouts. What arrives for it later is dropped. After an ERROR the same files are
  scheduled again at once.
* `first` alone: when a client disconnects in the middle of a session, the server freezes for good: no new session, no
  new client, no answer to a manifest; only what runs is still relayed. The `frozen` event says so.

What the old server does not do: it prints an `unexpected` event for every type and field from a client that protocol 1
does not know, and for files that are interleaved, out of order or longer than declared.

Events: listening connected hello manifest scheduled relayed dropped ended error frozen unexpected timed_out
disconnected.
Exit code: 3 when `--max-seconds` are over; otherwise it runs until it is killed.
"""

import argparse
import asyncio
import time
import uuid
from dataclasses import dataclass, field

from events import report, run_bounded, unexpected
from known import CLIENT, FILES, StreamWatch, readable, readable_entry, table_complaints
from rules import rules_of
from wire import FIRST, LATER, LINK_LOST, manifest_hash, read_frame, write_frame

TICK_SECONDS = 1.0
LONG_AGO = float("-inf")
BROKEN_MESSAGE = (AttributeError, KeyError, TypeError, ValueError)


@dataclass(eq=False)
class Client:
    """One connection and what its client has said."""

    id: str
    arrival: int
    writer: asyncio.StreamWriter
    name: str = ""
    manifest: list = None
    manifest_at: float = LONG_AGO
    awaited: bool = True
    asked: bool = False
    asked_at: float = LONG_AGO
    stream: StreamWatch = field(default_factory=StreamWatch)

    @property
    def label(self):
        return self.name or self.id


@dataclass(frozen=True, eq=False)
class Session:
    """Files on their way from one client to another."""

    id: str
    source: Client
    target: Client
    paths: list

    def involves(self, client):
        return client in (self.source, self.target)


class OldServer:
    """All connections and sessions of one server."""

    def __init__(self, rules):
        self.rules = rules
        self.clients = {}
        self.sessions = {}
        self.arrivals = 0
        self.turn = asyncio.Lock()
        self.sending = set()
        self.drops_told = set()
        self.actions = {
            "HELLO": self._hello,
            "MANIFEST_FULL": self._manifest,
            "FILE_BEGIN": self._relay,
            "FILE_CHUNK": self._relay,
            "FILE_END": self._relay,
            "SYNC_DONE": self._done,
            "ERROR": self._error,
            "PING": self._ping,
        }

    async def serve(self, host, port):
        """Listens and ticks until it is cancelled."""
        listener = await asyncio.start_server(self._connection, host, port)
        report("listening", port=listener.sockets[0].getsockname()[1])
        while True:
            await self._tick()
            await asyncio.sleep(TICK_SECONDS)

    async def _tick(self):
        try:
            self.rules.refresh()
            await self._ask_for_stale_manifests()
            await self._schedule()
        except BROKEN_MESSAGE:
            pass

    async def _connection(self, reader, writer):
        self.arrivals += 1
        client = Client(str(uuid.uuid4())[:8], self.arrivals, writer)
        async with self.turn:
            self.clients[client.id] = client
        report("connected", client_id=client.id)
        why = "closed by the client"
        try:
            await write_frame(writer, {"type": "WELCOME", "client_id": client.id})
            while True:
                await self._act(client, await read_frame(reader))
        except LINK_LOST:
            pass
        except BROKEN_MESSAGE as error:
            why = repr(error)
            unexpected(f"a message that breaks the server: {why}", client=client.label)
        await self._leave(client, why)

    async def _leave(self, client, why):
        async with self.turn:
            cut_off = [session for session in self.sessions.values() if session.involves(client)]
            if cut_off and self.rules.freezes_when_a_session_loses_its_peer:
                await self._freeze(client)
            self.clients.pop(client.id, None)
        for session in cut_off:
            await self._end(session, "peer disconnected", client)
        client.writer.close()
        report("disconnected", client=client.label, client_id=client.id, why=why)
        await self._schedule()

    async def _freeze(self, client):
        """Keeps the turn for ever."""
        report("frozen", client=client.label, client_id=client.id)
        await asyncio.Event().wait()

    async def _act(self, client, message):
        self._look(client, message)
        kind = message.get("type")
        action = self.actions.get(kind) if isinstance(kind, str) else None
        if action:
            await action(client, message)

    def _look(self, client, message):
        complaints = table_complaints(message, CLIENT)
        if readable(message, CLIENT) and message["type"] in FILES:
            complaints += client.stream.look(message)
        for complaint in complaints:
            unexpected(complaint, client=client.label)

    async def _hello(self, client, message):
        client.name = str(message.get("client_name", ""))
        report("hello", client=client.label, client_id=client.id, steam_id=message.get("steam_id"))
        current = self._union().hash_or(str(message.get("manifest_hash", "")))
        await write_frame(client.writer, {"type": "SERVER_STATE", "current_hash": current})
        await self._ask_for_manifest(client)
        if self.rules.schedules_on_hello:
            await self._schedule()

    async def _manifest(self, client, message):
        manifest = self.rules.accept(message.get("manifest"))
        if manifest is None:
            return
        client.manifest, client.manifest_at = manifest, time.monotonic()
        client.asked = client.awaited = False
        self._tell_manifest(client, message.get("manifest"), manifest)
        await self._pass_manifest_on(client, message)
        await self._schedule()

    def _tell_manifest(self, client, said, kept):
        said = [entry for entry in said or () if readable_entry(entry)]
        report("manifest", client=client.label, count=len(kept), said=len(said), hash=manifest_hash(said))

    async def _pass_manifest_on(self, client, message):
        """A manifest that names a session goes to its target. No request names one, so no old client ever sees this."""
        session = self.sessions.get(str(message.get("sync_id", "")))
        if self.rules.passes_manifests_on and session and session.source is client:
            passed_on = {key: message[key] for key in ("type", "sync_id", "manifest")}
            await self._send(session.target, passed_on)

    async def _relay(self, client, message):
        session = self.sessions.get(str(message.get("sync_id", "")))
        why_not = self._why_not(client, message, session)
        if why_not:
            self._tell_drop(client, message, why_not)
            return
        await self._send(session.target, message)
        if message["type"] == "FILE_END":
            report("relayed", sync_id=session.id, path=message.get("rel_path"), target=session.target.label)

    def _why_not(self, client, message, session):
        if session is None:
            return "no such session"
        if session.source is not client:
            return "not the source"
        return "" if self.rules.relays(message.get("rel_path"), session) else "not asked for"

    def _tell_drop(self, client, message, why):
        drop = (client.id, message.get("sync_id"), message.get("rel_path"), why)
        if repr(drop) not in self.drops_told:
            self.drops_told.add(repr(drop))
            report("dropped", client=client.label, sync_id=drop[1], path=drop[2], at=message["type"], why=why)

    async def _done(self, client, message):
        session = self.sessions.get(str(message.get("sync_id", "")))
        if session is None or session.target is not client:
            return
        new_hash = str(message.get("new_manifest_hash", ""))
        self.rules.after_sync_done(client)
        acknowledgement = {"type": "SYNC_DONE_ACK", "sync_id": session.id, "new_manifest_hash": new_hash}
        await self._send(session.source, acknowledgement)
        await self._end(session, "completed", client)
        await self._ask_for_manifest(client)
        await self._schedule()

    async def _error(self, client, message):
        sync_id, text = str(message.get("sync_id", "")), str(message.get("message", ""))
        report("error", client=client.label, sync_id=sync_id, message=text)
        if not sync_id:
            return
        if sync_id in self.sessions:
            await self._end(self.sessions[sync_id], f"error: {text}", client)
        await self._schedule()

    async def _ping(self, client, message):
        await write_frame(client.writer, {"type": "PONG"})

    async def _end(self, session, reason, client):
        async with self.turn:
            if self.sessions.pop(session.id, None):
                session.source.stream.finish(session.id)
                report("ended", sync_id=session.id, reason=reason, by=client.label)

    async def _ask_for_stale_manifests(self):
        for client in list(self.clients.values()):
            if not self._is_busy(client) and self.rules.wants_manifest(client, time.monotonic()):
                await self._ask_for_manifest(client)

    async def _ask_for_manifest(self, client):
        if self.rules.leaves_busy_clients_alone and self._is_busy(client):
            return
        client.asked, client.asked_at = True, time.monotonic()
        await self._send(client, {"type": "REQUEST_MANIFEST", "sync_id": ""})

    async def _schedule(self):
        async with self.turn:
            union = self._union()
            choice = self.rules.choose(self.clients.values(), union, self._is_busy)
            if choice:
                self._begin(choice, union.hash_or(""))

    def _begin(self, choice, current_hash):
        session = Session(str(uuid.uuid4()), choice.source, choice.target, choice.paths)
        self.sessions[session.id] = session
        session.source.stream.announce(session.id)
        offer = {
            "type": "SYNC_OFFER",
            "sync_id": session.id,
            "current_hash": current_hash,
            "source_client_id": session.source.id,
            "target_client_id": session.target.id,
        }
        request = {"type": "SEND_FILES", "sync_id": session.id, "paths": session.paths}
        self._send_soon(session.target, {**offer, "role": "TARGET"})
        self._send_soon(session.source, {**offer, "role": "SOURCE"}, request)
        ends = {"source": session.source.label, "target": session.target.label}
        report("scheduled", sync_id=session.id, **ends, paths=session.paths)

    def _send_soon(self, client, *messages):
        task = asyncio.create_task(self._send(client, *messages))
        self.sending.add(task)
        task.add_done_callback(self.sending.discard)

    async def _send(self, client, *messages):
        """Sends to a client that may just have left."""
        if client.id not in self.clients:
            return
        try:
            for message in messages:
                await write_frame(client.writer, message)
        except LINK_LOST:
            pass

    def _union(self):
        return self.rules.union(self.clients.values())

    def _is_busy(self, client):
        return any(session.involves(client) for session in self.sessions.values())


async def run(options):
    """Runs a server until it is cancelled."""
    await OldServer(rules_of(options.generation, options.whitelist)).serve(options.host, options.port)


def parse(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--generation", choices=(FIRST, LATER), required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks one; see the `listening` event")
    parser.add_argument("--whitelist", metavar="FILE", help="`later` only: liveries that may travel, one a line")
    parser.add_argument("--max-seconds", type=float, default=120.0, help="the program never lives longer")
    options = parser.parse_args(arguments)
    if options.whitelist and options.generation != LATER:
        parser.error("only the later server knows a whitelist")
    return options


if __name__ == "__main__":
    chosen = parse()
    run_bounded(run(chosen), chosen.max_seconds)
