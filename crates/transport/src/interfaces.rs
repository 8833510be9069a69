//! The addresses of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::vec;

use crate::config::Interfaces;

/// Names of interfaces that lead to containers and virtual machines on this same machine, and nowhere else.
const INSIDE: &[&str] =
    &["docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "vethernet", "cni", "flannel", "lxc"];

/// The addresses through which other machines can be reached, IPv4 and IPv6, sorted: no loopback, no link-local
/// (an IPv6 one is of no use without its zone), no interface whose cable is pulled (it may keep its address for
/// seconds), no interface of containers unless there is no other.
///
/// Asked now and then, it tells that this machine has another address.
pub fn local_addresses() -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let up = found.into_iter().filter(if_addrs::Interface::is_oper_up);
    let mut addresses: Vec<_> = up.map(|interface| (interface.name.clone(), interface.ip())).collect();
    choose(&mut addresses)
}

fn choose(found: &mut Vec<(String, IpAddr)>) -> Vec<IpAddr> {
    found.retain(|(_, ip)| is_reachable(ip));
    let outside: Vec<_> = found.iter().filter(|(name, _)| !leads_inside(name)).map(|&(_, ip)| ip).collect();
    let mut addresses = if outside.is_empty() { found.iter().map(|&(_, ip)| ip).collect() } else { outside };
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn leads_inside(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    INSIDE.iter().any(|start| name.starts_with(start))
}

fn is_reachable(ip: &IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !link_local && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast()
}

/// Where to bind sockets. The WebRTC stack asks again whenever it binds anew, so an ICE restart finds the addresses
/// that the machine has by then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindTo(pub(crate) Interfaces);

impl ToSocketAddrs for BindTo {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let addresses = match self.0 {
            Interfaces::Loopback => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            Interfaces::LoopbackV6 => vec![IpAddr::V6(Ipv6Addr::LOCALHOST)],
            Interfaces::All => local_addresses(),
        };
        // Without any address there is nothing to bind, and the connection would break at once. A machine that is
        // offline for a moment keeps a socket instead, and finds no path until the next restart.
        let addresses = if addresses.is_empty() { vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] } else { addresses };
        Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect::<Vec<_>>().into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_of(found: &[(&str, &str)]) -> Vec<String> {
        let mut found = found.iter().map(|(name, ip)| ((*name).to_owned(), ip.parse().unwrap())).collect();
        choose(&mut found).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_others_can_reach_is_chosen() {
        let found = [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("eth0", "192.168.1.2"),
            ("eth0", "fe80::1"),
            ("eth0", "2001:db8::2"),
            ("wlan0", "169.254.3.4"),
            ("docker0", "172.17.0.1"),
            ("veth12ab", "10.9.9.9"),
        ];
        assert_eq!(choose_of(&found), ["192.168.1.2", "2001:db8::2"]);
    }

    #[test]
    fn a_bridge_is_better_than_nothing() {
        assert_eq!(choose_of(&[("lo", "127.0.0.1"), ("docker0", "172.17.0.1")]), ["172.17.0.1"]);
    }
}
