//! What cannot be told to use a shorter tick: superhooks, and the others as their manuals start them.
//!
//! In: a crash, and a real TICK_60, which all of them wait for together. Out: a request, a letter, a restart. It takes as long as the
//! minute has left, and its name puts it first, so that the rest of this room goes on beside it.

use std::time::Duration;

use provost_testkit::Implementation;

use super::servers::{self, Answers};
use super::{start, without_numbers};

/// A minute, and time for what follows it.
const PATIENCE: Duration = Duration::from_secs(60 + 30);

on_both!(at_a_full_minute);

fn at_a_full_minute(implementation: &Implementation) {
    let (hooks, smtp) = (servers::http(&Answers::default()), servers::smtp());
    let config = format!(
        "
[program:crash]
command={{child}} on:USR1:exit:3 hello forever
autorestart=false
startsecs=0

[program:large]
command={{child}} hello forever
startsecs=0

[eventlistener:superhooks]
command={{bin}}/superhooks -u http://{}/hook -e BACKOFF,FATAL,EXITED -d \"team^ops\" -H \"X-Team^ops\"
events=PROCESS_STATE,TICK_60

[eventlistener:crashmailbatch]
command={{bin}}/crashmailbatch --toEmail=ops@example.com --fromEmail=us@example.com --smtpHost={}
events=PROCESS_STATE,TICK_60

[eventlistener:memmon]
command={{bin}}/memmon -p large=1KB
events=TICK_60
",
        hooks.address, smtp.address
    );
    let mut daemon = start(implementation, &config);
    daemon.log().wait_for_all(&["success: superhooks", "success: crashmailbatch", "success: memmon"]);
    daemon.wait_for_hello("large");
    let pid = daemon.wait_for_hello("crash").pid;
    assert_eq!(daemon.ctl(&["signal", "USR1", "crash"]).status, 0);

    let hook = hooks.next_within(PATIENCE);
    assert_eq!(hook.what, "POST /hook");
    assert!(hook.headers.contains(&"X-Team: ops".to_owned()), "{:?}", hook.headers);
    let all = format!("processname%3Acrash+groupname%3Acrash+from_state%3ARUNNING+expected%3A0+pid%3A{pid}+");
    let fields: Vec<&str> = hook.body.split('&').collect();
    assert_eq!(
        fields,
        [
            "process_name=crash%3Acrash",
            "from_state=RUNNING",
            "event_name=PROCESS_STATE_EXITED",
            &format!("pheaders_all={all}"),
            "team=ops",
        ],
        "{}",
        implementation.name
    );
    let mail = smtp.next();
    assert_eq!(mail.header("Subject: "), ["Crash alert from supervisord"]);
    assert_eq!(without_numbers(&mail.body()), "N N -- Process crash:crash (pid N) died unexpectedly\n");
    daemon.wait_for_hello("large");
}
