//! Passwords and tokens: how they are written down, and whether one that was given is right.
//!
//! In comes the text that stands in a configuration ([`Stored::parse`]) and later what a client gave ([`Stored::verify`]);
//! out come new hashes and tokens ([`hash`], [`new_token`]), and marks by which what was found right can be recognised
//! without being kept ([`Marks`]). Not here: who a user is, how often he may guess, and on which thread the
//! work of a slow hash is done. Nothing in this crate prints a secret.

mod argon;
mod make;
mod marks;
mod stored;
mod unfit;

pub use make::{hash, new_token, random};
pub use marks::{Mark, Marks};
pub use stored::Stored;
pub use unfit::Unfit;
