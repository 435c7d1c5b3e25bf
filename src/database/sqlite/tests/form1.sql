-- A ledger of form 1 with one row of each kind, as a server has written it. It never changes.

PRAGMA journal_mode = WAL;
PRAGMA application_id = 1282823033;
PRAGMA user_version = 1;
CREATE TABLE migrations (
    form       INTEGER PRIMARY KEY,
    written_at TEXT NOT NULL,
    program    TEXT NOT NULL
);
INSERT INTO migrations VALUES (1, '2026-03-09T18:30:00Z', '0.1.0');

CREATE TABLE versions (
    number     INTEGER PRIMARY KEY,
    step       INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    sha256     TEXT,
    size       INTEGER,
    mtime_ns   INTEGER,
    author     TEXT,
    cause      TEXT    NOT NULL,
    written_at TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);
CREATE INDEX versions_key ON versions (key);

CREATE TABLE proven (
    number   INTEGER PRIMARY KEY,
    sha256   TEXT    NOT NULL,
    size     INTEGER NOT NULL,
    checksum TEXT    NOT NULL,
    UNIQUE (sha256, size)
);

CREATE TABLE owners (
    number   INTEGER PRIMARY KEY,
    livery   TEXT    NOT NULL,
    place    INTEGER NOT NULL,
    author   TEXT,
    key      TEXT    NOT NULL,
    checksum TEXT    NOT NULL,
    UNIQUE (key, place)
);

CREATE TABLE members (
    number     INTEGER PRIMARY KEY,
    author     TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    first_seen TEXT    NOT NULL,
    last_seen  TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);

CREATE TABLE reports (
    number   INTEGER PRIMARY KEY,
    author   TEXT    NOT NULL,
    path     TEXT    NOT NULL,
    sha256   TEXT    NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER,
    key      TEXT    NOT NULL,
    checksum TEXT    NOT NULL,
    UNIQUE (author, key)
);

CREATE TABLE acts (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_at    TEXT    NOT NULL,
    act         TEXT    NOT NULL,
    checksum    TEXT    NOT NULL,
    answered_at TEXT,
    placed      INTEGER,
    retired     INTEGER,
    refused     TEXT
);

CREATE VIEW union_now AS
SELECT path, sha256, size, mtime_ns, author, cause, step, written_at
FROM versions AS version
WHERE sha256 IS NOT NULL AND cause <> 'turned-down' AND number = (
    SELECT max(number) FROM versions AS later
    WHERE later.key = version.key AND later.cause <> 'turned-down'
);

INSERT INTO versions (number, path, step, sha256, size, mtime_ns, author, cause, written_at, key, checksum)
VALUES (1, 'Équipe/decals.png', 1, 'b1f51a511f1da0cd348b8f8598db32e61cb963e5fc69e2b41485bf99590ed75a', 3, 5, '0000000000000007', 'published', '2026-03-09T18:30:00Z', 'équipe/decals.png', 'f88665a8');
INSERT INTO versions (number, path, step, sha256, size, mtime_ns, author, cause, written_at, key, checksum)
VALUES (2, 'équipe/decals.png', 2, '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881', 1, NULL, NULL, 'turned-down', '2026-03-09T18:30:00Z', 'équipe/decals.png', 'af826f67');
INSERT INTO versions (number, path, step, sha256, size, mtime_ns, author, cause, written_at, key, checksum)
VALUES (3, 'Équipe/decals.png', 3, NULL, NULL, NULL, NULL, 'retired', '2026-03-09T18:30:00Z', 'équipe/decals.png', 'd6ef5a5a');
INSERT INTO proven (number, sha256, size, checksum)
VALUES (1, 'b1f51a511f1da0cd348b8f8598db32e61cb963e5fc69e2b41485bf99590ed75a', 3, '4cc314b3');
INSERT INTO owners (number, livery, place, author, key, checksum)
VALUES (1, 'Équipe', 1, '0000000000000007', 'équipe', '9b79256b');
INSERT INTO owners (number, livery, place, author, key, checksum)
VALUES (2, 'Équipe', 2, '0000000000000008', 'équipe', '5de603c6');
INSERT INTO owners (number, livery, place, author, key, checksum)
VALUES (3, 'Nobody''s', 0, NULL, 'nobody''s', '90150115');
INSERT INTO members (number, author, name, first_seen, last_seen, checksum)
VALUES (1, '0000000000000007', 'Ayrton', '2026-03-09T18:30:00Z', '2026-03-09T18:30:00Z', 'd7716911');
INSERT INTO reports (number, path, author, sha256, size, mtime_ns, key, checksum)
VALUES (1, 'Équipe/decals.png', '0000000000000007', 'b1f51a511f1da0cd348b8f8598db32e61cb963e5fc69e2b41485bf99590ed75a', 3, 5, 'équipe/decals.png', 'b53b8210');
