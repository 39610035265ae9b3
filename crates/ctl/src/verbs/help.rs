//! `help`: which verbs there are, and how each is used.

use super::{Verb, find, listed};
use crate::call::CallError;
use crate::session::Session;

pub(super) const VERB: Verb = Verb {
    name: "help",
    usage: "\
help\t\t\tList the actions.
help <action>\t\tShow how an action is used.",
    run,
};

const HEADER: &str = "default commands (type help <topic>):";
/// The last column of a terminal stays empty.
const WIDTH: usize = 79;

fn run(session: &mut Session<'_>, topic: &str) -> Result<(), CallError> {
    if topic.is_empty() {
        let names: Vec<&str> = listed().map(|verb| verb.name).collect();
        session.say(&format!("\n{HEADER}\n{}", "=".repeat(HEADER.len())));
        for row in columns(&names) {
            session.say(&row);
        }
        session.say("");
        return Ok(());
    }
    match find(topic) {
        Some(verb) => session.say(verb.usage),
        None => session.say(&format!("*** No help on {topic}")),
    }
    Ok(())
}

/// As few rows as fit, filled downwards; every column as wide as its widest name.
fn columns(names: &[&str]) -> Vec<String> {
    let widths = |rows: usize| {
        names
            .chunks(rows)
            .map(|column| column.iter().map(|name| name.len()).max().unwrap_or(0))
            .collect::<Vec<_>>()
    };
    let fits = |rows: &usize| {
        let widths = widths(*rows);
        widths.iter().sum::<usize>() + 2 * (widths.len() - 1) <= WIDTH
    };
    let rows = (1..names.len()).find(fits).unwrap_or(names.len());
    let widths = widths(rows);
    let cell = |row: usize, column: usize| names.chunks(rows).nth(column).and_then(|names| names.get(row));
    let row = |row: usize| {
        let cells =
            (0..widths.len()).filter_map(|column| Some(format!("{:1$}", cell(row, column)?, widths[column])));
        cells.collect::<Vec<_>>().join("  ")
    };
    (0..rows).map(row).collect()
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;

    #[test]
    fn verbs_are_listed_in_columns() {
        let list = "\ndefault commands (type help <topic>):\n=====================================\n\
            add    fg             pid     reopen   shutdown  stop     version\n\
            avail  hash-password  quit    reread   signal    tail   \n\
            clear  maintail       reload  restart  start     update \n\
            exit   open           remove  rotate   status    upgrade\n\n";
        Script::default().run("help").says(list).exits(0);
        Script::default().run("?").says(list).exits(0);
    }

    #[test]
    fn every_verb_has_a_usage_that_begins_with_its_name() {
        for verb in super::listed() {
            assert!(verb.usage.starts_with(verb.name), "{}", verb.name);
            Script::default().run(&format!("help {}", verb.name)).says(&format!("{}\n", verb.usage)).exits(0);
        }
        Script::default().run("help help").says_first("help\t");
        Script::default().run("help start stop").says("*** No help on start stop\n").exits(0);
    }
}
