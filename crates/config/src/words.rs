//! A command line into words, as Python's `shlex.split` does it (SPEC 3.4).
//!
//! Quotes and backslashes only: no variables, no globs, no comments. In: the
//! text of `command=`. Out: the words, or which mark was left open.

/// Why a command line has no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitError {
    NoClosingQuotation,
    NoEscapedCharacter,
}

impl std::fmt::Display for SplitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SplitError::NoClosingQuotation => "No closing quotation",
            SplitError::NoEscapedCharacter => "No escaped character",
        })
    }
}

impl std::error::Error for SplitError {}

pub fn split(command: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    // `None` between words: an empty pair of quotes is a word, a blank is not.
    let mut word: Option<String> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' | '"' => quoted(letter, &mut letters, word.get_or_insert_default())?,
            '\\' => {
                let escaped = letters.next().ok_or(SplitError::NoEscapedCharacter)?;
                word.get_or_insert_default().push(escaped);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Up to the closing quote. Between double quotes a backslash escapes a double
/// quote and itself, and is an ordinary character before anything else.
fn quoted(quote: char, letters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), SplitError> {
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter == quote => return Ok(()),
            '\\' if quote == '"' => {
                let escaped = letters.next().ok_or(SplitError::NoEscapedCharacter)?;
                if !matches!(escaped, '"' | '\\') {
                    word.push('\\');
                }
                word.push(escaped);
            }
            other => word.push(other),
        }
    }
    Err(SplitError::NoClosingQuotation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command() {
        for (command, expected) in [
            ("", &[][..]),
            ("  ", &[]),
            ("/bin/cat", &["/bin/cat"]),
            (" a\tb\n c\r", &["a", "b", "c"]),
            ("sh -c 'echo \"hi\" # no'", &["sh", "-c", "echo \"hi\" # no"]),
            ("a'b c'\"d e\"f", &["ab cd ef"]),
            ("'' \"\" x", &["", "", "x"]),
            (r"a\ b \' \\", &["a b", "'", "\\"]),
            (r#""a\"b\\c\n""#, &[r#"a"b\c\n"#]),
            (r"'a\b'", &[r"a\b"]),
            ("#x $HOME *", &["#x", "$HOME", "*"]),
        ] {
            assert_eq!(split(command).unwrap(), expected, "{command}");
        }
    }

    #[test]
    fn marks_left_open() {
        for (command, expected) in [
            ("echo 'a", "No closing quotation"),
            ("echo \"a", "No closing quotation"),
            ("echo \\", "No escaped character"),
            ("echo \"a\\", "No escaped character"),
        ] {
            assert_eq!(split(command).unwrap_err().to_string(), expected, "{command}");
        }
    }
}
