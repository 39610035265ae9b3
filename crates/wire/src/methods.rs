//! Every method: those that a stock Supervisor publishes, and our own. One row each.
//!
//! Argument counts, `system.listMethods`, `methodSignature` and `methodHelp` all
//! come from these rows. What a method does is not here; `api` maps a row to a
//! `Command`.

/// One published method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// With its namespace, `supervisor.startProcess`.
    pub name: &'static str,
    /// Older names for the same thing, with their namespace.
    pub aliases: &'static [&'static str],
    pub params: &'static [ParamType],
    /// How many of `params`, counted from the end, may be left out.
    pub optional: usize,
    pub returns: ReturnType,
    pub help: &'static str,
}

/// What an argument means. More than one kind of value may say it, see the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    Str,
    /// A number, or a string of digits.
    Int,
    /// Clients in PHP and elsewhere send 0 and 1.
    Bool,
    /// A name (`HUP`, `SIGHUP`) or a number, as string or as int.
    Signal,
    /// A name or a number of a level of the main log.
    Level,
    Array,
    Struct,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnType {
    Str,
    Int,
    Bool,
    Array,
    Struct,
}

impl ParamType {
    /// The word `system.methodSignature` uses.
    pub fn name(self) -> &'static str {
        match self {
            ParamType::Str | ParamType::Signal => "string",
            ParamType::Int => "int",
            ParamType::Bool => "boolean",
            ParamType::Level => "string|int",
            ParamType::Array => "array",
            ParamType::Struct => "struct",
        }
    }
}

impl ReturnType {
    /// The word `system.methodSignature` uses.
    pub fn name(self) -> &'static str {
        match self {
            ReturnType::Str => "string",
            ReturnType::Int => "int",
            ReturnType::Bool => "boolean",
            ReturnType::Array => "array",
            ReturnType::Struct => "struct",
        }
    }
}

impl Method {
    /// Whether a call with so many arguments can be made.
    pub fn admits(&self, count: usize) -> bool {
        (self.params.len() - self.optional..=self.params.len()).contains(&count)
    }

    /// What `system.methodSignature` answers: the result first, then every parameter.
    pub fn signature(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.returns.name()).chain(self.params.iter().map(|param| param.name()))
    }
}

/// The method of this name, which may be an alias.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name || method.aliases.contains(&name))
}

/// What `system.listMethods` answers: every name, aliases too, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = METHODS
        .iter()
        .flat_map(|method| std::iter::once(method.name).chain(method.aliases.iter().copied()))
        .collect();
    names.sort_unstable();
    names
}

use ParamType::{Array, Bool, Int, Signal, Str};

/// In the order of SPEC 6.4 and 6.8: state, the main log, the daemon itself, groups, processes, logs, events, system. Last
/// what Supervisor does not have, in a namespace of its own, as a plugin's methods would be.
pub const METHODS: &[Method] = &[
    row("supervisor.getAPIVersion", &[], ReturnType::Str, "The version of this interface, which is not the version of the daemon.")
        .alias(&["supervisor.getVersion"]),
    row("supervisor.getSupervisorVersion", &[], ReturnType::Str, "The version of Supervisor that this daemon stands in for."),
    row("supervisor.getIdentification", &[], ReturnType::Str, "The identifier this daemon was configured with, to tell several apart."),
    row("supervisor.getState", &[], ReturnType::Struct, "What the daemon as a whole is doing: statecode and statename."),
    row("supervisor.getPID", &[], ReturnType::Int, "The process id of the daemon."),
    row("supervisor.readLog", &[Int, Int], ReturnType::Str,
        "Part of the main log: length bytes from offset. Length 0 reads to the end, a negative offset with length 0 reads that many last bytes.")
        .alias(&["supervisor.readMainLog"]),
    row("supervisor.clearLog", &[], ReturnType::Bool, "Empty the main log."),
    row("supervisor.shutdown", &[], ReturnType::Bool, "Stop every process, then the daemon. Answers before the stopping starts."),
    row("supervisor.restart", &[], ReturnType::Bool, "Stop every process, read the configuration and start afresh. Answers before the stopping starts."),
    row("supervisor.reloadConfig", &[], ReturnType::Array,
        "Read the configuration file and compare it with what is active: [[added, changed, removed]], each an array of group names. Changes nothing that runs."),
    row("supervisor.addProcessGroup", &[Str], ReturnType::Bool, "Make a group of the configuration as last read active."),
    row("supervisor.removeProcessGroup", &[Str], ReturnType::Bool, "Take a group out of service. All its processes must have stopped."),
    row("supervisor.startProcess", &[Str, Bool], ReturnType::Bool,
        "Start a process given as name or group:name. group:* starts the whole group and gives an array of results. Unless wait is false, answers when the process is up or has failed.")
        .optional(1),
    row("supervisor.startProcessGroup", &[Str, Bool], ReturnType::Array, "Start every process of a group that is not running. One result for each that was touched.")
        .optional(1),
    row("supervisor.startAllProcesses", &[Bool], ReturnType::Array, "Start every process that is not running. One result for each that was touched.")
        .optional(1),
    row("supervisor.stopProcess", &[Str, Bool], ReturnType::Bool,
        "Stop a process given as name or group:name. group:* stops the whole group and gives an array of results. Unless wait is false, answers when the process has ended.")
        .optional(1),
    row("supervisor.stopProcessGroup", &[Str, Bool], ReturnType::Array, "Stop every running process of a group. One result for each that was touched.")
        .optional(1),
    row("supervisor.stopAllProcesses", &[Bool], ReturnType::Array, "Stop every running process. One result for each that was touched.")
        .optional(1),
    row("supervisor.signalProcess", &[Str, Signal], ReturnType::Bool,
        "Send a signal, by name or number, to a process given as name or group:name. group:* signals the whole group and gives an array of results."),
    row("supervisor.signalProcessGroup", &[Str, Signal], ReturnType::Array, "Send a signal to every live process of a group. One result for each."),
    row("supervisor.signalAllProcesses", &[Signal], ReturnType::Array, "Send a signal to every live process. One result for each."),
    row("supervisor.getProcessInfo", &[Str], ReturnType::Struct, "What is known about one process: state, pid, times, exit status, log files."),
    row("supervisor.getAllProcessInfo", &[], ReturnType::Array, "What is known about every process, sorted by group and name."),
    row("supervisor.getAllConfigInfo", &[], ReturnType::Array, "The options of every process in the configuration as last read, sorted by name."),
    row("supervisor.readProcessStdoutLog", &[Str, Int, Int], ReturnType::Str,
        "Part of what a process wrote to stdout, by offset and length as in readLog.")
        .alias(&["supervisor.readProcessLog"]),
    row("supervisor.readProcessStderrLog", &[Str, Int, Int], ReturnType::Str,
        "Part of what a process wrote to stderr, by offset and length as in readLog."),
    row("supervisor.tailProcessStdoutLog", &[Str, Int, Int], ReturnType::Array,
        "The newest bytes of a process's stdout log beyond offset, at most length: [text, the log's size, whether bytes in between were left out]. Ask again with the size as offset.")
        .alias(&["supervisor.tailProcessLog"]),
    row("supervisor.tailProcessStderrLog", &[Str, Int, Int], ReturnType::Array,
        "The newest bytes of a process's stderr log beyond offset, as tailProcessStdoutLog."),
    row("supervisor.clearProcessLogs", &[Str], ReturnType::Bool, "Empty both logs of a process.")
        .alias(&["supervisor.clearProcessLog"]),
    row("supervisor.clearAllProcessLogs", &[], ReturnType::Array, "Empty the logs of every process. One result for each."),
    row("supervisor.sendProcessStdin", &[Str, Str], ReturnType::Bool, "Write characters to the stdin of a running process."),
    row("supervisor.sendRemoteCommEvent", &[Str, Str], ReturnType::Bool,
        "Publish a REMOTE_COMMUNICATION event of this type with this data to the listeners that want it."),
    row("system.listMethods", &[], ReturnType::Array, "The names of all methods."),
    row("system.methodHelp", &[Str], ReturnType::Str, "What a method does, in words."),
    row("system.methodSignature", &[Str], ReturnType::Array, "The type of a method's result, then the types of its parameters."),
    row("system.multicall", &[Array], ReturnType::Array,
        "Make several calls, one after the other, each a struct of methodName and params. Gives an array of results; a call that failed gives a struct of faultCode and faultString."),
    row("provost.getProcessHistory", &[Str], ReturnType::Struct,
        "What has happened to a process: its last lives, newest first, with how each ended and why; who started and stopped it; how often it was started again."),
    row("provost.getListeners", &[], ReturnType::Array,
        "The pools of event listeners: what each subscribes to, how many events wait, for how long the oldest has, what was delivered, rejected and discarded, and the state of each listener. Counts and times are text, as they may be larger than an int."),
    row("provost.restartProcess", &[Str, Bool], ReturnType::Bool,
        "Stop a process if it runs, and start it, as one command with one answer. group:* stops all of the group before any of it is started, and gives an array of results.")
        .optional(1),
    row("provost.restartAllProcesses", &[Bool], ReturnType::Array, "Stop every process, and when all are down start every one. One result for each.")
        .optional(1),
    row("provost.startProcesses", &[Array, Bool], ReturnType::Array,
        "Start processes given as name, group:name, group:* or a pattern (* ? [a-z] [!a-z]: web-* fits processes of any group, web:*_0? those of one), all at once. Results in the order of the names; one that reaches nothing has BAD_NAME in its place.")
        .optional(1),
    row("provost.stopProcesses", &[Array, Bool], ReturnType::Array, "Stop processes given by names and patterns as in startProcesses, all at once.")
        .optional(1),
    row("provost.restartProcesses", &[Array, Bool], ReturnType::Array,
        "Stop processes given by names and patterns as in startProcesses, and when all of them are down start them.")
        .optional(1),
    row("provost.signalProcesses", &[Array, Signal], ReturnType::Array, "Send a signal to processes given by names and patterns as in startProcesses."),
    row("provost.waitForState", &[Str, Array, Int], ReturnType::Struct,
        "Wait until a process is in a state, or in one of an array of states, given by name or number, but no longer than this many seconds. What getProcessInfo gives, and whether the state was reached. One that lasts a moment only may be missed."),
    row("provost.rotateProcessLogs", &[Str], ReturnType::Bool,
        "Put both logs of a process aside as their first backups and begin new ones, whatever their size. What is empty, or no regular file, stays. group:* does it for the whole group and gives an array of results."),
    row("provost.rotateAllLogs", &[], ReturnType::Array, "Rotate the logs of every process, and the main log, which is named supervisord. One result for each."),
    row("provost.reopenLogs", &[Str], ReturnType::Array,
        "Open log files anew by their names: those of every process and the main log, which is named supervisord, with one result for each; or, given a name, those of one process (true) or of a group (group:*).")
        .optional(1),
    row("provost.updateGroup", &[Str, Bool], ReturnType::Array,
        "Replace a group by that of the configuration as last read, in place: what is the same runs on, what can change live does, and only the rest is restarted, or all of it if the second argument is true. Answers when what was stopped has been started again. One result for each process, whose change is untouched, changed, restarted, added or removed.")
        .optional(1),
    row("provost.compareConfig", &[], ReturnType::Array,
        "Read the configuration and tell what an update would do, group by group, process by process and key by key, in the order of an update. Nothing follows from it, not even that this is the configuration last read."),
    row("provost.upgrade", &[Int], ReturnType::Struct,
        "Go on as the program file that is on disk now, without touching a process: from, to (versions), keeper (empty, or why it goes on as it was). The argument is how many seconds the new program may take, 10 if left out.")
        .optional(1),
];

pub(crate) const fn row(
    name: &'static str,
    params: &'static [ParamType],
    returns: ReturnType,
    help: &'static str,
) -> Method {
    Method { name, aliases: &[], params, optional: 0, returns, help }
}

impl Method {
    const fn alias(self, aliases: &'static [&'static str]) -> Method {
        Method { aliases, ..self }
    }

    pub(crate) const fn optional(self, optional: usize) -> Method {
        Method { optional, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the stock daemon answers.
    const LISTED: &str = "supervisor.addProcessGroup supervisor.clearAllProcessLogs supervisor.clearLog \
        supervisor.clearProcessLog supervisor.clearProcessLogs supervisor.getAPIVersion supervisor.getAllConfigInfo \
        supervisor.getAllProcessInfo supervisor.getIdentification supervisor.getPID supervisor.getProcessInfo \
        supervisor.getState supervisor.getSupervisorVersion supervisor.getVersion supervisor.readLog \
        supervisor.readMainLog supervisor.readProcessLog supervisor.readProcessStderrLog \
        supervisor.readProcessStdoutLog supervisor.reloadConfig supervisor.removeProcessGroup supervisor.restart \
        supervisor.sendProcessStdin supervisor.sendRemoteCommEvent supervisor.shutdown supervisor.signalAllProcesses \
        supervisor.signalProcess supervisor.signalProcessGroup supervisor.startAllProcesses supervisor.startProcess \
        supervisor.startProcessGroup supervisor.stopAllProcesses supervisor.stopProcess supervisor.stopProcessGroup \
        supervisor.tailProcessLog supervisor.tailProcessStderrLog supervisor.tailProcessStdoutLog system.listMethods \
        system.methodHelp system.methodSignature system.multicall";

    #[test]
    fn every_name_of_the_stock_daemon_is_listed_in_its_order() {
        let ours = |name: &&str| name.starts_with("provost.");
        let (ours, stock): (Vec<_>, Vec<_>) = names().into_iter().partition(ours);
        assert_eq!(stock, LISTED.split_whitespace().collect::<Vec<_>>());
        let own = [
            "provost.compareConfig",
            "provost.getListeners",
            "provost.getProcessHistory",
            "provost.reopenLogs",
            "provost.restartAllProcesses",
            "provost.restartProcess",
            "provost.restartProcesses",
            "provost.rotateAllLogs",
            "provost.rotateProcessLogs",
            "provost.signalProcesses",
            "provost.startProcesses",
            "provost.stopProcesses",
            "provost.updateGroup",
            "provost.upgrade",
            "provost.waitForState",
        ];
        assert_eq!(ours, own);
    }

    #[test]
    fn signatures_are_those_of_the_stock_daemon() {
        let signature = |name: &str| find(name).unwrap().signature().collect::<Vec<_>>().join(",");
        assert_eq!(signature("supervisor.startProcess"), "boolean,string,boolean");
        assert_eq!(signature("supervisor.readMainLog"), "string,int,int");
        assert_eq!(signature("supervisor.signalAllProcesses"), "array,string");
        assert_eq!(signature("supervisor.tailProcessLog"), "array,string,int,int");
        assert_eq!(signature("system.multicall"), "array,array");
        assert_eq!(signature("supervisor.getState"), "struct");
    }

    #[test]
    fn optional_arguments_may_be_left_out_from_the_end() {
        let start = find("supervisor.startProcess").unwrap();
        assert_eq!([0, 1, 2, 3].map(|count| start.admits(count)), [false, true, true, false]);
        let all = find("supervisor.stopAllProcesses").unwrap();
        assert_eq!([0, 1, 2].map(|count| all.admits(count)), [true, true, false]);
        assert_eq!(find("supervisor.nosuch"), None);
    }

    #[test]
    fn what_is_ours_stands_in_the_reference() {
        let page = include_str!("../../../docs/reference/xml-rpc.md");
        for name in names().into_iter().filter(|name| name.starts_with("provost.")) {
            assert!(
                page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}(")),
                "{name} is not in xml-rpc.md"
            );
        }
    }
}
