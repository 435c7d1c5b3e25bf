"""The sending half of an old client, and the ways to misbehave that tests ask it for.

Habits kept on purpose:

* It scans its folder again before it sends, and declares the hash that this scan found.
* One file after the other, in the order asked, in chunks of 262,144 bytes; an empty file has no chunk.
* A path that it does not have is skipped without a word. So is, by `1.0.4`, one that it would not publish itself.
* `first` sends the file at a path even where its manifest has nothing of the kind; only `1.0.4` declares `mtime`.
* Nothing is read from the link until the last file is out (the caller awaits `serve` in its read loop).

Not kept: `first` would send files from outside the liveries folder if a server asked for them.

Faults, one for each path (`KIND:PATH`), except `mute`, which stands alone:

    skip         the path is skipped, though the file is there
    wrong-bytes  as many bytes as declared, but others
    too-many     more bytes than declared
    gap          a chunk from the middle is left out; the offsets of the others stay true
    short        FILE_END comes after half of the bytes
    silent       FILE_BEGIN and half of the bytes, then nothing in this session any more; the link is still read
    close        the connection is dropped after half of the bytes
    other-path   a small file of this name that nobody asked for goes first in every session
    wrong-hash   FILE_BEGIN declares another hash than the manifest did
    mute         SEND_FILES is taken and nothing is ever sent
"""

import base64
import hashlib
import os
from collections import Counter
from dataclasses import dataclass, replace

from events import report
from wire import CHUNK_BYTES, CLIENT_1_0_4, accepted_by_1_0_4, scan, sha256_of, tidy

MUTE = "mute"
OTHER_PATH = "other-path"
HALVING = frozenset({"short", "silent", "close"})
FILE_FAULTS = HALVING | {"skip", "wrong-bytes", "too-many", "gap", "wrong-hash"}
SURPLUS = b"more than was declared"
PIECES_OF_A_FAULTY_FILE = 4


class LinkDropped(Exception):
    """The fault `close` has cut the connection."""


class SessionSilenced(Exception):
    """The fault `silent` has ended all sending in this session."""


class Faults:
    """Holds the faults that `--fault` asks for."""

    def __init__(self, texts=()):
        self.mute = False
        self.uninvited = []
        self.by_path = {}
        for text in texts:
            self._add(*text.partition(":")[::2])

    def _add(self, kind, path):
        if kind == MUTE and not path:
            self.mute = True
        elif kind == OTHER_PATH and path:
            self.uninvited.append(path)
        elif kind in FILE_FAULTS and path and path not in self.by_path:
            self.by_path[path] = kind
        else:
            raise ValueError(f"no such fault, or a second one for the same path: {kind}:{path}")


@dataclass
class PlannedUpload:
    """One file on its way: what is declared and which pieces follow."""

    path: str
    size: int
    sha256: str
    mtime: float
    pieces: object
    fault: str = ""


class Source:
    """Answers SEND_FILES."""

    def __init__(self, root, generation, link, faults):
        self.root = root
        self.generation = generation
        self.link = link
        self.faults = faults
        self.asked = Counter()

    async def serve(self, message):
        """Streams what a SEND_FILES asks for."""
        paths = message.get("paths", [])
        if not isinstance(paths, list):
            return
        sync_id = str(message.get("sync_id", ""))
        self.asked.update(path for path in paths if isinstance(path, str))
        report("asked", sync_id=sync_id, paths=paths)
        if self.faults.mute:
            report("fault", kind=MUTE, sync_id=sync_id)
            return
        try:
            await self._stream(sync_id, paths)
        except SessionSilenced:
            pass

    async def _stream(self, sync_id, paths):
        manifest = scan(self.root, self.generation)
        for path in self.faults.uninvited:
            report("fault", kind=OTHER_PATH, path=path, sync_id=sync_id)
            await self._send_file(sync_id, uninvited(path))
        for path in paths:
            if isinstance(path, str):
                await self._answer(sync_id, path, manifest)

    async def _answer(self, sync_id, asked, manifest):
        path = tidy(asked) if self.generation == CLIENT_1_0_4 else asked.replace("\\", "/")
        why_not = self._why_not(path)
        if why_not:
            report("skipped", sync_id=sync_id, path=path, why=why_not)
            return
        prepared = self._prepare(path, manifest)
        if prepared.fault:
            report("fault", kind=prepared.fault, path=path, sync_id=sync_id)
            prepared = spoiled(prepared, self._full(path))
        await self._send_file(sync_id, prepared)

    def _why_not(self, path):
        if self.generation == CLIENT_1_0_4 and not accepted_by_1_0_4(path):
            return "not carried"
        if not within(self.root, self._full(path)):
            return "outside the root"
        if not os.path.isfile(self._full(path)):
            return "missing"
        return "fault" if self.faults.by_path.get(path) == "skip" else ""

    def _full(self, path):
        return os.path.join(self.root, path.replace("/", os.sep))

    def _prepare(self, path, manifest):
        full = self._full(path)
        status = os.stat(full)
        return PlannedUpload(
            path=path,
            size=status.st_size,
            sha256=manifest.sha256_at(path) or sha256_of(full),
            mtime=status.st_mtime,
            pieces=pieces_of(full),
            fault=self.faults.by_path.get(path, ""),
        )

    async def _send_file(self, sync_id, prepared):
        await self._begin(sync_id, prepared)
        for offset, data in prepared.pieces:
            await self._chunk(sync_id, prepared.path, offset, data)
        if prepared.fault == "close":
            raise LinkDropped
        if prepared.fault == "silent":
            raise SessionSilenced
        await self.link.send({"type": "FILE_END", "sync_id": sync_id, "rel_path": prepared.path})
        report("sent", sync_id=sync_id, path=prepared.path, size=prepared.size, times=self.asked[prepared.path])

    async def _begin(self, sync_id, prepared):
        message = {
            "type": "FILE_BEGIN",
            "sync_id": sync_id,
            "rel_path": prepared.path,
            "size": prepared.size,
            "sha256": prepared.sha256,
        }
        if self.generation == CLIENT_1_0_4:
            message["mtime"] = prepared.mtime
        await self.link.send(message)

    async def _chunk(self, sync_id, path, offset, data):
        await self.link.send(
            {
                "type": "FILE_CHUNK",
                "sync_id": sync_id,
                "rel_path": path,
                "offset": offset,
                "data_b64": base64.b64encode(data).decode("ascii"),
            }
        )


def within(root, full):
    """Says whether a path stays inside the liveries folder."""
    root, full = os.path.abspath(root), os.path.abspath(full)
    return full == root or full.startswith(root + os.sep)


def pieces_of(full):
    """Yields the chunks of a file with their offsets."""
    offset = 0
    with open(full, "rb") as file:
        while data := file.read(CHUNK_BYTES):
            yield offset, data
            offset += len(data)


def uninvited(path):
    """Returns a small, sound file that no server has asked for."""
    data = f"nobody asked for {path}".encode()
    return PlannedUpload(path, len(data), hashlib.sha256(data).hexdigest(), 0.0, [(0, data)])


def spoiled(prepared, full):
    """Returns a prepared file with its fault applied. Reads the file whole: faulty files are small."""
    if prepared.fault == "wrong-hash":
        return replace(prepared, sha256=hashlib.sha256(prepared.sha256.encode()).hexdigest())
    with open(full, "rb") as file:
        pieces = cut(file.read())
    return replace(prepared, pieces=spoiled_pieces(prepared.fault, pieces, prepared.size))


def spoiled_pieces(fault, pieces, size):
    """Returns the pieces of a faulty file."""
    middle = len(pieces) // 2
    if fault in HALVING:
        return pieces[:middle]
    if fault == "gap":
        return pieces[:middle] + pieces[middle + 1 :]
    if fault == "too-many":
        return pieces + [(size, SURPLUS)]
    return [(offset, bytes(byte ^ 0xFF for byte in data)) for offset, data in pieces]


def cut(data):
    """Cuts even a small file into several chunks, so that there is a middle to go wrong in."""
    step = max(1, min(CHUNK_BYTES, -(-len(data) // PIECES_OF_A_FAULTY_FILE)))
    return [(offset, data[offset : offset + step]) for offset in range(0, len(data), step)]
