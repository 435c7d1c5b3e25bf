//! `liverysync status`: shows whether this PC is in sync, what is missing and why.

use liverysync::{Client, ClientBuilder, Plan, is_client_running};
use tokio::time::timeout;

use super::client::failed;
use crate::{
    cli::status::StatusArgs,
    exit::{Exit, Failure},
    output::{self, json},
    text::{
        error,
        status::{Status, status},
    },
};

pub(super) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let liveries = super::liveries_folder(args.liveries.folder(), "status --liveries DIR")?;
    let builder = Client::builder(args.address.host.clone()).port(args.address.port);
    let builder = args.shared.apply(builder.liveries(&liveries)).dry_run(true);
    let builder = args.sharing.apply(builder).as_before();
    let builder = args.identity.apply(builder);
    let builder = match args.state.folder() {
        Some(folder) => builder.state(folder),
        None => builder,
    };
    let plan = super::client_runtime()?.block_on(look(args, builder))?;
    let running = is_client_running(&liveries).ok();
    Ok(if args.output.json {
        output::line(&json::status(&args.address.text(), running, &plan))
    } else {
        output::block(&status(Status { running, plan: &plan }, args.detail.verbose))
    }?)
}

/// Asks the server what the league has, and compares.
async fn look(args: &StatusArgs, builder: ClientBuilder) -> Result<Plan, Failure> {
    let client = builder.start().await.map_err(|error| error::client(&error))?;
    let report = timeout(args.timeout, client.sync().into_future()).await;
    client.stop().await;
    let Ok(report) = report else {
        let problem = error::no_reply(&args.address.text(), args.timeout);
        return Err(Failure::new(Exit::TimedOut, problem));
    };
    // A dry run ends with its plan.
    Ok(*report.map_err(|error| failed(&error))?.plan.unwrap_or_default())
}
