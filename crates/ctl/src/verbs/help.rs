//! `help`: which verbs there are, and how each is used.

use serde_json::json;

use super::{Verb, find, listed};
use crate::call::CallError;
use crate::manual::{Flag, Page, Takes, WIDTH};
use crate::report::Problem;
use crate::session::Session;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "help",
        Takes::Topic,
        &[("help", "List the actions."), ("help <action>", "Show how an action is used.")],
    )
    .alone(),
    run,
};

const HEADER: &str = "default commands (type help <topic>):";

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
        None => {
            let problem = Problem::of(topic, "there is no such action");
            session.report.complain(&format!("*** No help on {topic}"), &problem);
        }
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
        let head = "\ndefault commands (type help <topic>):\n=====================================\nadd ";
        let listed = |ran: crate::fake::Ran| {
            let text = ran.says_first(head).exits(0).output().to_owned();
            assert!(text.ends_with("\n\n") && text.lines().all(|line| line.len() <= super::WIDTH), "{text}");
            text.split_once("===\n").unwrap().1.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let mut names = listed(Script::default().run("help"));
        assert_eq!(listed(Script::default().run("?")), names);
        names.sort();
        let mut all: Vec<&str> = super::listed().map(|verb| verb.page.name).collect();
        all.sort_unstable();
        assert_eq!(names, all);
        let names: Vec<String> = (0..30).map(|number| format!("verb-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let rows = super::columns(&names);
        assert_eq!(rows[0], "verb-0  verb-4  verb-8   verb-12  verb-16  verb-20  verb-24  verb-28");
        assert_eq!(rows[3], "verb-3  verb-7  verb-11  verb-15  verb-19  verb-23  verb-27");
        assert_eq!(rows.len(), 4);
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
