//! A driver's client inside another program: it syncs one folder, and tells what it does on the way.
//!
//! ```text
//! cargo run --example embed_client -- 192.168.1.50 9239 ./Liveries
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error, time::Duration};

use liverysync::{Client, ClientEvent, SyncStep, escape};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(host), Some(port), Some(folder)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: embed_client HOST PORT FOLDER".into());
    };

    let builder = Client::builder(host).port(port.parse()?).liveries(folder).name("embedded");
    let (client, events) = builder.start_with_events().await?;
    let mut steps = client.sync().timeout(Duration::from_secs(600)).steps_of(events);
    while let Some(step) = steps.next().await {
        match step {
            SyncStep::Event(ClientEvent::Connected { .. }) => println!("connected"),
            SyncStep::Event(ClientEvent::Disconnected { reason, retry_in }) => {
                let seconds = retry_in.as_secs_f32();
                println!("no connection: {}; next attempt in {seconds} s", escape(&reason));
            }
            SyncStep::Event(ClientEvent::Installed { path, bytes, .. }) => {
                println!("installed {} ({bytes} bytes)", escape(path.as_str()));
            }
            SyncStep::Done(report) => {
                println!("in sync: {} files, {} bytes", report.files, report.bytes);
            }
            SyncStep::Failed(error) => return Err(error.into()),
            _ => {}
        }
    }
    client.stop().await;
    Ok(())
}
