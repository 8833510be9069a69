//! What a datagram is, and what a relay has wrapped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Of every STUN message (RFC 8489, section 5).
pub(crate) const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

/// Bytes of a STUN header.
const STUN_HEADER: usize = 20;

// Methods of RFC 8656, section 17, with their class (RFC 8489, section 5).
const ALLOCATE: u16 = 0x0003;
const REFRESH: u16 = 0x0004;
const CREATE_PERMISSION: u16 = 0x0008;
const CHANNEL_BIND: u16 = 0x0009;
const SEND_INDICATION: u16 = 0x0016;
const DATA_INDICATION: u16 = 0x0017;

// Attributes of RFC 8656, section 18.
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;

/// What a datagram is, by its first byte (RFC 7983, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Stun { kind: u16, transaction: [u8; 12] },
    Dtls,
    TurnChannel,
    Srtp,
}

impl Protocol {
    /// Whether it holds a datagram from or for somebody else.
    pub(crate) const fn is_wrapping(self) -> bool {
        match self {
            Self::Stun { kind, .. } => matches!(kind, SEND_INDICATION | DATA_INDICATION),
            Self::TurnChannel => true,
            Self::Dtls | Self::Srtp => false,
        }
    }

    /// Requests that go to the relay alone, which then sends what the other side sent.
    pub(crate) const fn asks_relay(self) -> bool {
        match self {
            Self::Stun { kind, .. } => matches!(kind, ALLOCATE | REFRESH | CREATE_PERMISSION | CHANNEL_BIND),
            Self::Dtls | Self::TurnChannel | Self::Srtp => false,
        }
    }
}

/// None for what is none of them, or too short for it.
pub(crate) fn protocol(datagram: &[u8]) -> Option<Protocol> {
    match *datagram.first()? {
        0..=3 => {
            let header = datagram.first_chunk::<STUN_HEADER>()?;
            let (start, transaction) = header.split_first_chunk::<8>()?;
            let kind = u16::from_be_bytes([start[0], start[1]]);
            let transaction = transaction.first_chunk::<12>()?;
            (start[4..] == MAGIC_COOKIE).then_some(Protocol::Stun { kind, transaction: *transaction })
        }
        20..=63 => (datagram.len() >= 13).then_some(Protocol::Dtls),
        64..=79 => (datagram.len() >= 4).then_some(Protocol::TurnChannel),
        // The shortest SRTCP has 8 bytes of header, 4 of index and 10 of tag; the shortest SRTP is longer.
        128..=191 => (datagram.len() >= 20).then_some(Protocol::Srtp),
        _ => None,
    }
}

/// Who is beyond a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Far {
    /// Whom this channel was bound to.
    Channel(u16),
    /// Who has this address.
    Address(SocketAddr),
}

/// A datagram that a relay brings or takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrapped<'a> {
    pub(crate) far: Far,
    pub(crate) datagram: &'a [u8],
}

/// Takes a datagram out of ChannelData (RFC 8656, section 12.4) or of a Send or Data indication (sections 11.1 and
/// 11.3). None for what is neither, or not whole.
pub(crate) fn unwrap(datagram: &[u8]) -> Option<Wrapped<'_>> {
    match protocol(datagram)? {
        Protocol::TurnChannel => {
            let (&[n0, n1, l0, l1], rest) = datagram.split_first_chunk::<4>()?;
            let datagram = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
            Some(Wrapped { far: Far::Channel(u16::from_be_bytes([n0, n1])), datagram })
        }
        Protocol::Stun { kind: SEND_INDICATION | DATA_INDICATION, transaction } => {
            let (mut far, mut data) = (None, None);
            for (kind, value) in attributes(datagram) {
                match kind {
                    XOR_PEER_ADDRESS => far = far.or(xor_address(value, transaction)),
                    DATA => data = data.or(Some(value)),
                    _ => {}
                }
            }
            Some(Wrapped { far: Far::Address(far?), datagram: data? })
        }
        Protocol::Stun { .. } | Protocol::Dtls | Protocol::Srtp => None,
    }
}

/// Type and value of each attribute (RFC 8489, section 14), up to the first that is not whole.
fn attributes(message: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = message.get(STUN_HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&[k0, k1, l0, l1], after) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let value = after.get(..length)?;
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_be_bytes([k0, k1]), value))
    })
}

/// RFC 8489, section 14.2.
fn xor_address(value: &[u8], transaction: [u8; 12]) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([p0 ^ MAGIC_COOKIE[0], p1 ^ MAGIC_COOKIE[1]]);
    let mask = MAGIC_COOKIE.into_iter().chain(transaction);
    let mut bytes = address.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
    let ip: IpAddr = match (family, address.len()) {
        (1, 4) => {
            Ipv4Addr::from(std::array::from_fn::<u8, 4, _>(|_| bytes.next().unwrap_or_default())).into()
        }
        (2, 16) => {
            Ipv6Addr::from(std::array::from_fn::<u8, 16, _>(|_| bytes.next().unwrap_or_default())).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request with an IPv6 address of RFC 5769, section 2.3, has this address and transaction.
    #[test]
    fn addresses_are_read_as_in_the_test_vectors() {
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let v4 = [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(xor_address(&v4, transaction), Some("192.0.2.1:32853".parse().unwrap()));
        let v6 = [
            0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
            0xbe, 0xd2, 0xb9, 0xd9,
        ];
        let expected = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        assert_eq!(xor_address(&v6, transaction), Some(expected));
        assert_eq!(xor_address(&v6[..19], transaction), None);
    }

    #[test]
    fn what_a_channel_brings_is_what_its_length_says() {
        let datagram = [0x40, 0x01, 0, 3, 7, 8, 9, 0];
        assert_eq!(unwrap(&datagram), Some(Wrapped { far: Far::Channel(0x4001), datagram: &[7, 8, 9] }));
        assert_eq!(unwrap(&datagram[..6]), None, "not whole");
    }

    #[test]
    fn an_indication_without_an_address_or_data_is_none() {
        let header = [&[0, 0x17, 0, 8][..], &MAGIC_COOKIE, &[0; 12]].concat();
        let data = [&header[..], &[0, 0x13, 0, 1, 5, 0, 0, 0]].concat();
        let address = [0, 0x12, 0, 8, 0, 1, 0x21, 0x13, 0x21 ^ 10, 0x12, 0xA4, 0x43];
        assert_eq!(unwrap(&data), None);
        assert_eq!(unwrap(&[&header[..], &address].concat()), None);
        let whole = [&data[..], &address].concat();
        let far = Far::Address("10.0.0.1:1".parse().unwrap());
        assert_eq!(unwrap(&whole), Some(Wrapped { far, datagram: &[5] }));
    }
}
