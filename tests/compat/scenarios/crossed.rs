//! Mixed pairs: their supervisorctl on our daemon, ours on theirs. Whoever
//! replaces one half at a time must not notice. In: stages. Out: transcripts.

use crate::same_crossed;

const CONFIG: &str = "
[program:cat]
command=/bin/cat

[program:speaker]
command={child} say:hello hello forever
stdout_logfile={dir}/speaker.log

[program:manual]
command=/bin/cat
autostart=false
";

#[test]
fn every_verb_of_the_main_job() {
    same_crossed(|stage| {
        stage.start(CONFIG);
        stage.wait_for_logs(&["success: cat", "success: speaker"]);
        stage.wait_for_output("speaker.log", "hello");
        for line in ["status", "stop cat", "start cat manual", "restart all", "pid", "pid manual"] {
            stage.ctl(line);
        }
        stage.ctl("tail speaker");
        stage.ctl("tail nobody");
        stage.ctl("start nobody");
        stage.write_config(&CONFIG.replace("autostart=false", "autostart=true"));
        stage.ctl("reread");
        stage.skip_log();
        stage.ctl("update");
        stage.wait_for_running("manual");
        stage.ctl("status");
        stage.ctl("shutdown");
        stage.wait_for_end();
    });
}
