//! `leftovers`: what a start does about programs of a supervisord that was killed, where they still run.
//!
//! In: a word, from the file or from the command line. Out: a choice. Who is a leftover, and how it is taken over or
//! stopped, is the daemon's affair.

use crate::python::repr;

/// What is done about a process that a dead supervisord of the same pidfile has left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// Say so and start everything, as Supervisor does without saying so.
    Start,
    /// Do not start as long as a configured program is among them.
    Refuse,
    /// Take them over as if they had been started now.
    Adopt,
    /// Stop them, as their programs are stopped, and then start everything.
    Stop,
}

impl Leftovers {
    pub const ALL: [Leftovers; 4] = [Leftovers::Start, Leftovers::Refuse, Leftovers::Adopt, Leftovers::Stop];

    pub fn name(self) -> &'static str {
        match self {
            Leftovers::Start => "start",
            Leftovers::Refuse => "refuse",
            Leftovers::Adopt => "adopt",
            Leftovers::Stop => "stop",
        }
    }
}

pub(crate) fn leftovers(text: &str) -> Result<Leftovers, String> {
    let lower = text.to_lowercase();
    Leftovers::ALL
        .into_iter()
        .find(|choice| choice.name() == lower)
        .ok_or_else(|| format!("not start, refuse, adopt or stop: {}", repr(text)))
}

/// The two ways of the command line to say it, which may agree.
pub(crate) fn on_command_line(adopt: bool, named: Option<Leftovers>) -> Result<Option<Leftovers>, String> {
    match (adopt, named) {
        (true, Some(other)) if other != Leftovers::Adopt => {
            Err(format!("option --adopt contradicts --leftovers={}", other.name()))
        }
        (true, _) => Ok(Some(Leftovers::Adopt)),
        (false, named) => Ok(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_by_its_name_in_any_case() {
        for choice in Leftovers::ALL {
            assert_eq!(leftovers(choice.name()), Ok(choice));
            assert_eq!(leftovers(&choice.name().to_uppercase()), Ok(choice));
        }
        assert_eq!(leftovers("kill").unwrap_err(), "not start, refuse, adopt or stop: 'kill'");
    }
}
