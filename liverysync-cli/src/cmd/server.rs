//! `liverysync server`: runs the league's server until it is told to stop.

use std::net::SocketAddr;

use liverysync::{Events, ServerError, ServerEvent as Event, StoreError};

use super::{GATHER_PAUSE, Interrupts, reload::Reload, verify};
use crate::{
    cli::server::ServerArgs,
    exit::{Exit, Failure},
    output::{self, gather::Gather, json, words},
};

pub(super) fn run(args: &ServerArgs) -> Result<(), Failure> {
    if args.verify_store {
        return verify::run(args.data.as_deref(), args.output.json);
    }
    super::runtime()?.block_on(serve(args))
}

async fn serve(args: &ServerArgs) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let mut reload = Reload::new(args.speed.limits());
    let (server, mut events) = args.builder().start_with_events().await.map_err(explain)?;
    let mut view = View { json: args.output.json, gather: Gather::default() };
    let shown = view.listening(server.address());
    let watched = match shown {
        Ok(()) => tokio::select! {
            ended = watch(&mut events, &mut view, &mut interrupts) => ended,
            () = async { loop { server.set_limits(reload.next().await) } } => Ok(()),
        },
        Err(failure) => Err(failure),
    };
    interrupts.unless_again(server.stop()).await?;
    watched
}

async fn watch(
    events: &mut Events<Event>,
    view: &mut View,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    loop {
        tokio::select! {
            () = interrupts.next() => return Ok(()),
            event = events.next() => match event {
                Some(event) => view.event(&event)?,
                None => return Err(Failure::new(Exit::Failed, "the server has stopped by itself")),
            },
            () = tokio::time::sleep(GATHER_PAUSE), if !view.gather.is_empty() => view.flush(),
        }
    }
}

fn explain(error: ServerError) -> Failure {
    let hint = match &error {
        ServerError::OwnersNeedData => {
            return Failure::of(Exit::Usage, error)
                .hint("add --data DIR, or leave out --updates owner");
        }
        ServerError::Bind { .. } => {
            "another program may use this port already: choose one with --port, or 0 for any free \
             one; --host must be an address of this machine"
        }
        ServerError::Store(StoreError::Folder { .. } | StoreError::Busy { .. }) => {
            "choose another one with --data"
        }
        ServerError::AllowList { .. } => {
            "give a text file with --allow-list, or leave it out to allow all liveries"
        }
        _ => return Failure::of(Exit::Failed, error),
    };
    Failure::of(Exit::Failed, error).hint(hint)
}

/// What people and programs get to see.
struct View {
    json: bool,
    gather: Gather,
}

impl View {
    fn listening(&self, address: SocketAddr) -> Result<(), Failure> {
        let line =
            if self.json { json::listening(address) } else { format!("listening on {address}") };
        output::line(&line)?;
        if !address.ip().is_loopback() {
            output::note(
                "anybody who reaches this port can join and send files: joining is not protected yet",
            );
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if self.json {
            return Ok(output::line(&json::event(event))?);
        }
        // What this event adds to the gathered is said after it.
        let mut gathered = Gather::default();
        if let Some(line) = words::server(event, &mut gathered) {
            self.flush();
            output::note(&line);
        }
        self.gather.append(gathered);
        Ok(())
    }

    fn flush(&mut self) {
        self.gather.take().iter().for_each(|line| output::note(line));
    }
}
