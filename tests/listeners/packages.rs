//! More packages from PyPI: programs that start when others have come up, and what programs say sent to syslog.
//!
//! In: their own configurations. Out: the order of starts, and datagrams. supervisord-dependent-startup is what the network system
//! SONiC starts every container of a switch with; it reads the configuration file itself, and options in it that are none of ours.

use std::fs;

use provost_testkit::Implementation;

use super::servers;
use super::start;

on_both!(programs_start_in_the_order_of_their_dependencies, what_programs_say_goes_to_syslog);

const SONIC: &str = "
[eventlistener:dependent-startup]
command={bin}/supervisord-dependent-startup -c {dir}/supervisord.conf --log-level info
autostart=true
autorestart=unexpected
startretries=0
exitcodes=0,3
events=PROCESS_STATE
buffer_size=1024
stderr_logfile={dir}/startup.err

[program:rsyslogd]
command={child} hello forever
priority=1
autostart=false
autorestart=unexpected
stdout_logfile=NONE
dependent_startup=true

[program:start]
command={child} hello exit:0
priority=2
autostart=false
autorestart=false
startsecs=0
dependent_startup=true
dependent_startup_wait_for=rsyslogd:running

[program:agent]
command={child} hello forever
autostart=false
dependent_startup=true
dependent_startup_wait_for=start:exited

[program:workers]
command={child} hello forever
process_name=%(program_name)s_%(process_num)02d
numprocs=2
autostart=false
dependent_startup=true
dependent_startup_wait_for=agent:running start:exited

[program:never]
command={child} hello forever
autostart=false
";

fn programs_start_in_the_order_of_their_dependencies(implementation: &Implementation) {
    let mut daemon = start(implementation, SONIC);
    daemon.log().wait_for_all(&["success: agent", "success: workers_00", "success: workers_01"]);
    let all = daemon.log().all().to_vec();
    let place = |text: &str| {
        all.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text} in {all:#?}"))
    };
    let marks =
        ["success: rsyslogd", "spawned: 'start'", "exited: start", "spawned: 'agent'", "success: agent"];
    let mut places = marks.map(place).to_vec();
    places.push(place("spawned: 'workers_00'").min(place("spawned: 'workers_01'")));
    assert!(places.is_sorted(), "{}: {all:#?}", implementation.name);
    let status = daemon.ctl(&["status", "never"]).stdout;
    let said = fs::read_to_string(daemon.sandbox().file("startup.err")).unwrap();
    assert!(status.contains("Not started"), "{}: {status}{said}", implementation.name);
}

fn what_programs_say_goes_to_syslog(implementation: &Implementation) {
    let syslog = servers::datagrams();
    let config = format!(
        "
[program:web]
command={{child}} hello 'write:one\\n' taken 'ewrite:two\\nthree\\n' etaken 'write:h\u{e9}llo w\u{f6}rld\\n' taken 'write:last\\n' forever
stdout_events_enabled=true
stderr_events_enabled=true
startsecs=0

[eventlistener:logging]
command={{bin}}/supervisor_logging
environment=SYSLOG_SERVER=127.0.0.1,SYSLOG_PORT={},SYSLOG_PROTO=udp,SITE_DOMAIN=example.com
events=PROCESS_LOG
",
        syslog.address.port()
    );
    let mut daemon = start(implementation, &config);
    let pid = daemon.wait_for_hello("web").pid;
    for said in ["one ", "two three ", "h\u{e9}llo w\u{f6}rld ", "last "] {
        let told = syslog.next();
        let (time, rest) = told.split_once(" example.com ").unwrap_or_else(|| panic!("no host in {told:?}"));
        assert!(time.starts_with("<14>"), "{told:?}");
        assert_eq!(rest.trim_end_matches('\0'), format!("web[{pid}]: {said}\n"), "{}", implementation.name);
    }
}
