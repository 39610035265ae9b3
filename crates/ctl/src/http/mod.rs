//! A small HTTP/1.1 client: one persistent connection for calls, one more for each stream.
//!
//! It knows what a daemon needs and no more: Basic credentials, bodies by length
//! or in chunks, `http://`, `https://` and `unix://`. No redirects, no proxies.

mod answer;
mod connection;
mod socket;
mod tls;

pub(crate) use connection::{Client, LogStream};
pub(crate) use tls::Trust;
