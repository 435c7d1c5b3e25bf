-- What a ledger of form 3 has beyond form 2, as a server has written it. It never changes.

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
INSERT INTO migrations VALUES (3, '2026-09-09T18:30:00Z', '0.1.0');
PRAGMA user_version = 3;
INSERT INTO held (number, path, author, sha256, size, mtime_ns, base, state, written_at, key, checksum)
VALUES (1, 'Équipe/decals.png', '0000000000000007',
        'f0c17d457b98afca698b04f816b4b95686a574b7f7923e1fb587421622e97a1c', 18, 5, NULL,
        'waiting', '2026-09-09T18:30:00Z', 'équipe/decals.png', '9ffd0564');
