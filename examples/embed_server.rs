//! A league's server inside another program: it runs until Ctrl-C and tells who comes and goes.
//!
//! ```text
//! cargo run --example embed_server --features server -- 127.0.0.1 9239
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error};

use liverysync::{
    core::{server::Event, text::escape},
    server::{Server, ServerOptions},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let host = arguments.next().unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = arguments.next().map_or(Ok(9239), |port| port.parse())?;

    let server = Server::new(ServerOptions::new(host, port));
    let mut events = server.events();
    println!("listening on {}", server.start()?);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tokio::signal::ctrl_c() => None,
        };
        match event {
            Some(Event::Joined { name, address, .. }) => {
                println!("{} joins from {address}", escape(&name));
            }
            Some(Event::Left { name, reason, .. }) => {
                println!("{} leaves: {}", escape(&name), escape(&reason));
            }
            Some(Event::InSync { clients, files, .. }) => {
                println!("{clients} clients in sync with {files} files");
            }
            Some(_) => {}
            None => break,
        }
    }
    server.stop().await;
    Ok(())
}
