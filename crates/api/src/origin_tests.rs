//! Requests as scripts and browsers send them, and what becomes of each.

use super::*;

const OWN_HOST: (&str, &str) = ("host", "127.0.0.1:9001");

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn check_by_names(headers: &HeaderMap, uri: &Uri, reach: Reach) -> Result<(), Refusal> {
    let (own, allowed) = (["box".to_owned()], ["sup.example.com", "*.lan.test"].map(str::to_owned));
    check(headers, uri, Names { own: Some(&own), allowed: &allowed }, reach)
}

fn checked(pairs: &[(&str, &str)], reach: Reach) -> Result<(), Refusal> {
    check_by_names(&headers(pairs), &Uri::default(), reach)
}

#[test]
fn scripts_go_by_any_name_and_need_nothing() {
    for pairs in [
        &[][..],
        &[("host", "web:9001")],
        &[("host", "anything.example.org"), ("user-agent", "curl/8.5.0"), ("accept", "*/*")],
        &[("host", "supervisor"), ("user-agent", "Python-urllib/3.11"), ("accept-encoding", "identity")],
        &[("user-agent", "Wget/1.21.3"), ("accept", "*/*")],
    ] {
        assert_eq!(checked(pairs, Reach::OwnPagesOnly), Ok(()), "{pairs:?}");
        assert!(!is_browser(&headers(pairs)));
    }
}

#[test]
fn each_header_of_a_browser_gives_it_away() {
    for pair in [
        ("origin", "null"),
        ("referer", "http://x/"),
        ("accept-language", "en"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-dest", "image"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
    ] {
        assert!(is_browser(&headers(&[OWN_HOST, pair])), "{pair:?}");
    }
}

#[test]
fn our_own_page_may_act_over_tls_and_without() {
    for pairs in [
        &[OWN_HOST, ("origin", "http://127.0.0.1:9001")][..],
        &[OWN_HOST, ("origin", "http://127.0.0.1:9001"), ("sec-fetch-site", "same-origin")],
        &[OWN_HOST, ("referer", "http://127.0.0.1:9001/index.html?q=1")],
        &[("host", "[::1]:9001"), ("origin", "http://[::1]:9001")],
        &[("host", "LOCALHOST"), ("origin", "http://localhost:80")],
        &[("host", "localhost:443"), ("origin", "https://localhost")],
        &[("host", "box:9001"), ("origin", "http://BOX:9001")],
        &[("host", "sup.example.com"), ("origin", "https://sup.example.com")],
        // A proxy that tells us its own idea of the host.
        &[
            ("host", "127.0.0.1:9001"),
            ("origin", "https://sup.example.com"),
            ("sec-fetch-site", "same-origin"),
        ],
        // Somebody reloads a page.
        &[OWN_HOST, ("sec-fetch-site", "none")],
    ] {
        assert_eq!(checked(pairs, Reach::OwnPagesOnly), Ok(()), "{pairs:?}");
    }
}

#[test]
fn pages_of_other_sites_may_not_act_nor_listen() {
    for pairs in [
        &[OWN_HOST, ("origin", "http://evil.example")][..],
        &[OWN_HOST, ("origin", "null")],
        // Another program of this machine: the same site, but not the same page.
        &[OWN_HOST, ("origin", "http://127.0.0.1:8000"), ("sec-fetch-site", "same-site")],
        &[OWN_HOST, ("origin", "http://127.0.0.1:8000")],
        &[OWN_HOST, ("origin", "http://127.0.0.1:9001.evil.example")],
        &[OWN_HOST, ("origin", "http://127.0.0.1")],
        &[OWN_HOST, ("sec-fetch-site", "cross-site")],
        &[OWN_HOST, ("sec-fetch-site", "same-site"), ("sec-fetch-dest", "document")],
        &[OWN_HOST, ("referer", "http://evil.example/127.0.0.1:9001")],
        &[OWN_HOST, ("referer", "nonsense")],
        // The origin is what counts, whatever the referrer says.
        &[OWN_HOST, ("origin", "http://evil.example"), ("referer", "http://127.0.0.1:9001/")],
        &[("origin", "http://127.0.0.1:9001")],
    ] {
        assert_eq!(checked(pairs, Reach::OwnPagesOnly), Err(Refusal::CrossSite), "{pairs:?}");
    }
}

#[test]
fn a_link_of_another_site_leads_to_a_page_and_an_image_does_not() {
    let link = [OWN_HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")];
    assert_eq!(checked(&link, Reach::Page), Ok(()));
    for dest in ["image", "iframe", "frame", "script", "empty", "object"] {
        let other = [OWN_HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-dest", dest)];
        assert_eq!(checked(&other, Reach::Page), Err(Refusal::CrossSite), "{dest}");
    }
    // Plain HTTP to another machine: the browser does not say what for.
    assert_eq!(checked(&[OWN_HOST, ("referer", "http://wiki.example/")], Reach::Page), Ok(()));
}

#[test]
fn a_browser_that_was_led_here_by_a_foreign_name_is_refused() {
    let agent = ("user-agent", "Mozilla/5.0");
    for host in [
        "evil.example",
        "evil.example:9001",
        "127.0.0.1.evil.example",
        "lan.test",
        "xlan.test",
        "box.evil.example",
    ] {
        let name = host.trim_end_matches(":9001").to_owned();
        let refused = Err(Refusal::ForeignHost(name));
        assert_eq!(checked(&[("host", host), agent], Reach::Page), refused, "{host}");
        let rebound = [("host", host), ("sec-fetch-site", "same-origin")];
        assert_eq!(checked(&rebound, Reach::OwnPagesOnly), refused, "{host}");
        assert_eq!(
            check(
                &headers(&rebound),
                &Uri::default(),
                Names { own: None, allowed: &[] },
                Reach::OwnPagesOnly
            ),
            Ok(())
        );
    }
    for host in [
        "127.0.0.1",
        "10.0.0.3:9001",
        "[fe80::1]:9001",
        "localhost.",
        "a.localhost:1",
        "Box:9001",
        "SUP.example.com",
        "x.lan.test",
    ] {
        assert_eq!(checked(&[("host", host), agent], Reach::Page), Ok(()), "{host}");
    }
    assert_eq!(checked(&[agent], Reach::Page), Ok(()), "HTTP/1.0 names no host");
}

#[test]
fn http_2_names_the_host_in_the_address() {
    let asked = |uri: &str| {
        let headers = headers(&[("sec-fetch-site", "same-origin"), ("origin", "https://127.0.0.1:9001")]);
        check_by_names(&headers, &uri.parse().unwrap(), Reach::OwnPagesOnly)
    };
    assert_eq!(asked("https://127.0.0.1:9001/events"), Ok(()));
    assert_eq!(asked("https://evil.example:9001/events"), Err(Refusal::ForeignHost("evil.example".into())));
}

#[test]
fn all_hosts_may_be_allowed() {
    let all = Names { own: Some(&[]), allowed: &["*".to_owned()] };
    assert_eq!(
        check(&headers(&[("host", "x.y"), ("accept-language", "de")]), &Uri::default(), all, Reach::Page),
        Ok(())
    );
}

#[test]
fn a_token_is_of_one_user_and_of_one_brain() {
    let (tokens, other_brain) = (Tokens::default(), Tokens::default());
    let (anna, ben) = ("anna", "ben");
    let token = tokens.of(anna).unwrap();
    assert_eq!(token.len(), 32);
    assert_eq!(tokens.of(anna).unwrap(), token, "it stays");
    assert!(tokens.is_of(anna, Some(&token)));
    assert!(!tokens.is_of(ben, Some(&token)));
    assert!(!tokens.is_of(anna, None));
    assert!(!tokens.is_of(anna, Some("")));
    assert!(!tokens.is_of(anna, Some(&token[1..])));
    assert!(!other_brain.is_of(anna, Some(&token)));
}
