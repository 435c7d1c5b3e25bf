//! The offsets of the fields of each struct of the interface.
//!
//! Programs that are compiled keep these numbers. After a release, no line of a field is changed or removed: new fields
//! come at the end of their struct. Then the size of the struct grows too, and its `SIZE_MIN` stays what it was.

use std::{env, fs, mem::offset_of, path::Path};

use crate::{
    client::{ClientOptions, SyncReport},
    diff::Difference,
    entry::FileEntry,
    event::Event,
    manifest::SkippedEntry,
    paths::NamingOptions,
    rules::ScanOptions,
    server::ServerOptions,
    sized::Growing,
    union::{Conflict, Holder, MergeOptions, Refused},
};

/// Struct: size { field: offset }.
macro_rules! layouts {
    ($($name:ident: $size:literal { $($field:ident: $offset:literal,)+ })+) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];

        #[test]
        fn every_field_stays_where_it_is() {
            $(
                // Does not compile if a field has no line.
                let _all = |$name { $($field: _),+ }: $name| {};
                $(
                    let place = concat!(stringify!($name), ".", stringify!($field));
                    assert_eq!(offset_of!($name, $field), $offset, "{place}");
                )+
                assert_eq!(size_of::<$name>(), $size, stringify!($name));
            )+
        }
    };
}

layouts! {
    FileEntry: 40 {
        size: 0,
        path: 8,
        sha256: 16,
        bytes: 24,
        mtime_ns: 32,
    }
    ScanOptions: 40 {
        size: 0,
        extensions: 8,
        derived_dds: 16,
        placeholders: 20,
        max_entries: 24,
        max_file_size: 32,
    }
    SkippedEntry: 32 {
        size: 0,
        path: 8,
        kind: 16,
        reason: 24,
    }
    Difference: 56 {
        size: 0,
        kind: 8,
        path: 16,
        have_sha256: 24,
        want_sha256: 32,
        have_bytes: 40,
        want_bytes: 48,
    }
    MergeOptions: 32 {
        size: 0,
        suffix: 8,
        extensions: 16,
        policy: 24,
        scope: 28,
    }
    Holder: 24 {
        size: 0,
        peer: 8,
        path: 16,
    }
    Conflict: 32 {
        size: 0,
        peer: 8,
        path: 16,
        conflict_path: 24,
    }
    Refused: 32 {
        size: 0,
        peer: 8,
        path: 16,
        reason: 24,
    }
    NamingOptions: 24 {
        size: 0,
        suffix: 8,
        extensions: 16,
    }
    Event: 208 {
        size: 0,
        json: 8,
        sync_id: 16,
        path: 24,
        other_path: 32,
        backup: 40,
        name: 48,
        source: 56,
        address: 64,
        word: 72,
        reason: 80,
        peer: 88,
        files: 96,
        bytes: 104,
        missing: 112,
        missing_bytes: 120,
        needed_by_others: 128,
        withheld: 136,
        failed: 144,
        clients: 152,
        events: 160,
        retry_in_ms: 168,
        kind: 176,
        copied: 180,
        for_good: 184,
        certain: 188,
        connected: 192,
        reserved: 196,
        liveries: 200,
    }
    ClientOptions: 184 {
        size: 0,
        host: 8,
        liveries: 16,
        state: 24,
        name: 32,
        steam_id: 40,
        extensions: 48,
        conflict_suffix: 56,
        max_entries: 64,
        max_file_size: 72,
        port: 80,
        derived_dds: 84,
        placeholders: 88,
        dry_run: 92,
        settle_ms: 96,
        rescan_ms: 100,
        retry_first_ms: 104,
        retry_max_ms: 108,
        silence_timeout_ms: 112,
        stall_timeout_ms: 116,
        limit_up: 120,
        limit_down: 128,
        on_event: 136,
        userdata: 144,
        identity: 152,
        share: 160,
        only: 168,
        reserved: 172,
        lint_rules: 176,
    }
    SyncReport: 112 {
        size: 0,
        json: 8,
        files: 16,
        bytes: 24,
        received_files: 32,
        received_bytes: 40,
        sent_files: 48,
        sent_bytes: 56,
        conflicts: 64,
        withheld: 72,
        took_ms: 80,
        certain: 88,
        reserved: 92,
        liveries: 96,
        outstanding: 104,
    }
    ServerOptions: 136 {
        size: 0,
        host: 8,
        allow_list: 16,
        data: 24,
        extensions: 32,
        conflict_suffix: 40,
        max_entries: 48,
        max_file_size: 56,
        port: 64,
        conflict_policy: 68,
        limit_up: 72,
        limit_down: 80,
        store_size: 88,
        spool_size: 96,
        keep_nothing: 104,
        conflict_scope: 108,
        updates: 112,
        reserved: 116,
        on_event: 120,
        userdata: 128,
    }
}

/// The sizes of the first release. They never change.
#[test]
fn a_struct_of_the_first_release_is_long_enough_for_ever() {
    let first = [
        (FileEntry::SIZE_MIN, 40),
        (ScanOptions::SIZE_MIN, 40),
        (SkippedEntry::SIZE_MIN, 32),
        (Difference::SIZE_MIN, 56),
        (MergeOptions::SIZE_MIN, 32),
        (Holder::SIZE_MIN, 24),
        (Conflict::SIZE_MIN, 32),
        (Refused::SIZE_MIN, 32),
        (NamingOptions::SIZE_MIN, 24),
        (Event::SIZE_MIN, 200),
        (ClientOptions::SIZE_MIN, 120),
        (SyncReport::SIZE_MIN, 96),
        (ServerOptions::SIZE_MIN, 72),
    ];
    assert_eq!(first.len(), NAMES.len());
    for ((size_min, first), name) in first.into_iter().zip(NAMES) {
        assert_eq!(size_min, first, "{name}");
    }
}

#[test]
fn no_struct_is_left_out() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in fs::read_dir(sources).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        for part in source.split("\n#[repr(C)]\n").skip(1) {
            let (_, name) = part.split_once("pub struct ").unwrap();
            let name = name.split_once(' ').unwrap().0;
            assert!(NAMES.contains(&name), "{name}");
        }
    }
}
