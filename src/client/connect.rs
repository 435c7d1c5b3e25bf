//! Connecting to a server by its name, which may have several addresses.
//!
//! A name often has an IPv6 and an IPv4 address, and one of them may lead nowhere. So the addresses are tried one after the
//! other without waiting for the answer of the one before, as RFC 8305 has it ("Happy Eyeballs"). The first that answers wins.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::{sleep, timeout},
};

/// The longest time that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which the next address is tried beside those before it. RFC 8305, section 8, recommends it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to a server, within [`CONNECT_TIMEOUT`].
pub(super) async fn connect((host, port): (String, u16)) -> io::Result<TcpStream> {
    let connected = async {
        let addresses = lookup_host((host.as_str(), port)).await?.collect();
        first_of(in_turn(addresses), TcpStream::connect).await
    };
    match timeout(CONNECT_TIMEOUT, connected).await {
        Ok(stream) => stream,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
    }
}

/// Orders addresses so that the two families take turns. The first address stays the first.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// Returns the connection of the address that answers first, or the last error if none does.
async fn first_of<T, A>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> A,
) -> io::Result<T>
where
    T: Send + 'static,
    A: Future<Output = io::Result<T>> + Send + 'static,
{
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    let (mut left, mut attempts) = (addresses.into_iter(), JoinSet::new());
    loop {
        match left.next() {
            Some(address) => drop(attempts.spawn(attempt(address))),
            None if attempts.is_empty() => return Err(failed),
            None => {}
        }
        let is_last = left.len() == 0;
        tokio::select! {
            Some(outcome) = attempts.join_next() => match outcome {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => failed = error,
                Err(panicked) => failed = io::Error::other(panicked),
            },
            () = sleep(ATTEMPT_DELAY), if !is_last => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_families_take_turns() {
        let given = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let ordered = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(in_turn(given), ordered);
        assert_eq!(in_turn(Vec::new()), []);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_never_answers_is_not_waited_for() {
        let [dead, refusing, good] = ["[::1]:1", "[::1]:2", "1.1.1.1:1"];
        let attempt = |address: SocketAddr| async move {
            match address.to_string().as_str() {
                "[::1]:1" => pending().await,
                "[::1]:2" => Err(io::ErrorKind::ConnectionRefused.into()),
                _ => Ok(address),
            }
        };
        for order in [[dead, refusing, good], [refusing, dead, good], [good, dead, refusing]] {
            let answered = first_of(addresses(&order), attempt).await.unwrap();
            assert_eq!(answered, good.parse().unwrap(), "{order:?}");
        }
        let refused = first_of(addresses(&[refusing, refusing]), attempt).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let unknown = first_of(Vec::new(), attempt).await.unwrap_err();
        assert_eq!(unknown.kind(), io::ErrorKind::NotFound);
    }
}
