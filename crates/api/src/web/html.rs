//! Pages are written through here, and nothing gets into one unescaped.
//!
//! In: markup of ours, which is a literal in the source, and values of anybody's. Out: HTML. The macro makes the literal with
//! `concat!`, so that `{name}` inside it does not compile: a value can only be an argument, and every argument is escaped.
//! What cannot be seen, or makes what follows look like something else (control characters, changes of the writing
//! direction), is shown as a sign of its own. There is no loop, no condition and no template file: that is Rust's.

use std::fmt::{self, Display, Write};

/// A page, or a part of one.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// `html!(out, "<b>{}</b>", name)`: as `write!`, but that every argument is escaped.
macro_rules! html {
    ($out:expr, $markup:literal $(, $value:expr)* $(,)?) => {
        $out.write(format_args!(concat!($markup) $(, $crate::web::html::Escaped(&$value))*))
    };
}
pub(super) use html;

impl Html {
    /// For `html!` only, which is what escapes.
    pub(super) fn write(&mut self, escaped: fmt::Arguments<'_>) {
        self.0.write_fmt(escaped).expect("a string takes whatever is written to it");
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A value on its way into a page: right as text and between double quotes.
pub(super) struct Escaped<'a, T: ?Sized>(pub(super) &'a T);

impl<T: Display + ?Sized> Display for Escaped<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, c) in text.char_indices() {
            let mut shown = [0; 4];
            let instead = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                c if visible(c) != c => visible(c).encode_utf8(&mut shown),
                _ => continue,
            };
            self.0.write_str(&text[plain..at])?;
            self.0.write_str(instead)?;
            plain = at + c.len_utf8();
        }
        self.0.write_str(&text[plain..])
    }
}

/// The character itself, or what stands for one that cannot be seen or deceives. The page's script does the same.
fn visible(c: char) -> char {
    match c {
        '\t' | '\n' => c,
        // The pictures of control characters stand in Unicode in their order.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        // Marks, embeddings, overrides and isolates of the direction, line and paragraph ends, and a mark that is no text.
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> String {
        let mut out = Html::default();
        html!(out, "<b title=\"{}\">{}</b>", value, value);
        let page = out.into_string();
        let (attribute, text) = page.strip_prefix("<b title=\"").unwrap().split_once("\">").unwrap();
        assert_eq!(attribute, text.strip_suffix("</b>").unwrap());
        attribute.to_owned()
    }

    #[test]
    fn nothing_that_comes_in_as_a_value_is_markup() {
        assert_eq!(shown("<script>alert('1')</script>"), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
        assert_eq!(shown("\" onclick=\"x()"), "&quot; onclick=&quot;x()");
        assert_eq!(shown("&lt;"), "&amp;lt;");
        assert_eq!(shown("web:web_00 é 漢"), "web:web_00 é 漢");
        assert_eq!(shown("{}{0}{x}"), "{}{0}{x}");
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(shown("a\x1b[31mb\0\r\n\tc"), "a␛[31mb␀␍\n\tc");
        assert_eq!(shown("\u{7f}\u{9b}31m"), "␡\u{fffd}31m");
        assert_eq!(shown("gpj\u{202e}exe.\u{2066}x\u{2028}"), "gpj\u{fffd}exe.\u{fffd}x\u{fffd}");
    }

    #[test]
    fn numbers_and_pieces_go_the_same_way() {
        let mut out = Html::default();
        html!(out, "<i>{}</i>{}", 3, format_args!("{}<{}", 1, 2));
        assert_eq!(out.into_string(), "<i>3</i>1&lt;2");
    }
}
