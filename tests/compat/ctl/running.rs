//! All is well: whatever changes nothing, asked of programs that run.
//!
//! In: programs alone, in groups, and several of one. Out: every form of every verb that leaves them as they are.

use super::play::{Play, interrupt, row};
use super::stage;

stage!(running);

const CONFIG: &str = "
[program:web]
command={child} ignore:USR1 ignore:USR2 ignore:HUP 'write:one\\ntwo\\nthr\u{e9}\u{e9}\\n' 'ewrite:wrong\\n' taken etaken hello forever
startsecs=0
autorestart=false
priority=5

[program:quiet]
command={child} ignore:USR1 hello forever
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE

[program:joined]
command={child} ignore:USR1 'write:out' 'ewrite:err' taken hello forever
redirect_stderr=true
startsecs=0

[program:pair]
command={child} ignore:USR1 hello:%(program_name)s_%(process_num)02d forever
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=0

[group:crowd]
programs=first,second
priority=20

[program:first]
command={child} ignore:USR1 'write:first\\n' taken hello forever
startsecs=0

[program:second]
command={child} ignore:USR1 hello forever
startsecs=0
";

const ROWS: &[&str] = &[
    "status",
    "status web",
    "status web:web",
    "status web web",
    "status pair:pair_01 web",
    "status pair:*",
    "status pair:",
    "status pair",
    "status crowd:* web crowd:first",
    "status first",
    "status crowd:second",
    "status crowd:nobody",
    "status nobody",
    "status nobody web",
    "status nobody:*",
    "status nobody: web",
    "status :",
    "status :*",
    "status *",
    "status :web",
    "status web:*:*",
    "status all",
    "status nobody all",
    "status all all",
    "status ALL",
    "status --failed-not",
    "status -x",
    "'status web' quiet",
    "' status  web '",
    "'status\tweb\tquiet'",
    "status 'web\nquiet'",
    "status w\u{e9}b",
    "status {long}",
    "status {long}:*",
    "pid",
    "pid web",
    "pid web:web",
    "pid web quiet web",
    "pid nobody",
    "pid nobody web",
    "pid web nobody",
    "pid crowd:*",
    "pid crowd:first",
    "pid pair",
    "pid all",
    "pid web all",
    "pid {long}",
    "avail",
    "avail x",
    "version",
    "version x",
    "start web",
    "start web quiet",
    "start nobody",
    "start nobody web",
    "start web nobody",
    "start nobody:*",
    "start nobody: web",
    "start nobody:* nobody",
    "start crowd:*",
    "start crowd:",
    "start crowd",
    "start crowd:first",
    "start crowd:nobody",
    "start web:*",
    "start all",
    "start web all",
    "start",
    "start *",
    "start :",
    "start -x",
    "start --foo",
    "stop",
    "stop nobody",
    "stop nobody:*",
    "stop nobody:nobody nobody:",
    "stop crowd",
    "stop :x",
    "restart",
    "restart nobody",
    "restart nobody:*",
    "signal",
    "signal USR1",
    "signal USR1 web",
    "'signal USR1' web",
    "'signal USR1 web'",
    "signal usr1 web",
    "signal SIGUSR1 web",
    "signal sigusr1 web",
    "signal 10 web",
    "signal 0 web",
    "signal -1 web",
    "signal 99999 web",
    "signal NOSUCH web",
    "signal NOSUCH nobody",
    "signal NOSUCH all",
    "signal NOSUCH crowd:*",
    "signal web USR1",
    "signal USR1 web quiet",
    "signal USR1 nobody",
    "signal USR1 nobody web",
    "signal USR1 crowd:*",
    "signal USR1 crowd:first",
    "signal USR1 crowd",
    "signal USR1 nobody:*",
    "signal USR1 all",
    "signal USR1 web all",
    "tail",
    "tail web",
    "tail web stdout",
    "tail web stderr",
    "tail web STDERR",
    "tail web foo",
    "tail web it\\x27s",
    "tail -0 web",
    "tail -1 web",
    "tail -5 web",
    "tail -99999 web",
    "tail -5 web stderr",
    "tail --5 web",
    "tail -+5 web",
    "tail -1_0 web",
    "tail -99999999999 web",
    "tail -x web",
    "tail - web",
    "tail -5",
    "tail -f",
    "tail -f web foo",
    "tail -f web stdout extra",
    "tail -ff web",
    "tail -f nobody",
    "tail -f nobody:nobody stderr",
    "tail web extra stderr",
    "tail -5 web stderr extra",
    "tail web stdout a b",
    "tail nobody",
    "tail nobody stderr",
    "tail crowd:first",
    "tail crowd:*",
    "tail crowd",
    "tail quiet",
    "tail quiet stderr",
    "tail joined",
    "tail joined stderr",
    "tail second",
    "tail crowd:second",
    "clear",
    "clear nobody",
    "clear crowd:*",
    "clear nobody crowd:second",
    "clear crowd:second",
    "clear nobody:",
    "fg",
    "fg nobody",
    "fg web quiet",
    "fg crowd:*",
    "reread",
    "reread x",
    "update",
    "update web",
    "update nobody",
    "update nobody web",
    "update nobody nobody",
    "update all",
    "update nobody all",
    "add",
    "add web",
    "add nobody",
    "add web nobody",
    "add nobody web",
    "add web web",
    "add crowd:*",
    "add all",
    "remove",
    "remove web",
    "remove nobody",
    "remove web nobody",
    "remove nobody web",
    "remove crowd:*",
    "remove all",
    "reload now",
    "shutdown now",
    "open",
    "open foo",
    "open ftp://x",
    "open https:/x",
    "open unix://{dir}/s.sock",
    "open 'unix://{dir}/s.sock '",
    "open unix:{dir}/s.sock",
    "open UNIX://{dir}/s.sock",
    "open unix://{dir}/none.sock",
    "open http://",
    "open http://127.0.0.1:{port}",
    "open HTTP://127.0.0.1:{port}",
    "open unix://{dir}/s.sock extra",
    "status;pid",
    "status, web",
    "start,web",
    "start-web",
    "start/web",
    "status:web",
];

pub(super) fn running(play: &mut Play) {
    play.start(CONFIG);
    for name in ["web", "quiet", "joined", "pair_00", "pair_01", "first", "second"] {
        play.daemon().wait_for_hello(name);
    }
    play.wait_for_running(&["web", "quiet", "joined", "pair_00", "pair_01", "first", "second"]);
    {
        let _awake = play.stay_awake();
        play.each(ROWS);
        play.run(&row("update nobody other").sorted());
    }
    // What is in the main log is told apart by nothing else than who wrote it.
    play.append("main.log", &format!("{}\nthe last line\n", "a long line ".repeat(200)));
    play.each(&["maintail", "maintail -5", "maintail -30", "maintail -x", "maintail x", "maintail -5 x"]);
    play.follow(&row("tail -f web"), "two", interrupt);
    play.follow(&row("tail -f web stderr"), "wrong", interrupt);
    play.follow(&row("tail -f crowd:first stdout"), "first", interrupt);
    play.follow(&row("maintail -f"), "the last line", interrupt);
}
