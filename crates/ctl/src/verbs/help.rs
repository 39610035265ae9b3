//! `help`: which verbs there are, and how each is used.

use serde_json::json;

use super::{Verb, find, listed};
use crate::call::CallError;
use crate::manual::{Flag, Page, Takes};
use crate::session::Session;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "help",
        Takes::Topic,
        &[("help", "List the actions."), ("help <action>", "Show how an action is used.")],
    ),
    run,
};

const HEADER: &str = "default commands (type help <topic>):";
/// The last column of a terminal stays empty.
const WIDTH: usize = 79;

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    let topic = words.rest();
    if topic.is_empty() {
        let names: Vec<&str> = listed().map(|verb| verb.page.name).collect();
        session.report.say(&format!("\n{HEADER}\n{}", "=".repeat(HEADER.len())));
        if session.report.is_json() {
            listed().for_each(|verb| session.report.tell("", || describe(&verb.page)));
        }
        for row in columns(&names) {
            session.report.say(&row);
        }
        session.report.say("");
        return Ok(());
    }
    match find(topic) {
        Some(verb) => session.report.tell(&verb.page.usage(), || describe(&verb.page)),
        None => session.report.say(&format!("*** No help on {topic}")),
    }
    Ok(())
}

fn describe(page: &Page) -> serde_json::Value {
    let pair = |(synopsis, does): &(&str, &str)| json!({"synopsis": synopsis, "does": does});
    let flag = |flag: &Flag| json!({"name": flag.name, "value": flag.value, "does": flag.does});
    json!({
        "name": page.name,
        "also": page.also,
        "forms": page.forms.iter().map(pair).collect::<Vec<_>>(),
        "flags": page.flags.iter().map(flag).collect::<Vec<_>>(),
        "about": page.about,
    })
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
            avail  hash-password  quit    reread   signal    tail     why    \n\
            clear  maintail       reload  restart  start     update \n\
            exit   open           remove  rotate   status    upgrade\n\n";
        Script::default().run("help").says(list).exits(0);
        Script::default().run("?").says(list).exits(0);
    }

    #[test]
    fn every_verb_has_a_usage_that_begins_with_its_name() {
        for verb in super::listed() {
            assert!(verb.page.usage().starts_with(verb.page.name), "{}", verb.page.name);
            Script::default()
                .run(&format!("help {}", verb.page.name))
                .says(&format!("{}\n", verb.page.usage()))
                .exits(0);
        }
        Script::default().run("help help").says_first("help ");
        Script::default().run("help start stop").says("*** No help on start stop\n").exits(0);
    }
}
