//! The shell, with its lines from a pipe: whole transcripts, prompts and all.
//!
//! In: what is typed. Out: all that is shown. Terminals are not here.

use super::play::{Play, bare, row};
use super::stage;

stage!(shells);

const CONFIG: &str = "
[program:web]
command={child} ignore:USR1 'write:hello\\n' taken hello forever
startsecs=0

[program:off]
command={child} ignore:USR1 forever
autostart=false
startsecs=0
";

const TYPED: &[&str] = &[
    "",
    "quit\n",
    "exit\nstatus\n",
    "EOF\nstatus\n",
    "\n\n  \n\t\nquit\n",
    "quit",
    "status\n",
    "status web\npid off\npid\nversion\nquit\n",
    "  status   web  \nquit\n",
    "nosuch\nSTATUS\n!ls\n?nosuch\nhelp nosuch\n! \n?\u{e9}\nquit\n",
    "start web\nstart off\nstart off\nstop off\nstop off\nrestart\nstart\nsignal\nquit\n",
    "signal USR1 web off\nsignal NOSUCH web\nquit\n",
    "tail web\ntail -3 web\ntail nobody\ntail web foo\ntail\nquit\n",
    "open foo\nopen unix://{dir}/none.sock\nstatus\nopen unix://{dir}/s.sock\npid web\nquit\n",
    "reload\nn\nshutdown\nno\nshutdown\n\nreload\nquit\nquit\n",
    "shutdown\n",
    "reload\n",
    "shutdown now\nreload now\nquit now\n",
    "reread\nupdate\navail\nadd web\nremove web\nadd nobody\nquit\n",
    "fg\nfg off\nfg nobody\nfg a b\nquit\n",
    "clear web\nclear nobody\nclear\nmaintail x\nquit\n",
    "status web\r\npid nobody\r\nquit\r\n",
    "status w\u{e9}b\nstatus {long}\nquit\n",
    "status web # a comment\nstatus web; pid\nstatus 'web'\nstatus \"web\"\nquit\n",
    "status\\\nweb\nquit\n",
];

pub(super) fn shells(play: &mut Play) {
    play.start(CONFIG);
    play.wait_for_running(&["web"]);
    let _awake = play.stay_awake();
    for typed in TYPED {
        play.run(&row("").typed(typed));
    }
    // With a command, which 4.3.0 does and ends, though its manual says otherwise.
    play.run(&row("-i pid web").typed("quit\n"));
    play.run(&row("-i status nobody").typed(""));
    play.run(&row("-i shutdown").typed("n\nquit\n"));
    play.run(&row("-i reload").typed("no\n"));
    play.run(&row("-i quit").typed("status\n"));
    play.run(&row("-i").typed("pid off\nquit\n"));
    play.write(
        "prompt.conf",
        "[supervisorctl]\nserverurl=unix://{dir}/s.sock\nprompt=my %% prompt\nhistory_file={dir}/history\n",
    );
    play.run(&bare("-c {dir}/prompt.conf").typed("pid off\nquit\n"));
    play.run(&bare("-c {dir}/prompt.conf -r {dir}/nowhere/history").typed("pid off\nquit\n"));
    play.run(&bare("-s unix://{dir}/none.sock").typed("status\npid\nstart web\navail\nshutdown\ny\nquit\n"));
    // Nothing is typed where a command is given.
    play.run(&row("status web").typed("stop web\n"));
}
