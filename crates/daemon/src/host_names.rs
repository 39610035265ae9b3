//! What this machine is called, for browsers that come to the web page by a name.
//!
//! In: the servers of the configuration, the kernel's host name, the domains in which it is looked for. Out: names. Nobody is asked
//! over the network: the answer would be that of whoever wants to be taken for us.

use std::fs;

use provost_config::{Address, Config};

/// All names that are ours, without those that the configuration allows beside them.
pub(crate) fn host_names(config: &Config) -> Vec<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let resolver = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let configured = config.servers.iter().filter_map(|server| match &server.address {
        Address::Inet { host, .. } if !host.is_empty() => Some(host.clone()),
        Address::Inet { .. } | Address::Unix { .. } => None,
    });
    configured.chain(of_machine(host.trim(), &resolver)).collect()
}

/// The name as it is, alone, in each domain, and in the local network (mDNS).
fn of_machine(host: &str, resolver: &str) -> Vec<String> {
    let alone = host.split('.').next().unwrap_or(host);
    if alone.is_empty() {
        return Vec::new();
    }
    let domains = resolver.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("search" | "domain")).then_some(words)
    });
    let domains =
        domains.flatten().map(|domain| domain.trim_matches('.')).filter(|domain| !domain.is_empty());
    let mut names = vec![host.to_owned(), alone.to_owned(), format!("{alone}.local")];
    names.extend(domains.map(|domain| format!("{alone}.{domain}")));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_its_name_in_each_of_its_domains() {
        let resolver = "# search commented.test\nnameserver 10.0.0.1\nsearch example.com lan.\ndomain . \n";
        assert_eq!(of_machine("box", resolver), ["box", "box", "box.local", "box.example.com", "box.lan"]);
        assert_eq!(of_machine("box.example.org", ""), ["box.example.org", "box", "box.local"]);
        assert_eq!(of_machine("", resolver), Vec::<String>::new());
    }
}
