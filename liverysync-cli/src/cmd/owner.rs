//! `liverysync withdraw`, `rename` and `replace`: a driver changes their own liveries.

use liverysync::{Act, Client, ClientError};

use crate::{
    cli::owner::OwnerArgs,
    exit::{Exit, Failure},
    output::{self, json},
    text::{error, owner as text},
};

pub(super) fn run(act: &Act, args: &OwnerArgs) -> Result<(), Failure> {
    let builder = Client::builder(args.address.host.clone()).port(args.address.port);
    let builder = args.identity.apply(builder).dry_run(args.dry_run);
    let builder = match args.state.folder() {
        Some(folder) => builder.state(folder),
        None => builder,
    };
    let report = super::client_runtime()?.block_on(builder.act(act));
    let report = report.map_err(|error| explain(&error, args))?;
    Ok(if args.output.json {
        output::line(&json::owner_acted(act, &report, args.dry_run))
    } else {
        output::block(&text::acted(act, &report, args.dry_run))
    }?)
}

fn explain(error: &ClientError, args: &OwnerArgs) -> Failure {
    match error {
        ClientError::Refused(refused) => error::owner_act(refused).into(),
        ClientError::Server { source, .. } if source.kind() == std::io::ErrorKind::TimedOut => {
            Failure::new(Exit::TimedOut, error::unreachable_server(&args.address.text(), source))
        }
        ClientError::Server { source, .. } => {
            error::unreachable_server(&args.address.text(), source).into()
        }
        other => error::client(other).into(),
    }
}
