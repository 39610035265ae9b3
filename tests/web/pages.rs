//! The page in a browser: with and without its script, on a desk and on a phone, by day and by night.

use provost_testkit::{Deadline, Process, Signal, descendants};

use crate::browser::{Browser, Page};
use crate::site::{OPEN, Site};

const PROGRAMS: &str = "
[program:cat]
command={child} on:USR1:say:purr hello forever
startsecs=0

[program:worker]
command={child} forever
process_name=%(program_name)s_%(process_num)02d
numprocs=3
startsecs=0

[program:job]
command={child} exit:3
startsecs=0
autorestart=false

[program:aborted]
command={child} raise:ABRT
startsecs=0
autorestart=false

[program:broken]
command={dir}/not-there
startretries=0
";

#[track_caller]
fn site(config: &str) -> Site {
    let mut site = Site::start(&format!("{PROGRAMS}{config}"));
    site.daemon.wait_for_hello("cat");
    site.wait_until_running(&["cat", "worker:worker_00", "worker:worker_01", "worker:worker_02"]);
    // In whichever order.
    let ends = ["exited: job", "exited: aborted", "gave up: broken"];
    for _ in ends {
        let ended = site
            .daemon
            .log()
            .next_matching(|line| ends.iter().any(|end| line.contains(end)), Deadline::default());
        assert!(ended.is_some(), "not all of {ends:?}");
    }
    site
}

/// The row of a program, as a selector.
fn row(name: &str) -> String {
    format!("tr[data-name=\"{}\"]", name.replace(':', "%3A"))
}

fn button(name: &str, action: &str) -> String {
    format!("{} [data-action={action}]", row(name))
}

/// An expression: the state that the row shows.
fn state(name: &str) -> String {
    format!("document.querySelector('{} .status').textContent", row(name))
}

/// An expression: the names that are to be seen, in one text.
const SEEN: &str = "Array.from(document.querySelectorAll('tr.process')).filter(r => r.offsetParent !== null || r.getClientRects().length)\
    .map(r => decodeURIComponent(r.dataset.name)).join(' ')";

#[track_caller]
fn is_clean(page: &mut Page<'_>) {
    assert_eq!(page.complaints(), Vec::<String>::new());
    let width = page.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(width, 0, "nothing sticks out of the window");
}

#[test]
fn a_page_without_its_script_does_everything() {
    let site = site(OPEN);
    let mut browser = Browser::start();
    let mut page = browser.page(1200, 800);
    page.without_scripts();
    page.go(&site.url(""));
    assert_eq!(page.eval(&state("cat")), "running");
    assert_eq!(page.eval(&state("broken")), "fatal");
    assert!(page.text(&row("job")).contains("ended with exit code 3"));
    assert!(page.text(&row("aborted")).contains("ended by signal 6 (SIGABRT)"));
    assert!(page.text("#count").contains("4 of 7 running, 3 failed"));
    page.picture("desk-without-script");

    page.click(&button("cat", "stop"));
    page.loaded();
    assert_eq!(page.text("#statusmessage"), "Process cat stopped");
    assert_eq!(page.eval(&state("cat")), "stopped");
    page.click(&button("cat", "start"));
    page.loaded();
    assert_eq!(page.text("#statusmessage"), "Process cat started");
    page.click("tr.group [data-action=stop]");
    page.loaded();
    assert_eq!(page.text("#statusmessage"), "Group worker stopped");
    assert_eq!(site.state("worker:worker_02"), "STOPPED");

    page.click("#filter input");
    page.type_text("WORK");
    page.click("#apply");
    page.loaded();
    assert_eq!(page.eval(SEEN), "worker:worker_00 worker:worker_01 worker:worker_02");
    // The view stays over an action.
    page.click(&button("worker:worker_01", "start"));
    page.loaded();
    assert_eq!(page.eval(SEEN), "worker:worker_00 worker:worker_01 worker:worker_02");

    page.go(&site.url("?action=stopall"));
    assert_eq!(page.text("h1"), "Stop all programs?");
    assert_eq!(site.state("cat"), "RUNNING");
    page.picture("confirm");
    page.click("#confirm");
    page.loaded();
    assert!(page.text("#statusmessage").starts_with("All stopped at "));
    assert_eq!(site.state("cat"), "STOPPED");
    is_clean(&mut page);
}

#[test]
fn a_page_with_its_script_stays_as_the_server_is() {
    let mut site = site(OPEN);
    let mut browser = Browser::start();
    let mut page = browser.page(1200, 800);
    page.go(&site.url(""));
    page.until("document.querySelector('#live').textContent === 'live'");
    // Gone if the page is ever loaded anew.
    page.eval("window.same = true");
    page.click(&button("cat", "stop"));
    page.until(&format!("{} === 'stopped'", state("cat")));
    page.until("document.querySelector('#statusmessage').textContent === 'Process cat stopped'");
    page.click(&button("cat", "start"));
    page.until(&format!("{} === 'running'", state("cat")));
    let before = page.eval(&format!("document.querySelector('{} .desc').textContent", row("cat")));
    page.click(&button("cat", "restart"));
    page.until(&format!(
        "document.querySelector('{} .desc').textContent.split(',')[0] !== {before}.split(',')[0]",
        row("cat")
    ));
    // What somebody else does.
    site.daemon.ctl(&["stop", "worker:*"]);
    page.until("document.querySelector('#count').textContent.includes('1 of 7 running')");
    page.until("document.querySelector('tr.group .count').textContent === '0 of 3 running'");
    page.picture("desk");

    // Other programs than before.
    let text = std::fs::read_to_string(site.daemon.sandbox().file("supervisord.conf")).unwrap();
    site.daemon.write_config(&format!("{text}\n[program:late]\ncommand={{child}} forever\nstartsecs=0\n"));
    site.daemon.ctl(&["update"]);
    page.until(&format!("{} === 'running'", state("late")));

    // The brain dies, and the next one knows nothing of our token.
    let comm = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let brain =
        descendants(site.daemon.pid()).into_iter().find(|pid| comm(*pid) == "provost-brain\n").unwrap();
    Process::new(brain).signal(Signal::KILL);
    site.daemon.wait_for_log_line("has ended unexpectedly");
    page.click(&button("late", "stop"));
    page.until(&format!("{} === 'stopped'", state("late")));
    page.until("document.querySelector('#live').textContent === 'live'");
    assert_eq!(page.eval("window.same"), true);
}

#[test]
fn the_filter_works_while_one_types_and_groups_fold() {
    let site = site(OPEN);
    let mut browser = Browser::start();
    let mut page = browser.page(1200, 800);
    page.go(&site.url(""));
    page.eval("window.same = true");
    page.click("#filter input");
    page.type_text("er_0");
    page.until(&format!("{SEEN} === 'worker:worker_00 worker:worker_01 worker:worker_02'"));
    page.eval("document.querySelector('#filter input').select()");
    page.type_text("nothing of the kind");
    page.until("!document.querySelector('#nothing').hidden");
    page.eval("(() => { const f = document.querySelector('#filter'); f.q.value = ''; f.state.value = 'failed'; f.state.dispatchEvent(new Event('change', {bubbles: true})); })()");
    page.until(&format!("{SEEN} === 'aborted broken job'"));
    page.eval("(() => { const f = document.querySelector('#filter'); f.state.value = ''; f.state.dispatchEvent(new Event('change', {bubbles: true})); })()");
    page.click(".fold");
    page.until(&format!("{SEEN} === 'aborted broken cat job'"));
    assert_eq!(page.eval("document.querySelector('.fold').getAttribute('aria-expanded')"), "false");
    page.click(".fold");
    page.until(&format!("{SEEN}.includes('worker_01')"));
    assert_eq!(page.eval("window.same"), true);
    is_clean(&mut page);
}

#[test]
fn a_log_grows_before_ones_eyes() {
    let site = site(OPEN);
    let mut browser = Browser::start();
    let mut page = browser.page(1000, 700);
    page.go(&site.url(""));
    page.click(&format!("{} .name a", row("cat")));
    page.loaded();
    page.until("document.querySelector('#live').textContent === 'live'");
    for lines in 1..=3 {
        site.daemon.ctl(&["signal", "USR1", "cat"]);
        page.until(&format!("document.querySelector('#log').textContent === 'purr\\n'.repeat({lines})"));
    }
    // The page, and what follows it, meet without a gap and without a double.
    page.go(&site.url("tail.html?processname=cat&limit=4096"));
    page.until("document.querySelector('#live').textContent === 'live'");
    site.daemon.ctl(&["signal", "USR1", "cat"]);
    page.until("document.querySelector('#log').textContent === 'purr\\n'.repeat(4)");
    page.picture("log");
    page.go(&site.url("mainlog.html"));
    page.until("document.querySelector('#live').textContent === 'live'");
    site.daemon.ctl(&["stop", "cat"]);
    page.until("document.querySelector('#log').textContent.includes('stopped: cat')");
    is_clean(&mut page);
}

#[test]
fn a_phone_has_one_column_and_room_for_thumbs() {
    let site = site(OPEN);
    let mut browser = Browser::start();
    let mut page = browser.page(390, 844);
    page.go(&site.url(""));
    page.until("document.querySelector('#live').textContent === 'live'");
    is_clean(&mut page);
    let small = "Array.from(document.querySelectorAll('button, a.log, input, select, summary')).filter(e => e.getClientRects().length)\
        .filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML).join()";
    assert_eq!(page.eval(small), "");
    page.picture("phone");
    page.in_the_dark();
    page.picture("phone-dark");
    let ground = page.eval("getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(17, 22, 29)");
    page.click(&button("cat", "stop"));
    page.until(&format!("{} === 'stopped'", state("cat")));
}

#[test]
fn by_night_the_desk_is_dark() {
    let site = site(OPEN);
    let mut browser = Browser::start();
    let mut page = browser.page(1200, 800);
    page.in_the_dark();
    page.go(&site.url(""));
    page.until("document.querySelector('#live').textContent === 'live'");
    page.picture("desk-dark");
    is_clean(&mut page);
}

#[test]
fn a_viewer_sees_programs_and_no_buttons() {
    let users = "\n[user:ann]\npassword=a\nrole=operator\n[user:ben]\npassword=b\nrole=viewer\n";
    let site = site(&format!("{users}{OPEN}"));
    let mut browser = Browser::start();
    let as_user = |user: &str| format!("http://{user}@127.0.0.1:{}/", site.port);
    let mut page = browser.page(1200, 800);
    page.go(&as_user("ben:b"));
    page.until("document.querySelector('#live').textContent === 'live'");
    assert_eq!(page.eval("document.querySelectorAll('button[formaction], .action a').length"), 0);
    assert_eq!(page.eval(&state("cat")), "running");
    assert!(page.text("#footer").contains("as ben"));
    page.picture("viewer");
    // It stays so when rows come anew.
    site.daemon.ctl(&["stop", "cat"]);
    page.until(&format!("{} === 'stopped'", state("cat")));
    assert_eq!(page.eval("document.querySelectorAll('button[formaction], .action a').length"), 0);
    drop(page);
    let mut page = browser.page(1200, 800);
    page.go(&as_user("ann:a"));
    page.until("document.querySelector('#live').textContent === 'live'");
    page.click(&button("cat", "start"));
    page.until(&format!("{} === 'running'", state("cat")));
}
