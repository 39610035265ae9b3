//! `echo_supervisord_conf`: prints a commented sample configuration, whatever it is asked.

use std::io::Write;
use std::process::ExitCode;

const SAMPLE: &str = include_str!("../sample.conf");

fn main() -> ExitCode {
    match std::io::stdout().write_all(SAMPLE.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::SAMPLE;
    use provost_config::{CliOverrides, MemoryFiles, load, load_ctl};
    use std::path::Path;

    fn read(text: &str) -> provost_config::Config {
        let mut files = MemoryFiles::with("/etc/s.conf", text);
        for dir in ["/tmp", "/a"] {
            files.dirs.insert(dir.into());
        }
        for name in ["chrism", "supervisor", "nobody"] {
            files.users.push(provost_config::User { name: name.into(), uid: 1, gid: 1 });
        }
        files.groups.insert("nogroup".into(), 1);
        load(Path::new("/etc/s.conf"), &CliOverrides::default(), &files).unwrap()
    }

    #[test]
    fn the_sample_is_read_without_a_remark() {
        let config = read(SAMPLE);
        assert_eq!((config.groups.len(), config.servers.len()), (0, 1));
        assert_eq!((config.messages, config.advice), (vec![], vec![]));
        let files = MemoryFiles::with("/etc/s.conf", SAMPLE);
        let ctl = load_ctl(Path::new("/etc/s.conf"), &files).unwrap();
        assert_eq!(ctl.serverurl, "unix:///tmp/supervisor.sock");
    }

    #[test]
    fn everything_that_is_commented_out_is_a_setting_that_exists() {
        let uncomment = |line: &str| match line.strip_prefix(';') {
            Some(rest) if rest.starts_with('[') || rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                rest.to_owned()
            }
            Some(_) | None => line.to_owned(),
        };
        let all: Vec<String> = SAMPLE.lines().map(uncomment).collect();
        // The example names programs that only exist in the example.
        let text = all.join("\n").replace("progname1,progname2", "theprogramname");
        let config = read(&text);
        // Its passwords are there to be replaced, and in clear text, as everybody knows the sample.
        let advice = config.advice.iter().map(ToString::to_string);
        let others: Vec<_> = advice.filter(|advice| !advice.contains("password: is clear text")).collect();
        assert_eq!(others, Vec::<String>::new());
        assert_eq!(config.groups.len(), 2);
    }
}
