"""Decisions in which the two generations of the old server differ.

Imitates the union, the choice of the next session and the checks of the old server. Habits kept on purpose:

`first`
* believes every manifest as it comes and relays whatever the source of a session sends;
* lets the lowest SHA-256 keep a plain name; a rival joins the union as `base__CONFLICT__xxxxxxxx.ext`, and while that
  is taken the mark is put on the marked name again, even for the same content from another client;
* asks the source for a rival under that name, though the source knows it by another one;
* serves an empty client, and even one that has said nothing yet; at most 50 files a session;
* asks again every second while a manifest is missing or older than 15 s.

`later`
* drops manifest entries with other extensions than `.png .dds .json`, with `__CONFLICT__` or `Copy.` in them, that are
  absolute or hold `..`, whose hash is no SHA-256, or that a whitelist (first path component) does not name;
* has one content for each path: the newest `mtime` (0 where it is missing), on a tie that of the client that came
  first. A rival is not in the union at all: its owner gets the winner instead;
* never serves an empty client; at most 500 files a session; most missing first;
* leaves a client out of the union and of every session between its SYNC_DONE and its next manifest;
* asks for a manifest at most every 3 s and not while one is awaited; relays only paths that the session is about.
"""

import os
import posixpath
import re
from dataclasses import dataclass, field

from wire import FIRST, LATER, carried, conflict_name, marked, union_hash

STALE_SECONDS = 15.0
SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass
class Union:
    """The files that every client should have, and who has them."""

    entries: dict = field(default_factory=dict)
    holders: dict = field(default_factory=dict)

    def add(self, path, entry, client):
        self.entries.setdefault(path, {**entry, "rel_path": path})
        self.holders.setdefault(path, []).append(client)

    def hash_or(self, other):
        return union_hash(self.entries.values()) if self.entries else other

    def missing_from(self, client):
        held = {entry.get("rel_path"): entry.get("sha256") for entry in client.manifest or ()}
        return [path for path in sorted(self.entries) if held.get(path) != self.entries[path]["sha256"]]


@dataclass(frozen=True)
class Choice:
    """A session to be: who sends which paths to whom."""

    source: object
    target: object
    paths: list


class FirstRules:
    """Decides as the first server does."""

    files_per_session = 50
    freezes_when_a_session_loses_its_peer = True
    leaves_busy_clients_alone = False
    passes_manifests_on = True
    schedules_on_hello = False

    def refresh(self):
        """Nothing to read again."""

    def accept(self, manifest):
        """Returns the manifest to remember, None to ignore it."""
        return manifest if isinstance(manifest, list) else None

    def union(self, clients):
        union = Union()
        for path, sha256, _, client, entry in sorted(self._sightings(clients), key=lambda seen: seen[:3]):
            name = path
            if name in union.entries and union.entries[name]["sha256"] != sha256:
                name = conflict_name(name, sha256)
                while name in union.entries:
                    name = conflict_name(name, sha256)
            union.add(name, entry, client)
        return union

    @staticmethod
    def _sightings(clients):
        for client in clients:
            for entry in client.manifest or ():
                path, sha256 = entry.get("rel_path"), entry.get("sha256")
                if path and isinstance(path, str) and sha256 and isinstance(sha256, str):
                    sound = {"sha256": sha256, "size": int(entry.get("size", 0))}
                    yield path.replace("\\", "/"), sha256, client.id, client, sound

    def choose(self, clients, union, is_busy):
        """Returns the next session, None if there is nothing to do."""
        if not union.entries:
            return None
        for target, missing in self._targets(clients, union, is_busy):
            for source, paths in self._by_source(target, missing, union, is_busy):
                return Choice(source, target, paths[: self.files_per_session])
        return None

    def _targets(self, clients, union, is_busy):
        lacking = [(client, union.missing_from(client)) for client in clients if self._can_take(client, is_busy)]
        return sorted((pair for pair in lacking if pair[1]), key=self._target_rank)

    def _by_source(self, target, missing, union, is_busy):
        found = {}
        for path in missing:
            free = [client for client in union.holders[path] if self._can_give(client, is_busy)]
            source = min(free, key=lambda client: client.arrival, default=target)
            if source is not target:
                found.setdefault(source.id, (source, []))[1].append(path)
        return sorted(found.values(), key=self._source_rank)

    def _can_take(self, client, is_busy):
        return not is_busy(client)

    def _can_give(self, client, is_busy):
        return not is_busy(client)

    def _target_rank(self, pair):
        return pair[0].arrival

    def _source_rank(self, pair):
        return 0

    def relays(self, path, session):
        """Says whether a FILE_* message of the session's source goes on to the target."""
        return True

    def wants_manifest(self, client, now):
        """Says whether the next tick asks for a manifest."""
        return client.manifest is None or now - client.manifest_at > STALE_SECONDS

    def after_sync_done(self, client):
        """Changes what is known of a target that has just finished."""


class LaterRules(FirstRules):
    """Decides as the later server does."""

    files_per_session = 500
    freezes_when_a_session_loses_its_peer = False
    leaves_busy_clients_alone = True
    passes_manifests_on = False
    schedules_on_hello = True
    seconds_between_requests = 3.0

    def __init__(self, whitelist=None):
        self.whitelist = Whitelist(whitelist)
        self.refresh()

    def refresh(self):
        self.whitelist.refresh()

    def accept(self, manifest):
        entries = manifest if isinstance(manifest, list) else []
        return [sound for sound in map(self._sound, entries) if sound]

    def _sound(self, entry):
        if not isinstance(entry, dict):
            return None
        path, sha256 = entry.get("rel_path"), entry.get("sha256")
        if not isinstance(path, str) or not isinstance(sha256, str):
            return None
        path, sha256 = path.replace("\\", "/").strip(), sha256.strip()
        size = number(int, entry.get("size", 0), -1)
        if size < 0 or not self._allows(path) or not SHA256.fullmatch(sha256):
            return None
        mtime = max(0.0, number(float, entry.get("mtime", 0)))
        return {"rel_path": path, "sha256": sha256, "size": size, "mtime": mtime}

    def _allows(self, path):
        if not path or path.startswith("/") or ".." in path.split("/"):
            return False
        return not marked(path) and carried(path) and self.whitelist.names(path)

    def union(self, clients):
        sightings = {}
        for client in (client for client in clients if not client.awaited):
            for entry in client.manifest or ():
                if self._allows(entry["rel_path"]):
                    sightings.setdefault(entry["rel_path"], []).append((client, entry))
        union = Union()
        for path in sorted(sightings):
            _, winner = min(sightings[path], key=lambda seen: (-seen[1]["mtime"], seen[0].arrival))
            for client, entry in sightings[path]:
                if entry["sha256"] == winner["sha256"]:
                    union.add(path, winner, client)
        return union

    def _can_take(self, client, is_busy):
        return bool(client.manifest) and not client.awaited and not is_busy(client)

    def _can_give(self, client, is_busy):
        return not client.awaited and not is_busy(client)

    def _target_rank(self, pair):
        return -len(pair[1]), pair[0].arrival

    def _source_rank(self, pair):
        return -len(pair[1])

    def relays(self, path, session):
        if not isinstance(path, str) or not path:
            return True
        path = path.replace("\\", "/")
        return path in session.paths and self._allows(path)

    def wants_manifest(self, client, now):
        if client.asked or now - client.asked_at < self.seconds_between_requests:
            return False
        return client.awaited or super().wants_manifest(client, now)

    def after_sync_done(self, client):
        client.awaited, client.asked = True, False


class Whitelist:
    """Livery names, one a line, `#` comments. No file, or an empty one, allows all."""

    def __init__(self, file):
        self._file = file
        self._read_at = None
        self._names = frozenset()

    def refresh(self):
        """Reads the file again if it has changed."""
        if not self._file or not os.path.isfile(self._file):
            return
        changed_at = os.path.getmtime(self._file)
        if changed_at == self._read_at:
            return
        with open(self._file, encoding="utf-8", errors="ignore") as lines:
            stripped = [line.strip() for line in lines]
        tidied = (line.replace("\\", "/").strip("/") for line in stripped if not line.startswith("#"))
        self._names = frozenset(filter(None, tidied))
        self._read_at = changed_at

    def names(self, path):
        """Says whether the livery that a path belongs to is allowed."""
        return not self._names or path.lstrip("/").split("/", 1)[0].strip() in self._names


def number(kind, value, otherwise=0):
    """Converts what a peer sent, or returns `otherwise`."""
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        return kind(otherwise)


def rules_of(generation, whitelist=None):
    """Returns the rules of a server generation."""
    return {FIRST: FirstRules, LATER: lambda: LaterRules(whitelist)}[generation]()
