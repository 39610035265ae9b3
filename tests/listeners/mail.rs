//! Mail about crashes: superlance's crashmail hands it to a program, its crashmailbatch, fatalmailbatch and crashsms to an SMTP
//! server, once a tick.
//!
//! In: a program that ends as it should not, one that ends as it should, one that does not come up. Out: mail about the first and
//! the last, told by the right listener.

use provost_testkit::{Implementation, Lines};

use super::servers::{self, Mail};
use super::{start, without_numbers};

const PROGRAMS: &str = "
[program:crash]
command={child} on:USR1:exit:3 hello forever
autorestart=false
startsecs=0

[program:fine]
command={child} on:USR1:exit:0 hello forever
autorestart=false
startsecs=0

; However late its end is seen, it never was RUNNING.
[program:broken]
command={child} exit:1
autostart=false
startretries=0
startsecs=60
";

on_both!(crashmail_hands_mail_to_a_program, batches_are_sent_at_a_tick);

fn crashmail_hands_mail_to_a_program(implementation: &Implementation) {
    let listener = "
[eventlistener:crashmail]
command={bin}/crashmail -a -m ops@example.com -o prod -s \"(cat; echo; echo over) >> {dir}/mail\"
events=PROCESS_STATE_EXITED
";
    let mut daemon = start(implementation, &format!("{PROGRAMS}{listener}"));
    let mut mail = Lines::follow(&daemon.sandbox().file("mail"));
    daemon.wait_for_log_line("crashmail: ACKNOWLEDGED -> READY");
    for program in ["fine", "crash"] {
        daemon.wait_for_hello(program);
        assert_eq!(daemon.ctl(&["signal", "USR1", program]).status, 0);
        daemon.wait_for_log_line("crashmail: event was processed");
    }
    assert_eq!(daemon.ctl(&["start", "crash"]).status, 0);
    let pid = daemon.wait_for_hello("crash").pid;
    assert_eq!(daemon.ctl(&["signal", "USR1", "crash"]).status, 0);
    mail.wait_for(&format!(
        "Process crash in group crash exited unexpectedly (pid {pid}) from state RUNNING"
    ));
    mail.wait_for("over");
    let one = "To: ops@example.com
Subject: prod: crash crashed at N N

Process crash in group crash exited unexpectedly (pid N) from state RUNNING
over
";
    let all = mail.all().join("\n") + "\n";
    assert_eq!(without_numbers(&all), one.repeat(2), "{}: nothing about the other", implementation.name);
}

fn batches_are_sent_at_a_tick(implementation: &Implementation) {
    let smtp = servers::smtp();
    let listeners = "
[eventlistener:crashmailbatch]
command={bin}/crashmailbatch --toEmail=a@example.com,b@example.com --fromEmail=us@example.com --subject=\"it crashed\"
    --smtpHost={smtp} --tickEvent=TICK_5 --interval=0.05
events=PROCESS_STATE,TICK_5

[eventlistener:fatalmailbatch]
command={bin}/fatalmailbatch --toEmail=a@example.com --fromEmail=us@example.com --smtpHost={smtp} --tickEvent=TICK_5
    --interval=0.05
events=PROCESS_STATE,TICK_5

[eventlistener:crashsms]
command={bin}/crashsms -t 1234@example.com -f us@example.com -H {smtp} -e TICK_5 -i 0.05
events=PROCESS_STATE,TICK_5
"
    .replace("{smtp}", &smtp.address.to_string());
    let mut daemon = start(implementation, &format!("{PROGRAMS}{listeners}"));
    daemon.log().wait_for_all(&["success: crashmailbatch", "success: fatalmailbatch", "success: crashsms"]);
    for program in ["fine", "crash"] {
        daemon.wait_for_hello(program);
        assert_eq!(daemon.ctl(&["signal", "USR1", program]).status, 0);
    }
    assert_ne!(daemon.ctl(&["start", "broken"]).status, 0);

    let mut mails: Vec<Mail> = (0..3).map(|_| smtp.next()).collect();
    mails.sort_by_key(|mail| mail.header("Subject: ").concat());
    let [sms, fatal, crash] = &*mails else { panic!("three") };
    assert_eq!(crash.header("Subject: "), ["it crashed"]);
    assert_eq!(crash.header("To: "), ["a@example.com, b@example.com"]);
    assert_eq!(crash.envelope.len(), 3, "{:?}", crash.envelope);
    assert_eq!(without_numbers(&crash.body()), "N N -- Process crash:crash (pid N) died unexpectedly\n");
    assert_eq!(fatal.header("Subject: "), ["Fatal start alert from supervisord"]);
    assert_eq!(
        without_numbers(&fatal.body()),
        "N N -- Process broken:broken failed to start too many times\n"
    );
    assert_eq!(sms.header("To: "), ["1234@example.com"]);
    assert_eq!(without_numbers(&sms.body()), "[crash:crash](N) exited unexpectedly N N\n");
}
