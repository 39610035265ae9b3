//! Who is on stage: the few programs that every world's configuration is made of, and the odd settings they get.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use provost_config::Config;

use crate::chance::Chance;
use crate::common::config;

/// Group and process; `g` has a priority of its own.
const CAST: [(&str, &str); 8] =
    [("a", "a"), ("b", "b"), ("c", "c"), ("g", "d"), ("g", "e"), ("l", "l0"), ("l", "l1"), ("n", "n")];

/// One of the cast.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who(u8);

impl Who {
    pub(crate) fn of(group: &str, process: &str) -> Who {
        Who::find(group, process).expect("the worlds' configurations know no others")
    }

    /// Whom a namespec means, if it means one.
    pub(crate) fn named(namespec: &str) -> Option<Who> {
        let (group, process) = namespec.split_once(':').unwrap_or((namespec, namespec));
        Who::find(group, process)
    }

    fn find(group: &str, process: &str) -> Option<Who> {
        let at = CAST.iter().position(|names| *names == (group, process))?;
        u8::try_from(at).ok().map(Who)
    }

    pub(crate) fn group(self) -> &'static str {
        CAST[usize::from(self.0)].0
    }

    pub(crate) fn name(self) -> &'static str {
        CAST[usize::from(self.0)].1
    }
}

impl fmt::Debug for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.group(), self.name())
    }
}

/// Some programs, a pool of listeners and a group: one of so many configurations, which are read when they are first needed.
pub(crate) fn some_config(chance: &mut Chance) -> Arc<Config> {
    const CONFIGS: u64 = 1_024;
    thread_local! {
        static READ: RefCell<BTreeMap<u64, Arc<Config>>> = const { RefCell::new(BTreeMap::new()) };
    }
    let number = chance.below(CONFIGS);
    READ.with_borrow_mut(|read| {
        Arc::clone(read.entry(number).or_insert_with(|| config(&text(&mut Chance::new(number)))))
    })
}

fn text(chance: &mut Chance) -> String {
    let exit_on = chance.pick(&["none", "none", "none", "none", "none", "fatal", "exited", "all_exited"]);
    let mut text = format!("exit_on={exit_on}\n");
    // Where everything may come to its end, not everything should come back for ever.
    let restarts: &[&str] = match exit_on {
        "all_exited" => &["false"],
        _ => &["true", "false", "unexpected"],
    };
    let left_out = chance.pick(&["a", "b", "c", "", "", ""]);
    let left_out_of_group = chance.pick(&["d", "e", "", "", "", ""]);
    let is_in = |name: &&str| *name != left_out && *name != left_out_of_group;
    for name in ["a", "b", "c", "d", "e", "n"].into_iter().filter(is_in) {
        // Another command takes a restart; most options do not.
        let command = chance.pick(&["/bin/x", "/bin/x", "/bin/x", "/bin/y"]);
        text += &format!("[program:{name}]\ncommand={command}\n");
        text += &some_options(chance, restarts);
    }
    text += "[eventlistener:l]\ncommand=/bin/l\nprocess_name=l%(process_num)d\n";
    text += chance.pick(&["", "numprocs=2\n"]);
    text += chance.pick(&["events=TICK_5\n", "events=TICK_5\n", "events=TICK_60\n"]);
    text += chance.pick(&["", "", "buffer_size=2\n", "overflow=block\n", "listener_recover=true\n"]);
    text += chance.pick(&["", "", "", "result_handler=supervisor_stdout:event_handler\n"]);
    text += &some_options(chance, restarts);
    text += match left_out_of_group {
        "d" => "[group:g]\nprograms=e\n",
        "e" => "[group:g]\nprograms=d\n",
        _ => "[group:g]\nprograms=d,e\n",
    };
    text += chance.pick(&["", "priority=1\n", "priority=5\n"]);
    text
}

fn some_options(chance: &mut Chance, restarts: &[&str]) -> String {
    let mut text = format!(
        "startretries={}\nstartsecs={}\nautorestart={}\nautostart={}\nstopwaitsecs={}\npriority={}\n\
         exitcodes={}\nstopsignal={}\nstopasgroup={}\nessential={}\n",
        chance.pick(&["0", "1", "3", "infinite"]),
        chance.pick(&[-1, 0, 0, 1, 2, 5]),
        chance.pick(restarts),
        chance.pick(&["true", "false"]),
        chance.pick(&[0, 1, 10]),
        chance.pick(&[1, 5, 999]),
        chance.pick(&["0", "0", "0,2"]),
        chance.pick(&["TERM", "TERM", "INT", "KILL"]),
        chance.pick(&["true", "false"]),
        if chance.one_in(25) { "true" } else { "false" },
    );
    for option in [
        "backoff=exponential",
        "backoff=constant",
        "maxbackoff=2.5",
        "backoffjitter=0.3",
        "restartpause=0.4",
        "restartpause=3",
        "startlimit=1/5",
        "startlimit=2/20",
        "type=oneshot",
        "killasgroup=true",
    ] {
        if chance.one_in(5) && !(option.starts_with("killas") && text.contains("stopasgroup=true")) {
            text += option;
            text += "\n";
        }
    }
    text
}
