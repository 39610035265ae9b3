//! `[rpcinterface:x]`: whose methods are found under which name; and programs that come and go without the file.

use std::fs;

use provost_testkit::{Daemon, Lines};

use crate::common::{call, content, end_well, kill_brain, pid_of, start, state_of};

const HEADS: &str = "[rpcinterface:tw]\nsupervisor.rpcinterface_factory=supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface\n\
                     [rpcinterface:few]\nsupervisor.rpcinterface_factory=supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface\nwhitelist=log, getGroupNames\n\
                     [rpcinterface:foo]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
                     [rpcinterface:strange]\nsupervisor.rpcinterface_factory=multivisor.rpc:make_rpc_interface\n";

const GROUP: &str = "[program:a]\ncommand={child} hello forever\nautostart=false\n[group:g]\nprograms=a\n[program:single]\ncommand=cat\nautostart=false\n";

fn begin() -> Daemon {
    start(&format!("{HEADS}{GROUP}"))
}

fn options(options: &[(&str, &str)]) -> String {
    let member =
        |(key, value): &(&str, &str)| format!("<member><name>{key}</name><value>{value}</value></member>");
    format!("<struct>{}</struct>", options.iter().map(member).collect::<String>())
}

fn add(daemon: &Daemon, group: &str, program: &str, more: &[(&str, &str)]) -> String {
    call(daemon, "tw.addProgramToGroup", &[group, program, &options(more)])
}

fn is_true(answer: &str) -> bool {
    answer.contains("<boolean>1</boolean>")
}

#[test]
fn names_stand_for_what_the_configuration_says() {
    let mut daemon = begin();
    let advised = "run its multivisor-rpc as an [eventlistener:x]";
    assert!(daemon.log().all().iter().any(|line| line.contains(advised)));
    assert!(call(&daemon, "foo.getPID", &[]).contains(&format!("<int>{}</int>", daemon.pid())));
    let listed = call(&daemon, "system.listMethods", &[]);
    for name in ["foo.startProcess", "supervisor.startProcess", "tw.log", "few.addProgramToGroup"] {
        assert!(listed.contains(&format!("<string>{name}</string>")), "{name}");
    }
    assert!(!listed.contains("strange."));
    assert!(call(&daemon, "strange.anything", &[]).contains("UNKNOWN_METHOD"));
    assert!(call(&daemon, "few.getAPIVersion", &[]).contains("<int>230</int>"));
    assert!(is_true(&call(&daemon, "few.log", &["one\ntwo", "WARN"])));
    daemon.wait_for_log_line(r"WARN one\ntwo");
    assert!(call(&daemon, "tw.log", &["x", "nope"]).contains("INCORRECT_PARAMETERS"));
    end_well(daemon);
}

#[test]
fn a_program_is_added_started_and_taken_out_again() {
    let mut daemon = begin();
    let child = ("command", "/bin/cat");
    assert!(is_true(&add(&daemon, "g", "x", &[child, ("startsecs", "<int>0</int>")])));
    daemon.wait_for_log_line("spawned: 'x'");
    assert!(add(&daemon, "g", "x", &[child]).contains("BAD_NAME: x<"));
    assert!(add(&daemon, "none", "x", &[child]).contains("BAD_NAME: group: none<"));
    assert!(
        add(&daemon, "g", "y", &[("autostart", "perhaps"), child])
            .contains("INCORRECT_PARAMETERS: not a valid boolean")
    );
    let remove = |process: &str| call(&daemon, "tw.removeProcessFromGroup", &["g", process]);
    assert!(remove("x").contains("STILL_RUNNING: x<"));
    assert!(is_true(&call(&daemon, "supervisor.stopProcess", &["g:x"])));
    assert!(is_true(&remove("x")) && is_true(&remove("a")));
    assert!(remove("x").contains("BAD_NAME: x<"));
    assert!(!call(&daemon, "supervisor.getAllProcessInfo", &[]).contains("<string>g</string>"));
    end_well(daemon);
}

#[test]
fn what_was_added_outlives_brains_and_files_and_is_no_change() {
    let mut daemon = begin();
    let several = [
        ("command", "/bin/cat"),
        ("numprocs", "3"),
        ("startsecs", "0"),
        ("process_name", "%(program_name)s_%(process_num)d"),
        ("stdout_logfile", "{dir}/n%(process_num)d.log"),
    ];
    let directory = daemon.sandbox().path().to_str().unwrap().to_owned();
    let several = several.map(|(key, value)| (key, value.replace("{dir}", &directory)));
    let several: Vec<(&str, &str)> = several.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert!(is_true(&add(&daemon, "g", "n", &several)));
    daemon.log().wait_for_all(&["spawned: 'n_0'", "spawned: 'n_1'", "spawned: 'n_2'"]);
    assert!(is_true(&call(&daemon, "supervisor.stopProcess", &["g:n_1"])));
    assert!(is_true(&call(&daemon, "tw.removeProcessFromGroup", &["g", "n_1"])));
    assert!(is_true(&call(&daemon, "tw.removeProcessFromGroup", &["single", "single"])));
    let before = [pid_of(&daemon, "g:n_0"), pid_of(&daemon, "g:n_2")];

    let config = daemon.sandbox().file("supervisord.conf");
    let written = fs::read_to_string(&config).unwrap();
    fs::write(&config, "[nonsense").unwrap();
    kill_brain(&mut daemon);
    kill_brain(&mut daemon);
    fs::write(&config, &written).unwrap();

    let infos = call(&daemon, "supervisor.getAllProcessInfo", &[]);
    assert!(!infos.contains("n_1") && !infos.contains("single"), "{infos}");
    assert_eq!([pid_of(&daemon, "g:n_0"), pid_of(&daemon, "g:n_2")], before);
    // It still is what its options say.
    assert!(is_true(&call(&daemon, "supervisor.sendProcessStdin", &["g:n_2", "hello\n"])));
    Lines::follow(&daemon.sandbox().file("n2.log")).wait_for("hello");
    assert_eq!(daemon.ctl(&["update"]).stdout, "", "nothing has changed in the file");
    assert_eq!(pid_of(&daemon, "g:n_0"), before[0]);

    // A change of the file counts, and a group that is added anew is as the file has it.
    fs::write(&config, written.replace("programs=a", "programs=a\npriority=5")).unwrap();
    assert!(daemon.ctl(&["update"]).stdout.contains("g: updated process group"));
    assert_eq!(state_of(&daemon, "g:a"), "STOPPED");
    assert!(!call(&daemon, "supervisor.getAllProcessInfo", &[]).contains("n_0"));
    assert_eq!(content(&daemon, "n2.log"), "hello\n");
    end_well(daemon);
}
