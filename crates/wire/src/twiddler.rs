//! The methods of supervisor_twiddler, a plug-in that we have built in: `[rpcinterface:NAME]` decides what they are
//! called in front of the dot. Names, types and numbers are those of its version 1.0.0; what a method does is not here.

use crate::methods::{Method, ParamType, ReturnType, row};

use ParamType::{Level, Str, Struct};

/// What `getAPIVersion` answers.
pub const API_VERSION: &str = "1.0";

/// The number of the fault for a method that `whitelist=` does not name. Its text has no name of its own, and says `UNKNOWN`.
pub const NOT_IN_WHITELIST: (i32, &str) = (230, "UNKNOWN");

pub const METHODS: &[Method] = &[
    // Its signature says "int", and its answer is a text.
    row("getAPIVersion", &[], ReturnType::Int, "The version of this interface."),
    row("getGroupNames", &[], ReturnType::Array, "The names of all groups that are active."),
    row("addProgramToGroup", &[Str, Str, Struct], ReturnType::Bool,
        "Add a program to an active group: the group, the program's name, and its options as they stand in the configuration file. With numprocs it is several processes. What is added outlives everything but a restart of the daemon and the removal of its group."),
    row("removeProcessFromGroup", &[Str, Str], ReturnType::Bool,
        "Take a process, which must have stopped, out of its group."),
    row("log", &[Str, Level], ReturnType::Bool,
        "Write a line to the main log. The level is CRIT, ERRO, WARN, INFO, DEBG, TRAC or BLAT, or its number; INFO if left out.")
        .optional(1),
];

/// The method of this name, without its namespace.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}
