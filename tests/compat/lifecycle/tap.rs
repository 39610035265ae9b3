//! Whether `tap.py`, which every row relies on, tells the truth.
//!
//! In: a lifecycle on 4.3.0 with a real event listener. Out: a test. Not here: rows.

use provost_testkit::Implementation;

use super::play::{Recorded, python, script};
use crate::stage;

/// The last program takes a second to end, so that the listener hears of all the others before it is stopped itself.
const CONFIG: &str = "
[eventlistener:ear]
command={python} {listener} {dir}/heard.log
events=PROCESS_STATE,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE
buffer_size=1000
startsecs=0

[program:hasty]
command=/bin/false
startsecs=5
startretries=1

[program:x]
command={child} on:USR1:exit:3 hello forever

[program:last]
command={child} ignore:TERM hello forever
stopwaitsecs=1
priority=0
";

#[test]
fn the_tap_tells_what_a_listener_is_told() {
    let on = Recorded::supervisor_4_3();
    let python = python(&Implementation::supervisor_4_3());
    let [python, listener] = [python, script("listener.py")].map(|path| path.display().to_string());
    let config = CONFIG.replace("{python}", &python).replace("{listener}", &listener);
    let (mut heard, mut tapped) = (Vec::new(), Vec::new());
    stage::play(on.implementation(), |stage| {
        stage.start(&config);
        stage.wait_for_log("gave up: hasty");
        for line in ["restart x", "stop x", "remove x", "shutdown"] {
            stage.ctl(line);
        }
        stage.wait_for_end();
        heard = stage.lines_of("heard.log");
        tapped = stage.lines_of(on.file());
    });
    let tapped: Vec<&str> = tapped.iter().filter_map(|line| Some(line.split_once(" TRAC ")?.1)).collect();
    assert!(
        heard.iter().any(|line| line.starts_with("event PROCESS_STATE_STOPPING processname:last ")),
        "{heard:?}"
    );
    assert_eq!(heard, tapped[..heard.len()]);
}
