-- Form 3. What is written here never changes: a later form is one more step.

-- Members who were merged into others, in order. A former member may be in any other table: they are that member now.
CREATE TABLE merges (
    number     INTEGER PRIMARY KEY,
    former     TEXT    NOT NULL,
    member     TEXT    NOT NULL,
    written_at TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);
