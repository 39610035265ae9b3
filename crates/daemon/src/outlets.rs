//! From a configured output to where it goes: files, streams, syslog, the journal, and what is done on the way.
//!
//! Pure. In: the configuration of one output of a process, and the name of its log file, which may be one of our choosing. Out: the plan
//! by which a lane opens it.

use std::path::Path;
use std::sync::Arc;

use provost_config::{Channel, LogExtras, ProcessConfig, ProcessKind};
use provost_core::LogPaths;

use crate::logs::{
    Compression, Compressor, Course, Destination, OpenHow, OutletPlan, Output, Speaker, Target, Wired,
};

/// What holds for all programs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Customs<'a> {
    /// `[supervisord] strip_ansi`.
    pub(crate) strip_ansi: bool,
    /// The main log gets a copy of all that programs say.
    pub(crate) copies: bool,
    /// By whom backups are compressed.
    pub(crate) compressor: &'a Arc<Compressor>,
}

/// The plans for the outputs of a process.
pub(crate) fn plans(
    group: &str,
    config: &ProcessConfig,
    paths: &LogPaths,
    customs: Customs<'_>,
) -> Vec<(Output, OutletPlan)> {
    let plan = |output: Output, path: Option<&Arc<Path>>, channel| {
        let speaker =
            || Speaker { process: config.name.clone(), group: group.to_owned(), channel: output.name() };
        // An event listener speaks its protocol there.
        let is_protocol = config.kind == ProcessKind::EventListener && output == Output::Stdout;
        (output, plan(path, channel, &speaker, is_protocol, customs))
    };
    let mut plans = vec![plan(Output::Stdout, paths.stdout.as_ref(), &config.stdout)];
    if !config.redirect_stderr {
        plans.push(plan(Output::Stderr, paths.stderr.as_ref(), &config.stderr));
    }
    plans
}

fn plan(
    path: Option<&Arc<Path>>,
    channel: &Channel,
    speaker: &dyn Fn() -> Speaker,
    is_protocol: bool,
    customs: Customs<'_>,
) -> OutletPlan {
    let none = LogExtras::default();
    let extras = channel.extras.as_deref().unwrap_or(&none);
    let named = |path: Arc<Path>| {
        let to = Destination {
            path,
            maxbytes: channel.maxbytes,
            backups: channel.backups,
            how: OpenHow { owner: extras.owner, mode: extras.mode, mkdir: extras.mkdir },
            compression: Compression::new(extras.compress, customs.compressor),
        };
        Target::Named(to.into())
    };
    let wired = || Arc::new(Wired { to: extras.syslog.clone(), speaker: speaker() });
    let mut sinks: Vec<Target> = path.map(|path| named(Arc::clone(path))).into_iter().collect();
    sinks.extend(extras.more.iter().map(|path| named(path.as_path().into())));
    if !is_protocol && channel.syslog {
        sinks.push(Target::Syslog(wired()));
    }
    if !is_protocol && extras.journald {
        sinks.push(Target::Journal(wired()));
    }
    let course = Course {
        speaker: Speaker::default(),
        strip_ansi: customs.strip_ansi && !is_protocol,
        capture: if is_protocol { 0 } else { channel.capture_maxbytes },
        publishes: channel.events_enabled && !is_protocol,
        tells: customs.copies,
        format: extras.format.clone(),
        has_wires: sinks.iter().any(Target::is_wire),
    };
    // Most outputs go straight to their file, and there are thousands of them.
    let course = (!course.is_straight()).then(|| Arc::new(Course { speaker: speaker(), ..course }));
    OutletPlan { sinks, overflow: channel.overflow, course }
}
