use anyhow::{Result, bail};

use crate::peers::site::{Round, Task};

pub(crate) fn version() -> Result<String> {
    bail!("not yet")
}

pub(crate) fn round(_: &Task<'_>) -> Result<Round> {
    bail!("not yet")
}
