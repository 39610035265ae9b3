//! Who may come in by which door: the configuration's word, as the doors understand it.

use provost_api::{Access, DoorRules};
use provost_config::{Config, Server};
use rustix::process::geteuid;

/// What is in force from now on. Servers that do not run are harmless in it; one that runs and is not in it lets nobody in but
/// those who prove who they are.
pub(crate) fn of(config: &Config) -> Access {
    let doors = config.servers.iter().map(|server| (server.section.clone(), rules(server))).collect();
    Access::new(config.users.clone(), doors, geteuid().as_raw())
}

fn rules(server: &Server) -> DoorRules {
    DoorRules {
        own: server.credentials.clone(),
        open: server.allow_unauthenticated,
        certificates: server.wants_certificate(),
        get_actions: server.get_actions,
        allowed_hosts: server.allowed_hosts.clone(),
    }
}
