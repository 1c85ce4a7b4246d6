//! Networks in CIDR notation, as far as suppressions need them.

use std::net::IpAddr;

use ipnet::IpNet;

/// A network (`192.0.2.0/24`, `2001:db8::/32`), or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| address()).ok()
}

/// Whether an address lies in a network. Text that is no address lies in none.
pub fn network_holds(within: &str, address: &str) -> bool {
    let address = address.parse::<IpAddr>().ok();
    let both = network(within).zip(address);
    both.is_some_and(|(network, address)| network.contains(&address))
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
}
