//! The tables of calls leave out no method that either side lists.

use provost_testkit::{Daemon, HEAD, Implementation};

use super::arguments;
use super::line::ask;

/// Called as they should be where a daemon ends, and with calls inside.
const ELSEWHERE: [&str; 3] = ["supervisor.restart", "supervisor.shutdown", "system.multicall"];

fn listed(implementation: &Implementation) -> Vec<String> {
    let daemon = Daemon::start(implementation, HEAD);
    let answer = ask(&daemon, "system.listMethods", &[]);
    answer.split("<string>").skip(1).filter_map(|rest| Some(rest.split_once('<')?.0.to_owned())).collect()
}

#[test]
fn no_method_is_left_out() {
    let mut tried: Vec<&str> = arguments::methods().chain(ELSEWHERE).collect();
    tried.sort_unstable();
    assert_eq!(listed(&Implementation::supervisor_4_3()), tried);
    let ours = listed(&Implementation::ours());
    let stock: Vec<&str> =
        ours.iter().map(String::as_str).filter(|name| !name.starts_with("provost.")).collect();
    assert_eq!(stock, tried);
}
