//! A driver's client inside another program: syncs one folder until it holds the union, and tells
//! what it does on the way.
//!
//! ```text
//! cargo run --example embed_client -- 192.168.1.50 9239 ./Liveries
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error};

use liverysync::{
    client::{Client, ClientOptions},
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
    let mut client = Client::start(options)?;
    while let Some(event) = client.next_event().await {
        match event {
            Event::Connected { .. } => println!("connected"),
            Event::Disconnected { reason, retry_in } => {
                println!("no link: {}; again in {} s", escape(&reason), retry_in.as_secs_f32());
            }
            Event::Installed { path, bytes, .. } => {
                println!("got {} ({bytes} bytes)", escape(path.as_str()));
            }
            Event::InStep { files, bytes, .. } => {
                println!("in step: {files} files, {bytes} bytes");
                break;
            }
            _ => {}
        }
    }
    client.stop().await;
    Ok(())
}
