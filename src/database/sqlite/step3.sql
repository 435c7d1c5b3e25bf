-- Form 3. What is written here never changes: a later form is one more step.

-- Members who were merged into others, in order. A former member may be in any other table: they are that member now.
CREATE TABLE merges (
    number     INTEGER PRIMARY KEY,
    former     TEXT    NOT NULL,
    member     TEXT    NOT NULL,
    written_at TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);

-- The files that are held: their members have them, and the others do not get them yet. The rows of one livery and one member
-- follow each other. Members without a key have no author.
CREATE TABLE held (
    number     INTEGER PRIMARY KEY,
    path       TEXT    NOT NULL,
    author     TEXT,
    sha256     TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    mtime_ns   INTEGER,
    base       TEXT,
    state      TEXT    NOT NULL,
    written_at TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);
CREATE INDEX held_key ON held (author, key);
