//! Crowds: many links from one address, and links that never stop talking.

use std::{
    net::{SocketAddr, TcpStream},
    sync::atomic::AtomicBool,
    thread,
};

use super::*;

/// Links to a server from another address of this PC.
async fn links_from(address: &str, server: SocketAddr, number: usize) -> Vec<TcpStream> {
    let mut links = Vec::new();
    for _ in 0..number {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let link = socket.connect(server).await.unwrap().into_std().unwrap();
        link.set_nonblocking(false).unwrap();
        link.set_read_timeout(Some(PATIENCE)).unwrap();
        links.push(link);
    }
    links
}

/// Returns true if the server greets on a link, and false if it closes it.
fn is_greeted(link: &mut TcpStream) -> bool {
    link.read(&mut [0; 4]).is_ok_and(|length| length > 0)
}

// The other addresses of the loopback network exist without being set up.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn strangers_from_one_address_lock_nobody_out() {
    let league = League::start().await;
    let server = league.server.address();
    let mut links = links_from("127.0.0.2", server, 40).await;
    let greeted = tokio::task::spawn_blocking(move || {
        links.retain_mut(is_greeted);
        links
    });
    let greeted = greeted.await.unwrap();
    assert_eq!(greeted.len(), 16);
    let client = league.client("Aoi").start().await.unwrap();
    client.sync().timeout(PATIENCE).await.unwrap();
    // Who leaves makes room.
    drop(greeted);
    let one_more = async || {
        let mut link = links_from("127.0.0.2", server, 1).await.remove(0);
        tokio::task::spawn_blocking(move || is_greeted(&mut link)).await.unwrap()
    };
    while !one_more().await {}
    client.stop().await;
}

#[tokio::test]
async fn peers_that_never_stop_talking_lock_nobody_out() {
    let league = League::start().await;
    let server = league.server.address();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut pings = BytesMut::new();
    let hello = Hello { client_name: "flood".to_owned(), ..Hello::default() };
    Message::Hello(hello).write_frame(&mut pings);
    for _ in 0..2000 {
        Message::Ping.write_frame(&mut pings);
    }
    let pings = pings.freeze();
    for _ in 0..4 {
        let (pings, is_over) = (pings.clone(), is_over.clone());
        thread::spawn(move || {
            let mut link = TcpStream::connect(server).unwrap();
            let mut answers = link.try_clone().unwrap();
            thread::spawn(move || while answers.read(&mut [0; 65536]).is_ok_and(|n| n > 0) {});
            while !is_over.load(Ordering::Relaxed) && link.write_all(&pings).is_ok() {}
        });
    }
    for name in ["Aoi", "Bruno", "Chloé"] {
        let client = league.client(name).start().await.unwrap();
        client.sync().timeout(PATIENCE).await.unwrap();
        client.stop().await;
    }
    is_over.store(true, Ordering::Relaxed);
    // With the server, the links end, and the threads that write to them.
    league.server.stop().await;
}
