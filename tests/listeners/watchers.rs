//! Listeners that restart others, through XML-RPC and while they are told a tick: superlance's memmon and httpok, and the check of
//! supervisor_checks that speaks HTTP.
//!
//! In: programs that take too much memory, and a server that answers badly once. Out: those and no others are restarted.

use std::fs;

use provost_testkit::{Daemon, Implementation, Lines};

use super::servers::{self, Answers};
use super::start;

on_both!(memmon_restarts_what_is_too_large, who_does_not_answer_well_is_restarted);

/// In one daemon: by name, by group, by what children take, and whoever takes more still.
const MEMMONS: &str = "
[program:slim]
command={child} hello forever
startsecs=0

[program:named]
command=perl {here}/weight.pl 64 {child}
startsecs=0

[group:heavy]
programs=member

[program:member]
command=perl {here}/weight.pl 64 {child}
startsecs=0

[program:parent]
command=perl {here}/weight.pl 0 {child} perl {here}/weight.pl 64 true
startsecs=0
stopasgroup=true

[program:huge]
command=perl {here}/weight.pl 160 {child}
startsecs=0

[eventlistener:by_name]
command={bin}/memmon -p named=48MB -m ops@example.com -n names -s \"(cat; echo) >> {dir}/mail\"
events=TICK_5

[eventlistener:by_group]
command={bin}/memmon -g heavy=48MB
events=TICK_5

[eventlistener:with_children]
command={bin}/memmon -c -p parent=48MB
events=TICK_5

[eventlistener:whoever]
command={bin}/memmon -a 128MB
events=TICK_5
";

fn memmon_restarts_what_is_too_large(implementation: &Implementation) {
    let mut daemon = start(implementation, MEMMONS);
    let mut mail = Lines::follow(&daemon.sandbox().file("mail"));
    let slim = daemon.wait_for_hello("slim");
    let watched = ["named", "member", "parent", "huge"];
    for name in watched {
        daemon.wait_for_hello(name);
    }
    let log = daemon.sandbox().file("main.log");
    for listener in ["by_name", "by_group", "with_children", "whoever"] {
        Lines::follow(&log).wait_for(&format!("{listener}: event was processed"));
    }
    for name in watched {
        Lines::follow(&log).wait_for(&format!("stopped: {name} (terminated by SIGTERM)"));
        daemon.wait_for_hello(name);
    }
    assert_eq!(pid(&daemon, "slim"), slim.pid, "{}: it was left alone", implementation.name);
    mail.wait_for("To: ops@example.com");
    // memmon takes its own name for that of a program when -p comes first; what it says is what it says.
    assert!(mail.wait_for("Subject: memmon [").contains("process named:named restarted"));
    mail.wait_for("memmon.py restarted the process named named:named at ");
}

fn who_does_not_answer_well_is_restarted(implementation: &Implementation) {
    let (first, second) = (Answers::default(), Answers::default());
    let (shop, api) = (servers::http(&first), servers::http(&second));
    let config = format!(
        "
[program:shop]
command={{child}} hello forever
startsecs=0

[group:backend]
programs=api,other

[program:api]
command={{child}} hello forever
startsecs=0

[program:other]
command={{child}} hello forever
autostart=false

[program:bystander]
command={{child}} hello forever
startsecs=0

[eventlistener:httpok]
command={{bin}}/httpok -p shop -t 5 -n shop -m ops@example.com -s \"(cat; echo) >> {{dir}}/mail\" http://{shop}/health?deep=1
events=TICK_5

[eventlistener:check]
command={{bin}}/supervisor_http_check -g backend -n ping -u /ping -t 5 -r 1 -p {api}
events=TICK_5
stderr_logfile={{dir}}/check.err
",
        shop = shop.address,
        api = api.address.port(),
    );
    let mut daemon = start(implementation, &config);
    let names = ["shop", "backend:api", "bystander"];
    let mut mail = Lines::follow(&daemon.sandbox().file("mail"));
    let before = names.map(|name| daemon.wait_for_hello(name.trim_start_matches("backend:")).pid);
    assert_eq!(shop.next().what, "GET /health?deep=1");
    assert_eq!(api.next().what, "GET /ping");
    for (name, before) in names.iter().zip(before) {
        assert_eq!(pid(&daemon, name), before, "{}: {name} is left alone", implementation.name);
    }
    // Only now, so that what was asked above was answered well, however long it took to look.
    for answers in [&first, &second] {
        answers.then(500);
    }
    let after = [daemon.wait_for_hello("shop").pid, daemon.wait_for_hello("api").pid];
    assert!(after[0] != before[0] && after[1] != before[1], "{}: both were restarted", implementation.name);
    mail.wait_for("Subject: httpok [shop]: http://");
    mail.wait_for("shop is in RUNNING state, restarting");
    mail.wait_for("shop restarted");
    // And are asked again, to their satisfaction.
    for told in [&shop, &api] {
        while told.next().status != 500 {}
        assert_eq!(told.next().status, 200);
    }
    let now = [pid(&daemon, "shop"), pid(&daemon, "backend:api")];
    let said = fs::read_to_string(daemon.sandbox().file("check.err")).unwrap_or_default();
    assert_eq!(now, after, "{}: once; {said}", implementation.name);
    assert_eq!(pid(&daemon, "bystander"), before[2]);
}

#[track_caller]
fn pid(daemon: &Daemon, name: &str) -> i32 {
    let told = daemon.ctl(&["pid", name]);
    told.stdout.trim().parse().unwrap_or_else(|_| panic!("no pid in {told:?}"))
}
