//! What listeners may say, and that nobody else notices.

use std::time::Duration;

use provost_testkit::{
    Daemon, HEAD, Implementation, Sandbox, Signal, provost_child, replace_program, send_signal, told,
};

use crate::stage::{
    IN_TIME, Stage, call_of, has_all, kill_brain, look_for, number, pid_of, rpc, until, until_within,
};

/// How long is looked at what must not grow.
const WHILE: Duration = Duration::from_secs(2);

fn hostile(words: &str, more: &str) -> String {
    format!(
        "[eventlistener:hostile]\ncommand={{child}} {words}\nevents=REMOTE_COMMUNICATION\nstartsecs=0\nautorestart=false\nstdout_logfile=NONE\n{more}\n"
    )
}

/// It has broken the protocol, and that is to be seen everywhere.
#[track_caller]
fn is_unknown(stage: &mut Stage, name: &str) {
    stage.daemon.wait_for_log_line(&format!(
        "{name}: has entered the UNKNOWN state and will no longer receive events, this usually indicates the process violated the eventlistener protocol"
    ));
    stage.becomes(name, "UNKNOWN");
    let status = stage.status(name);
    assert!(status.contains("RUNNING") && status.contains("it broke the listener protocol"), "{status}");
}

/// While it goes on like that memory stands still, and the log says little. The figures of a second of it.
#[track_caller]
fn goes_on_quietly(stage: &mut Stage, lines: usize) -> (u64, usize) {
    stage.others_are_well();
    let before = stage.measure();
    look_for(WHILE);
    let after = stage.measure();
    stage.others_are_well();
    assert!(after.own < before.own + 1024, "kB of the brain: {before:?}, then {after:?}");
    assert!(after.shared < before.shared + 1024, "kB of events: {before:?}, then {after:?}");
    let seconds = WHILE.as_secs();
    let (ticks, said) =
        ((after.ticks - before.ticks) / seconds, (after.lines - before.lines) / seconds as usize);
    assert!(
        said <= lines,
        "{said} lines a second: {:#?}",
        stage.daemon.log().all().iter().rev().take(30).collect::<Vec<_>>()
    );
    println!("a second of it: {ticks} hundredths of processor time, {said} lines");
    (ticks, said)
}

#[test]
fn one_who_says_what_makes_no_sense_hears_nothing_more() {
    for words in [
        "say:hello-world forever",
        r#""write:\x00\x00\x00\x00\x00\x00" forever"#,
        r#""write:READY\nREADY\n" forever"#,
        r#"ready event "write:READY\n" forever"#,
        r#"ready event "write:RESULT\s-1\n" forever"#,
        r#"ready event "write:RESULT\s99999999999999999999999\n" forever"#,
        r#"ready event "write:RESULT\s1048577\n" forever"#,
        r#"ready event "write:\x00\x00\xff\n" forever"#,
        r#"ready event "write:RESULT\s2\s\s\s\sx\n" forever"#,
    ] {
        let mut stage = Stage::start(&hostile(words, ""));
        stage.publish(1);
        is_unknown(&mut stage, "hostile");
        stage.others_are_well();
        // What it did not answer waits for whoever comes.
        let pool = stage.pool("hostile");
        assert_eq!(
            (&pool["waiting"], &pool["listeners"][0]["event"]),
            (&21.into(), &().into()),
            "{words}: {pool:#}"
        );
        assert_eq!(stage.daemon.ctl(&["stop", "hostile"]).stdout, "hostile: stopped\n");
        stage.end_well();
    }
}

#[test]
fn results_of_every_length_are_taken_and_only_ok_accepts() {
    // A pool for each: the daemon is the same.
    let listener = |name: &str, words: &str| hostile(words, "").replace(":hostile]", &format!(":{name}]"));
    let config = [
        listener("none", "ready event:{dir}/none result: again"),
        listener("nulls", r#"ready event:{dir}/nulls "write:RESULT\s2\n\x00\x00" again"#),
        listener("longest", "ready event:{dir}/longest long:1048576 again"),
        listener("blanks", r#"ready event:{dir}/blanks "write:RESULT\s\s2\s\nOK" again"#),
    ];
    let mut stage = Stage::start(&config.concat());
    stage.publish(3);
    until("what is accepted", || has_all(&stage.file("blanks"), 3));
    for name in ["none", "nulls", "longest"] {
        // The first comes again and again, and the others wait.
        until(name, || told(&stage.file(name)).0.len() >= 4);
        let pool = stage.pool(name);
        assert!(pool["rejected"].as_u64() >= Some(3) && pool["delivered"] == 0, "{pool:#}");
        assert!(told(&stage.file(name)).0.iter().all(|told| number(told) == Some(0)));
        assert!(stage.has_said(&format!("{name}: event was rejected")));
    }
    goes_on_quietly(&mut stage, 3 * 4);
    stage.end_well();
}

#[test]
fn one_who_rejects_for_ever_is_given_time() {
    let mut stage = Stage::start(&hostile("ready event:{dir}/hostile fail again", ""));
    stage.publish(1);
    until("many rejections", || told(&stage.file("hostile")).0.len() >= 9);
    let (ticks, _) = goes_on_quietly(&mut stage, 4);
    assert!(ticks < 30, "{ticks} hundredths of a second");
    stage.end_well();
}

#[test]
fn one_who_answers_and_never_reads_holds_up_nobody() {
    let mut stage = Stage::start(&hostile("on:USR1:go ready await ok again", "stopsignal=KILL"));
    let pid = crate::stage::pid_of(&stage.daemon, "hostile");
    let mut told = 0;
    // Until its pipe is full, and ours before it.
    loop {
        stage.publish_long(20_000);
        let pool = stage.pool_becomes("hostile", |pool| {
            pool["listeners"][0]["state"] == "BUSY" || pool["waiting"].as_u64() >= Some(1)
        });
        // What has just come may be on its way to it.
        if pool["listeners"][0]["state"] == "READY" {
            stage.programs_are_well();
            if stage.pool("hostile")["listeners"][0]["state"] == "READY" {
                break;
            }
        }
        told += 1;
        assert!(told < 20, "{pool:#}");
        send_signal(pid, Signal::USR1);
        stage.becomes("hostile", "READY");
    }
    println!("{told} events of 20,000 bytes were told to one who read none");
    // A pipe has sixteen places, each for what lies in one page.
    assert!(told >= 2, "{told}");
    stage.others_are_well();
    for _ in 0..3 {
        stage.publish_long(1_000_000);
    }
    goes_on_quietly(&mut stage, 0);
    let pool = stage.pool("hostile");
    assert_eq!((&pool["delivered"], &pool["listeners"][0]["told"]), (&told.into(), &told.into()), "{pool:#}");
    // What it was told and did not read is in the way of its end as little as of anything else.
    assert_eq!(stage.daemon.ctl(&["stop", "hostile"]).stdout, "hostile: stopped\n");
    stage.end_well();
}

#[test]
fn a_megabyte_for_one_who_does_not_read_waits_without_turning() {
    let mut stage = Stage::start(&hostile("ready head forever", ""));
    stage.publish_long(1_000_000);
    stage.becomes("hostile", "BUSY");
    let (ticks, _) = goes_on_quietly(&mut stage, 0);
    assert!(ticks < 30, "{ticks} hundredths of a second");
    stage.end_well();
}

#[test]
fn a_megabyte_for_one_who_reads_slowly_comes_whole() {
    let mut stage = Stage::start(&hostile("listen:{dir}/hostile", ""));
    for _ in 0..5 {
        stage.publish_long(1_000_000);
    }
    until_within(2 * IN_TIME, "all of it", || has_all(&stage.file("hostile"), 5));
    let (events, _) = told(&stage.file("hostile"));
    assert!(events.iter().all(|told| told.payload.len() == "type:n\n0".len() + 1_000_000));
    stage.others_are_well();
    stage.end_well();
}

/// It may say that it accepts an event when it has seen no more than its first line.
#[test]
fn one_who_answers_before_it_has_read_reads_what_it_was_told() {
    let config = hostile("early:100ms:{dir}/hostile", "")
        + &hostile("early:0s:{dir}/other", "").replace(":hostile]", ":other]");
    let mut stage = Stage::start(&config);
    for _ in 0..6 {
        stage.publish_long(700_000);
        stage.publish(6);
    }
    until("everything", || has_all(&stage.file("other"), stage.published));
    for _ in 0..3 {
        until("it has answered and not read", || {
            let pool = stage.pool("hostile");
            // Somebody may have been so late that it has done with everything.
            if pool["waiting"] == 0 && pool["listeners"][0]["state"] == "READY" {
                stage.publish(10);
            }
            pool["listeners"][0]["state"] == "ACKNOWLEDGED"
        });
        crate::stage::kill_brain(&mut stage.daemon);
        stage.publish_long(700_000);
    }
    stage.others_are_well();
    for name in ["other", "hostile"] {
        until_within(Duration::from_secs(60), "everything", || has_all(&stage.file(name), stage.published));
        let (events, _) = told(&stage.file(name));
        let is_whole = |told: &provost_testkit::Told| {
            told.payload.len() < 20 || told.payload.ends_with(&[b'x'; 700_000])
        };
        assert!(events.iter().all(is_whole), "{name}");
    }
    stage.end_well();
}

#[test]
fn one_who_never_answers_holds_one_event_and_nobody() {
    let mut stage = Stage::start(&hostile("ready event:{dir}/hostile forever", ""));
    stage.publish(100);
    stage.becomes("hostile", "BUSY");
    goes_on_quietly(&mut stage, 0);
    let pool = stage.pool("hostile");
    assert_eq!((&pool["waiting"], &pool["listeners"][0]["told"]), (&(stage.published - 1).into(), &1.into()));
    assert_eq!(told(&stage.file("hostile")).0.len(), 1);
    // Its state stays: it runs, and it is late. Who looks sees that.
    let shown = stage.daemon.ctl(&["listeners", "hostile"]).stdout;
    assert!(shown.contains("BUSY"), "{shown}");
    stage.end_well();
}

#[test]
fn one_who_speaks_letter_by_letter_hears_everything() {
    let words = r#""dribble:3ms:READY\n" event:{dir}/hostile "dribble:3ms:RESULT\s2\nOK" again"#;
    let mut stage = Stage::start(&hostile(words, ""));
    stage.publish(10);
    stage.others_are_well();
    until("all events", || has_all(&stage.file("hostile"), stage.published));
    stage.end_well();
}

#[test]
fn one_who_babbles_without_end_takes_no_memory() {
    let more = "stdout_logfile={dir}/hostile.log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=0";
    let config = hostile("flood:babble,babble!\\n", "")
        + &hostile("flood:and-so-on", more).replace(":hostile]", ":other]");
    let mut stage = Stage::start(&config);
    stage.daemon.log().wait_for_all(&["hostile: has entered the UNKNOWN", "other: has entered the UNKNOWN"]);
    goes_on_quietly(&mut stage, 0);
    stage.end_well();
}

#[test]
fn one_who_babbles_the_word_that_lets_it_come_back_takes_no_memory_either() {
    for options in ["", "loglevel=debug\n"] {
        let config = hostile(r#""flood:x\nREADY\n""#, "listener_recover=true");
        let mut stage = Stage::start_with(options, &config);
        stage.daemon.wait_for_log_line("hostile: has entered the UNKNOWN");
        // What it says is in the log itself then, but it is not heard more often than once a second.
        let lines = if options.is_empty() { 5 } else { 20_000 };
        goes_on_quietly(&mut stage, lines);
        stage.end_well();
    }
}

#[test]
fn who_may_come_back_does_in_every_way_and_hears_all() {
    for words in [
        // Nothing that may itself be taken for the word by which it comes back: whether it is depends on how it is read.
        r#""write:garbage\n""#,
        r#"ready event "write:RESULT\s-1\n""#,
        r#"ready event "write:RESULT\s3000000\n""#,
        r#""write:garbage\nRE" taken after:100ms "write:ADY\ngarbage\n""#,
    ] {
        let more = "listener_recover=true";
        let mut stage = Stage::start(&hostile(&format!("{words} listen:{{dir}}/hostile"), more));
        stage.publish(3);
        stage.others_are_well();
        until(words, || has_all(&stage.file("hostile"), stage.published));
        assert!(stage.has_said("hostile: has entered the UNKNOWN"), "{words}");
        let status = stage.status("hostile");
        assert!(!status.contains("broke"), "{words}: {status}");
        stage.end_well();
    }
}

#[test]
fn one_who_may_come_back_and_answers_nonsense_for_ever_is_given_time() {
    let config = hostile(r#"ready event:{dir}/hostile "write:nonsense\n" again"#, "listener_recover=true");
    let mut stage = Stage::start(&config);
    stage.publish(1);
    until("many answers", || told(&stage.file("hostile")).0.len() >= 8);
    goes_on_quietly(&mut stage, 6);
    stage.end_well();
}

/// What it counts is found out when it says READY for the first time. By the time a brain dies it may be another program, and is told to the end
/// what it was being told.
#[test]
fn whoever_becomes_another_program_while_it_has_an_event_is_told_it_once() {
    let sandbox = Sandbox::new();
    replace_program(provost_child(), &sandbox.file("python3"));
    let command = "sh -c 'echo READY && read -r header && exec {dir}/python3 eat:9 on:USR1:go hello:eaten await ok ready event:{dir}/hostile ok forever'";
    let section = hostile("", "").replace("{child} ", command);
    let config = format!("{HEAD}{}", Stage::config(&section));
    let mut stage = Stage::of(Daemon::start_in(sandbox, &Implementation::ours(), &config));
    stage.becomes("hostile", "READY");
    let call = call_of("n", "\u{e9}");
    rpc(&stage.daemon, "system.multicall", &format!("<array><data>{call}</data></array>"));
    stage.daemon.wait_for_hello("eaten");
    kill_brain(&mut stage.daemon);
    stage.publish(1);
    until("both", || told(&stage.file("honest")).0.len() == 2);
    send_signal(pid_of(&stage.daemon, "hostile"), Signal::USR1);
    until("the next one", || told(&stage.file("hostile")).0.first().and_then(number) == Some(0));
    stage.end_well();
}
