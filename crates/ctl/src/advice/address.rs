//! What an address tells of why nobody answers there.
//!
//! In: a URL, the error, the servers of a configuration. Out: a sentence, or nothing. Nobody is asked.

use std::io;

use provost_config::{Address, Config, Server};

pub(super) fn on_network(error: &io::Error, url: &str) -> Option<String> {
    let plain = url.strip_prefix("http://");
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(format!("nobody listens at {url}")),
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(format!("there is no way to {url} from here, or a firewall is on it"))
        }
        // What a server of TLS says to somebody who speaks none.
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            Some(format!("perhaps that server speaks TLS: https://{}", plain?))
        }
        _ if error.to_string().contains("lookup address") => {
            Some(format!("the name of the host in {url} is not known here"))
        }
        _ if error.to_string().contains("TLS") && !url.starts_with("http:") => {
            Some(format!("perhaps that server speaks no TLS: http://{}", url.strip_prefix("https://")?))
        }
        _ => None,
    }
}

pub(super) fn on_scheme(url: &str) -> Option<String> {
    let is_known = ["http://", "https://", "unix://"].iter().any(|scheme| url.starts_with(scheme));
    let guess = match url.split_once(':') {
        _ if is_known => return None,
        Some(("unix", rest)) => format!("unix:///{}", rest.trim_start_matches('/')),
        Some((host, port)) if port.parse::<u16>().is_ok() => format!("http://{host}:{port}"),
        _ => "http://host:port, https://host:port or unix:///path".to_owned(),
    };
    Some(format!("an address begins with http://, https:// or unix://; did you mean {guess}?"))
}

/// On this machine.
pub(super) fn is_here(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    url.starts_with("unix://") || ["localhost", "127.", "[::1]"].iter().any(|here| host.starts_with(here))
}

/// If the configuration makes no server that is asked for.
pub(super) fn on_servers(config: &Config, url: &str) -> Option<String> {
    if config.servers.is_empty() {
        let path = config.path.display();
        return Some(format!(
            "{path} has no [unix_http_server] and no [inet_http_server]: its supervisord cannot be asked at all"
        ));
    }
    let addresses: Vec<String> = config.servers.iter().map(address).collect();
    let (scheme, rest) = url.split_once("://")?;
    let port = |url: &str| url.trim_end_matches('/').rsplit_once(':').map(|(_, port)| port.to_owned());
    let is_among = addresses.iter().any(|known| match scheme {
        "unix" => known.strip_prefix("unix://") == Some(rest),
        // By which name a host is called, and what * means, is its own affair.
        _ => known.starts_with(&format!("{scheme}://")) && port(known) == port(url),
    });
    (!is_among).then(|| format!("the servers in {} are {}", config.path.display(), addresses.join(" and ")))
}

fn address(server: &Server) -> String {
    match &server.address {
        Address::Unix { file, .. } => format!("unix://{}", file.display()),
        Address::Inet { host, port } => {
            let scheme = if server.tls.is_some() { "https" } else { "http" };
            let host = if host.is_empty() { "localhost" } else { host };
            format!("{scheme}://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_kind_is_put_right() {
        for (url, guess) in [
            ("localhost:9001", "http://localhost:9001?"),
            ("unix:/run/s", "unix:///run/s?"),
            ("ftp://x", "http://host:port, https://host:port or unix:///path?"),
        ] {
            assert!(on_scheme(url).unwrap().ends_with(&format!("did you mean {guess}")), "{url}");
        }
        assert_eq!(on_scheme("http://x"), None);
    }

    #[test]
    fn a_door_of_the_other_kind_is_guessed() {
        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(
            on_network(&error, "http://h:1").as_deref(),
            Some("perhaps that server speaks TLS: https://h:1")
        );
        assert_eq!(on_network(&error, "https://h:1"), None);
        let error = io::Error::other("the server there speaks no TLS; is it one of http://?");
        assert_eq!(
            on_network(&error, "https://h:1").as_deref(),
            Some("perhaps that server speaks no TLS: http://h:1")
        );
    }
}
