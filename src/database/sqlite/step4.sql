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

-- What the bytes of contents tell: their damage if a name says PNG or JSON, and the size of a picture.
CREATE TABLE inspections (
    number     INTEGER PRIMARY KEY,
    sha256     TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    png        TEXT,
    json       TEXT,
    width      INTEGER,
    height     INTEGER,
    checksum   TEXT    NOT NULL,
    UNIQUE (sha256, size)
);
