//! What all pages have around them, and the ones that say only one thing.

use super::html::{Html, html};

/// Which daemon this is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) identifier: &'a str,
    pub(super) version: &'a str,
    /// Who is looking, where the door knows.
    pub(super) user: Option<&'a str>,
}

/// A whole page around its content.
pub(super) fn page(site: Site<'_>, title: &str, content: impl FnOnce(&mut Html)) -> String {
    let mut out = Html::default();
    html!(
        out,
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{} - {}</title>
<link rel="stylesheet" href="stylesheets/supervisor.css">
<link rel="icon" href="images/icon.svg" type="image/svg+xml">
<script src="provost.js" defer></script>
</head>
<body>
<header id="header"><a href="index.html">{}</a><span id="live" role="status"></span></header>
<main id="content">
"#,
        title,
        site.identifier,
        site.identifier,
    );
    content(&mut out);
    html!(out, "</main>\n<footer id=\"footer\">Provost <span>{}</span>", site.version);
    if let Some(user) = site.user {
        html!(out, ", as <bdi>{}</bdi>", user);
    }
    html!(out, "</footer>\n</body>\n</html>\n");
    out.into_string()
}

/// What was done, or why not. There also while there is nothing to say: readers of screens listen to it.
pub(super) fn message(out: &mut Html, text: Option<&str>) {
    let class = if text.is_some() { "status_msg" } else { "hidden" };
    html!(
        out,
        "<div id=\"statusmessage\" class=\"{}\" role=\"status\" aria-live=\"polite\">{}</div>\n",
        class,
        text.unwrap_or_default()
    );
}

/// A page that says one thing.
pub(super) fn notice(site: Site<'_>, title: &str, text: &str) -> String {
    page(site, title, |out| {
        html!(
            out,
            "<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"index.html\">To the programs</a></p>\n",
            title,
            text
        );
    })
}
