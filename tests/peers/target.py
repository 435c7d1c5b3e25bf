"""The receiving half of an old client.

Habits kept on purpose:

* One file is open at a time. A FILE_BEGIN while another is open forgets that one and leaves its temp file behind.
* A chunk of any other path is ignored; `offset` is not looked at; bytes are appended; the declared size is never used.
* FILE_END reads the temp file again to hash it. A wrong hash is an ERROR, and no SYNC_DONE follows from that file.
* An existing file is copied to `.backup/<YYYYMMDD_HHMMSS>/<path>` before the new one is put over it.
* SYNC_DONE comes one second after a FILE_END, behind a fresh summary and a fresh manifest, and not at all if a file
  is open at that moment. `first` starts such a wait for each file; in `1.0.4` the next file restarts it.
* `1.0.4` alone: ERROR for every BEGIN, CHUNK and END of a path that it would not publish itself; a local file that is
  more than 1 s newer stays and the incoming one is put beside it under a conflict name; the source's mtime is set.
* A file without `mtime` (from `first`) counts as older than anything, so `1.0.4` never lets it replace a file.
* Broken base64 is an ERROR in `1.0.4`; `first` dies of it.

Not kept: `first` writes wherever a path leads. Here such a file is reported and dropped; the link sees no difference.
"""

import asyncio
import base64
import os
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from events import report, unexpected
from source import within
from wire import CLIENT_1_0_4, LINK_LOST, accepted_by_1_0_4, conflict_name, scan, sha256_of, tidy

QUIET_SECONDS = 1.0
NEWER_BY_SECONDS = 1.0


@dataclass
class Download:
    """The file that is being received."""

    path: str
    sha256: str
    mtime: float
    temp: str


class Target:
    """Takes FILE_BEGIN, FILE_CHUNK and FILE_END."""

    def __init__(self, root, generation, link):
        self.root = root
        self.generation = generation
        self.link = link
        self.incoming = None
        self.begun = Counter()
        self.waits = set()

    @property
    def careful(self):
        return self.generation == CLIENT_1_0_4

    async def begin(self, message):
        sync_id, path = str(message.get("sync_id", "")), str(message.get("rel_path", ""))
        self.begun[path] += 1
        if await self._refuses(sync_id, path, "FILE_BEGIN"):
            self.incoming = None
            return
        if self.incoming:
            report("abandoned", path=self.incoming.path)
        size, sha256 = message.get("size"), str(message.get("sha256", ""))
        report("begin", sync_id=sync_id, path=path, size=size, sha256=sha256, times=self.begun[path])
        self.incoming = Download(path, sha256, seconds(message.get("mtime", 0)), self._new_temp(path))
        if self.careful:
            os.makedirs(os.path.dirname(self._full(path)), exist_ok=True)

    async def chunk(self, message):
        sync_id, path = str(message.get("sync_id", "")), str(message.get("rel_path", ""))
        if await self._refuses(sync_id, path, "FILE_CHUNK") or not self._is_open(path):
            return
        data = await self._decoded(sync_id, path, message.get("data_b64", ""))
        if data is not None:
            with open(self.incoming.temp, "ab") as file:
                file.write(data)

    async def end(self, message):
        sync_id, path = str(message.get("sync_id", "")), str(message.get("rel_path", ""))
        if await self._refuses(sync_id, path, "FILE_END") or not self._is_open(path):
            return
        incoming, found = self.incoming, sha256_of(self.incoming.temp)
        if incoming.sha256 and found != incoming.sha256.lower():
            await self._mismatch(sync_id, incoming, found)
            return
        self._store(sync_id, incoming, found)
        self.incoming = None
        self._say_done_later(sync_id)

    def _is_open(self, path):
        return self.incoming is not None and self.incoming.path == path

    async def _refuses(self, sync_id, path, where):
        if not self.careful or accepted_by_1_0_4(path):
            return False
        report("refused", sync_id=sync_id, path=path, at=where)
        await self._error(sync_id, f"{where}: this client does not take {path!r}")
        return True

    async def _decoded(self, sync_id, path, text):
        if not self.careful:
            return base64.b64decode(text.encode("ascii")) if isinstance(text, str) else None
        try:
            return base64.b64decode(text.encode("ascii"), validate=True)
        except (AttributeError, ValueError):
            report("refused", sync_id=sync_id, path=path, at="FILE_CHUNK")
            await self._error(sync_id, f"a chunk of {path} is no base64")
            return None

    async def _mismatch(self, sync_id, incoming, found):
        report("mismatch", sync_id=sync_id, path=incoming.path, expected=incoming.sha256, found=found)
        await self._error(sync_id, f"{incoming.path} has hash {found}, not {incoming.sha256}")
        os.remove(incoming.temp)
        self.incoming = None

    async def _error(self, sync_id, text):
        await self.link.send({"type": "ERROR", "sync_id": sync_id, "message": text})

    def _new_temp(self, path):
        folder = os.path.join(self.root, ".tmp")
        os.makedirs(folder, exist_ok=True)
        temp = os.path.join(folder, f"rx_{time.time_ns() // 1_000_000}_{os.path.basename(path)}.tmp")
        open(temp, "wb").close()
        return temp

    def _full(self, path):
        return os.path.join(self.root, (tidy(path) if self.careful else path).replace("/", os.sep))

    def _store(self, sync_id, incoming, found):
        final = self._full(incoming.path)
        if not within(self.root, final):
            unexpected("a file that leads out of the liveries folder", path=incoming.path)
            os.remove(incoming.temp)
            return
        os.makedirs(os.path.dirname(final), exist_ok=True)
        if self.careful and own_is_newer(final, incoming.mtime):
            self._put_beside(sync_id, incoming, final, found)
            return
        replaces = self._back_up(final)
        os.replace(incoming.temp, final)
        self._date(final, incoming.mtime)
        report("installed", sync_id=sync_id, path=incoming.path, sha256=found, replaces=replaces)

    def _put_beside(self, sync_id, incoming, final, found):
        beside = free_name(final, found)
        os.replace(incoming.temp, beside)
        self._date(beside, incoming.mtime)
        stored_as = os.path.relpath(beside, self.root).replace("\\", "/")
        report("kept_local", sync_id=sync_id, path=incoming.path, stored_as=stored_as)

    def _back_up(self, final):
        if not os.path.isfile(final):
            return False
        stamp = datetime.now().strftime("%Y%m%d_%H%M%S")
        copy = os.path.join(self.root, ".backup", stamp, os.path.relpath(final, self.root))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy2(final, copy)
        return True

    def _date(self, full, mtime):
        if self.careful and mtime:
            try:
                os.utime(full, (mtime, mtime))
            except (OSError, OverflowError, ValueError):
                pass

    def _say_done_later(self, sync_id):
        if self.careful:
            for wait in self.waits:
                wait.cancel()
        wait = asyncio.create_task(self._say_done(sync_id))
        self.waits.add(wait)
        wait.add_done_callback(self.waits.discard)

    async def _say_done(self, sync_id):
        await asyncio.sleep(QUIET_SECONDS)
        if self.incoming is not None:
            return
        manifest = scan(self.root, self.generation)
        try:
            await self.link.send(manifest.summary_message())
            await self.link.send(manifest.full_message())
            await self.link.send({"type": "SYNC_DONE", "sync_id": sync_id, "new_manifest_hash": manifest.hash})
        except LINK_LOST:
            return
        report("sync_done", sync_id=sync_id, manifest_hash=manifest.hash, files=len(manifest.entries))


def seconds(value):
    """Returns an mtime from the wire, 0 where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def own_is_newer(final, incoming_mtime):
    """Says whether the file that is there must stay."""
    return os.path.isfile(final) and os.path.getmtime(final) > incoming_mtime + NEWER_BY_SECONDS


def free_name(final, sha256):
    """Returns the first conflict name beside `final` that nothing has."""
    number = 0
    while os.path.exists(name := conflict_name(final, sha256, number)):
        number += 1
    return name
