//! Ours under attack, with real forks: each file is one theme, each test one way in which a supervisor
//! could lose a program, a byte or itself.
//!
//! In: our programs, driven through `provost-testkit`. Out: what the daemon, its programs and the kernel
//! say. Nothing here compares with Supervisor (that is `tests/compat`), and nothing sleeps: every
//! wait ends with an event or fails at a deadline.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attack;
mod boot;
mod brain;
mod common;
mod crowd;
mod doors;
mod fcgi;
mod files;
mod flow;
mod growth;
mod http;
mod leftovers;
mod life;
mod limits;
mod logs;
mod memory;
mod outlets;
mod output;
mod passwords;
mod pid1;
mod pidfile;
mod races;
mod relaunch;
mod signals;
mod spawn;
mod stdin;
mod stop;
mod syslogs;
mod tls;
mod twiddler;
mod updates;
mod upgrade;
mod users;
mod waits;
mod why;
