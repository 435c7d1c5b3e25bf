-- Form 2. What is written here never changes: a later form is one more step.

-- The league's settings. The last row of a setting counts; the ones before tell what it was, such as a former conflict suffix.
CREATE TABLE settings (
    number     INTEGER PRIMARY KEY,
    setting    TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    written_at TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);
