//! In which order the addresses of a host are tried (`HappyEyeballsConfig`, RFC 8305 section 4).

use nuncio_base::address::Address;

/// What kind of address one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// A Unix socket.
    Pipe,
    /// Of a listener inside the process.
    Internal,
}

impl Family {
    fn of(address: &Address) -> Self {
        match address {
            Address::Ip(ip) if ip.is_ipv4() => Self::V4,
            Address::Ip(_) => Self::V6,
            Address::Pipe(_) => Self::Pipe,
            Address::Internal(_) => Self::Internal,
        }
    }
}

/// Which family of addresses is tried first, and how it takes turns with the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressOrder {
    /// The family that comes first; `None`: that of the first address.
    pub first: Option<Family>,
    /// How many addresses of that family come before one of another.
    pub first_count: usize,
}

impl Default for AddressOrder {
    fn default() -> Self {
        Self {
            first: None,
            first_count: 1,
        }
    }
}

impl AddressOrder {
    /// Addresses in the order in which they are tried.
    pub fn sort(self, addresses: &[Address]) -> Vec<Address> {
        let first = self.first.or_else(|| addresses.first().map(Family::of));
        let (first, other): (Vec<_>, Vec<_>) = addresses
            .iter()
            .partition(|address| Some(Family::of(address)) == first);
        let (mut first, mut other) = (first.into_iter(), other.into_iter());
        let mut order = Vec::with_capacity(addresses.len());
        while order.len() < addresses.len() {
            order.extend(first.by_ref().take(self.first_count.max(1)).cloned());
            order.extend(other.next().cloned());
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let v4 = |last: u8| Address::Ip(([127, 0, 0, last], 1).into());
        let v6 = |last: u16| Address::Ip(([0, 0, 0, 0, 0, 0, 0, last], 1).into());
        let usual = AddressOrder::default();
        let of = |first, first_count| AddressOrder {
            first: Some(first),
            first_count,
        };
        let cases = [
            (usual, vec![v4(1), v4(2)], vec![v4(1), v4(2)]),
            (usual, vec![v4(1), v4(2), v6(1)], vec![v4(1), v6(1), v4(2)]),
            (
                usual,
                vec![v6(1), v6(2), v4(1), v4(2)],
                vec![v6(1), v4(1), v6(2), v4(2)],
            ),
            (usual, vec![], vec![]),
            (
                of(Family::V6, 1),
                vec![v4(1), v4(2), v6(1)],
                vec![v6(1), v4(1), v4(2)],
            ),
            (
                of(Family::V4, 2),
                vec![v6(1), v4(1), v4(2), v6(2), v4(3)],
                vec![v4(1), v4(2), v6(1), v4(3), v6(2)],
            ),
            (of(Family::V6, 1), vec![v4(1), v4(2)], vec![v4(1), v4(2)]),
        ];
        for (order, addresses, expected) in cases {
            assert_eq!(order.sort(&addresses), expected);
        }
    }
}
