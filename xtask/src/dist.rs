//! `cargo xtask dist`: builds everything that is handed out into one folder.
//!
//! ```text
//! bin/          the program
//! include/      the C header
//! lib/          the shared and the static library, and pkgconfig/liverysync.pc
//! python/       the wheel
//! ```

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use lexopt::Parser;
use xtask::process::{read, run};
use xtask::workspace::Workspace;

use crate::Passed;
use crate::python;

/// The file name of the static library on this platform.
const STATIC_LIBRARY: &str =
    if cfg!(target_env = "msvc") { "liverysync.lib" } else { "libliverysync.a" };

pub(crate) fn run_command(mut args: Parser, workspace: &Workspace) -> Result<Passed> {
    if let Some(unexpected) = args.next()? {
        return Err(unexpected.unexpected().into());
    }
    let folder = workspace.target.join("dist");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run(workspace
        .cargo("build --profile shipping --package liverysync-cli --package liverysync-ffi"))?;
    let built = workspace.target.join("shipping");
    let shared = format!("{DLL_PREFIX}liverysync{DLL_SUFFIX}");
    let program = format!("liverysync{EXE_SUFFIX}");
    let mut files = Vec::new();
    let mut take = |from: PathBuf, to: &str| -> Result<()> {
        let name = from.file_name().context("a file has a name")?;
        let to = folder.join(to).join(name);
        fs::create_dir_all(to.parent().context("a file has a parent folder")?)?;
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        files.push(to);
        Ok(())
    };
    take(built.join(program), "bin")?;
    take(built.join(&shared), "lib")?;
    take(built.join(STATIC_LIBRARY), "lib")?;
    take(workspace.root.join("liverysync-ffi/include/liverysync.h"), "include")?;
    for text in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        take(workspace.root.join(text), ".")?;
    }
    files.push(pkg_config(workspace, &folder)?);
    files.push(python::build_wheel(workspace, &folder.join("python"), &["--profile", "shipping"])?);

    println!("\n{}", folder.display());
    for file in files {
        let bytes = fs::metadata(&file)?.len();
        println!("{bytes:>12}  {}", file.strip_prefix(&folder).unwrap_or(&file).display());
    }
    Ok(true)
}

/// Writes `lib/pkgconfig/liverysync.pc`. It finds its own folder, so the folder `dist` may be moved.
fn pkg_config(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let package = read(workspace.cargo("pkgid --package liverysync-ffi"))?;
    let version = package.trim().rsplit(['#', '@']).next().unwrap_or_default();
    // From `rustc --print native-static-libs`; only for the platform on which it was tried.
    let private = if cfg!(target_os = "linux") {
        "Libs.private: -lgcc_s -lutil -lrt -lpthread -lm -ldl\n"
    } else {
        ""
    };
    let text = format!(
        "prefix=${{pcfiledir}}/../..\n\
         includedir=${{prefix}}/include\n\
         libdir=${{prefix}}/lib\n\
         \n\
         Name: liverysync\n\
         Description: Keeps the custom liveries of a league the same on every driver's PC\n\
         Version: {version}\n\
         Cflags: -I${{includedir}}\n\
         Libs: -L${{libdir}} -lliverysync\n\
         {private}"
    );
    let path = folder.join("lib/pkgconfig/liverysync.pc");
    fs::create_dir_all(path.parent().context("a file has a parent folder")?)?;
    fs::write(&path, text)?;
    Ok(path)
}
