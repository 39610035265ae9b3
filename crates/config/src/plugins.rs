//! `[rpcinterface:x]` and `[ctlplugin:x]`: names of Python objects.
//!
//! We run no Python. Some names mean what we have built in ([`RpcInterface::publishes`]); any other
//! well-formed name is accepted, so that a file goes on working, and advised on. For plug-ins that many people
//! have the advice says what to do instead.

use std::collections::BTreeMap;

use crate::expand::Scope;
use crate::options::{SectionKind, ValueKind, section_kind};
use crate::reading::Reading;
use crate::section::Section;
use crate::{Publishes, RpcInterface, values};

const MAIN: &str = "supervisor.rpcinterface:make_main_rpcinterface";
const TWIDDLER: &str = "supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface";

/// Modules of plug-ins that we do not have, and what serves instead.
const OTHERS: &[(&str, &str)] = &[
    ("supervisor_cache.", "let its users keep their data in a server made for that, such as Redis"),
    ("mr.laforge.", "supervisorctl update and start do what its update and up do"),
    ("multivisor.", "run its multivisor-rpc as an [eventlistener:x], which needs no plug-in"),
    ("supvisors.", "it needs Supervisor itself"),
];

impl RpcInterface {
    /// What is found under this name.
    pub fn publishes(&self) -> Publishes {
        match self.factory.as_str() {
            TWIDDLER => Publishes::Twiddler {
                whitelist: self.options.get("whitelist").map(|list| whitelist(list)).unwrap_or_default(),
            },
            MAIN => Publishes::Supervisor,
            // Whatever makes it, clients expect to find the usual methods there.
            _ if self.name == "supervisor" => Publishes::Supervisor,
            _ => Publishes::Nothing,
        }
    }
}

fn whitelist(written: &str) -> Vec<String> {
    let names = values::strings(written).into_iter();
    names.filter(|name| !name.is_empty()).collect()
}

pub(crate) fn rpcinterfaces(reading: &Reading<'_>, scope: &Scope<'_>) -> Vec<RpcInterface> {
    let factory_key = "supervisor.rpcinterface_factory";
    plugins(reading, scope, SectionKind::RpcInterface, factory_key, &[MAIN, TWIDDLER])
}

pub(crate) fn ctlplugins(reading: &Reading<'_>, scope: &Scope<'_>) -> Vec<RpcInterface> {
    plugins(reading, scope, SectionKind::CtlPlugin, "supervisor.ctl_factory", &[])
}

fn plugins(
    reading: &Reading<'_>,
    scope: &Scope<'_>,
    kind: SectionKind,
    factory_key: &str,
    ours: &[&str],
) -> Vec<RpcInterface> {
    let names = reading.ini.sections().iter().map(|section| section.name.as_str());
    names
        .filter(|name| section_kind(name) == Some(kind))
        .filter_map(|name| {
            let section = Section::new(reading, name, kind);
            plugin(&section, scope, factory_key, ours)
        })
        .collect()
}

fn plugin(
    section: &Section<'_>,
    scope: &Scope<'_>,
    factory_key: &str,
    ours: &[&str],
) -> Option<RpcInterface> {
    if section.written(factory_key).is_none() {
        let text = format!("section [{}] does not specify a {factory_key}", section.name);
        section.refuse(factory_key, text);
        return None;
    }
    let factory = section.text(factory_key, ValueKind::PythonObject, scope)?;
    check_object(section, factory_key, &factory, ours);
    let (_, name) = section.name.split_once(':')?;
    Some(RpcInterface { name: name.to_owned(), factory, options: extras(section, scope, factory_key) })
}

/// Everything else in the section, and what it inherits, goes to the factory.
fn extras(section: &Section<'_>, scope: &Scope<'_>, factory_key: &str) -> BTreeMap<String, String> {
    let ini = &section.reading.ini;
    let own = ini.own_keys(section.name).map(|(key, _)| key);
    let inherited = ini.default_keys().map(|(key, _)| key);
    let mut options = BTreeMap::new();
    for key in own.chain(inherited).filter(|&key| key != factory_key) {
        if options.contains_key(key) {
            continue;
        }
        let Some(value) = section.written(key) else { continue };
        let what = format!("{}.{key}", section.name);
        match crate::expand::expand(&value.text, scope, &what) {
            Ok(text) => drop(options.insert(key.to_owned(), text)),
            Err(text) => section.refuse(key, text),
        }
    }
    options
}

/// Refuses what cannot be `module:callable`, and advises on what is not ours.
pub(crate) fn check_object(section: &Section<'_>, key: &str, object: &str, ours: &[&str]) {
    let fits = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.'))
    };
    let well_formed =
        object.split_once(':').is_some_and(|(module, name)| fits(module.trim()) && fits(name.trim()));
    if !well_formed {
        let text = format!("{object} cannot be resolved within [{}]", section.name);
        section.refuse(key, text);
    } else if !ours.contains(&object) {
        let instead = OTHERS.iter().find(|(module, _)| object.starts_with(module));
        let instead = instead.map(|(_, instead)| format!("; {instead}")).unwrap_or_default();
        section.advise(key, format!("{object} is a Python plug-in, which is not loaded{instead}"));
    }
}
