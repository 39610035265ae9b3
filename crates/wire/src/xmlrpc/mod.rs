//! XML-RPC as Supervisor speaks it, for both ends of the line.
//!
//! Reading is as forgiving as Supervisor's own reader and as strict as XML:
//! unknown types become text, but no document types, no entities of one's own,
//! and no more depth or elements than a sane message has. Writing is byte for byte
//! what Python's `xmlrpc.client` writes. HTTP around it is somebody else's.

mod encoding;
mod plain;
mod read;
mod write;

pub use read::{BadRequest, BadResponse, Call, parse_any_response, parse_call, parse_response};
pub use write::{write_call, write_fault, write_response, write_structs};

/// What XML 1.0 can carry; `char` has no surrogates to begin with.
fn is_xml_char(char: char) -> bool {
    !matches!(char, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
