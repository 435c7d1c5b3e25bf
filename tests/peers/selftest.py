"""Shows that the test peers work with each other: `python3 tests/peers/selftest.py`.

Imitates nothing. It runs a server and two clients for every mixture of generations, on loopback and in temp folders,
until both sides have the same files, and clients that go away or send what nobody asked for. Within this process it
looks at what each fault sends, and asks the watchers about messages that are not protocol 1. One line per case; exit
code 0 if all is well. Never more than 20 s, about 5 s on two cores, most of which is starting Python.
"""

import asyncio
import base64
import contextlib
import hashlib
import io
import itertools
import json
import os
import sys
import tempfile
import time

from known import CLIENT, SERVER, ServerWatch, StreamWatch, table_complaints
from source import Faults, LinkDropped, Source
from wire import CHUNK_BYTES, CLIENT_1_0_4, FIRST, LATER, manifest_hash, scan, union_hash

HERE = os.path.dirname(os.path.abspath(__file__))
ALL_SECONDS = 20.0

OF_A = {
    "rossi/skin.png": bytes(range(251)) * 2400,
    "rossi/sponsors é ü.json": b'{"a": 1}',
    "rossi/empty.json": b"",
}
OF_B = {"weiß/decals.DDS": b"\0" * (CHUNK_BYTES + 1)}
FAULTY = "rossi/skin.png"


class Peer:
    """A test peer that runs as a program of its own, and what it has said so far."""

    def __init__(self, process):
        self.process = process
        self.events = []
        self._news = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, program, *arguments):
        script = os.path.join(HERE, program)
        command = (sys.executable, "-S", script, *map(str, arguments), "--max-seconds", str(ALL_SECONDS))
        return cls(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))

    async def _listen(self):
        async for line in self.process.stdout:
            self.events.append(json.loads(line))
            self._news.set()

    async def saw(self, event, **fields):
        """Waits for an event with these fields and returns it."""
        while True:
            for seen in self.events:
                if seen["event"] == event and fields.items() <= seen.items():
                    return seen
            self._news.clear()
            await self._news.wait()

    def unexpected(self):
        return [seen["what"] for seen in self.events if seen["event"] == "unexpected"]

    async def stop(self):
        if self.process.returncode is None:
            self.process.terminate()
        await self._listening
        await self.process.wait()


class League:
    """A server and two clients in a temp folder."""

    def __init__(self, folder, server, a, b, faults=()):
        self.folder = folder
        self.generations = {"server": server, "A": a, "B": b}
        self.faults = [f"--fault={fault}" for fault in faults]
        self.peers = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(*(peer.stop() for peer in self.peers))

    async def start(self):
        for name, files in (("A", OF_A), ("B", OF_B)):
            fill(self.root(name), files)
        self.server = await self._start("old_server.py", "server")
        self.port = (await self.server.saw("listening"))["port"]
        self.b = await self._client("B")
        await self.server.saw("manifest", client="B")
        self.a = await self._client("A", *self.faults)

    async def _client(self, name, *more):
        own = ("--name", name, "--root", self.root(name), "--port", self.port)
        return await self._start("old_client.py", name, *own, *more)

    async def _start(self, program, role, *arguments):
        peer = await Peer.start(program, "--generation", self.generations[role], *arguments)
        self.peers.append(peer)
        return peer

    def root(self, name):
        return os.path.join(self.folder, name)

    async def until_all_have(self, paths):
        while not all(paths <= contents(self.root(name)).keys() for name in "AB"):
            await asyncio.sleep(0.1)

    def unexpected(self):
        return [what for peer in self.peers for what in peer.unexpected()]


def fill(root, files):
    for path, data in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(data)


def contents(root):
    return {entry["rel_path"]: entry["sha256"] for entry in scan(root, FIRST).entries}


def check(is_so, what):
    if not is_so:
        raise AssertionError(what)


async def files_travel(server, a, b):
    with tempfile.TemporaryDirectory() as folder:
        async with League(folder, server, a, b) as league:
            await league.start()
            await league.until_all_have(OF_A.keys() | OF_B.keys())
            await asyncio.gather(league.a.saw("sync_done"), league.b.saw("sync_done"))
        check(contents(league.root("A")) == contents(league.root("B")), "the folders differ")
        check(not league.unexpected(), league.unexpected())


async def client_vanishes(server, aftermath, **fields):
    with tempfile.TemporaryDirectory() as folder:
        async with League(folder, server, FIRST, FIRST, [f"close:{FAULTY}"]) as league:
            await league.start()
            await league.b.saw("begin", path=FAULTY)
            await league.server.saw(aftermath, **fields)
        check(FAULTY not in contents(league.root("B")), "half a file was installed")


async def stranger_is_dropped():
    with tempfile.TemporaryDirectory() as folder:
        async with League(folder, FIRST, FIRST, FIRST, ["other-path:../evil.png"]) as league:
            await league.start()
            await league.b.saw("unexpected", path="../evil.png")
        check(not os.path.exists(os.path.join(folder, "evil.png")), "a file was written outside the root")


class Recorder:
    """A link that keeps what a source sends."""

    def __init__(self):
        self.messages = []

    async def send(self, message):
        self.messages.append(message)


async def streamed(root, *faults):
    """Returns what a source sends when it is asked for all files of A, and where it ended by dropping the link."""
    link, dropped = Recorder(), False
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            source = Source(root, CLIENT_1_0_4, link, Faults(faults))
            await source.serve({"type": "SEND_FILES", "sync_id": "s", "paths": sorted(OF_A)})
        except LinkDropped:
            dropped = True
    return link.messages, dropped


async def faults_do_what_they_say():
    with tempfile.TemporaryDirectory() as root:
        fill(root, OF_A)
        sound, _ = await streamed(root)
        check(files_in(sound) == OF_A and not odd(sound), "a sound source")
        for fault, is_as_told in FAULTS.items():
            messages, dropped = await streamed(root, fault if fault == "mute" else f"{fault}:{FAULTY}")
            check(is_as_told(messages, dropped), f"fault {fault}")


def files_in(messages):
    """Puts together what was streamed, whatever was declared."""
    files = {}
    for message in messages:
        data = base64.b64decode(message.get("data_b64", ""))
        files[message["rel_path"]] = files.get(message["rel_path"], b"") + data
    return files


def ended(messages):
    return [message["rel_path"] for message in messages if message["type"] == "FILE_END"]


def declared(messages):
    keys = ("size", "sha256")
    return next([message[key] for key in keys] for message in messages if message["rel_path"] == FAULTY)


def odd(messages):
    watch = StreamWatch()
    watch.announce("s")
    return [complaint for message in messages for complaint in watch.look(message)]


def truth():
    return [len(OF_A[FAULTY]), sha256_hex(OF_A[FAULTY])]


def half(messages, _=False):
    got = files_in(messages)[FAULTY]
    return 0 < len(got) < len(OF_A[FAULTY]) and OF_A[FAULTY].startswith(got) and declared(messages) == truth()


def true_but_for_bytes(messages):
    got = files_in(messages)
    return declared(messages) == truth() and got.pop(FAULTY) != OF_A[FAULTY] and got == OTHERS


OTHERS = {path: data for path, data in OF_A.items() if path != FAULTY}
BEFORE = [path for path in sorted(OF_A) if path < FAULTY]
FAULTS = {
    "mute": lambda sent, _: not sent,
    "skip": lambda sent, _: files_in(sent) == OTHERS and not odd(sent),
    "wrong-bytes": lambda sent, _: true_but_for_bytes(sent) and not odd(sent),
    "too-many": lambda sent, _: true_but_for_bytes(sent) and len(files_in(sent)[FAULTY]) > truth()[0],
    "gap": lambda sent, _: declared(sent) == truth() and "expected" in odd(sent)[0] and FAULTY in ended(sent),
    "short": lambda sent, _: half(sent) and sorted(ended(sent)) == sorted(OF_A),
    "silent": lambda sent, dropped: half(sent) and ended(sent) == BEFORE and not dropped,
    "close": lambda sent, dropped: half(sent) and ended(sent) == BEFORE and dropped,
    "wrong-hash": lambda sent, _: files_in(sent) == OF_A and declared(sent)[1] != truth()[1],
    "other-path": lambda sent, _: ended(sent)[0] == FAULTY and not odd(sent),
}


async def watchers_complain():
    hello = {"type": "HELLO", "steam_id": "1", "client_name": "n", "manifest_hash": "h"}
    check(not table_complaints(hello, CLIENT), "HELLO is protocol 1")
    for message, sender in (
        ({**hello, "version": 2}, CLIENT),
        ({"type": "HELLO"}, CLIENT),
        ({"type": "NEWS"}, CLIENT),
        ({"type": ["PING"]}, CLIENT),
        (hello, SERVER),
        ({"type": "SEND_FILES", "sync_id": "s", "paths": "a.png"}, SERVER),
        ({"type": "MANIFEST_FULL", "sync_id": "", "manifest": [{"rel_path": "a"}]}, CLIENT),
    ):
        check(table_complaints(message, sender), message)


async def hashes_are_of_these_bytes():
    entries = [{"rel_path": path, "size": 1, "sha256": "00", "mtime": 2.5} for path in ("é.png", "a.png", "Z.png")]
    own = ",".join('{"rel_path":"%s","size":1,"sha256":"00"}' % path for path in ("Z.png", "a.png", "é.png"))
    union = ",".join('{"rel_path":"%s","sha256":"00","size":1}' % path for path in ("Z.png", "a.png", "é.png"))
    check(manifest_hash(entries) == sha256_hex(f"[{own}]".encode()), "the hash of a manifest")
    check(union_hash(entries) == sha256_hex(f"[{union}]".encode()), "the hash of a union")


def sha256_hex(data):
    return hashlib.sha256(data).hexdigest()


async def interleaving_is_noticed():
    watch = ServerWatch()
    check(not watch.look({"type": "WELCOME", "client_id": "me", "anything": 1}), "WELCOME may carry more")
    for sync_id in ("s1", "s2"):
        check(not watch.look(offer(sync_id)), "an offer is protocol 1")
    check(watch.look(begin("s3", "a.png")), "no such session")
    watch.stream.finish("s3")
    check(not watch.look(begin("s1", "a.png")), "the first file")
    check(watch.look(begin("s2", "b.png")), "interleaved with the first")
    check(watch.look(chunk("s1", "a.png", 0)), "the first file again")
    check(watch.look(chunk("s2", "b.png", 1)), "out of order")
    check(not watch.look(offer("s4")), "a newer session")
    check(not watch.look(begin("s4", "b.png")), "a newer session leaves the file behind")
    check(not watch.look(chunk("s4", "b.png", 0)), "in order")


def offer(sync_id):
    ids = {"source_client_id": "other", "target_client_id": "me"}
    return {"type": "SYNC_OFFER", "sync_id": sync_id, "role": "TARGET", "current_hash": "", **ids}


def begin(sync_id, path):
    return {"type": "FILE_BEGIN", "sync_id": sync_id, "rel_path": path, "size": 9, "sha256": "0" * 64}


def chunk(sync_id, path, offset):
    return {"type": "FILE_CHUNK", "sync_id": sync_id, "rel_path": path, "offset": offset, "data_b64": "AAAA"}


def cases():
    for server, a, b in itertools.product((FIRST, LATER), (FIRST, CLIENT_1_0_4), (FIRST, CLIENT_1_0_4)):
        yield f"server {server}, clients {a} and {b}", files_travel(server, a, b)
    yield "server first freezes when a source vanishes", client_vanishes(FIRST, "frozen", client="A")
    yield "server later goes on when a source vanishes", client_vanishes(LATER, "ended", reason="peer disconnected")
    yield "a file that leads out of the root is dropped", stranger_is_dropped()
    yield "faults do what they say", faults_do_what_they_say()
    yield "hashes are of these bytes", hashes_are_of_these_bytes()
    yield "watchers complain", watchers_complain()
    yield "interleaving is noticed", interleaving_is_noticed()


async def run_case(name, case):
    started = time.monotonic()
    try:
        await case
        outcome = "ok"
    except Exception as error:
        outcome = f"FAILED {error!r}"
    print(f"{name}: {outcome} ({time.monotonic() - started:.1f} s)", flush=True)
    return outcome == "ok"


async def main():
    try:
        work = asyncio.gather(*(run_case(name, case) for name, case in cases()))
        results = await asyncio.wait_for(work, ALL_SECONDS)
    except asyncio.TimeoutError:
        print(f"FAILED: not done after {ALL_SECONDS} s")
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
