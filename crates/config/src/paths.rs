//! Paths as Python's `os.path` handles them: as text, without looking at the disk.
//!
//! `std::path` drops a trailing slash and a `.` component silently; what ends up
//! in a log line or an XML-RPC answer has to keep what Supervisor keeps.

use crate::Files;

/// `os.path.dirname`.
pub(crate) fn dirname(path: &str) -> &str {
    let head = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
    if head.bytes().all(|byte| byte == b'/') { head } else { head.trim_end_matches('/') }
}

/// `os.path.join` of two.
pub(crate) fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') || base.is_empty() {
        path.to_owned()
    } else if base.ends_with('/') {
        format!("{base}{path}")
    } else {
        format!("{base}/{path}")
    }
}

/// `os.path.normpath`: `a//b/../c/.` is `a/c`. Exactly two leading slashes stay two.
pub(crate) fn normal(path: &str) -> String {
    let root = match path.bytes().take_while(|&byte| byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part != ".." || (root.is_empty() && kept.last().is_none_or(|&last| last == "..")) {
            kept.push(part);
        } else {
            kept.pop();
        }
    }
    let joined = kept.join("/");
    if root.is_empty() && joined.is_empty() { ".".to_owned() } else { format!("{root}{joined}") }
}

/// `os.path.abspath`.
pub(crate) fn absolute(path: &str, files: &dyn Files) -> String {
    normal(&join(&files.cwd().to_string_lossy(), path))
}

/// `os.path.expanduser`: an account that does not exist leaves the text alone.
pub(crate) fn expand_home(path: &str, files: &dyn Files) -> String {
    let Some(after) = path.strip_prefix('~') else { return path.to_owned() };
    let (name, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    let Some(home) = files.home((!name.is_empty()).then_some(name)) else {
        return path.to_owned();
    };
    let home = home.to_string_lossy();
    let whole = format!("{}{rest}", home.trim_end_matches('/'));
    if whole.is_empty() { "/".to_owned() } else { whole }
}

/// What Supervisor does to paths that have to survive a change of directory.
pub(crate) fn settled(path: &str, files: &dyn Files) -> String {
    absolute(&expand_home(path, files), files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn text_rules() {
        for (path, expected) in
            [("/a/b", "/a"), ("/a", "/"), ("a", ""), ("a//b", "a"), ("//a", "//"), ("/a/", "/a")]
        {
            assert_eq!(dirname(path), expected, "{path}");
        }
        for (path, expected) in [
            ("/a//b/../c/.", "/a/c"),
            ("/..", "/"),
            ("../../a", "../../a"),
            ("a/..", "."),
            ("//x", "//x"),
            ("///x", "/x"),
            ("", "."),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
    }

    #[test]
    fn homes() {
        let files = MemoryFiles::default();
        for (path, expected) in [
            ("~/x", "/home/me/x"),
            ("~", "/home/me"),
            ("~web/x", "/var/www/x"),
            ("~nobody/x", "~nobody/x"),
            ("a/~", "a/~"),
        ] {
            assert_eq!(expand_home(path, &files), expected, "{path}");
        }
        assert_eq!(settled("~/../x", &files), "/home/x");
        assert_eq!(settled("logs/x", &files), "/home/me/logs/x");
    }
}
