//! The command line as Python's `getopt` reads it, because every wrapper script
//! in the world was written against that.
//!
//! In: the words after the program's name and the table of options. Out: the
//! options in the order given and the words left over, or one message in the
//! wording of SPEC 1.1. What an option means is not decided here: values stay
//! text, and `-h` is an option like any other.

/// One option a program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt {
    pub short: Option<char>,
    /// Without the dashes; empty when there is only a short form (`-?`).
    pub long: &'static str,
    pub takes_value: bool,
}

/// One option as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Index into the table that was passed in.
    pub opt: usize,
    /// `-c` or `--configuration`: a shortened long option is spelled out, as messages name it.
    pub spelled: String,
    pub value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub given: Vec<Given>,
    pub rest: Vec<String>,
}

/// Reads the words and refuses an option that is given twice.
///
/// Supervisor acts on options one by one and so lets `-h` or a bad value speak
/// before a later repetition; a caller that must keep that order uses [`scan`]
/// and [`repetition`].
pub fn parse(args: &[String], specs: &[Opt]) -> Result<Parsed, String> {
    let parsed = scan(args, specs)?;
    for at in 0..parsed.given.len() {
        if let Some(message) = repetition(&parsed.given, at) {
            return Err(message);
        }
    }
    Ok(parsed)
}

/// The message for the option at `at` when an earlier one was the same.
pub fn repetition(given: &[Given], at: usize) -> Option<String> {
    let this = &given[at];
    given[..at]
        .iter()
        .any(|earlier| earlier.opt == this.opt)
        .then(|| format!("conflicting command line option '{}'", this.spelled))
}

/// `getopt.getopt` itself: repetitions are allowed.
pub fn scan(args: &[String], specs: &[Opt]) -> Result<Parsed, String> {
    scan_with(args, specs, &[])
}

/// The same, with long options of our own among them (`whole`): no abbreviation
/// fits those, so that every one goes on meaning what it meant to Supervisor.
pub fn scan_with(args: &[String], specs: &[Opt], whole: &[&str]) -> Result<Parsed, String> {
    let mut given = Vec::new();
    let mut words = args.iter();
    loop {
        let before = words.clone();
        let Some(word) = words.next() else { break };
        if word == "--" {
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            given.push(long_option(long, specs, whole, &mut words)?);
        } else if word.len() > 1 && word.starts_with('-') {
            short_options(&word[1..], specs, &mut words, &mut given)?;
        } else {
            words = before;
            break;
        }
    }
    Ok(Parsed { given, rest: words.cloned().collect() })
}

fn long_option<'a>(
    text: &str,
    specs: &[Opt],
    whole: &[&str],
    words: &mut impl Iterator<Item = &'a String>,
) -> Result<Given, String> {
    let (typed, attached) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let opt = find_long(typed, specs, whole)?;
    let name = specs[opt].long;
    let value = match (specs[opt].takes_value, attached) {
        (true, Some(value)) => Some(value),
        (true, None) => {
            let next = words.next().cloned();
            Some(next.ok_or_else(|| format!("option --{name} requires argument"))?)
        }
        (false, None) => None,
        (false, Some(_)) => return Err(format!("option --{name} must not have an argument")),
    };
    Ok(Given { opt, spelled: format!("--{name}"), value })
}

/// An exact name wins over being the beginning of a longer one (`--logfile`, `--logfile_maxbytes`).
fn find_long(typed: &str, specs: &[Opt], whole: &[&str]) -> Result<usize, String> {
    let mut fitting = (0..specs.len())
        .filter(|&index| !specs[index].long.is_empty() && specs[index].long.starts_with(typed))
        .filter(|&index| specs[index].long == typed || !whole.contains(&specs[index].long));
    if let Some(exact) = fitting.clone().find(|&index| specs[index].long == typed) {
        return Ok(exact);
    }
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("option --{typed} not recognized")),
        (Some(_), Some(_)) => Err(format!("option --{typed} not a unique prefix")),
    }
}

fn short_options<'a>(
    bundle: &str,
    specs: &[Opt],
    words: &mut impl Iterator<Item = &'a String>,
    given: &mut Vec<Given>,
) -> Result<(), String> {
    let mut letters = bundle.chars();
    while let Some(letter) = letters.next() {
        let opt = specs
            .iter()
            .position(|spec| spec.short == Some(letter))
            .ok_or_else(|| format!("option -{letter} not recognized"))?;
        let spelled = format!("-{letter}");
        if !specs[opt].takes_value {
            given.push(Given { opt, spelled, value: None });
            continue;
        }
        let attached = letters.as_str();
        let value = if attached.is_empty() {
            let next = words.next().cloned();
            next.ok_or_else(|| format!("option -{letter} requires argument"))?
        } else {
            attached.to_owned()
        };
        given.push(Given { opt, spelled, value: Some(value) });
        break;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[Opt] = &[
        Opt { short: Some('c'), long: "configuration", takes_value: true },
        Opt { short: Some('n'), long: "nodaemon", takes_value: false },
        Opt { short: Some('l'), long: "logfile", takes_value: true },
        Opt { short: Some('y'), long: "logfile_maxbytes", takes_value: true },
        Opt { short: None, long: "minfds", takes_value: true },
        Opt { short: None, long: "minprocs", takes_value: true },
        Opt { short: Some('?'), long: "", takes_value: false },
    ];

    fn words(line: &str) -> Vec<String> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// `-c=FILE -n | rest words`, or the message.
    fn read(line: &str) -> String {
        match parse(&words(line), SPECS) {
            Err(message) => message,
            Ok(parsed) => {
                let mut told = String::new();
                for given in &parsed.given {
                    told += &given.spelled;
                    if let Some(value) = &given.value {
                        told += &format!("={value}");
                    }
                    told += " ";
                }
                told + "| " + &parsed.rest.join(" ")
            }
        }
    }

    #[test]
    fn every_habit_of_getopt() {
        for (line, expected) in [
            ("", "| "),
            ("-nc FILE", "-n -c=FILE | "),
            ("-cFILE -n", "-c=FILE -n | "),
            ("-cn", "-c=n | "),
            ("-c -n", "-c=-n | "),
            ("--configuration=a=b", "--configuration=a=b | "),
            ("--configuration= -n", "--configuration= -n | "),
            ("--conf FILE", "--configuration=FILE | "),
            ("--logfile x", "--logfile=x | "),
            ("--logfile_ x", "--logfile_maxbytes=x | "),
            ("-? x", "-? | x"),
            ("-n -- -c x", "-n | -c x"),
            ("-n start -c x", "-n | start -c x"),
            ("-n - x", "-n | - x"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn every_refusal() {
        for (line, expected) in [
            ("-x", "option -x not recognized"),
            ("-nx", "option -x not recognized"),
            ("-:", "option -: not recognized"),
            ("--xyz=1", "option --xyz not recognized"),
            ("-c", "option -c requires argument"),
            ("-nc", "option -c requires argument"),
            ("--conf", "option --configuration requires argument"),
            ("--min 3", "option --min not a unique prefix"),
            ("--=3", "option -- not a unique prefix"),
            ("--no=1", "option --nodaemon must not have an argument"),
            ("-n -n", "conflicting command line option '-n'"),
            ("-n --nodaemon", "conflicting command line option '--nodaemon'"),
            ("-nn", "conflicting command line option '-n'"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn scan_leaves_repetitions_to_the_caller() {
        let parsed = scan(&words("-n -n"), SPECS).unwrap();
        assert_eq!(repetition(&parsed.given, 0), None);
        assert!(repetition(&parsed.given, 1).is_some());
    }
}
