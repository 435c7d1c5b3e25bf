"""The messages and fields of protocol 1, and two watchers that report what a peer sends beyond them.

Imitates nothing: the old programs ignore whatever they do not know, which is why somebody else has to look. The
watchers only look; what an old program does with a message is decided elsewhere and does not depend on them.

* `table_complaints` compares a message with the table of types and fields.
* `StreamWatch` follows the files of one direction: one at a time, in order, no more than declared.
* `ServerWatch` adds what only the order of a server's messages shows: offers, roles, files nobody announced.
"""

import base64
import binascii
import re
from collections import Counter
from dataclasses import dataclass, replace

from wire import CHUNK_BYTES

TEXT = str
COUNT = int
NUMBER = (int, float)
LIST = list

SERVER = "server"
CLIENT = "client"

SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Shape:
    """The fields of a message. `open` ones may carry more: their sender cannot know yet whom it talks to."""

    needed: dict
    optional: dict
    open: bool = False


def _shape(optional=None, open=False, **needed):
    return Shape(needed, optional or {}, open)


FILE_BEGIN = _shape({"mtime": NUMBER}, sync_id=TEXT, rel_path=TEXT, size=COUNT, sha256=TEXT)
FILE_CHUNK = _shape(sync_id=TEXT, rel_path=TEXT, offset=COUNT, data_b64=TEXT)
FILE_END = _shape(sync_id=TEXT, rel_path=TEXT)
ERROR = _shape(sync_id=TEXT, message=TEXT)
FILES = {"FILE_BEGIN": FILE_BEGIN, "FILE_CHUNK": FILE_CHUNK, "FILE_END": FILE_END}
ENTRY = _shape({"mtime": NUMBER}, rel_path=TEXT, size=COUNT, sha256=TEXT)

SENT_BY = {
    SERVER: {
        "WELCOME": _shape(open=True, client_id=TEXT),
        "SERVER_STATE": _shape(current_hash=TEXT),
        "REQUEST_MANIFEST": _shape(sync_id=TEXT),
        "SYNC_OFFER": _shape(
            sync_id=TEXT, role=TEXT, current_hash=TEXT, source_client_id=TEXT, target_client_id=TEXT
        ),
        "SEND_FILES": _shape(sync_id=TEXT, paths=LIST),
        "SYNC_DONE_ACK": _shape(sync_id=TEXT, new_manifest_hash=TEXT),
        "ERROR": ERROR,
        "PONG": _shape(),
        **FILES,
    },
    CLIENT: {
        "HELLO": _shape(steam_id=TEXT, client_name=TEXT, manifest_hash=TEXT),
        "MANIFEST_SUMMARY": _shape(manifest_hash=TEXT, file_count=COUNT, total_bytes=COUNT),
        "MANIFEST_FULL": _shape(sync_id=TEXT, manifest=LIST),
        "SYNC_DONE": _shape(sync_id=TEXT, new_manifest_hash=TEXT),
        "ERROR": ERROR,
        "PING": _shape(),
        **FILES,
    },
}


def shape_of(message, sender):
    """Returns what the table says about a message from `sender`, or None if it knows no such type."""
    kind = message.get("type")
    return SENT_BY[sender].get(kind) if isinstance(kind, str) else None


def table_complaints(message, sender):
    """Lists where a message leaves the table."""
    shape = shape_of(message, sender)
    if shape is None:
        return [f"message type {message.get('type')!r} is none of a {sender}'s"]
    complaints = _field_complaints(_body(message), shape, message["type"])
    if message["type"] == "MANIFEST_FULL" and isinstance(message.get("manifest"), list):
        complaints += _entry_complaints(message["manifest"])
    return complaints


def readable(message, sender):
    """Says whether a message is of a known type and has what the table asks for, whatever else it carries."""
    shape = shape_of(message, sender)
    return shape is not None and not _field_complaints(_body(message), replace(shape, open=True), "")


def readable_entry(entry):
    """Says whether a manifest entry has what the table asks for."""
    return isinstance(entry, dict) and not _field_complaints(entry, replace(ENTRY, open=True), "")


def _body(message):
    return {name: value for name, value in message.items() if name != "type"}


def _entry_complaints(entries):
    found = {}
    for entry in entries:
        if isinstance(entry, dict):
            found.update(dict.fromkeys(_field_complaints(entry, ENTRY, "manifest entry")))
        else:
            found["manifest entry is no object"] = None
    return list(found)


def _field_complaints(fields, shape, where):
    known = {**shape.needed, **shape.optional}
    complaints = [f"{where} lacks field {name!r}" for name in shape.needed if name not in fields]
    for name, value in fields.items():
        if name not in known and not shape.open:
            complaints.append(f"{where} has unknown field {name!r}")
        if name in known and (isinstance(value, bool) or not isinstance(value, known[name])):
            complaints.append(f"{where} has {name!r} of type {type(value).__name__}")
    return complaints


@dataclass
class OpenFile:
    """The file that a stream is in the middle of."""

    sync_id: str
    path: str
    size: int
    sessions_by_then: frozenset
    received: int = 0


class StreamWatch:
    """Follows the FILE_BEGIN, FILE_CHUNK and FILE_END of one direction of one link."""

    def __init__(self):
        self.sessions = set()
        self.finished = set()
        self.open = None

    def announce(self, sync_id):
        """Notes that a session may bring files from here on."""
        self.sessions.add(sync_id)

    def finish(self, sync_id):
        """Notes that a session is over: a file of it that is still open may be left behind."""
        self.finished.add(sync_id)

    def look(self, message):
        """Lists what is odd about a FILE_* message. Fields must have been found to be of the right types."""
        look = {"FILE_BEGIN": self._begin, "FILE_CHUNK": self._chunk, "FILE_END": self._end}[message["type"]]
        return list(look(message))

    def _begin(self, message):
        sync_id, path = message["sync_id"], message["rel_path"]
        if sync_id not in self.sessions:
            yield f"FILE_BEGIN of {path!r} in a session that was not offered"
        if self._interleaves(sync_id):
            yield f"FILE_BEGIN of {path!r} while {self.open.path!r} is open"
        yield from _path_complaints(path)
        if message["size"] < 0 or not SHA256.fullmatch(message["sha256"]):
            yield f"FILE_BEGIN of {path!r} with size {message['size']} and hash {message['sha256']!r}"
        self.open = OpenFile(sync_id, path, message["size"], frozenset(self.sessions))

    def _interleaves(self, sync_id):
        """An unfinished file may be left behind by a session that ended; a newer session tells that it did."""
        if self.open is None or self.open.sync_id in self.finished:
            return False
        return sync_id in self.open.sessions_by_then

    def _chunk(self, message):
        if not self._belongs(message):
            yield f"FILE_CHUNK of {message['rel_path']!r} while {self._open_name()} is open"
            return
        try:
            length = len(base64.b64decode(message["data_b64"], validate=True))
        except (binascii.Error, ValueError):
            yield f"FILE_CHUNK of {self.open.path!r} with bad base64"
            return
        if length > CHUNK_BYTES:
            yield f"FILE_CHUNK of {self.open.path!r} with {length} bytes"
        if message["offset"] != self.open.received:
            yield f"FILE_CHUNK of {self.open.path!r} at {message['offset']}, expected {self.open.received}"
        self.open.received += length
        if self.open.received > self.open.size:
            yield f"{self.open.received} bytes of {self.open.path!r}, declared {self.open.size}"

    def _end(self, message):
        if not self._belongs(message):
            yield f"FILE_END of {message['rel_path']!r} while {self._open_name()} is open"
            return
        if self.open.received < self.open.size:
            yield f"FILE_END of {self.open.path!r} after {self.open.received} bytes, declared {self.open.size}"
        self.open = None

    def _belongs(self, message):
        is_open = self.open is not None
        return is_open and (message["sync_id"], message["rel_path"]) == (self.open.sync_id, self.open.path)

    def _open_name(self):
        return repr(self.open.path) if self.open else "nothing"


def _path_complaints(path):
    if path.startswith("/") or "\\" in path or ":" in path or not set(path.split("/")).isdisjoint({"", ".", ".."}):
        yield f"path {path!r} is not plain"


class ServerWatch:
    """Looks at everything that a server sends to one client."""

    def __init__(self):
        self.client_id = None
        self.stream = StreamWatch()
        self.as_source = set()

    def look(self, message):
        """Lists what protocol 1 does not know about a message, and remembers what the next one is judged by."""
        complaints = table_complaints(message, SERVER)
        if not readable(message, SERVER):
            return complaints
        kind = message["type"]
        if kind in FILES:
            return complaints + self.stream.look(message)
        special = {
            "WELCOME": self._welcome,
            "SYNC_OFFER": self._offer,
            "SEND_FILES": self._request,
            "SYNC_DONE_ACK": self._acknowledgement,
        }.get(kind)
        return complaints + list(special(message) if special else ())

    def _welcome(self, message):
        if self.client_id is not None:
            yield "a second WELCOME"
        self.client_id = message["client_id"]

    def _offer(self, message):
        sync_id, role = message["sync_id"], message["role"]
        own = {"SOURCE": "source_client_id", "TARGET": "target_client_id"}.get(role)
        if own is None:
            yield f"SYNC_OFFER with role {role!r}"
            return
        if message[own] != self.client_id:
            yield f"SYNC_OFFER as {role} for client {message[own]!r}, this is {self.client_id!r}"
        if message["source_client_id"] == message["target_client_id"]:
            yield "SYNC_OFFER from a client to itself"
        if sync_id in self.as_source | self.stream.sessions:
            yield f"SYNC_OFFER of {sync_id!r} twice"
        if role == "TARGET":
            self.stream.announce(sync_id)
        else:
            self.as_source.add(sync_id)

    def _request(self, message):
        paths = message["paths"]
        if message["sync_id"] not in self.as_source:
            yield f"SEND_FILES in session {message['sync_id']!r} that was not offered"
        if not all(isinstance(path, str) for path in paths):
            yield "SEND_FILES with a path that is no text"
            return
        for path, times in Counter(paths).items():
            if times > 1:
                yield f"SEND_FILES asks {times} times for {path!r}"
            yield from _path_complaints(path)

    def _acknowledgement(self, message):
        if message["sync_id"] not in self.as_source:
            yield f"SYNC_DONE_ACK in session {message['sync_id']!r} that this client is no source of"
