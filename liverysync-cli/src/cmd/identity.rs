//! `liverysync identity`: who the driver at this PC is.

use std::{
    fs,
    io::{self, BufRead as _, ErrorKind, IsTerminal as _, Write as _},
};

use liverysync::{Identity, IdentityFile, create_private};

use crate::{
    cli::identity::{IdentityCommand, IdentityCommonArgs, IdentityExportArgs, IdentityImportArgs},
    exit::Failure,
    output::{self, json},
    seal::{self, PASSPHRASE_CHARS_MIN, RANDOM_BYTES},
    text::{error, identity as text},
};

/// The variable with the passphrase, for scripts.
const PASSPHRASE: &str = "LIVERYSYNC_PASSPHRASE";

pub(super) fn run(command: &IdentityCommand) -> Result<(), Failure> {
    match command {
        IdentityCommand::Show(args) => show(args),
        IdentityCommand::Export(args) => export(args),
        IdentityCommand::Import(args) => import(args),
    }
}

fn show(args: &IdentityCommonArgs) -> Result<(), Failure> {
    let (file, identity) = look(args)?;
    let path = file.path().to_string_lossy();
    print(&match args.output.json {
        true => json::identity("identity", &path, identity.as_ref()),
        false => text::shown(&path, identity.as_ref()),
    })
}

fn export(args: &IdentityExportArgs) -> Result<(), Failure> {
    let (file, identity) = look(&args.common)?;
    let identity = identity.ok_or_else(|| error::no_identity(file.path()))?;
    let to = &args.file;
    // Before anybody chooses a passphrase for nothing.
    if to.exists() {
        return Err(error::file_exists(to).into());
    }
    let passphrase = passphrase(true)?;
    let mut random = [0; RANDOM_BYTES];
    let failed = || error::cannot_export(to, &io::Error::other("no encryption is possible"));
    getrandom::fill(&mut random).map_err(|_| failed())?;
    let sealed = seal::seal(&identity.to_text(), &passphrase, &random).ok_or_else(failed)?;
    let written = create_private(to).and_then(|mut file| {
        file.write_all(sealed.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| error::cannot_export(to, &source))?;
    let path = to.to_string_lossy();
    print(&match args.common.output.json {
        true => json::identity("identity_exported", &path, Some(&identity)),
        false => text::exported(&path, &identity),
    })
}

fn import(args: &IdentityImportArgs) -> Result<(), Failure> {
    let from = &args.file;
    let sealed = fs::read(from).map_err(|source| error::cannot_import(from, &source))?;
    let passphrase = passphrase(false)?;
    let opened = seal::open(&sealed, &passphrase).map_err(|fault| error::seal(from, fault))?;
    let new = Identity::parse(&opened).map_err(|fault| error::cannot_import(from, &fault))?;
    let file = file(&args.common)?;
    let state = args.common.state.folder();
    let imported = file
        .import(state.as_deref(), new, args.replace)
        .map_err(|source| error::identity(file.path(), &source))?
        .map_err(|other| error::other_identity(&other))?;
    let path = file.path().to_string_lossy();
    print(&match args.common.output.json {
        true => json::identity("identity_imported", &path, Some(&imported)),
        false => text::imported(&imported),
    })
}

fn file(args: &IdentityCommonArgs) -> Result<IdentityFile, Failure> {
    Ok(args.identity.file().ok_or_else(error::no_config_folder)?)
}

/// Returns the identity that a client would use, and its file.
fn look(args: &IdentityCommonArgs) -> Result<(IdentityFile, Option<Identity>), Failure> {
    let file = file(args)?;
    let identity = file
        .look(args.state.folder().as_deref())
        .map_err(|source| error::identity(file.path(), &source))?;
    Ok((file, identity))
}

/// Returns the passphrase: from the variable, from the terminal without showing it, or else the first line of standard input.
fn passphrase(is_new: bool) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::from(error::no_passphrase(&error));
    let given = std::env::var_os(PASSPHRASE).filter(|given| !given.is_empty());
    let given = if let Some(given) = given {
        let invalid = || io::Error::new(ErrorKind::InvalidData, "it is not valid text");
        given.into_string().map_err(|_| failed(invalid()))?
    } else if io::stdin().is_terminal() {
        let given = rpassword::prompt_password(text::passphrase(is_new)).map_err(failed)?;
        if is_new && rpassword::prompt_password(text::PASSPHRASE_AGAIN).map_err(failed)? != given {
            return Err(error::passphrases_differ().into());
        }
        given
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(failed)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if is_new && given.chars().count() < PASSPHRASE_CHARS_MIN {
        return Err(error::short_passphrase(PASSPHRASE_CHARS_MIN).into());
    }
    Ok(given)
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(output::block(&format!("{}\n", text.trim_end_matches('\n')))?)
}
