-- What a ledger of form 2 has beyond form 1, as a server has written it. It never changes.

CREATE TABLE settings (
    number     INTEGER PRIMARY KEY,
    setting    TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    written_at TEXT    NOT NULL,
    checksum   TEXT    NOT NULL
);
INSERT INTO migrations VALUES (2, '2026-06-09T18:30:00Z', '0.1.0');
PRAGMA user_version = 2;
INSERT INTO settings (number, setting, value, written_at, checksum)
VALUES (1, 'updates', 'owner', '2026-06-09T18:30:00Z', '63500d1f');
