//! `liverysync status`: how this PC stands to the league.

use liverysync::client::{Client, ClientOptions, is_running};
use liverysync_core::{
    client::{ClientConfig, Plan, SyncError},
    text::escape,
};
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
    let mut options =
        ClientOptions::new(args.address.host.clone(), args.address.port, liveries.clone());
    let shared = args.shared.client();
    options.core = ClientConfig { name: super::host_name(), dry_run: true, ..shared };
    options.state = args.state.folder();
    let plan = super::client_runtime()?.block_on(look(args, options))?;
    let status = status::Status {
        server: &args.address.text(),
        running: is_running(&liveries).ok(),
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
async fn look(args: &StatusArgs, options: ClientOptions) -> Result<Plan, Failure> {
    let client = Client::new(options);
    client.start().map_err(|error| explain(&error))?;
    // A server that is not there is said at once.
    let report = timeout(args.timeout, client.sync(None)).await;
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
    Ok(*report.map_err(|error| no_answer(&error))?.plan.unwrap_or_default())
}

fn no_answer(error: &SyncError) -> Failure {
    match error {
        SyncError::Unreachable { .. } => {
            Failure::new(Exit::Failed, error).hint("is the server running? check --host and --port")
        }
        _ => failed(error),
    }
}
