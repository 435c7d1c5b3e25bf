//! Addresses: the links of one address never lock out everybody else.
//!
//! Whoever has not said hello yet costs little and proves nothing, so few of them are let in from one address. The newest are
//! turned away: a driver who is on the way in keeps their place.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use liverysync_core::union::PeerId;

/// Most links of one address that have not said hello yet.
const STRANGERS_MAX: usize = 16;

/// Most links of one address: a quarter of all, which is more than any home or venue has.
const LINKS_MAX: usize = 256;

/// The links of each address.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// By the link, its address, and whether it has not said hello yet.
    links: BTreeMap<PeerId, (IpAddr, bool)>,
    counts: BTreeMap<IpAddr, Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: usize,
    strangers: usize,
}

impl Addresses {
    /// Returns `true` if one more link of an address is let in.
    pub(super) fn has_room(&self, address: IpAddr) -> bool {
        let Count { all, strangers } =
            self.counts.get(&group(address)).copied().unwrap_or_default();
        all < LINKS_MAX && strangers < STRANGERS_MAX
    }

    pub(super) fn add(&mut self, peer: PeerId, address: IpAddr) {
        let address = group(address);
        self.links.insert(peer, (address, true));
        let count = self.counts.entry(address).or_default();
        count.all += 1;
        count.strangers += 1;
    }

    /// Notes that a link has said hello.
    pub(super) fn handle_hello(&mut self, peer: PeerId) {
        let Some((address, is_stranger @ true)) = self.links.get_mut(&peer) else { return };
        *is_stranger = false;
        if let Some(count) = self.counts.get_mut(address) {
            count.strangers -= 1;
        }
    }

    pub(super) fn remove(&mut self, peer: PeerId) {
        let Some((address, is_stranger)) = self.links.remove(&peer) else { return };
        let Some(count) = self.counts.get_mut(&address) else { return };
        count.all -= 1;
        count.strangers -= usize::from(is_stranger);
        if count.all == 0 {
            self.counts.remove(&address);
        }
    }
}

/// Returns what counts as one address. With IPv6, whoever has one has at least 64 bits of them.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_much_room() {
        let mut addresses = Addresses::default();
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut next = (1..).map(PeerId);
        for _ in 0..LINKS_MAX {
            assert!(addresses.has_room(at("10.0.0.1")));
            let peer = next.next().unwrap();
            addresses.add(peer, at("10.0.0.1"));
            addresses.handle_hello(peer);
            addresses.handle_hello(peer);
        }
        assert!(!addresses.has_room(at("::ffff:10.0.0.1")) && addresses.has_room(at("10.0.0.2")));
        addresses.remove(PeerId(1));
        assert!(addresses.has_room(at("10.0.0.1")));
        for last in 0..STRANGERS_MAX {
            addresses.add(next.next().unwrap(), at(&format!("fd00::{last}")));
        }
        assert!(!addresses.has_room(at("fd00::ffff")) && addresses.has_room(at("fd00:0:0:1::")));
        (1..=300).for_each(|number| addresses.remove(PeerId(number)));
        assert!(addresses.counts.is_empty() && addresses.links.is_empty());
    }
}
