//! Headers and certificates of strangers, and some thousand mutations of them, through the bodies of the fuzz targets.

#[path = "../../../../fuzz/strangers.rs"]
mod bodies;

use crate::mutations::mutate;

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_owned()).collect()
}

#[test]
fn claims() {
    let texts = [
        "Basic YWRtaW46c2VjcmV0",
        "Basic YWRtaW46YTpi",
        "basic OnNlY3JldA==",
        "BASIC dXNlcjo=",
        "Basic YWRtaW4=",
        "Bearer provost_0123456789abcdef",
        "Digest username=\"admin\"",
        "admin:se:cret",
    ];
    let words = [
        "=", "==", " ", "\t", ":", "Basic ", "bearer ", "Og==", "OjoA", "YQ", "-_", "\u{a0}", "\u{e9}", "\0",
        "/+",
    ];
    mutate(&seeds(&texts), &words, 20_000, bodies::authorization);
}

#[test]
fn origins() {
    let texts = [
        "127.0.0.1:9001\nhttp://127.0.0.1:9001\nsame-origin\nempty\n\nMozilla/5.0",
        "[::1]:9001\nhttp://[::1]:9001\n\n\nhttp://[::1]:9001/index.html?q=1\n",
        "box:443\nhttps://box\nnone\ndocument\n\nMozilla/5.0",
        "evil.example\nhttp://evil.example\nsame-site\nscript\nhttp://evil.example/#a\nMozilla/5.0",
        "a.lan.test:80\nhttps://sup.example.com\n\n\n\n",
        "\nhttp://localhost\nsame-origin\n\n\nMozilla/5.0\nhttps://localhost:9001/RPC2",
        "localhost.\nnull\ncross-site\nimage\nhttp://x/\ncurl/8.5.0",
        "web:9001\n\n\n\n\nPython-urllib/3.11",
    ];
    let words = [
        "\n",
        ":",
        ":80",
        ":443",
        "://",
        "/",
        "?",
        "#",
        "@",
        "[",
        "]",
        ".",
        "..",
        "*",
        "localhost",
        ".localhost",
        "x.lan.test",
        ".lan.test",
        "sup.example.com",
        "BOX",
        "null",
        "same-origin",
        "cross-site",
        "document",
        "\t",
        "\u{e9}",
        "127.1",
        "::1",
        "0x7f000001",
        "http://evil.example",
        "Mozilla/",
    ];
    mutate(&seeds(&texts), &words, 40_000, bodies::origin);
}

#[test]
fn names_in_certificates() {
    let (jo, other) = (bodies::common_name(0x0c, b"jo"), bodies::host(b"h.example"));
    let inputs = [
        bodies::signed(&jo, &other),
        bodies::signed(b"", &other),
        jo,
        other,
        "j\u{f6}".as_bytes().to_vec(),
        b"jo@example".to_vec(),
        [b'x'; 200].to_vec(),
    ];
    let words = [
        "\0",
        "\u{1}",
        "\n",
        "\u{1b}",
        "\u{7f}",
        "\u{85}",
        "\u{9b}",
        "\u{202e}",
        "\u{e9}",
        "0",
        "1",
        "\u{c}\u{2}",
        "\u{6}\u{3}U\u{4}\u{3}",
        "\u{6}\u{3}U\u{1d}\u{11}",
    ];
    mutate(&inputs, &words, 20_000, bodies::certificate);
}
