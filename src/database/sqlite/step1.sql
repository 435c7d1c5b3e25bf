-- Form 1. What is written here never changes: a later form is one more step.

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
