//! Networks in CIDR notation, as far as suppressions need them.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// A network (`192.0.2.0/24`, `2001:db8::/32`), or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| address()).ok()
}

/// Whether the address of an event lies in a network. Of a list, as proxies write it, every public address has to; text that
/// holds no address lies in none.
pub fn network_holds(within: &str, address: &str) -> bool {
    let Some(network) = network(within) else {
        return false;
    };
    let all: Vec<IpAddr> = address.split(',').filter_map(address_of).collect();
    let public: Vec<&IpAddr> = all.iter().filter(|one| !is_internal(one)).collect();
    let inside = |one: &IpAddr| network.contains(one);
    if public.is_empty() {
        !all.is_empty() && all.iter().all(inside)
    } else {
        public.into_iter().all(inside)
    }
}

/// An address as logs write it: also with a port, in brackets, or IPv4 within IPv6.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let alone = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = alone.unwrap_or(text).parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Whether an address is of some inner network, not of the internet.
const fn is_internal(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            address.is_private() || address.is_loopback() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_its_network_and_in_no_other() {
        assert!(network_holds("192.0.2.0/24", "192.0.2.77"));
        assert!(!network_holds("192.0.2.0/24", "192.0.3.1"));
        assert!(
            network_holds("192.0.2.7", "192.0.2.7") && !network_holds("192.0.2.7", "192.0.2.8")
        );
        assert!(network_holds("2001:db8::/32", "2001:db8:1::5"));
        assert!(network_holds("0.0.0.0/0", "203.0.113.1") && network_holds("::/0", "::1"));
        assert!(
            !network_holds("192.0.2.0/24", "::1")
                && !network_holds("192.0.2.0/24", "not an address")
        );
    }

    #[test]
    fn every_spelling_of_an_address_lies_where_the_address_does() {
        let office = |address| network_holds("192.0.2.0/24", address);
        for address in [
            "192.0.2.7",
            " 192.0.2.7 ",
            "192.0.2.7:443",
            "::ffff:192.0.2.7",
            "[::ffff:192.0.2.7]:443",
            "192.0.2.7, 10.1.2.3",
            "fd00::1, 192.0.2.7,192.0.2.9:1",
        ] {
            assert!(office(address), "{address}");
        }
        for address in [
            "192.0.2.7, 203.0.113.1",
            "10.1.2.3",
            "",
            ",",
            "192.0.2.7.",
            "[192.0.2.7",
        ] {
            assert!(!office(address), "{address}");
        }
        assert!(network_holds("10.0.0.0/8", "10.1.2.3, 10.9.9.9"));
        assert!(network_holds("2001:db8::/32", "[2001:db8::1]:443"));
        assert!(network_holds("2001:db8::/32", "[2001:db8::1]"));
    }
}
