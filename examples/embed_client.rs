//! A driver's client inside another program: syncs one folder until it holds the union, and tells
//! what it does on the way.
//!
//! ```text
//! cargo run --example embed_client -- 192.168.1.50 9239 ./Liveries
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error, time::Duration};

use liverysync::{
    client::{Client, ClientOptions, Step},
    core::{client::Event, text::escape},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(host), Some(port), Some(folder)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: embed_client HOST PORT FOLDER".into());
    };

    let mut options = ClientOptions::new(host, port.parse()?, folder);
    options.core.name = "embedded".to_owned();
    let client = Client::new(options);
    client.start()?;
    let mut syncing = client.begin_sync(Some(Duration::from_secs(600)));
    let report = loop {
        match syncing.next().await {
            Step::Event(Event::Connected { .. }) => println!("connected"),
            Step::Event(Event::Disconnected { reason, retry_in }) => {
                println!("no link: {}; again in {} s", escape(&reason), retry_in.as_secs_f32());
            }
            Step::Event(Event::Installed { path, bytes, .. }) => {
                println!("got {} ({bytes} bytes)", escape(path.as_str()));
            }
            Step::Event(_) => {}
            Step::Done(report) => break report,
            Step::Failed(error) => return Err(error.into()),
        }
    };
    println!("in sync: {} files, {} bytes", report.files, report.bytes);
    client.stop().await;
    Ok(())
}
