//! The committed header is what cbindgen writes from this source.

use std::{env, fs, path::Path};

#[test]
fn the_header_is_up_to_date() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    // A list, in the order of the header: cbindgen would ask cargo for the modules, which may be busy.
    for module in MODULES {
        builder = builder.with_src(package.join(format!("src/{module}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let header = String::from_utf8(header).unwrap();

    let path = package.join("include/liverysync.h");
    if env::var_os("LIVERYSYNC_WRITE_HEADER").is_some() {
        fs::write(&path, &header).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed.replace("\r\n", "\n") == header,
        "include/liverysync.h differs from the source; update it with\n    \
         LIVERYSYNC_WRITE_HEADER=1 cargo test -p liverysync-ffi --lib header"
    );
}

/// The modules with names for C.
const MODULES: &[&str] = &[
    "version", "result", "error", "text", "entry", "rules", "manifest", "diff", "union", "paths",
    "event", "client", "owner", "server",
];

#[test]
fn no_module_is_left_out_of_the_header() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in fs::read_dir(sources).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        let exports = fs::read_to_string(&path).unwrap().contains("#[unsafe(no_mangle)]\n");
        assert!(!exports || module == "header" || MODULES.contains(&module), "{module}");
    }
}
