//! From sections to groups, in start order (SPEC 2.8): `[group:x]` first, then
//! the programs, listeners and fcgi programs that no group has claimed.

use std::collections::{BTreeMap, BTreeSet};

use crate::options::{SectionKind, ValueKind, section_kind};
use crate::program::{Common, processes};
use crate::section::Section;
use crate::{GroupConfig, GroupKind, ProcessConfig, ProcessKind, advice, fcgi, listener, values};

pub(crate) fn groups(common: &Common<'_>) -> Vec<GroupConfig> {
    let mut groups = Vec::new();
    let mut claimed = BTreeSet::new();
    for name in sections(common, SectionKind::Group) {
        groups.extend(group(common, name, &mut claimed));
    }
    for name in sections(common, SectionKind::Program) {
        if !claimed.contains(name) {
            groups.push(homogeneous(common, name));
        }
    }
    for name in sections(common, SectionKind::EventListener) {
        groups.extend(listener::pool(common, name));
    }
    for name in sections(common, SectionKind::FcgiProgram) {
        if !claimed.contains(name) {
            groups.extend(fcgi::group(common, name));
        }
    }
    // Stable, as Python's sort is: of equals the one built first stays first.
    groups.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    advise_on_doubles(common, &groups);
    groups
}

/// The names that `programs=` may hold.
fn programs_of<'a>(common: &Common<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    sections(common, SectionKind::Program)
        .chain(sections(common, SectionKind::FcgiProgram))
        .filter_map(|name| Some(name.split_once(':')?.1))
}

fn sections<'a>(common: &Common<'a>, kind: SectionKind) -> impl Iterator<Item = &'a str> + use<'a> {
    let all = common.reading.ini.sections().iter().map(|section| section.name.as_str());
    all.filter(move |name| section_kind(name) == Some(kind))
}

/// What stands behind the colon, as a name for a group.
pub(crate) fn group_name(section: &Section<'_>) -> String {
    let written = section.name.split_once(':').map_or("", |(_, name)| name);
    values::name(written).unwrap_or_else(|text| {
        section.refuse_name(text);
        written.to_owned()
    })
}

fn homogeneous(common: &Common<'_>, section_name: &str) -> GroupConfig {
    let section = Section::new(common.reading, section_name, SectionKind::Program);
    let name = group_name(&section);
    let priority = section.integer("priority", common.scope);
    let processes = processes(common, section_name, &name, ProcessKind::Program);
    GroupConfig::new(name, priority, GroupKind::Program, processes)
}

/// `[group:x]`: the programs in the order listed, the processes of each sorted.
fn group<'a>(
    common: &Common<'a>,
    section_name: &'a str,
    claimed: &mut BTreeSet<String>,
) -> Option<GroupConfig> {
    let section = Section::new(common.reading, section_name, SectionKind::Group);
    let name = group_name(&section);
    let programs = section.text("programs", ValueKind::Strings, common.scope)?;
    let priority = section.integer("priority", common.scope);
    let mut all = Vec::new();
    // Supervisor's variable for the section's name is overwritten by each program
    // it has processed, and its messages name whatever is in it.
    let mut called = section_name.to_owned();
    for program in values::strings(&programs) {
        let candidates = [format!("program:{program}"), format!("fcgi-program:{program}")];
        let [plain, fcgi] =
            candidates.each_ref().map(|candidate| common.reading.ini.section(candidate).is_some());
        let [plain_section, fcgi_section] = candidates;
        let member = match (plain, fcgi) {
            (true, false) => plain_section,
            (false, true) => fcgi_section,
            (false, false) => {
                let text = format!("[{called}] names unknown program or fcgi-program {program}");
                section.refuse("programs", text);
                section.reading.hint(advice::nearest(&program, programs_of(common)));
                continue;
            }
            (true, true) => {
                let text =
                    format!("[{called}] name {program} is ambiguous (exists as program and fcgi-program)");
                section.refuse("programs", text);
                continue;
            }
        };
        let members = match fcgi {
            true => fcgi::members(common, &member, &name),
            false => processes(common, &member, &name, ProcessKind::Program),
        };
        advise_on_order(common, &member, &all, &members);
        all.extend(members);
        claimed.insert(member.clone());
        called = member;
    }
    Some(GroupConfig::new(name, priority, GroupKind::Group, all))
}

/// In a group the order of `programs=` decides, and a member's own priority nothing.
fn advise_on_order(common: &Common<'_>, member: &str, before: &[ProcessConfig], members: &[ProcessConfig]) {
    let (Some(last), Some(first)) = (before.last(), members.first()) else { return };
    let Some(written) = common.reading.ini.get(member, "priority") else { return };
    if first.priority < last.priority {
        let text = "the order of programs= decides in a group, so this one starts after those before it";
        common.reading.advise(Some(&written.place), member, Some("priority"), text.to_owned());
    }
}

/// Supervisor keeps one of two with the same name and never says so.
fn advise_on_doubles(common: &Common<'_>, groups: &[GroupConfig]) {
    let advise = |section: String, text| {
        let place = common.reading.ini.section(&section).map(|section| &section.place);
        common.reading.advise(place, &section, None, text);
    };
    let mut seen: BTreeMap<&str, &GroupConfig> = BTreeMap::new();
    for group in groups {
        if let Some(first) = seen.get(group.name.as_str()) {
            advise(
                section_name(group),
                format!("never runs: [{}] has the same name and comes first", section_name(first)),
            );
        } else {
            seen.insert(&group.name, group);
        }
        let mut names = BTreeSet::new();
        for process in &group.processes {
            if !names.insert(&process.name) {
                let text = format!("only the last of several processes named {} runs", process.name);
                advise(section_name(group), text);
            }
        }
    }
}

fn section_name(group: &GroupConfig) -> String {
    let kind = match group.kind {
        GroupKind::Program => "program",
        GroupKind::Group => "group",
        GroupKind::EventListener(_) => "eventlistener",
        GroupKind::Fcgi(_) => "fcgi-program",
    };
    format!("{kind}:{}", group.name)
}
