//! `[fcgi-program:x]`: the socket that all processes of the program share.

use std::sync::Arc;

use crate::expand::Scope;
use crate::options::{SectionKind, ValueKind};
use crate::program::{Common, processes};
use crate::python::{integer, is_space, repr};
use crate::section::Section;
use crate::{
    GroupConfig, GroupKind, ProcessConfig, ProcessKind, SocketConfig, User, advice, groups, paths, values,
};

pub(crate) fn group(common: &Common<'_>, section_name: &str) -> Option<GroupConfig> {
    let section = Section::new(common.reading, section_name, SectionKind::FcgiProgram);
    let name = groups::group_name(&section);
    let priority = section.integer("priority", common.scope);
    let socket = socket(&section, common.scope, &name);
    let mut processes = processes(common, section_name, &name, ProcessKind::Fcgi);
    let socket = socket?;
    share(&socket, &mut processes);
    Some(GroupConfig::new(name, priority, GroupKind::Fcgi(socket), processes))
}

/// The processes of an fcgi program that is a member of the group `group_name`. Supervisor runs it without its socket, so there
/// are files that name none.
pub(crate) fn members(common: &Common<'_>, section_name: &str, group_name: &str) -> Vec<ProcessConfig> {
    let section = Section::new(common.reading, section_name, SectionKind::FcgiProgram);
    let mut processes = processes(common, section_name, group_name, ProcessKind::Program);
    if section.written("socket").is_none() {
        // What is missing has no line; the command has one, or it is missing, too.
        let header = common.reading.ini.section(section_name).map(|section| &section.place);
        let place = section.written("command").map(|value| &value.place).or(header);
        let text = "no socket is named, so its processes run as those of a plain program".to_owned();
        common.reading.advise(place, section_name, Some("socket"), text);
        return processes;
    }
    let (_, name) = section_name.split_once(':').expect("its kind was told by the colon");
    if let Some(socket) = socket(&section, common.scope, name.trim()) {
        share(&socket, &mut processes);
    }
    processes
}

fn share(socket: &SocketConfig, processes: &mut [ProcessConfig]) {
    let socket = Arc::new(socket.clone());
    for process in processes {
        process.socket = Some(Arc::clone(&socket));
    }
}

fn socket(section: &Section<'_>, scope: &Scope<'_>, name: &str) -> Option<SocketConfig> {
    let user = section.user("user", scope);
    let backlog = section.parsed("socket_backlog", ValueKind::Integer, scope, |text| {
        let number = integer(text)?;
        u16::try_from(number)
            .ok()
            .filter(|&backlog| backlog > 0)
            .ok_or_else(|| format!("Invalid socket_backlog value {number}"))
    });
    let files = section.reading.files;
    let owner = section.owner("socket_owner", scope, "Invalid socket_owner value");
    let mode = section.defaulted("socket_mode", ValueKind::Octal, scope, |text| {
        values::octal(text).map_err(|_| format!("Invalid socket_mode value {text}"))
    });
    let inner = Scope::within(scope).text("program_name", name);
    let written = match section.text("socket", ValueKind::FcgiSocket, &inner) {
        Some(written) if !written.is_empty() => written,
        None if section.written("socket").is_some() => return None, // noted already
        Some(_) | None => {
            let text = format!("[{}] section requires a \"socket\" line", section.name);
            section.refuse("socket", text);
            return None;
        }
    };
    let socket = if written.starts_with("unix://") {
        let owner = owner.or_else(|| default_owner(user, files.uid()));
        unix(&written, files).map(|url| SocketConfig { url, backlog, mode: Some(mode), owner })
    } else if section.written("socket_mode").is_some() || owner.is_some() {
        Err("socket_owner and socket_mode params should only be used with a Unix domain socket".to_owned())
    } else {
        tcp(&written).map(|url| SocketConfig { url, backlog, mode: None, owner: None })
    };
    let refuse = |text| {
        section.refuse("socket", format!("{text} in [{}] socket", section.name));
        section.reading.hint(advice::near_value(ValueKind::FcgiSocket, &written));
    };
    socket.map_err(refuse).ok()
}

/// The program's own account, unless that is ours anyway.
fn default_owner(user: Option<User>, our_uid: u32) -> Option<(Option<u32>, Option<u32>)> {
    user.filter(|user| user.uid != our_uid && user.uid != User::UNKNOWN)
        .map(|user| (Some(user.uid), Some(user.gid)))
}

fn unix(written: &str, files: &dyn crate::Files) -> Result<String, String> {
    let path = &written["unix://".len()..];
    if !path.starts_with('/') {
        // Supervisor prints its message unfinished, as the tuple that it was made of.
        return Err(format!("('Unix socket path %s is not an absolute path', {})", repr(path)));
    }
    Ok(format!("unix://{}", paths::settled(path, files)))
}

/// `tcp://host:port`; there is no notation for IPv6.
fn tcp(written: &str) -> Result<String, String> {
    let parts = written.strip_prefix("tcp://").and_then(|rest| rest.split_once(':'));
    match parts {
        Some((host, digits))
            if !host.is_empty()
                && !host.contains(is_space)
                && !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            let port = values::port(digits)?;
            Ok(format!("tcp://{}:{port}", host.to_lowercase()))
        }
        _ => Err(format!("('Bad socket format %s', {})", repr(written))),
    }
}
