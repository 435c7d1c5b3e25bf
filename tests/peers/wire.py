"""Frames, hashes and manifests of protocol 1, as the Python programs in use speak them.

Imitates the lowest layer that the old client and the old server share. Habits kept on purpose:

* A frame may have any length; nothing bounds what a peer claims.
* JSON is compact and non-ASCII text is not escaped.
* Client `first` publishes every file that is not below a `.backup` or `.tmp` folder.
* Client `1.0.4` publishes only `.png`, `.dds` and `.json` (any case), no path with `__CONFLICT__` or `Copy.` in it,
  and adds `mtime` to its entries. Drive prefixes are refused as they are on Windows, whatever system this runs on.
* A file that cannot be read is left out without a word. A root that is missing is created.
"""

import asyncio
import hashlib
import json
import ntpath
import os
import posixpath
import struct
from dataclasses import dataclass

FIRST = "first"
CLIENT_1_0_4 = "1.0.4"
LATER = "later"

CHUNK_BYTES = 262_144
CONFLICT_MARK = "__CONFLICT__"
COPY_MARK = "Copy."
CARRIED_EXTENSIONS = frozenset({".png", ".dds", ".json"})
PRIVATE_FOLDERS = frozenset({".backup", ".tmp"})

LENGTH = struct.Struct(">I")
LINK_LOST = (asyncio.IncompleteReadError, ConnectionError)


def compact(value):
    """Returns the bytes of `value` as JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


async def read_frame(reader):
    """Returns the next message. Raises `asyncio.IncompleteReadError` at the end, `ValueError` if it is no object."""
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    message = json.loads((await reader.readexactly(length)).decode("utf-8"))
    if not isinstance(message, dict):
        raise ValueError("a frame that holds no JSON object")
    return message


async def write_frame(writer, message):
    """Sends `message` and waits while the peer is slow to take it."""
    payload = compact(message)
    writer.write(LENGTH.pack(len(payload)) + payload)
    await writer.drain()


def sha256_of(path):
    """Returns the SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def manifest_hash(entries):
    """Returns the hash that a client reports for its own files."""
    return _list_hash(entries, ("rel_path", "size", "sha256"))


def union_hash(entries):
    """Returns the hash that a server reports for the union."""
    return _list_hash(entries, ("rel_path", "sha256", "size"))


def _list_hash(entries, keys):
    ordered = sorted(entries, key=lambda entry: (entry["rel_path"], entry["sha256"], entry["size"]))
    return hashlib.sha256(compact([{key: entry[key] for key in keys} for entry in ordered])).hexdigest()


def conflict_name(path, sha256, number=0):
    """Returns the name that a rival content gets beside `path`."""
    base, extension = posixpath.splitext(path)
    counter = f"_{number}" if number else ""
    return f"{base}{CONFLICT_MARK}{sha256[:8]}{counter}{extension}"


def tidy(path):
    """Returns a path as `1.0.4` spells it before it checks it."""
    return path.replace("\\", "/").strip()


def marked(path):
    """Says whether a path carries a mark that the later programs leave alone."""
    return CONFLICT_MARK in path or COPY_MARK in path


def carried(path):
    """Says whether the extension is one that the later programs move."""
    return posixpath.splitext(path)[1].lower() in CARRIED_EXTENSIONS


def accepted_by_1_0_4(path):
    """Says whether client `1.0.4` publishes, sends and takes a file of this path."""
    path = tidy(path)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in path:
        return False
    if path.startswith("/") or ntpath.splitdrive(path)[0]:
        return False
    return not marked(path) and carried(path)


@dataclass(frozen=True)
class Manifest:
    """Lists the files that a client has, in the order of their paths."""

    entries: tuple

    @property
    def hash(self):
        return manifest_hash(self.entries)

    def sha256_at(self, path):
        return next((entry["sha256"] for entry in self.entries if entry["rel_path"] == path), None)

    def summary_message(self):
        return {
            "type": "MANIFEST_SUMMARY",
            "manifest_hash": self.hash,
            "file_count": len(self.entries),
            "total_bytes": sum(entry["size"] for entry in self.entries),
        }

    def full_message(self, sync_id=""):
        return {"type": "MANIFEST_FULL", "sync_id": sync_id, "manifest": list(self.entries)}


def scan(root, generation):
    """Hashes every file below `root` that this generation publishes."""
    os.makedirs(root, exist_ok=True)
    entries = (_entry(root, path, generation) for path in _files_below(root))
    return Manifest(tuple(sorted(filter(None, entries), key=lambda entry: entry["rel_path"])))


def _files_below(root):
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name.lower() not in PRIVATE_FOLDERS]
        for name in names:
            yield os.path.join(folder, name)


def _entry(root, full, generation):
    path = os.path.relpath(full, root).replace("\\", "/")
    if generation == CLIENT_1_0_4 and not accepted_by_1_0_4(path):
        return None
    if not os.path.isfile(full):
        return None
    try:
        status = os.stat(full)
        entry = {"rel_path": path, "size": status.st_size, "sha256": sha256_of(full)}
    except OSError:
        return None
    if generation == CLIENT_1_0_4:
        entry["mtime"] = status.st_mtime
    return entry
