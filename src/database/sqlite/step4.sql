-- Form 4. What is written here never changes: a later form is one more step.

-- Members who may not connect.
CREATE TABLE bans (
    number     INTEGER PRIMARY KEY,
    member     TEXT    NOT NULL UNIQUE,
    written_at TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);

-- Contents that nobody gets.
CREATE TABLE blocks (
    number     INTEGER PRIMARY KEY,
    sha256     TEXT    NOT NULL UNIQUE,
    written_at TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);
