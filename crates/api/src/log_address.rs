//! The addresses of log streams: `/logtail/NAME`, `/logtail/NAME/stdout` or `/stderr`, `/mainlogtail`, and behind them `?from=BYTE`.
//!
//! In: the path and the query of a request. Out: which log is meant, if any. Whether there is one, and who may read it, is not here.

use percent_encoding::percent_decode_str;

/// A log that somebody wants to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Main,
    /// The name is one that XML-RPC would take.
    Process {
        name: String,
        output: Output,
    },
}

/// Which output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

/// Whether the path is one of these, right or wrong.
pub(crate) fn is_one(path: &str) -> bool {
    path.starts_with("/logtail") || path.starts_with("/mainlogtail")
}

/// What is behind the name of the output, and behind `/mainlogtail`, is ignored, as with Supervisor.
pub(crate) fn wanted(path: &str) -> Option<Wanted> {
    let Some(rest) = path.strip_prefix("/logtail") else { return is_one(path).then_some(Wanted::Main) };
    let mut parts = rest.strip_prefix('/')?.split('/').filter(|part| !part.is_empty());
    let name = percent_decode_str(parts.next()?).decode_utf8().ok()?.into_owned();
    let output = match parts.next() {
        None | Some("stdout") => Output::Stdout,
        Some("stderr") => Output::Stderr,
        Some(_) => return None,
    };
    Some(Wanted::Process { name, output })
}

/// The byte to begin with, where the client knows what comes before.
pub(crate) fn from(query: Option<&str>) -> Option<u64> {
    query?.strip_prefix("from=")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, output: Output) -> Option<Wanted> {
        Some(Wanted::Process { name: name.to_owned(), output })
    }

    #[test]
    fn a_path_means_a_log_or_nothing() {
        for path in ["/logtail/a", "/logtail/a/", "/logtail//a", "/logtail/a/stdout", "/logtail/a/stdout/x"] {
            assert_eq!(wanted(path), process("a", Output::Stdout), "{path}");
        }
        assert_eq!(wanted("/logtail/a%3Ab%2f%25/stderr"), process("a:b/%", Output::Stderr));
        assert_eq!(wanted("/logtail/a:b%"), process("a:b%", Output::Stdout));
        for path in ["/mainlogtail", "/mainlogtail/", "/mainlogtailx"] {
            assert_eq!(wanted(path), Some(Wanted::Main), "{path}");
        }
        for path in
            ["/logtail", "/logtail/", "/logtails/a", "/logtail/%ff", "/logtail/a/std", "/", "logtail/a"]
        {
            assert_eq!(wanted(path), None, "{path}");
        }
    }

    #[test]
    fn a_beginning_is_a_number() {
        assert_eq!(
            (from(Some("from=7")), from(Some("from=-7")), from(Some("x=7")), from(None)),
            (Some(7), None, None, None)
        );
    }
}
