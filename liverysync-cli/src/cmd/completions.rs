//! `liverysync completions`: completions for a shell.

use clap_complete::Shell;

use crate::{config, exit::Failure, output};

pub(super) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut config::command(), "liverysync", &mut script);
    output::block(&String::from_utf8_lossy(&script))?;
    Ok(())
}
