//! A configuration that changes under a running daemon: reread, update, add,
//! remove. In: stages. Out: transcripts.

use crate::same;

const A: &str = "
[program:a]
command=/bin/cat
";
/// Another priority alone is no reason for us to restart it: that stands in `tests/daemon/updates.rs`.
const A_CHANGED: &str = "
[program:a]
command=/bin/cat -u
priority=7
";
const B: &str = "
[program:b]
command=/bin/cat
";
const C: &str = "
[program:c]
command=/bin/cat
autostart=false
";

#[test]
fn nothing_new() {
    same(|stage| {
        stage.start(A);
        stage.wait_for_running("a");
        stage.ctl("reread");
        stage.ctl("update");
        stage.ctl("status");
    });
}

#[test]
fn added_changed_and_removed() {
    same(|stage| {
        stage.start(&[A, B].concat());
        stage.wait_for_logs(&["success: a", "success: b"]);
        stage.write_config(&[A_CHANGED, C].concat());
        stage.ctl("reread");
        stage.ctl("reread");
        stage.ctl("status");
        stage.ctl("update");
        stage.wait_for_running("a");
        stage.ctl("status");
        stage.ctl("reread");
        stage.ctl("avail");
    });
}

#[test]
fn update_of_one_name_leaves_the_others_alone() {
    same(|stage| {
        stage.start(&[A, B].concat());
        stage.wait_for_logs(&["success: a", "success: b"]);
        stage.write_config(&[A_CHANGED, C].concat());
        stage.ctl("update c");
        stage.ctl("update nobody");
        stage.ctl("status");
        stage.ctl("update b");
        stage.ctl("status");
    });
}

#[test]
fn add_and_remove_by_hand() {
    same(|stage| {
        stage.start(A);
        stage.wait_for_running("a");
        stage.write_config(&[A, C].concat());
        stage.ctl("add c");
        stage.ctl("reread");
        stage.ctl("add c");
        stage.ctl("add c");
        stage.ctl("add nobody");
        stage.ctl("remove a");
        stage.ctl("stop a");
        stage.ctl("remove a");
        stage.ctl("remove a");
        stage.ctl("status");
    });
}

#[test]
fn a_file_that_cannot_be_read_changes_nothing() {
    same(|stage| {
        stage.start(A);
        stage.wait_for_running("a");
        stage.write_config("\n[program:a]\ncommand=/bin/cat\nautorestart=sometimes\n");
        stage.ctl("reread");
        stage.ctl("status");
        stage.write_config(A);
        stage.ctl("reread");
    });
}
