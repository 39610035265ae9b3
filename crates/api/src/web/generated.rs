//! Queries, forms and addresses of logs, and some thousand mutations of them, through the bodies of the fuzz targets.

#[path = "../../../../fuzz/addresses.rs"]
mod bodies;

use crate::mutations::mutate;

const WORDS: [&str; 20] = [
    "%", "%2", "%2F", "%00", "%ff", "%C3%A9", "%25", "+", "&", "=", "==", "&&", "/", "//", "?", "?from=",
    "stderr", "..", "\0", "\u{202e}",
];

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_owned()).collect()
}

#[test]
fn forms() {
    let texts = [
        "action=stop&processname=web%3Aweb_00",
        "message=Process%20cat%20stopped&q=caf\u{e9}+x&state=running",
        "action=start&action=stop\0token=0123456789abcdef&action=restart&processname=a%2Bb",
        "limit=2048&channel=stderr&processname=",
    ];
    mutate(&seeds(&texts), &WORDS, 20_000, bodies::form);
}

#[test]
fn addresses_of_logs() {
    let texts = [
        "/logtail/web%3Aweb_00/stderr",
        "/logtail/cat?from=1024",
        "/mainlogtail?from=0",
        "/logtail//a/stdout/",
    ];
    mutate(&seeds(&texts), &WORDS, 20_000, bodies::log_address);
}
