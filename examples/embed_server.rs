//! A league's server inside another program: it runs until Ctrl-C, and tells who comes and goes.
//!
//! ```text
//! cargo run --example embed_server --features server -- 127.0.0.1 9239
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error};

use liverysync::{DEFAULT_PORT, Server, ServerEvent, escape};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let host = arguments.next().unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = arguments.next().map_or(Ok(DEFAULT_PORT), |port| port.parse())?;

    let builder = Server::builder().host(host).port(port);
    let (server, mut events) = builder.start_with_events().await?;
    println!("listening on {}", server.address());
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tokio::signal::ctrl_c() => None,
        };
        match event {
            Some(ServerEvent::Joined { name, address, .. }) => {
                println!("{} joins from {address}", escape(&name));
            }
            Some(ServerEvent::Left { name, reason, .. }) => {
                println!("{} leaves: {}", escape(&name), escape(&reason));
            }
            Some(ServerEvent::InSync { clients, files, .. }) => {
                println!("{clients} clients in sync with {files} files");
            }
            Some(_) => {}
            None => break,
        }
    }
    server.stop().await;
    Ok(())
}
