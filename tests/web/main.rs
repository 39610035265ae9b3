//! The web page as people, scripts and attackers meet it: over sockets (`scripts.rs`, `attacks.rs`) and in a real browser
//! (`pages.rs`, `crossing.rs`), of which pictures are kept.
//!
//! In: our programs, through `provost-testkit`, and Chromium. Out: what it shows, and what happens to programs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attacks;
mod browser;
mod crossing;
mod pages;
mod scripts;
mod site;
