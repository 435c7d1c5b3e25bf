/*
 * liverysync: keeps the custom liveries of an Assetto Corsa Competizione league the same on every driver's PC.
 *
 * docs/c.md has the contract: who frees what, which thread calls back, how long strings stay valid.
 * This file is written by cbindgen from liverysync-ffi/src; do not edit it.
 */


#ifndef LIVERYSYNC_H
#define LIVERYSYNC_H

#include <stddef.h>
#include <stdint.h>

/**
 * The first number of the version that this header belongs to.
 */
#define LIVERYSYNC_VERSION_MAJOR 0

/**
 * The second number of the version that this header belongs to.
 */
#define LIVERYSYNC_VERSION_MINOR 1

/**
 * The third number of the version that this header belongs to.
 */
#define LIVERYSYNC_VERSION_PATCH 0

/**
 * The version that this header belongs to, as liverysync_version_number() has it.
 */
#define LIVERYSYNC_VERSION_NUMBER (((LIVERYSYNC_VERSION_MAJOR << 16) | (LIVERYSYNC_VERSION_MINOR << 8)) | LIVERYSYNC_VERSION_PATCH)

/**
 * The `mtime_ns` of a file whose modification time is not known.
 */
#define LIVERYSYNC_MTIME_UNKNOWN INT64_MIN

/**
 * The time limit that never ends.
 */
#define LIVERYSYNC_NO_LIMIT UINT32_MAX

/**
 * The result of a call. A number never changes its meaning and is never reused; new ones may be added. 16 and 17 are
 * retired.
 */
enum liverysync_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It worked.
     */
    LIVERYSYNC_RESULT_OK = 0,
    /**
     * A pointer that must not be NULL is.
     */
    LIVERYSYNC_RESULT_NULL_POINTER = 1,
    /**
     * A string is not UTF-8.
     */
    LIVERYSYNC_RESULT_INVALID_UTF8 = 2,
    /**
     * An argument has a value that it cannot have.
     */
    LIVERYSYNC_RESULT_INVALID_ARGUMENT = 3,
    /**
     * The `size` field of a struct is too small, or the struct sets a field that this version of the library does
     * not know.
     */
    LIVERYSYNC_RESULT_STRUCT_SIZE = 4,
    /**
     * An index is not below the count.
     */
    LIVERYSYNC_RESULT_OUT_OF_RANGE = 5,
    /**
     * The library caught a panic of its own in this call. If the call was made on a client or server, that is broken
     * now and can only be freed.
     */
    LIVERYSYNC_RESULT_PANIC = 6,
    /**
     * An earlier call on this client or server ended in LIVERYSYNC_RESULT_PANIC, or the thread of its callback met a
     * panic of the library.
     */
    LIVERYSYNC_RESULT_BROKEN = 7,
    /**
     * A path breaks the path rule.
     */
    LIVERYSYNC_RESULT_INVALID_PATH = 8,
    /**
     * Two entries cannot exist side by side on a PC with Windows.
     */
    LIVERYSYNC_RESULT_COLLISION = 9,
    /**
     * It does not exist in any of the places that were searched.
     */
    LIVERYSYNC_RESULT_NOT_FOUND = 10,
    /**
     * A folder does not exist, or cannot be read or written.
     */
    LIVERYSYNC_RESULT_FOLDER = 11,
    /**
     * Another client syncs this folder.
     */
    LIVERYSYNC_RESULT_BUSY = 12,
    /**
     * The system provides no thread, no lock or no socket.
     */
    LIVERYSYNC_RESULT_SYSTEM = 13,
    /**
     * No event came in the time given. This is no failure.
     */
    LIVERYSYNC_RESULT_NO_EVENT = 14,
    /**
     * It has stopped: the program stopped it, or a panic of the library between calls ended it.
     */
    LIVERYSYNC_RESULT_STOPPED = 15,
    /**
     * The call would wait for the callback that makes it.
     */
    LIVERYSYNC_RESULT_IN_CALLBACK = 18,
    /**
     * Events go to a callback, or another thread is waiting for one.
     */
    LIVERYSYNC_RESULT_EVENTS_TAKEN = 19,
    /**
     * The time is up.
     */
    LIVERYSYNC_RESULT_TIMED_OUT = 20,
    /**
     * The server could not be reached.
     */
    LIVERYSYNC_RESULT_UNREACHABLE = 21,
    /**
     * The connection was lost.
     */
    LIVERYSYNC_RESULT_LOST = 22,
    /**
     * It failed for a reason that has no number of its own.
     */
    LIVERYSYNC_RESULT_FAILED = 23,
    /**
     * The server refuses to change the league so. Nothing has changed; liverysync_last_error() says why.
     */
    LIVERYSYNC_RESULT_REFUSED = 24,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum liverysync_result liverysync_result;
#else
typedef uint32_t liverysync_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The kind of a difference.
 */
enum liverysync_diff_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The file is wanted and missing.
     */
    LIVERYSYNC_DIFF_KIND_MISSING = 1,
    /**
     * The file is there with another content.
     */
    LIVERYSYNC_DIFF_KIND_DIFFERENT = 2,
    /**
     * The file is there and not wanted.
     */
    LIVERYSYNC_DIFF_KIND_EXTRA = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum liverysync_diff_kind liverysync_diff_kind;
#else
typedef uint32_t liverysync_diff_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The kind of an event. A number never changes its meaning and is never reused; new ones may be added.
 *
 * docs/json.md describes each event under the same word. The lists here name the fields of liverysync_event that
 * are set beside `kind` and `json`; all others are NULL or 0.
 */
enum liverysync_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * An event that has no number yet; see its `json`.
     */
    LIVERYSYNC_EVENT_KIND_OTHER = 0,
    /**
     * The reader was too slow, and events are missing here: `events`.
     */
    LIVERYSYNC_EVENT_KIND_MISSED = 1,
    /**
     * Client: the server answered: `word` (`liverysync`, or `protocol-1` for an old server).
     */
    LIVERYSYNC_EVENT_KIND_CONNECTED = 2,
    /**
     * Client: the connection was lost, or an attempt failed: `reason`, `retry_in_ms`.
     */
    LIVERYSYNC_EVENT_KIND_DISCONNECTED = 3,
    /**
     * Client: the liveries folder cannot be scanned: `reason`.
     */
    LIVERYSYNC_EVENT_KIND_FOLDER_UNREADABLE = 4,
    /**
     * Client: the folder was scanned for the first time, or the shared files have changed: `liveries`, `files`, `bytes`.
     */
    LIVERYSYNC_EVENT_KIND_SCANNED = 5,
    /**
     * Client: something in the folder is not shared: `path`, `word` (the kind, such as `link`), `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SKIPPED = 6,
    /**
     * Client: a session has begun: `sync_id`, `word` (`source` or `target`), `files`, `bytes`; the last two if
     * the server says.
     */
    LIVERYSYNC_EVENT_KIND_SESSION_BEGAN = 7,
    /**
     * Client: a file has begun to arrive: `sync_id`, `path`, `bytes`.
     */
    LIVERYSYNC_EVENT_KIND_RECEIVING = 8,
    /**
     * Client: a piece of a file has arrived: `sync_id`, `bytes`.
     */
    LIVERYSYNC_EVENT_KIND_RECEIVED = 9,
    /**
     * Client: a piece of a file was sent: `sync_id`, `bytes`.
     */
    LIVERYSYNC_EVENT_KIND_SENT = 10,
    /**
     * Client: a whole file was sent: `sync_id`, `path`, `bytes`.
     */
    LIVERYSYNC_EVENT_KIND_FILE_SENT = 11,
    /**
     * Client: a file was installed: `sync_id`, `path`, `bytes`, `copied`; `backup` (the path of the replaced file) and
     * `other_path` (the conflict name under which the replaced file is kept), if there are any.
     */
    LIVERYSYNC_EVENT_KIND_INSTALLED = 12,
    /**
     * Client: a file could not be sent: `sync_id`, `path`, `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SEND_FAILED = 13,
    /**
     * Client: a file did not arrive or could not be installed: `sync_id`, `path`, `reason`, `for_good`.
     */
    LIVERYSYNC_EVENT_KIND_RECEIVE_FAILED = 14,
    /**
     * Client: a session has ended: `sync_id`.
     */
    LIVERYSYNC_EVENT_KIND_SESSION_ENDED = 15,
    /**
     * Client: the server reports an error: `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_ERROR = 16,
    /**
     * Client: the sync status of this PC: `missing`, `missing_bytes`, `needed_by_others`, `withheld`.
     */
    LIVERYSYNC_EVENT_KIND_SYNC_STATUS = 17,
    /**
     * Client: this PC is in sync: `liveries`, `files`, `bytes`, `withheld`, `certain`.
     */
    LIVERYSYNC_EVENT_KIND_IN_SYNC = 18,
    /**
     * Client: the plan of a dry run; see its `json`.
     */
    LIVERYSYNC_EVENT_KIND_PLAN = 19,
    /**
     * Client: liverysync_client_sync() began; later events cover every file that is in the folder now: `connected`.
     */
    LIVERYSYNC_EVENT_KIND_SYNC_BEGAN = 20,
    /**
     * Client: a file was retired: `path`, `backup` (its path now).
     */
    LIVERYSYNC_EVENT_KIND_RETIRED = 21,
    /**
     * Client: a file could not be retired and is still here: `path`, `reason`.
     */
    LIVERYSYNC_EVENT_KIND_RETIRE_FAILED = 22,
    /**
     * Client: a file of this PC is in conflict and lost its name: `path`, `other_path` (its conflict name), `name` (the
     * driver whose file keeps the name; NULL if unknown).
     */
    LIVERYSYNC_EVENT_KIND_CONFLICT = 23,
    /**
     * Client: the list of ignored liveries cannot be read any more, and the last one stays in force: `reason`.
     */
    LIVERYSYNC_EVENT_KIND_IGNORE_LIST_FAULT = 24,
    /**
     * Client: a livery that was deleted here is downloaded again, because the league still has it: `path` (its folder).
     */
    LIVERYSYNC_EVENT_KIND_LIVERY_RETURNS = 25,
    /**
     * Client: something is probably wrong with a livery that this PC brings: `path` (the file, or the livery), `word` (the
     * kind, such as `no-picture`), `reason`. Its `json` has what to do about it.
     */
    LIVERYSYNC_EVENT_KIND_FINDING = 26,
    /**
     * Client: other drivers do not get a livery as it is here for now: `path` (its folder), `word` (the cause, as in
     * docs/json.md), `reason` (for the cause lint: the rule of the league); when a freeze ends by itself is in its `json`.
     */
    LIVERYSYNC_EVENT_KIND_HELD = 27,
    /**
     * Client: somebody did something to a livery of this PC's driver: `path` (its folder), `word` (conflict, changed, owned or
     * disowned), `name` (who did it; NULL for an admin or if it is unknown).
     */
    LIVERYSYNC_EVENT_KIND_OWNER_NEWS = 28,
    /**
     * Client: this PC has more than 10 liveries that the league does not have, and its driver has not chosen what to share,
     * so none of them is shared: `liveries`, `files`, `bytes`; the names are in its `json`.
     */
    LIVERYSYNC_EVENT_KIND_SHARE_NEEDED = 29,
    /**
     * Client: globs of a list match no livery: `word` (ignore or share); the globs are in its `json`.
     */
    LIVERYSYNC_EVENT_KIND_GLOBS_UNMATCHED = 30,
    /**
     * Client: the league cannot take a file of this PC: `path`, `reason`.
     */
    LIVERYSYNC_EVENT_KIND_REFUSED = 31,
    /**
     * Server: a client joined: `peer`, `name`, `address`, `word` (its program).
     */
    LIVERYSYNC_EVENT_KIND_SERVER_JOINED = 100,
    /**
     * Server: a client left: `peer`, `name`, `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_LEFT = 101,
    /**
     * Server: a client reported its files, which have changed: `name`, `liveries`, `files`, `bytes`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_MANIFEST = 102,
    /**
     * Server: a client's file is in conflict: `name`, `path`, `other_path` (its conflict name).
     */
    LIVERYSYNC_EVENT_KIND_SERVER_CONFLICT = 103,
    /**
     * Server: a file cannot join the union: `name`, `path`, `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_REFUSED = 104,
    /**
     * Server: a session has begun: `sync_id`, `name` (who gets the files; NULL if they go into the store), `source` (who
     * sends them; NULL if nobody does), `files`, `bytes`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_SESSION_BEGAN = 105,
    /**
     * Server: a session has ended: `sync_id`, `name`, `source`, `files` (how many arrived), `failed`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_SESSION_ENDED = 106,
    /**
     * Server: a source did not send a file as it should: `name`, `path`, `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_SOURCE_FAULT = 107,
    /**
     * Server: a source stopped responding: `name`, `files` (those that it has not sent).
     */
    LIVERYSYNC_EVENT_KIND_SERVER_SOURCE_SILENT = 108,
    /**
     * Server: a target did not take a file: `name`, `path`, `reason`, `for_good`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_TARGET_FAULT = 109,
    /**
     * Server: a file of the union is not offered to this client: `name`, `path`, `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_WITHHELD = 110,
    /**
     * Server: every client is in sync: `clients`, `liveries`, `files`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_IN_SYNC = 111,
    /**
     * Server: the store could not keep a content, or lost it: `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_STORE_FAULT = 112,
    /**
     * Server: the league database cannot be written or read: `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_DATABASE_FAULT = 113,
    /**
     * Server: the options differ from the league's own settings, which count; see its `json`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_SETTINGS_DIFFER = 114,
    /**
     * Server: the allow list cannot be read any more, and the last one stays in force: `reason`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_ALLOW_LIST_FAULT = 115,
    /**
     * Server: names of the allow list are of no livery that the league has; see its `json`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_ALLOW_LIST_UNMATCHED = 116,
    /**
     * Server: a livery has got its first owner or has none any more: `path` (its folder), `name` (the member whose files are
     * the reason; the new owner, if there is one); see its `json`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_OWNER_CHANGED = 117,
    /**
     * Server: a member has changed liveries of their own: `name`, `word` (`withdraw`, `rename` or `replace`); see its `json`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_OWNER_ACTED = 118,
    /**
     * Server: a driver has changed a livery, and the others do not get that yet: `path` (its folder), `name` (NULL for a
     * driver without a key), `files`.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_HELD = 119,
    /**
     * Server: a file is damaged: `path`, `name` (NULL for a driver without a key), `reason`; its `json` tells whether the
     * league has it.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_DAMAGED = 120,
    /**
     * Server: a livery breaks a rule of the league: `path` (the file, or the livery's folder), `word` (the kind of the finding),
     * `name` (NULL for a driver without a key), `reason`; its `json` has the fix, and tells whether the league has it.
     */
    LIVERYSYNC_EVENT_KIND_SERVER_FINDING = 121,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum liverysync_event_kind liverysync_event_kind;
#else
typedef uint32_t liverysync_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The rule that decides which of several contents keeps a name.
 */
enum liverysync_policy
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The first in the list of manifests. This is the default.
     */
    LIVERYSYNC_POLICY_ESTABLISHED = 0,
    /**
     * The lowest SHA-256.
     */
    LIVERYSYNC_POLICY_LOWEST_HASH = 1,
    /**
     * The newest modification time; between equals the first in the list.
     */
    LIVERYSYNC_POLICY_NEWEST_MTIME = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum liverysync_policy liverysync_policy;
#else
typedef uint32_t liverysync_policy;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The part of a livery that becomes a conflict copy.
 */
enum liverysync_scope
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The file in conflict, beside the established one. This is the default.
     */
    LIVERYSYNC_SCOPE_FILE = 0,
    /**
     * Its whole livery, in a folder of its own, so that two liveries of one name are never mixed, even if none of their
     * files collides.
     */
    LIVERYSYNC_SCOPE_LIVERY = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum liverysync_scope liverysync_scope;
#else
typedef uint32_t liverysync_scope;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The members who may update a livery of the league.
 */
enum liverysync_updates
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Only its owners in a league that begins in a data folder, anyone without one. This is the default.
     */
    LIVERYSYNC_UPDATES_DEFAULT = 0,
    /**
     * Anyone who edits what they had in sync.
     */
    LIVERYSYNC_UPDATES_ANYONE = 1,
    /**
     * Only its owners; an edit or addition by anyone else becomes a conflict copy. It needs a data folder.
     */
    LIVERYSYNC_UPDATES_OWNER = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum liverysync_updates liverysync_updates;
#else
typedef uint32_t liverysync_updates;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A running client of a driver. Any thread may call it, several at once.
 */
typedef struct liverysync_client liverysync_client;

/**
 * The differences between two manifests. It never changes, so several threads may read it at once.
 */
typedef struct liverysync_diff liverysync_diff;

/**
 * The files that a PC shares, and those that it skips. It never changes, so several threads may read it at once.
 */
typedef struct liverysync_manifest liverysync_manifest;

/**
 * A running server of a league. Any thread may call it, several at once.
 */
typedef struct liverysync_server liverysync_server;

/**
 * The files that every PC should have. It never changes, so several threads may read it at once.
 */
typedef struct liverysync_union liverysync_union;

/**
 * The rules for the files of a folder that are shared. Zero and NULL mean the default, so `{.size = sizeof(liverysync_scan_options)}` is all
 * defaults.
 */
typedef struct liverysync_scan_options {
    /**
     * sizeof(liverysync_scan_options).
     */
    size_t size;
    /**
     * The file extensions that are shared, with commas between them, such as `png,json`: 1 to 16 ASCII letters or
     * digits each, in any case, with or without a dot. Default: `dds,jpeg,jpg,json,png,txt`.
     */
    const char *extensions;
    /**
     * Not 0: share the game's own texture caches too, such as `decals_0.dds`.
     */
    uint32_t derived_dds;
    /**
     * Not 0: share placeholders too, which the game leaves for liveries that this PC does not have.
     */
    uint32_t placeholders;
    /**
     * Largest number of files. Default: 50,000.
     */
    uint64_t max_entries;
    /**
     * Largest file, in bytes. Default: 256 MiB.
     */
    uint64_t max_file_size;
} liverysync_scan_options;

/**
 * One file.
 */
typedef struct liverysync_entry {
    /**
     * sizeof(liverysync_entry).
     */
    size_t size;
    /**
     * Its path below the liveries folder, with `/` between components.
     */
    const char *path;
    /**
     * The SHA-256 of its bytes: 64 hex digits, lower case where the library writes them.
     */
    const char *sha256;
    /**
     * Its length in bytes.
     */
    uint64_t bytes;
    /**
     * Its modification time in nanoseconds since 1970 UTC, or LIVERYSYNC_MTIME_UNKNOWN.
     */
    int64_t mtime_ns;
} liverysync_entry;

/**
 * A file or folder that is not shared.
 */
typedef struct liverysync_skipped {
    /**
     * sizeof(liverysync_skipped).
     */
    size_t size;
    /**
     * Its path below the folder. It may contain characters that control a terminal.
     */
    const char *path;
    /**
     * One of the words below "Skipped files" in docs/json.md, such as `link`. New words may be added.
     */
    const char *kind;
    /**
     * The reason, for people.
     */
    const char *reason;
} liverysync_skipped;

/**
 * One file that differs.
 */
typedef struct liverysync_difference {
    /**
     * sizeof(liverysync_difference).
     */
    size_t size;
    /**
     * The kind of the difference.
     */
    liverysync_diff_kind kind;
    /**
     * Its path, spelled as it is wanted; that of an extra file as it is there.
     */
    const char *path;
    /**
     * SHA-256 of the file that is there; NULL if it is missing.
     */
    const char *have_sha256;
    /**
     * SHA-256 of the wanted file; NULL if it is extra.
     */
    const char *want_sha256;
    /**
     * Length of the file that is there, in bytes; 0 if it is missing.
     */
    uint64_t have_bytes;
    /**
     * Length of the wanted file, in bytes; 0 if it is extra.
     */
    uint64_t want_bytes;
} liverysync_difference;

/**
 * The configuration of a merge. Zero and NULL mean the default.
 */
typedef struct liverysync_merge_options {
    /**
     * sizeof(liverysync_merge_options).
     */
    size_t size;
    /**
     * The text between a name and the digits of a conflict name. Default: `__CONFLICT__`.
     */
    const char *suffix;
    /**
     * The file extensions that conflict names are checked against, as in liverysync_scan_options.
     */
    const char *extensions;
    /**
     * A liverysync_policy: the rule that decides which content keeps a name.
     */
    uint32_t policy;
    /**
     * A liverysync_scope: the part of a livery that becomes a conflict copy.
     */
    uint32_t scope;
} liverysync_merge_options;

/**
 * A PC that has a content.
 */
typedef struct liverysync_holder {
    /**
     * sizeof(liverysync_holder).
     */
    size_t size;
    /**
     * The number of its manifest in the list, from 0.
     */
    uint64_t peer;
    /**
     * The path of the content there. It differs from the path of the entry if the content is a conflict copy.
     */
    const char *path;
} liverysync_holder;

/**
 * A conflict: the name of this content is that of another one, so it gets a conflict name.
 */
typedef struct liverysync_conflict {
    /**
     * sizeof(liverysync_conflict).
     */
    size_t size;
    /**
     * The number of its manifest in the list, from 0.
     */
    uint64_t peer;
    /**
     * Its path there.
     */
    const char *path;
    /**
     * Its path in the union.
     */
    const char *conflict_path;
} liverysync_conflict;

/**
 * A file that cannot join the union.
 */
typedef struct liverysync_refused {
    /**
     * sizeof(liverysync_refused).
     */
    size_t size;
    /**
     * The number of its manifest in the list, from 0.
     */
    uint64_t peer;
    /**
     * Its path there.
     */
    const char *path;
    /**
     * The reason, for people.
     */
    const char *reason;
} liverysync_refused;

/**
 * The configuration of conflict names. Zero and NULL mean the default.
 */
typedef struct liverysync_naming_options {
    /**
     * sizeof(liverysync_naming_options).
     */
    size_t size;
    /**
     * The text between a name and the digits. Default: `__CONFLICT__`.
     */
    const char *suffix;
    /**
     * The file extensions that the name is checked against, as in liverysync_scan_options.
     */
    const char *extensions;
} liverysync_naming_options;

/**
 * An event. Texts may come from other people: escape them before you show them.
 *
 * Its strings stay valid until the next call of the function that gave it, or, in a callback, until that returns.
 */
typedef struct liverysync_event {
    /**
     * sizeof(liverysync_event).
     */
    size_t size;
    /**
     * The whole event as a JSON object, as docs/json.md describes it. Never NULL.
     */
    const char *json;
    /**
     * The session that it belongs to.
     */
    const char *sync_id;
    /**
     * The file, below the liveries folder.
     */
    const char *path;
    /**
     * A second name of the file.
     */
    const char *other_path;
    /**
     * The path of the replaced or retired file in the backup, below the liveries folder.
     */
    const char *backup;
    /**
     * The name of the client that it is about.
     */
    const char *name;
    /**
     * The client that sends the files.
     */
    const char *source;
    /**
     * The address of a client.
     */
    const char *address;
    /**
     * One of a few words, which the description of the kind lists.
     */
    const char *word;
    /**
     * The reason, for people. Do not parse it.
     */
    const char *reason;
    /**
     * The number of a connection, which no later one gets while the server runs.
     */
    uint64_t peer;
    /**
     * A number of files.
     */
    uint64_t files;
    /**
     * A number of bytes.
     */
    uint64_t bytes;
    /**
     * Number of files that this PC is missing.
     */
    uint64_t missing;
    /**
     * Sum of their sizes in bytes.
     */
    uint64_t missing_bytes;
    /**
     * Number of files that others need from this PC.
     */
    uint64_t needed_by_others;
    /**
     * Number of files of the union that this PC will not get as things are.
     */
    uint64_t withheld;
    /**
     * Number of files that did not arrive.
     */
    uint64_t failed;
    /**
     * A number of clients.
     */
    uint64_t clients;
    /**
     * A number of events.
     */
    uint64_t events;
    /**
     * Milliseconds until the next attempt.
     */
    uint64_t retry_in_ms;
    /**
     * The kind of the event.
     */
    liverysync_event_kind kind;
    /**
     * 1: the file was copied on this PC and not downloaded.
     */
    uint32_t copied;
    /**
     * 1: the file is refused and not tried again.
     */
    uint32_t for_good;
    /**
     * 1: this PC is in sync for certain. 0: the server speaks protocol 1 and was only quiet.
     */
    uint32_t certain;
    /**
     * 1: there is a connection.
     */
    uint32_t connected;
    /**
     * Reserved; always 0.
     */
    uint32_t reserved;
    /**
     * A number of liveries.
     */
    uint64_t liveries;
} liverysync_event;

/**
 * A function that gets events. `event` and its strings are valid until it returns. It must not throw.
 */
typedef void (*liverysync_event_callback)(void *userdata, const struct liverysync_event *event);

/**
 * The configuration of a client. Zero and NULL mean the default.
 */
typedef struct liverysync_client_options {
    /**
     * sizeof(liverysync_client_options).
     */
    size_t size;
    /**
     * Host name or address of the server. There is no default.
     */
    const char *host;
    /**
     * The liveries folder, which must exist. Default: the game's, as liverysync_liveries_folder() finds it.
     */
    const char *liveries;
    /**
     * A folder for the client's state: the hashes of the files, so that the next start reads only changed ones, and the
     * list of ignored liveries. Default: none. Without it and an identity the driver is anonymous and owns nothing.
     */
    const char *state;
    /**
     * The name of this PC for other drivers: 1 to 64 characters; blanks around them are cut off. Default: the host
     * name, or `unnamed` if that cannot be one.
     */
    const char *name;
    /**
     * A label that the server shows, never a credential. Default: `UNKNOWN`.
     */
    const char *steam_id;
    /**
     * The file extensions that are shared, as in liverysync_scan_options.
     */
    const char *extensions;
    /**
     * The text between a name and the digits of a conflict name, if the server names none. Default: `__CONFLICT__`.
     */
    const char *conflict_suffix;
    /**
     * Largest number of files. Default: 50,000.
     */
    uint64_t max_entries;
    /**
     * Largest file, in bytes. Default: 256 MiB.
     */
    uint64_t max_file_size;
    /**
     * Port of the server, 1 to 65535. Default: 9239.
     */
    uint32_t port;
    /**
     * Not 0: share the game's own texture caches too.
     */
    uint32_t derived_dds;
    /**
     * Not 0: share placeholders too, which the game leaves for liveries that this PC does not have.
     */
    uint32_t placeholders;
    /**
     * Not 0: only find out what would happen, and change nothing.
     */
    uint32_t dry_run;
    /**
     * Time that a file must be unchanged before it is shared, in milliseconds; the rest of its livery waits for it, for
     * at most 10 s. Default: 300.
     */
    uint32_t settle_ms;
    /**
     * Interval between two scans of the folder if nothing seems to change, in milliseconds. Default: 60,000.
     */
    uint32_t rescan_ms;
    /**
     * First wait before connecting again, in milliseconds; it is doubled each time. Default: 1,000.
     */
    uint32_t retry_first_ms;
    /**
     * Longest wait before connecting again, in milliseconds. Default: 30,000.
     */
    uint32_t retry_max_ms;
    /**
     * Longest silence of the server before the client connects again, in milliseconds. Default: 90,000.
     */
    uint32_t silence_timeout_ms;
    /**
     * Longest wait for a file from a server of protocol 1, in milliseconds; a server of protocol 2 watches the other
     * clients itself. Default: 60,000.
     */
    uint32_t stall_timeout_ms;
    /**
     * Upload limit in bytes per second; less than 50,000 counts as 50,000. Default: no limit.
     */
    uint64_t limit_up;
    /**
     * Download limit, as limit_up.
     */
    uint64_t limit_down;
    /**
     * Called for each event on a thread of the library, one at a time, in order; liverysync_client_next_event() cannot
     * be used then. Default: none.
     */
    liverysync_event_callback on_event;
    /**
     * Passed through to on_event.
     */
    void *userdata;
    /**
     * The file with the driver's member key, by which leagues recognize them in whatever folder; it is made if it is
     * missing. Give each driver of one program a file of their own. Default: that of the user, if there is a state
     * folder: `liverysync/identity.json` in their config folder.
     */
    const char *identity;
    /**
     * The liveries that this PC shares although the league does not have them: globs, one on each line, as in a list of
     * ignored liveries. `*` shares all, an empty text none. Default: what was chosen before, which the state folder keeps;
     * without a choice all, unless they are more than 10: then none, and LIVERYSYNC_EVENT_SHARE_NEEDED says so.
     */
    const char *share;
    /**
     * 0: this PC sends and receives. 1: it only sends. 2: it only receives.
     */
    uint32_t only;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * The league's rules by which LIVERYSYNC_EVENT_KIND_FINDING judges this PC's liveries: the path of a TOML file, as in
     * liverysync_lint(). Default: only what the game needs is checked.
     */
    const char *lint_rules;
} liverysync_client_options;

/**
 * The report of a sync.
 */
typedef struct liverysync_sync_report {
    /**
     * sizeof(liverysync_sync_report).
     */
    size_t size;
    /**
     * The report as a JSON object, as docs/json.md describes it: with the paths of `conflicts`. It stays valid until
     * this thread calls liverysync_client_sync() again, on any client, or ends.
     */
    const char *json;
    /**
     * Number of files that this PC shares.
     */
    uint64_t files;
    /**
     * Sum of their sizes in bytes.
     */
    uint64_t bytes;
    /**
     * Number of downloaded files, without those that were copied on this PC.
     */
    uint64_t received_files;
    /**
     * Sum of their sizes in bytes.
     */
    uint64_t received_bytes;
    /**
     * Number of uploads, each of one file.
     */
    uint64_t sent_files;
    /**
     * Sum of their sizes in bytes.
     */
    uint64_t sent_bytes;
    /**
     * Number of files of this PC that have a conflict name.
     */
    uint64_t conflicts;
    /**
     * Number of files of the union that this PC will not get as things are.
     */
    uint64_t withheld;
    /**
     * Duration in milliseconds.
     */
    uint64_t took_ms;
    /**
     * 1: this PC has the union for certain. 0: the server speaks protocol 1 and was only quiet.
     */
    uint32_t certain;
    /**
     * Reserved; always 0.
     */
    uint32_t reserved;
    /**
     * Number of liveries that this PC shares.
     */
    uint64_t liveries;
    /**
     * Number of things that this PC lacks until somebody has done something about them. `json` lists them with reasons.
     */
    uint64_t outstanding;
} liverysync_sync_report;

/**
 * The configuration of a server. Zero and NULL mean the default.
 */
typedef struct liverysync_server_options {
    /**
     * sizeof(liverysync_server_options).
     */
    size_t size;
    /**
     * Address to listen on. Default: `0.0.0.0`, which is every address of this PC.
     */
    const char *host;
    /**
     * A file with the liveries to distribute, one folder name per line. Default: all liveries are distributed.
     */
    const char *allow_list;
    /**
     * A folder for the store and the league database, which the next start finds again. The server creates it. Default:
     * none; the store is in a temporary folder, and the league is forgotten when the server stops.
     */
    const char *data;
    /**
     * The file extensions that may join, as in liverysync_scan_options.
     */
    const char *extensions;
    /**
     * The text between a name and the digits of a conflict name. Default: `__CONFLICT__`.
     */
    const char *conflict_suffix;
    /**
     * Largest number of files of one client. Default: 50,000.
     */
    uint64_t max_entries;
    /**
     * Largest file, in bytes. Default: 256 MiB.
     */
    uint64_t max_file_size;
    /**
     * Port to listen on, up to 65535. Default: any free one, which liverysync_server_port() returns. The default of
     * clients, and of the program, is 9239.
     */
    uint32_t port;
    /**
     * A liverysync_policy: who keeps a name. Default: LIVERYSYNC_POLICY_ESTABLISHED, which is the first to come.
     */
    uint32_t conflict_policy;
    /**
     * Upload limit over all connections together, in bytes per second; less than 50,000 counts as 50,000. Default: no
     * limit.
     */
    uint64_t limit_up;
    /**
     * Download limit, as limit_up.
     */
    uint64_t limit_down;
    /**
     * Disk space for files kept for later drivers, in bytes. Default: 8 GiB.
     */
    uint64_t store_size;
    /**
     * Disk space for files on their way from one driver to the others, in bytes. Default: 1 GiB.
     */
    uint64_t spool_size;
    /**
     * Not 0: keep a file only while somebody downloads it, whatever store_size says.
     */
    uint32_t keep_nothing;
    /**
     * A liverysync_scope: the part of a livery that becomes a conflict copy. Default: LIVERYSYNC_SCOPE_FILE.
     */
    uint32_t conflict_scope;
    /**
     * A liverysync_updates: the members who may update a livery of the league. Default:
     * LIVERYSYNC_UPDATES_DEFAULT.
     */
    uint32_t updates;
    /**
     * Leave it 0.
     */
    uint32_t reserved;
    /**
     * Called for each event on a thread of the library, one at a time, in order; liverysync_server_next_event() cannot
     * be used then. Default: none.
     */
    liverysync_event_callback on_event;
    /**
     * Passed through to on_event.
     */
    void *userdata;
} liverysync_server_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns the version of the library as text, such as `0.1.0`. It stays valid for ever.
 */
const char *liverysync_version(void);

/**
 * Returns the version of the library as one number: major << 16 | minor << 8 | patch.
 *
 * Compare it with LIVERYSYNC_VERSION_NUMBER, the version that the program was compiled with.
 */
uint32_t liverysync_version_number(void);

/**
 * Returns the name of a result, such as `no_event`; `unknown` for any other number. It stays valid for ever.
 */
const char *liverysync_result_name(uint32_t result);

/**
 * Returns the error text of the last failed call on this thread, for people; empty if none failed. Do not parse it.
 *
 * It is never NULL, and stays valid until the next call of a function of this library on this thread. A successful
 * call leaves the text unchanged, and so does LIVERYSYNC_RESULT_NO_EVENT.
 */
const char *liverysync_last_error(void);

/**
 * Frees a string that came through an output argument. NULL is fine.
 */
void liverysync_string_free(char *string);

/**
 * Scans `folder` and hashes the files that are shared, on all cores. It writes nothing and follows no link.
 *
 * `options` may be NULL: all defaults. A file that cannot be read is skipped. Free the manifest with
 * liverysync_manifest_free().
 *
 * Fails with LIVERYSYNC_RESULT_FOLDER if `folder` does not exist or cannot be listed.
 */
liverysync_result liverysync_scan(const char *folder,
                                  const struct liverysync_scan_options *options,
                                  struct liverysync_manifest **manifest_out);

/**
 * Checks the liveries in `folder` and returns what is probably wrong with them: a JSON array of the objects that docs/json.md
 * has below "Findings", ordered by livery. It reads what liverysync_scan() reads.
 *
 * `options` may be NULL: all defaults. `rules` is the path of the league's rules, a TOML file that docs/configuration.md describes;
 * NULL: only what the game needs is checked. Free the text with liverysync_string_free().
 *
 * Fails as liverysync_scan() does, and with LIVERYSYNC_RESULT_INVALID_ARGUMENT if the rules cannot be read or have a mistake; the
 * error text has its line.
 */
liverysync_result liverysync_lint(const char *folder,
                                  const struct liverysync_scan_options *options,
                                  const char *rules,
                                  char **findings_out);

/**
 * Makes a manifest of `count` entries from elsewhere. It keeps copies of their strings.
 *
 * `entries` may be NULL if `count` is 0. `extensions` is the list of file extensions that paths are checked against,
 * as in liverysync_scan_options; NULL: the default. Free the manifest with liverysync_manifest_free().
 *
 * Fails with LIVERYSYNC_RESULT_INVALID_PATH if a path breaks the path rule, and with LIVERYSYNC_RESULT_COLLISION if
 * two files cannot exist side by side; the error text names the path.
 */
liverysync_result liverysync_manifest_new(const struct liverysync_entry *entries,
                                          size_t count,
                                          const char *extensions,
                                          struct liverysync_manifest **manifest_out);

/**
 * Returns the number of files; 0 for NULL.
 */
size_t liverysync_manifest_count(const struct liverysync_manifest *manifest);

/**
 * Returns one file. Files are ordered by path, without regard to case; `index` counts from 0.
 *
 * The strings in `entry_out` stay valid until the manifest is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
 */
liverysync_result liverysync_manifest_entry(const struct liverysync_manifest *manifest,
                                            size_t index,
                                            struct liverysync_entry *entry_out);

/**
 * Returns the sum of the sizes of all files, in bytes; 0 for NULL.
 */
uint64_t liverysync_manifest_total_bytes(const struct liverysync_manifest *manifest);

/**
 * Returns the manifest hash: 64 hex digits; NULL for NULL. It is equal on PCs with the same files under the same names.
 *
 * It is the SHA-256 over the compact JSON list of `rel_path`, `size` and `sha256`, ordered by path. It stays valid
 * until the manifest is freed.
 */
const char *liverysync_manifest_hash(const struct liverysync_manifest *manifest);

/**
 * Returns the number of skipped files and folders; 0 for NULL, and for a manifest that is not from a scan.
 */
size_t liverysync_manifest_skipped_count(const struct liverysync_manifest *manifest);

/**
 * Returns one skipped file or folder. They are ordered by path; `index` counts from 0.
 *
 * The strings in `skipped_out` stay valid until the manifest is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
 */
liverysync_result liverysync_manifest_skipped(const struct liverysync_manifest *manifest,
                                              size_t index,
                                              struct liverysync_skipped *skipped_out);

/**
 * Frees a manifest and its strings. NULL is fine.
 */
void liverysync_manifest_free(struct liverysync_manifest *manifest);

/**
 * Compares the files that a PC has with those that it should have. It ignores case in paths, and modification times.
 *
 * The manifests may be freed afterwards. Free the result with liverysync_diff_free().
 */
liverysync_result liverysync_diff_new(const struct liverysync_manifest *have,
                                      const struct liverysync_manifest *want,
                                      struct liverysync_diff **diff_out);

/**
 * Returns the number of files that differ; 0 if both have the same files, and for NULL.
 */
size_t liverysync_diff_count(const struct liverysync_diff *diff);

/**
 * Returns one file that differs: first the missing ones, then the different ones, then the extra ones, each ordered by
 * path. `index` counts from 0.
 *
 * The strings in `difference_out` stay valid until the diff is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
 */
liverysync_result liverysync_diff_item(const struct liverysync_diff *diff,
                                       size_t index,
                                       struct liverysync_difference *difference_out);

/**
 * Frees a diff and its strings. NULL is fine.
 */
void liverysync_diff_free(struct liverysync_diff *diff);

/**
 * Merges manifests as a server does with PCs that connect in this order.
 *
 * `manifests` is a list of `count` pointers, none of them NULL; it may be NULL if `count` is 0. `options` may be
 * NULL: all defaults. The manifests may be freed afterwards. Free the union with liverysync_union_free().
 */
liverysync_result liverysync_merge(const struct liverysync_manifest *const *manifests,
                                   size_t count,
                                   const struct liverysync_merge_options *options,
                                   struct liverysync_union **union_out);

/**
 * Makes the manifest that every PC should have. Free it with liverysync_manifest_free(). The union may be freed before.
 */
liverysync_result liverysync_union_manifest(const struct liverysync_union *handle,
                                            struct liverysync_manifest **manifest_out);

/**
 * Returns the number of files; 0 for NULL.
 */
size_t liverysync_union_count(const struct liverysync_union *handle);

/**
 * Returns one file. Files are ordered by path, without regard to case; `index` counts from 0.
 *
 * The strings in `entry_out` stay valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
 */
liverysync_result liverysync_union_entry(const struct liverysync_union *handle,
                                         size_t index,
                                         struct liverysync_entry *entry_out);

/**
 * Returns the number of PCs that have the content of file number `index`; 0 for NULL, and if there is no such file.
 */
size_t liverysync_union_holder_count(const struct liverysync_union *handle,
                                     size_t index);

/**
 * Returns one holder of file number `index`; `holder` counts from 0.
 *
 * The string in `holder_out` stays valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
 */
liverysync_result liverysync_union_holder(const struct liverysync_union *handle,
                                          size_t index,
                                          size_t holder,
                                          struct liverysync_holder *holder_out);

/**
 * Returns the number of conflicts; 0 for NULL.
 */
size_t liverysync_union_conflict_count(const struct liverysync_union *handle);

/**
 * Returns one conflict; `index` counts from 0.
 *
 * The strings in `conflict_out` stay valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
 */
liverysync_result liverysync_union_conflict(const struct liverysync_union *handle,
                                            size_t index,
                                            struct liverysync_conflict *conflict_out);

/**
 * Returns the number of files that cannot join the union; 0 for NULL.
 */
size_t liverysync_union_refused_count(const struct liverysync_union *handle);

/**
 * Returns one file that cannot join the union; `index` counts from 0.
 *
 * The strings in `refused_out` stay valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
 */
liverysync_result liverysync_union_refused(const struct liverysync_union *handle,
                                           size_t index,
                                           struct liverysync_refused *refused_out);

/**
 * Frees a union and its strings. NULL is fine.
 */
void liverysync_union_free(struct liverysync_union *handle);

/**
 * Checks a path against the path rule, which every shared file must keep.
 *
 * `extensions` is a list as in liverysync_scan_options; NULL: the default.
 *
 * Fails with LIVERYSYNC_RESULT_INVALID_PATH if the path is refused; the error text says why.
 */
liverysync_result liverysync_check_path(const char *path, const char *extensions);

/**
 * Makes the conflict name of `path` for the content with this SHA-256: `<stem>__CONFLICT__<first 8 hex digits>.<extension>`.
 *
 * `options` may be NULL: all defaults. `taken` may be NULL; otherwise a name that has another content there is not
 * used, and `_1`, `_2`... follows the digits. Free the name with liverysync_string_free().
 *
 * Fails with LIVERYSYNC_RESULT_INVALID_PATH if the path or its conflict name breaks the path rule.
 */
liverysync_result liverysync_conflict_name(const char *path,
                                           const char *sha256,
                                           const struct liverysync_naming_options *options,
                                           const struct liverysync_manifest *taken,
                                           char **name_out);

/**
 * Makes text from other people safe to show: a character that controls a terminal, or is invisible, becomes `\u{..}`.
 * Names of drivers, paths and reasons may contain such characters. Free the text with liverysync_string_free().
 */
liverysync_result liverysync_escape(const char *text,
                                    char **escaped_out);

/**
 * Finds the game's liveries folder on this PC: below the documents folder, and on Linux also where Steam's Proton
 * keeps it. Free the path with liverysync_string_free().
 *
 * Fails with LIVERYSYNC_RESULT_NOT_FOUND if there is none; the error text names the searched places. Fails
 * with LIVERYSYNC_RESULT_INVALID_UTF8 if its path is not Unicode.
 */
liverysync_result liverysync_liveries_folder(char **folder_out);

/**
 * Starts a client. It scans the folder, connects, and runs until it is stopped: it reconnects, downloads what is
 * new, and shares what changes in the folder. It keeps copies of the options. Free it with liverysync_client_free().
 *
 * `client_out` is set before the callback of the options is called for the first time. No event is missed.
 *
 * Fails with LIVERYSYNC_RESULT_NOT_FOUND if the options name no liveries folder and the game's is not found, and with
 * LIVERYSYNC_RESULT_FOLDER or LIVERYSYNC_RESULT_BUSY if the folder cannot be used, or another client syncs it. Nothing
 * runs then, and there is nothing to free.
 */
liverysync_result liverysync_client_start(const struct liverysync_client_options *options,
                                          struct liverysync_client **client_out);

/**
 * Waits until this PC has the union and nobody needs another file from it. All files that are in the folder by now
 * take part. The client keeps running afterwards.
 *
 * `timeout_ms` is the longest wait. With LIVERYSYNC_NO_LIMIT, an unreachable server is a failure at once; with a limit
 * the client tries until then. A dry run ends with its plan, which is an event. `report_out` may be NULL.
 *
 * Other threads may read events, sync or stop meanwhile.
 *
 * Fails with LIVERYSYNC_RESULT_STOPPED (also if the client is stopped meanwhile), LIVERYSYNC_RESULT_TIMED_OUT,
 * LIVERYSYNC_RESULT_UNREACHABLE, LIVERYSYNC_RESULT_LOST or LIVERYSYNC_RESULT_FOLDER. Files that have arrived by then
 * stay. Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback.
 */
liverysync_result liverysync_client_sync(struct liverysync_client *client,
                                         uint32_t timeout_ms,
                                         struct liverysync_sync_report *report_out);

/**
 * Changes the speed limits from now on, in bytes per second; 0 is no limit, and less than 50,000 counts as 50,000.
 */
liverysync_result liverysync_client_set_limits(const struct liverysync_client *client,
                                               uint64_t limit_up,
                                               uint64_t limit_down);

/**
 * Copies the next event into `event_out`, waiting at most `wait_ms` milliseconds. 0: do not wait; LIVERYSYNC_NO_LIMIT:
 * wait for ever.
 *
 * Events are kept from the start on. A program that does not read them misses progress first and other events later;
 * LIVERYSYNC_EVENT_KIND_MISSED says so. The strings of the event stay valid until the next call of this function on
 * `client`, or until that is freed.
 *
 * LIVERYSYNC_RESULT_NO_EVENT: none came. LIVERYSYNC_RESULT_STOPPED: there are no more.
 * LIVERYSYNC_RESULT_EVENTS_TAKEN: events go to a callback, or another thread waits for one.
 */
liverysync_result liverysync_client_next_event(struct liverysync_client *client,
                                               uint32_t wait_ms,
                                               struct liverysync_event *event_out);

/**
 * Stops the client and waits for its end. It finishes the file that it is installing, and removes what it was
 * downloading. Calls of other threads that wait for this client return. Stopping twice is fine.
 *
 * No call of the callback is running or follows once this has returned.
 *
 * Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback.
 */
liverysync_result liverysync_client_stop(struct liverysync_client *client);

/**
 * Stops a client, waits for its end as liverysync_client_stop() does, and frees it. NULL is fine. No other call on it
 * may be running or follow.
 *
 * Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback: it is not freed then. With every other
 * result it is freed.
 */
liverysync_result liverysync_client_free(struct liverysync_client *client);

/**
 * Withdraws a livery that the driver owns, such as `Team`, or one file of it, such as `Team/sponsors.png`, from every PC.
 * Each keeps a copy in `.backup`.
 *
 * The driver is told by the identity of the options, whether or not a client runs; of the others, only host, port, state and
 * name matter. With dry_run nothing changes. `files_out` may be NULL; it gets the number of files that no PC keeps under
 * their name.
 *
 * Fails with LIVERYSYNC_RESULT_REFUSED if the livery is not the driver's or does not exist, with
 * LIVERYSYNC_RESULT_UNREACHABLE if there is no server, and with LIVERYSYNC_RESULT_TIMED_OUT if it does not answer within 30 s.
 */
liverysync_result liverysync_withdraw(const struct liverysync_client_options *options,
                                      const char *name,
                                      uint64_t *files_out);

/**
 * Gives a livery that the driver owns another name on every PC. Otherwise as liverysync_withdraw(); also refused if the name
 * is taken or cannot be one.
 */
liverysync_result liverysync_rename(const struct liverysync_client_options *options,
                                    const char *livery,
                                    const char *new_name,
                                    uint64_t *files_out);

/**
 * Makes `new_livery`, which the league has already, the successor of `old_livery`, which is withdrawn. The driver owns both.
 * Otherwise as liverysync_withdraw().
 */
liverysync_result liverysync_replace(const struct liverysync_client_options *options,
                                     const char *old_livery,
                                     const char *new_livery,
                                     uint64_t *files_out);

/**
 * Starts a server: drivers may connect. It keeps copies of the options, which may be NULL: all defaults. Free it with
 * liverysync_server_free().
 *
 * `server_out` is set before the callback of the options is called for the first time. No event is missed.
 *
 * Fails with LIVERYSYNC_RESULT_SYSTEM if it cannot listen there, with LIVERYSYNC_RESULT_FOLDER if the data folder
 * cannot be made or the allow list cannot be read, and with LIVERYSYNC_RESULT_INVALID_ARGUMENT if only owners may update
 * and there is no data folder. Nothing runs then, and there is nothing to free.
 */
liverysync_result liverysync_server_start(const struct liverysync_server_options *options,
                                          struct liverysync_server **server_out);

/**
 * Returns the port on which the server listens, or listened until it was stopped; 0 for NULL.
 */
uint32_t liverysync_server_port(const struct liverysync_server *server);

/**
 * Makes the league's status as a JSON object: the connected clients, and the files that each of them is missing.
 * docs/json.md describes it. Free it with liverysync_string_free().
 */
liverysync_result liverysync_server_status(const struct liverysync_server *server,
                                           char **json_out);

/**
 * Changes the speed limits, as liverysync_client_set_limits() does.
 */
liverysync_result liverysync_server_set_limits(const struct liverysync_server *server,
                                               uint64_t limit_up,
                                               uint64_t limit_down);

/**
 * Copies the next event into `event_out`, as liverysync_client_next_event() does.
 */
liverysync_result liverysync_server_next_event(struct liverysync_server *server,
                                               uint32_t wait_ms,
                                               struct liverysync_event *event_out);

/**
 * Stops the server, closes every connection and waits for its end. Stopping twice is fine.
 *
 * No call of the callback is running or follows once this has returned.
 *
 * Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the server's own callback.
 */
liverysync_result liverysync_server_stop(struct liverysync_server *server);

/**
 * Stops a server and frees it, as liverysync_client_free() does.
 */
liverysync_result liverysync_server_free(struct liverysync_server *server);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LIVERYSYNC_H */
