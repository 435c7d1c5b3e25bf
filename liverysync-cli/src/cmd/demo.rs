pub(super) fn run(_args: &crate::cli::DemoArgs) -> Result<(), crate::exit::Failure> {
    Ok(())
}
