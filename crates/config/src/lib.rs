//! Supervisor's configuration language: text in, a typed [`Config`] out, or every error at once.
mod model;
pub use model::*;
