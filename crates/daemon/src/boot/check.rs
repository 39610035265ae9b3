//! `supervisord --check`: what a configuration means and what is wrong with it, with nothing started or touched.
//!
//! In: the command line and the machine. Out: what people should know on standard error, the document of `--json`
//! on standard output, and the exit status: 0 accepted, 2 refused. What only this machine lacks (an account, a
//! directory) refuses nothing: a file is often checked elsewhere than it runs.

use std::path::Path;

use provost_config::{
    CliOptions, Config, CtlConfig, Errors, Files, Lenient, LogLevel, effective, find_config, load, load_ctl,
};

use super::Refusal;
use crate::access;
use crate::certificates;
use crate::console::{complain, say};

pub(super) fn check(
    options: &CliOptions,
    json: bool,
    argv0: &str,
    machine: &dyn Files,
) -> Result<u8, Refusal> {
    let path = find_config(options.configuration.as_deref(), argv0, machine).map_err(Refusal::usage)?;
    let files = Lenient::new(machine);
    let config = load(&path, &options.overrides, &files);
    let ctl = load_ctl(&path, &files);
    if json {
        say(&format!("{}\n", effective(&config, &ctl)));
    }
    let (lines, code) = match &config {
        Ok(config) => (accepted(&path, config, &ctl), 0),
        Err(errors) => (refused(errors), 2),
    };
    complain(&lines.join("\n"));
    Ok(code)
}

/// What is worth a warning, and what the file amounts to.
fn accepted(path: &Path, config: &Config, ctl: &Result<CtlConfig, Errors>) -> Vec<String> {
    let mut lines: Vec<String> = config
        .messages
        .iter()
        .filter(|message| message.level >= LogLevel::Warn)
        .map(|message| format!("warning: {}", message.text))
        .chain(config.advice.iter().map(|advice| format!("warning: {advice}")))
        .chain(certificates::check(config).iter().map(|text| format!("warning: {text}")))
        .chain(access::of(config).unfit().iter().map(|unfit| format!("warning: {unfit}")))
        .collect();
    if let Err(errors) = ctl {
        // A file without a section for supervisorctl is usual in containers.
        let faults = errors.iter().filter(|error| error.section.is_some());
        lines.extend(faults.map(|error| format!("warning: supervisorctl refuses this file: {error}")));
    }
    let processes = config.groups.iter().map(|group| group.processes.len()).sum();
    lines.push(format!(
        "{}: accepted, with {}, {} and {}",
        path.display(),
        counted(config.groups.len(), "group", "groups"),
        counted(processes, "process", "processes"),
        counted(lines.len(), "warning", "warnings"),
    ));
    lines
}

/// The line that tools look for, then every error with its place, then the warnings.
fn refused(errors: &Errors) -> Vec<String> {
    let first = format!("Error: {}", errors.first().as_supervisor_says());
    let places = errors.placed().map(|error| format!("error: {error}"));
    let advice = errors.advice().map(|advice| format!("warning: {advice}"));
    [first].into_iter().chain(places).chain(advice).collect()
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use provost_config::{CliOverrides, MemoryFiles};

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let path = Path::new("/etc/s.conf");
        let files = MemoryFiles::with("/etc/s.conf", text);
        let ctl = load_ctl(path, &files);
        match load(path, &CliOverrides::default(), &files) {
            Ok(config) => accepted(path, &config, &ctl),
            Err(errors) => refused(&errors),
        }
    }

    #[test]
    fn a_good_file_is_one_line_and_each_warning_one_more() {
        assert_eq!(
            told("[supervisord]\n"),
            ["/etc/s.conf: accepted, with 0 groups, 0 processes and 0 warnings"]
        );
        assert_eq!(
            told("[supervisord]\n[program:x]\ncommand=x\nstopwaitsec=3\n[supervisorctl]\nprompt=%(x)d\n"),
            [
                "warning: /etc/s.conf:4: [program:x] stopwaitsec: there is no such option here (did you \
                 mean stopwaitsecs?)",
                "warning: supervisorctl refuses this file: /etc/s.conf:6: [supervisorctl] prompt: Format \
                 string '%(x)d' for 'supervisorctl.prompt' contains names ('x') which cannot be expanded. \
                 Available names: ENV_* for 1 environment variables",
                "/etc/s.conf: accepted, with 1 group, 1 process and 2 warnings",
            ]
        );
    }

    #[test]
    fn passwords_are_warned_of_that_are_too_open_or_let_nobody_in() {
        let told = told(
            "[supervisord]\n[inet_http_server]\nport=1\nusername=jo\npassword=dummy\n[user:ann]\npassword=$2b$31$x\n",
        );
        let warned = |start: &str| told.iter().any(|line| line.starts_with(start));
        let how = "supervisorctl hash-password makes what can stand here instead";
        assert!(
            told.iter().any(|line| line.contains(":5: [inet_http_server] password: ") && line.ends_with(how)),
            "{told:?}"
        );
        assert!(
            warned("warning: [user:ann] password: begins like a hash of the kind bcrypt and is none "),
            "{told:?}"
        );
    }

    #[test]
    fn a_bad_file_begins_with_supervisors_line_and_shows_every_place() {
        assert_eq!(
            told("[supervisord]\nnodaemons=1\n[program:x]\ncommand=x\nstopsignal=TREM\nstartsecs=a\n"),
            [
                "Error: invalid literal for int() with base 10: 'a' in section 'program:x' (file: \
                 '/etc/s.conf')",
                "error: /etc/s.conf:6: [program:x] startsecs: invalid literal for int() with base 10: 'a'",
                "error: /etc/s.conf:5: [program:x] stopsignal: value 'TREM' is not a valid signal name \
                 (did you mean TERM?)",
                "warning: /etc/s.conf:2: [supervisord] nodaemons: there is no such option here (did you \
                 mean nodaemon?)",
            ]
        );
    }
}
