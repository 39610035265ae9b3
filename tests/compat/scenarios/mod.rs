//! The scenarios, one file a theme. In: nothing. Out: tests, each of which plays
//! one function on both sides.
//!
//! A scenario shows what is alike by contract and stays away from what 4.3.0
//! itself does now one way and now another: it decides some things a tick (one
//! second) late, so no scenario lets a program end within the second around
//! its startsecs, and two programs never end at the same moment.

mod configuration;
mod control;
mod crossed;
mod inheritance;
mod logs;
mod restarts;
mod shutdown;
mod words;
