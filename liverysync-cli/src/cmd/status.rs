//! `liverysync status`: how this PC stands to the league.

use liverysync::{Client, ClientBuilder, Plan, SyncError, escape, is_client_running};
use tokio::time::timeout;

use super::client::{explain, failed};
use crate::{
    cli::status::StatusArgs,
    exit::{Exit, Failure},
    output::{self, status},
    units,
};

pub(super) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let how_to_say = "say where the folder is: liverysync status --liveries DIR";
    let liveries = super::liveries_folder(args.liveries.folder(), how_to_say)?;
    let builder =
        Client::builder(args.address.host.clone()).port(args.address.port).liveries(&liveries);
    let builder = args.shared.apply(builder).dry_run(true);
    let builder = match args.state.folder() {
        Some(folder) => builder.state(folder),
        None => builder,
    };
    let plan = super::client_runtime()?.block_on(look(args, builder))?;
    let status = status::Status {
        server: &args.address.text(),
        running: is_client_running(&liveries).ok(),
        in_sync: plan.is_in_sync(),
        plan: &plan,
    };
    Ok(if args.output.json {
        output::line(&output::json::named("status", &status))
    } else {
        output::block(&status::text(&status))
    }?)
}

/// Asks the server what the league has, and compares.
async fn look(args: &StatusArgs, builder: ClientBuilder) -> Result<Plan, Failure> {
    let client = builder.start().await.map_err(explain)?;
    // A server that is not there is said at once.
    let report = timeout(args.timeout, client.sync().into_future()).await;
    client.stop().await;
    let Ok(report) = report else {
        let server = args.address.text();
        let after = units::duration(args.timeout);
        let what = format!("{} has not said within {after} what it has", escape(&server));
        return Err(
            Failure::new(Exit::TimedOut, what).hint("try again, or give it more time: --timeout")
        );
    };
    // A dry run ends with its plan.
    Ok(*report.map_err(no_answer)?.plan.unwrap_or_default())
}

fn no_answer(error: SyncError) -> Failure {
    match error {
        SyncError::Unreachable { .. } => {
            Failure::of(Exit::Failed, error).hint("is the server running? check --host and --port")
        }
        _ => failed(error),
    }
}
