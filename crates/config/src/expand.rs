//! `%(name)s` in values: Python's `%` formatting over a mapping (SPEC 2.2).
//!
//! In: a text and the names known at that place. Out: the text with every name
//! replaced, or the message that Supervisor would print. Which names are known
//! where is decided by those who ask.

use std::collections::BTreeMap;

use crate::python::repr;

/// Names and what they stand for; an inner scope sees, and may hide, the outer one's.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    outer: Option<&'a Scope<'a>>,
    names: BTreeMap<String, Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Text(String),
    Integer(i64),
}

impl<'a> Scope<'a> {
    pub fn within(outer: &'a Scope<'a>) -> Scope<'a> {
        Scope { outer: Some(outer), names: BTreeMap::new() }
    }

    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.names.insert(name.to_owned(), Item::Text(value.to_owned()));
        self
    }

    pub fn integer(mut self, name: &str, value: i64) -> Self {
        self.names.insert(name.to_owned(), Item::Integer(value));
        self
    }

    /// Each variable under the name `ENV_` and its own.
    pub fn env<'e>(mut self, env: impl IntoIterator<Item = (&'e String, &'e String)>) -> Self {
        for (name, value) in env {
            self.names.insert(format!("ENV_{name}"), Item::Text(value.clone()));
        }
        self
    }

    fn get(&self, name: &str) -> Option<&Item> {
        self.names.get(name).or_else(|| self.outer?.get(name))
    }

    /// All names, sorted. Environment variables are counted, not listed: the
    /// list would fill the screen and end up in bug reports.
    fn available(&self, later: &[&str]) -> String {
        let mut names: std::collections::BTreeSet<&str> = later.iter().copied().collect();
        let mut scope = Some(self);
        while let Some(this) = scope {
            names.extend(this.names.keys().map(String::as_str));
            scope = this.outer;
        }
        let variables = names.iter().filter(|name| name.starts_with("ENV_")).count();
        let mut told: Vec<String> =
            names.into_iter().filter(|name| !name.starts_with("ENV_")).map(str::to_owned).collect();
        if variables > 0 {
            told.push(format!("ENV_* for {variables} environment variables"));
        }
        told.join(", ")
    }
}

/// Expands `text`, which stands at `what` (`program:x.command`).
pub fn expand(text: &str, scope: &Scope<'_>, what: &str) -> Result<String, String> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut parts = expand_but(&[], text, scope, what)?;
    match parts.pop() {
        Some(Part::Text(text)) => Ok(text),
        Some(Part::Later(_)) | None => Ok(String::new()),
    }
}

/// A part of a text in which some names are left for later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Text(String),
    /// The name of one that is plainly `%(name)s`.
    Later(&'a str),
}

/// Like [`expand`], but `%(name)s` stays what it is for the names in `later`. Of those the scope may know some, which
/// can then also be written with a width and the like. Texts lie between names, and are not empty.
pub(crate) fn expand_but<'a>(
    later: &[&'a str],
    text: &str,
    scope: &Scope<'_>,
    what: &str,
) -> Result<Vec<Part<'a>>, String> {
    parts(later, text, scope).map_err(|failure| {
        let start = format!("Format string {} for {}", repr(text), repr(what));
        match failure {
            Failure::Unknown(name) => format!(
                "{start} contains names ({}) which cannot be expanded. Available names: {}",
                repr(&name),
                scope.available(later)
            ),
            Failure::Bad(reason) => format!("{start} is badly formatted: {reason}"),
        }
    })
}

enum Failure {
    Unknown(String),
    Bad(String),
}

fn parts<'a>(later: &[&'a str], text: &str, scope: &Scope<'_>) -> Result<Vec<Part<'a>>, Failure> {
    let letters: Vec<char> = text.chars().collect();
    let mut parts = Vec::new();
    let mut done = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        if letters[at] != '%' {
            done.push(letters[at]);
            at += 1;
        } else if letters.get(at + 1) == Some(&'%') {
            done.push('%');
            at += 2;
        } else {
            let (spec, next) = Spec::read(&letters, at + 1).map_err(Failure::Bad)?;
            at = next;
            let left = later.iter().copied().find(|name| spec.name.as_deref() == Some(name));
            if let Some(name) = left.filter(|name| spec.is_plain() || scope.get(name).is_none()) {
                if !spec.is_plain() {
                    let text = format!("{name} is not known before a line is written, so it is %({name})s");
                    return Err(Failure::Bad(text));
                }
                if !done.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut done)));
                }
                parts.push(Part::Later(name));
                continue;
            }
            let item = match &spec.name {
                Some(name) => scope.get(name).ok_or_else(|| Failure::Unknown(name.clone()))?,
                None => return Err(Failure::Bad(spec.without_a_name())),
            };
            done.push_str(&spec.apply(item).map_err(Failure::Bad)?);
            if done.len() > LONGEST {
                return Err(Failure::Bad(format!("the result is longer than {LONGEST} bytes")));
            }
        }
    }
    if !done.is_empty() {
        parts.push(Part::Text(done));
    }
    Ok(parts)
}

/// One `%(name)-05.3d`.
struct Spec {
    name: Option<String>,
    left: bool,
    zero: bool,
    plus: bool,
    blank: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

/// Far beyond any use, and not yet a way to eat all memory, nor more than `{:1$}` takes.
const WIDEST: usize = 65_535;
const LONGEST: usize = 1 << 20;

impl Spec {
    /// Reads from behind the `%`; also returns where the text goes on.
    fn read(letters: &[char], start: usize) -> Result<(Spec, usize), String> {
        let (name, mut at) = read_name(letters, start)?;
        let flags_start = at;
        while letters.get(at).is_some_and(|letter| "-+ #0".contains(*letter)) {
            at += 1;
        }
        let flags = &letters[flags_start..at];
        let width = read_count(letters, &mut at, "width too big")?.unwrap_or(0);
        let mut precision = None;
        if letters.get(at) == Some(&'.') {
            at += 1;
            precision = Some(read_count(letters, &mut at, "precision too big")?.unwrap_or(0));
        }
        if letters.get(at).is_some_and(|letter| "hlL".contains(*letter)) {
            at += 1;
        }
        let conversion = *letters.get(at).ok_or("incomplete format")?;
        if !"sraducxXoieEfFgG".contains(conversion) {
            let shown = if (' '..'\x7f').contains(&conversion) { conversion } else { '?' };
            let code = u32::from(conversion);
            return Err(format!("unsupported format character '{shown}' (0x{code:x}) at index {at}"));
        }
        let spec = Spec {
            name,
            left: flags.contains(&'-'),
            zero: flags.contains(&'0'),
            plus: flags.contains(&'+'),
            blank: flags.contains(&' '),
            alternate: flags.contains(&'#'),
            width,
            precision,
            conversion,
        };
        Ok((spec, at + 1))
    }

    /// `%(name)s` and no more.
    fn is_plain(&self) -> bool {
        let flags = self.left || self.zero || self.plus || self.blank || self.alternate;
        self.conversion == 's' && !flags && self.width == 0 && self.precision.is_none()
    }

    fn apply(&self, item: &Item) -> Result<String, String> {
        let conversion = self.conversion;
        match (conversion, item) {
            ('s', Item::Text(text)) => Ok(self.padded(&self.shortened(text))),
            ('r' | 'a', Item::Text(text)) => Ok(self.padded(&self.shortened(&repr(text)))),
            ('s' | 'r' | 'a', Item::Integer(number)) => Ok(self.padded(&self.shortened(&number.to_string()))),
            ('c', _) => self.letter(item).map(|letter| self.padded(&letter)),
            ('d' | 'i' | 'u', Item::Text(_)) => {
                Err(format!("%{conversion} format: a real number is required, not str"))
            }
            ('x' | 'X' | 'o', Item::Text(_)) => {
                Err(format!("%{conversion} format: an integer is required, not str"))
            }
            (_, Item::Text(_)) => Err("must be real number, not str".to_owned()),
            ('d' | 'i' | 'u' | 'x' | 'X' | 'o', Item::Integer(number)) => Ok(self.whole_number(*number)),
            (_, Item::Integer(number)) => Ok(self.real_number(*number)),
        }
    }

    /// What is wrong with a conversion of the whole mapping. `%s` would print all
    /// of it, which nobody can want; Python itself refuses the others.
    fn without_a_name(&self) -> String {
        let conversion = self.conversion;
        match conversion {
            's' | 'r' | 'a' => {
                format!("%{conversion} needs a name in parentheses, or a second % to mean itself")
            }
            'c' => "%c requires int or char".to_owned(),
            'd' | 'i' | 'u' => {
                format!("%{conversion} format: a real number is required, not dict")
            }
            'x' | 'X' | 'o' => format!("%{conversion} format: an integer is required, not dict"),
            _ => "must be real number, not dict".to_owned(),
        }
    }

    fn shortened(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn letter(&self, item: &Item) -> Result<String, String> {
        match item {
            Item::Text(text) if text.chars().count() == 1 => Ok(text.clone()),
            Item::Text(_) => Err("%c requires int or char".to_owned()),
            Item::Integer(code) => u32::try_from(*code)
                .ok()
                .and_then(char::from_u32)
                .map(String::from)
                .ok_or_else(|| "%c arg not in range(0x110000)".to_owned()),
        }
    }

    fn whole_number(&self, number: i64) -> String {
        let size = number.unsigned_abs();
        let (prefix, digits) = match self.conversion {
            'x' => ("0x", format!("{size:x}")),
            'X' => ("0X", format!("{size:X}")),
            'o' => ("0o", format!("{size:o}")),
            _ => ("", size.to_string()),
        };
        let prefix = if self.alternate { prefix } else { "" };
        let digits = format!("{digits:0>least$}", least = self.precision.unwrap_or(0));
        self.numeric(number < 0, prefix, &digits)
    }

    fn real_number(&self, number: i64) -> String {
        let size = number.unsigned_abs() as f64;
        let precision = self.precision.unwrap_or(6);
        let mut digits = match self.conversion.to_ascii_lowercase() {
            'e' => exponential(size, precision),
            'f' => format!("{size:.precision$}"),
            _ => self.general(size, precision.max(1)),
        };
        if self.alternate && !digits.contains('.') {
            let end = digits.find('e').unwrap_or(digits.len());
            digits.insert(end, '.');
        }
        if self.conversion.is_ascii_uppercase() {
            digits.make_ascii_uppercase();
        }
        self.numeric(number < 0, "", &digits)
    }

    /// `%g`: the shorter of the two notations, without zeros at the end.
    fn general(&self, size: f64, precision: usize) -> String {
        let scientific = exponential(size, precision - 1);
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let trim = |digits: &str| {
            let trimmed = digits.trim_end_matches('0').trim_end_matches('.');
            if self.alternate || !digits.contains('.') { digits.to_owned() } else { trimmed.to_owned() }
        };
        match usize::try_from(exponent) {
            Ok(whole) if whole < precision => {
                trim(&format!("{size:.places$}", places = precision - 1 - whole))
            }
            _ => format!("{}{}", trim(mantissa), &scientific[mantissa.len()..]),
        }
    }

    fn numeric(&self, negative: bool, prefix: &str, digits: &str) -> String {
        let sign = match (negative, self.plus, self.blank) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        if self.zero && !self.left {
            let room = self.width.saturating_sub(sign.len() + prefix.len());
            return format!("{sign}{prefix}{digits:0>room$}");
        }
        self.padded(&format!("{sign}{prefix}{digits}"))
    }

    fn padded(&self, text: &str) -> String {
        let width = self.width;
        if self.left { format!("{text:<width$}") } else { format!("{text:>width$}") }
    }
}

/// Python writes at least two digits of exponent.
fn exponential(size: f64, precision: usize) -> String {
    let text = format!("{size:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{mantissa}e+{exponent:0>2}"),
        None => text,
    }
}

/// `(name)`, where parentheses may nest.
fn read_name(letters: &[char], start: usize) -> Result<(Option<String>, usize), String> {
    if letters.get(start) != Some(&'(') {
        return Ok((None, start));
    }
    let mut depth = 1;
    for at in start + 1..letters.len() {
        match letters[at] {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((Some(letters[start + 1..at].iter().collect()), at + 1));
        }
    }
    Err("incomplete format key".to_owned())
}

fn read_count(letters: &[char], at: &mut usize, too_big: &'static str) -> Result<Option<usize>, String> {
    if letters.get(*at) == Some(&'*') {
        return Err("* wants int".to_owned());
    }
    let mut count: Option<usize> = None;
    while let Some(digit) = letters.get(*at).and_then(|letter| letter.to_digit(10)) {
        let grown = count.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize);
        if grown > WIDEST {
            return Err(too_big.to_owned());
        }
        count = Some(grown);
        *at += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope<'static> {
        Scope::default()
            .text("a", "abc")
            .text("(a)", "par")
            .text("one", "x")
            .text("ENV_HOME", "/h")
            .integer("n", 7)
            .integer("neg", -255)
            .integer("big", 0x11_0000)
            .integer("mega", 12_345_678)
    }

    #[test]
    fn what_python_prints() {
        for (text, expected) in [
            ("plain", "plain"),
            ("%%", "%"),
            ("100%% of %(a)s", "100% of abc"),
            ("%(a)-8s|", "abc     |"),
            ("%(a)05s", "  abc"),
            ("%(a).2s", "ab"),
            ("%(a)r", "'abc'"),
            ("%((a))s", "par"),
            ("%(one)c", "x"),
            ("%(n)02d", "07"),
            ("%(n)s-%(n)d-%(n)i-%(n)u", "7-7-7-7"),
            ("%(n)+05d", "+0007"),
            ("%(n)-05d|", "7    |"),
            ("%(n) d", " 7"),
            ("%(n).5d", "00007"),
            ("%(n)8.5d", "   00007"),
            ("%(neg)05d", "-0255"),
            ("%(neg)x", "-ff"),
            ("%(neg)#X", "-0XFF"),
            ("%(n)#o", "0o7"),
            ("%(n)ld", "7"),
            ("%(n)e", "7.000000e+00"),
            ("%(n)E", "7.000000E+00"),
            ("%(n)08.3f", "0007.000"),
            ("%(n)g", "7"),
            ("%(mega)g", "1.23457e+07"),
            ("%(n)#.3g", "7.00"),
            ("%(n)c", "\x07"),
            ("%(ENV_HOME)s/x", "/h/x"),
        ] {
            assert_eq!(expand(text, &scope(), "s.k").as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_python_refuses() {
        for (text, expected) in [
            ("date +%Y", "unsupported format character 'Y' (0x59) at index 7"),
            ("é%é", "unsupported format character '?' (0xe9) at index 2"),
            ("%(n)lld", "unsupported format character 'l' (0x6c) at index 5"),
            ("%5%|", "unsupported format character '%' (0x25) at index 2"),
            ("%", "incomplete format"),
            ("%(a)5", "incomplete format"),
            ("%(a", "incomplete format key"),
            ("%(a)*d", "* wants int"),
            ("%(a)d", "%d format: a real number is required, not str"),
            ("%(a)x", "%x format: an integer is required, not str"),
            ("%(a)f", "must be real number, not str"),
            ("%(a)c", "%c requires int or char"),
            ("%i", "%i format: a real number is required, not dict"),
            ("%5.2f", "must be real number, not dict"),
            ("%(big)c", "%c arg not in range(0x110000)"),
            ("%(n)99999999999999999999d", "width too big"),
        ] {
            let told = expand(text, &scope(), "s.k").unwrap_err();
            let start = format!("Format string {} for 's.k' is badly formatted: ", repr(text));
            assert_eq!(told, start + expected);
        }
    }

    #[test]
    fn unknown_names_are_named_and_variables_counted() {
        let outer = Scope::default().text("here", "/etc").text("ENV_A", "1");
        let inner = Scope::within(&outer).text("ENV_A", "2");
        assert_eq!(expand("%(here)s%(ENV_A)s", &inner, "s.k").as_deref(), Ok("/etc2"));
        assert_eq!(
            expand("%(nope)s", &inner, "s.k").unwrap_err(),
            "Format string '%(nope)s' for 's.k' contains names ('nope') which cannot be expanded. \
             Available names: here, ENV_* for 1 environment variables"
        );
    }

    #[test]
    fn a_bare_conversion_is_an_error() {
        let told = expand("%s", &scope(), "s.k").unwrap_err();
        assert!(
            told.ends_with("badly formatted: %s needs a name in parentheses, or a second % to mean itself")
        );
    }
}
