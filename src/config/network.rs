//! Networks in CIDR notation, as far as suppressions need them.

use std::net::IpAddr;

/// Whether an address lies in a network (`192.0.2.0/24`, `2001:db8::/32`, or one address). Text that is no address lies in none.
pub fn network_holds(network: &str, address: &str) -> bool {
    let (base, bits) = network
        .split_once('/')
        .map_or((network, None), |(base, bits)| (base, Some(bits)));
    let (Ok(base), Ok(address)) = (base.parse::<IpAddr>(), address.parse::<IpAddr>()) else {
        return false;
    };
    let (base, address, length) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (
            u128::from(u32::from(base)),
            u128::from(u32::from(address)),
            32,
        ),
        (IpAddr::V6(base), IpAddr::V6(address)) => (u128::from(base), u128::from(address), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let Ok(bits) = bits.map_or(Ok(length), str::parse::<u32>) else {
        return false;
    };
    // A shift by the whole width is none at all in Rust; a network of 0 bits holds everything.
    let rest = length.saturating_sub(bits);
    base.checked_shr(rest) == address.checked_shr(rest)
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
