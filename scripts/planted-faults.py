#!/usr/bin/env python3
"""Plants faults in the core, one at a time, and asks the simulator whether it notices.

A simulator that has never caught anything may be blind. The table FAULTS is the list of what it has to see: each row
is a mistake that somebody could make, the exact text it replaces, and what a user would suffer from it.

The crates core and config are copied to target/planted-faults, with as much of the workspace as they need; the tree
itself is not touched. For each fault the copy is changed, built and given to the simulator, for as many seeds as
`cargo test` plays; what the simulator does not catch is given to the scenarios, to learn whether anybody would have.

    planted-faults.py                 all of them
    planted-faults.py --some 8        eight, other ones after every commit
    planted-faults.py --only memory   those whose name contains the word
    planted-faults.py --list          the table, without doing anything

Exit status: 0 if the simulator caught every fault, 1 if not, 2 if the table is stale: a text that is not found exactly
once, or a replacement that does not compile.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / "target" / "planted-faults"
# Optimised code takes longer to build than these runs take without.
CARGO = ["cargo", "--config", "profile.dev.package.provost-core.opt-level=0", "test", "--quiet", "--offline",
         "-p", "provost-core"]
BUILD_SECONDS = 300
RUN_SECONDS = 240

Fault = namedtuple("Fault", "name file find put suffer")

MACHINE = "core/src/process/machine.rs"
PACE = "core/src/process/pace.rs"
RESUME = "core/src/process/resume.rs"
SUPERVISOR = "core/src/supervisor.rs"
COMMANDS = "core/src/supervisor/commands.rs"
LISTED = "core/src/supervisor/listed.rs"
ENDING = "core/src/supervisor/ending.rs"
UPDATE = "core/src/supervisor/update.rs"
POOLS = "core/src/supervisor/pools.rs"
TWIDDLE = "core/src/supervisor/twiddle.rs"
ASK = "core/src/ask/mod.rs"
ORDER = "core/src/order.rs"
TIMERS = "core/src/timers.rs"
END = "core/src/process/end.rs"
HISTORY = "core/src/history.rs"
POLICY = "config/src/policy.rs"

FAULTS = [
    # --- updates ---
    Fault("removed one is not waited for", UPDATE,
          "let is_ready = !left.any(|process| lives(process));", "let is_ready = true;",
          "a process that an update removes lives on, and nobody knows it"),
    Fault("old configuration comes back", MACHINE,
          "        if let Some(config) = self.replacement.take() {\n            self.config = config;",
          "        if let Some(config) = self.replacement.take() {\n            drop(config);",
          "after an update the program runs as it did before"),
    Fault("stopped for an update and left down", UPDATE,
          "                    process.returns = true;\n                    process.stop(",
          "                    process.stop(",
          "a program with autostart=false that ran is down after an update"),
    Fault("old promise kept after an update", MACHINE,
          "            return self.replace(config, out);\n        }\n        self.withdraw(out);",
          "            return self.replace(config, out);\n        }",
          "a program whose autorestart was turned off is restarted by the keeper"),
    Fault("return not remembered", RESUME,
          "returns: self.returns && matches!(self.state, State::Stopping | State::Stopped),", "returns: false,",
          "a brain that dies over an update leaves programs down"),
    Fault("stop does not outweigh an update", MACHINE,
          "let comes_back = std::mem::take(&mut self.returns) && self.state == State::Stopped;",
          "let comes_back = false;",
          "what a person stops comes back, as an update had wanted it"),
    Fault("second update turns the group first", UPDATE,
          "if earlier.iter().any(|earlier| earlier.is_of(group)) {", "if false && earlier.iter().any(|earlier| earlier.is_of(group)) {",
          "of two updates one takes away what the other counts on"),
    Fault("heir forgotten by the next brain", RESUME,
          "State::Starting if self.is_replaced() => {", "State::Starting if false && self.is_replaced() => {",
          "an end that was told is told again, and one that was long enough may count as too quick by now"),

    # --- listeners ---
    Fault("listener hears before it runs", MACHINE,
          "self.config.kind == ProcessKind::EventListener && self.state == State::Running;",
          "self.config.kind == ProcessKind::EventListener;",
          "an event is told to a listener that has not come up, and is lost if it does not"),
    Fault("programs hear", MACHINE,
          "self.config.kind == ProcessKind::EventListener && self.state == State::Running;",
          "self.state == State::Running;",
          "events are written to the standard input of every program"),
    Fault("listener hears on while it stops", MACHINE,
          "        if let Some(child) = self.hearer.take() {\n            out.push(Action::MayHear { child, may: false });\n        }\n", "",
          "events are told to a listener that has been asked to end"),
    Fault("silence told once more", MACHINE,
          "        if let Some(child) = self.hearer.take() {\n            out.push(",
          "        if let Some(child) = self.hearer {\n            out.push(",
          "a listener that has run twice is told of its silence twice"),
    Fault("adopted listeners are deaf", SUPERVISOR,
          "            process.may_hear(out);\n", "            if before.state != State::Running {\n                process.may_hear(out);\n            }\n",
          "after a brain's death no listener is told of anything until it is restarted"),
    Fault("adopted listeners hear before their past is known", SUPERVISOR,
          "        if self.begun {\n            process.may_hear(out);", "        process.may_hear(out);\n        if self.begun {",
          "after a brain's death events are told to a listener that is being stopped"),
    Fault("pool never opened", SUPERVISOR,
          "        self.open_pool(&group, None, out);\n", "",
          "no event is kept for any listener"),
    Fault("pool opened behind its announcement", SUPERVISOR,
          "        self.activate(active, out);\n        Self::announce_group(&active.config.name, out);",
          "        Self::announce_group(&active.config.name, out);\n        self.activate(active, out);",
          "a pool does not hear that it was added"),
    Fault("pool outlives its group", COMMANDS,
          "        Self::close_pool(group, out);\n", "",
          "events pile up for listeners that are gone"),
    Fault("pool hears of its own end", COMMANDS,
          "        Self::close_pool(group, out);\n        out.push(Action::Publish(Event::GroupRemoved { group: Arc::clone(&group.name) }));",
          "        out.push(Action::Publish(Event::GroupRemoved { group: Arc::clone(&group.name) }));\n        Self::close_pool(group, out);",
          "a queue is filled and thrown away in the same moment"),
    Fault("pool does not change with an update", UPDATE,
          "        self.open_pool(&renewed, pool, out);\n", "",
          "new listeners and new subscriptions come into force with the next brain"),
    Fault("pool opened again for nothing", POOLS,
          ".filter(|pool| was.is_none_or(|was| was != *pool))", ".filter(|_| was.is_none_or(|_| true))",
          "every update makes every queue anew"),
    Fault("pool keeps who was taken out of it", TWIDDLE,
          "        self.open_pool(&group, was, out);\n", "        drop(was);\n",
          "a pool counts on a listener that is no more"),
    Fault("groups announced by every brain", SUPERVISOR,
          "                if !announced {", "                if !announced || first_child.0 > 1 {",
          "after a brain's death every listener hears that all groups were added"),
    Fault("running announced by every brain", SUPERVISOR,
          "            if !self.announced {", "            if true {",
          "listeners believe in a restart that never was"),
    Fault("exchanged group not announced", UPDATE,
          "        self.add(&Active::from(wanted.clone()), out);", "        self.activate(&Active::from(wanted.clone()), out);",
          "listeners believe that a group is gone that was replaced"),

    # --- starting, failing, giving up ---
    Fault("one retry too few", POLICY,
          "i64::from(failures) <= n", "i64::from(failures) < n",
          "a program with startretries=1 is never retried"),
    Fault("one retry too many", POLICY,
          "i64::from(failures) <= n", "i64::from(failures) <= n.saturating_add(1)",
          "a program is started once more than its owner allows"),
    Fault("backoff cap ignored", POLICY,
          "self.curve.wait(failures).min(self.longest())", "self.curve.wait(failures)",
          "a database that was away for a night is not tried again for a day"),
    Fault("backoff doubles too early", POLICY,
          "1u64.checked_shl(n - 1)", "1u64.checked_shl(n)",
          "every wait is twice as long as the manual says"),
    Fault("jitter beyond the cap", PACE,
          ".min(backoff.longest())", "",
          "a wait is longer than maxbackoff"),
    Fault("jitter twice as wide", PACE,
          "let factor = (1000 - jitter) * ONE + 2 * jitter * chance;",
          "let factor = (1000 - jitter) * ONE + 4 * jitter * chance;",
          "waits are longer than backoffjitter allows"),
    Fault("startsecs ignored", MACHINE,
          "Duration::ZERO => self.has_stayed_up(out),", "_ if true => self.has_stayed_up(out),",
          "a program that crashes at once is RUNNING for a moment, and never FATAL"),
    Fault("startsecs never over", MACHINE,
          "wait => self.deadline = Some(at.mono + wait),", "_ => {}",
          "a program is STARTING for ever, and whoever started it waits for ever"),
    Fault("life measured to the news of its end", MACHINE,
          "at.mono.since(started.mono)", "now.mono.since(started.mono)",
          "on a busy machine a crash at the start passes for a life"),
    Fault("failures kept after success", MACHINE,
          """        self.deadline = None;
        self.backoff = 0;
        self.enter(State::Running""",
          """        self.deadline = None;
        self.enter(State::Running""",
          "a program that fails once a day is FATAL after three days"),
    Fault("earlier deadline kept at a start", MACHINE,
          """        // Until it is spawned there is nothing to time.
        self.deadline = None;""",
          "",
          "a program is RUNNING before it has a pid"),
    Fault("a failed spawn goes unnoticed while stopping", MACHINE,
          "State::Stopping | State::Unknown => self.is_stopped(out, 0),",
          "State::Stopping | State::Unknown => {}",
          "a stop of a program that could not be started never ends"),
    Fault("a job's quick success is a failure", MACHINE,
          " && !self.is_success(status)", "",
          "a migration that takes less than a second is run again and again"),
    Fault("news of a birth undoes a stop", MACHINE,
          "if self.state != State::Starting {", "if self.state == State::Running {",
          "a program that was stopped while it started is said to run"),
    # --- what is told ---
    Fault("told of a ninth life", HISTORY,
          "(self.lives.len() + 1).saturating_sub(MOST_LIVES)", "self.lives.len().saturating_sub(MOST_LIVES)",
          "what is kept of a process is more than was promised"),
    Fault("told of the oldest lives", HISTORY,
          "self.lives.iter().skip(too_old).cloned().chain([life]).collect()",
          "self.lives.iter().cloned().chain([life]).take(MOST_LIVES).collect()",
          "after eight ends nobody learns of another"),
    Fault("told that nobody stopped it", MACHINE,
          "self.told().stopper = Some(Wish { by, at: now.wall });",
          "let _ = by;\n        self.told().stopper = Some(Wish { by: None, at: now.wall });",
          "who stopped the database is not told"),
    Fault("told that it is stopped while it runs", MACHINE,
          "        told.stopper = None;\n", "",
          "a crash is said to have been a person's stop"),
    Fault("told of SIGKILL as of somebody's", MACHINE,
          "self.told().killed = true;", "",
          "a program that ignores its stop signal is said to have been killed by somebody else"),
    Fault("told of a signal to an earlier child", HISTORY,
          "self.lives = self.lives.iter().skip(too_old).cloned().chain([life]).collect();\n        (self.sent, self.killed) = (None, false);",
          "self.lives = self.lives.iter().skip(too_old).cloned().chain([life]).collect();",
          "a HUP of yesterday explains a death of today"),
    Fault("told nothing by the next brain", RESUME,
          "if memory.history.since.is_some() {", "if memory.history.since.is_none() {",
          "after a brain's death nobody knows why anything is down"),
    Fault("told of a signal too late", COMMANDS,
          "self.with(now, id, out, |process, _, _| process.is_sent(now, signal, Arc::clone(by)));", "",
          "who sent the signal that ended a program is not told"),
    Fault("told of too few restarts", MACHINE,
          "told.restarts = told.restarts.saturating_add(1);", "told.restarts = told.restarts.max(1);",
          "a program that dies all the time seems to have died once"),
    # --- coming back ---
    Fault("unexpected means expected", MACHINE,
          "AutoRestart::Unexpected => !expected,", "AutoRestart::Unexpected => expected,",
          "crashes are not restarted, and clean exits are"),
    Fault("pause ignored", MACHINE,
          "stopped.mono + self.config.restartpause", "stopped.mono",
          "restartpause does nothing"),
    Fault("pause counted from the news", MACHINE,
          "self.stopped.map_or(now.mono, |stopped| stopped.mono + self.config.restartpause)",
          "now.mono + self.config.restartpause",
          "the pause is longer than was asked for"),
    Fault("no pace", MACHINE,
          "self.started.map_or(at, |started| at.max(started.mono + PACE))", "at",
          "a program that ends at once is forked a thousand times a second"),
    Fault("retries count as restarts", MACHINE,
          "if let (State::Exited, Some(limit)) = (self.state, self.config.startlimit) {",
          "if let Some(limit) = self.config.startlimit {",
          "startlimit makes a program FATAL that was restarted once"),
    Fault("a retry shown as a restart", MACHINE,
          "if self.state == State::Exited {\n                    self.comes_again();\n                }", "self.comes_again();",
          "a program that never came up is said to have been restarted"),
    Fault("restarts shown after a start by hand", MACHINE,
          "        self.restarted = 0;\n", "",
          "a program that somebody has just mended is said to have failed"),
    Fault("start limit off by one", PACE,
          "self.0.len().checked_sub(limit.restarts.into())",
          "self.0.len().checked_sub(usize::from(limit.restarts) + 1)",
          "startlimit never stops anything"),
    Fault("restarts kept after a start by hand", MACHINE,
          "self.comebacks.forget();", "",
          "a program that somebody has just mended is FATAL at its first crash"),
    Fault("cancelled restart made all the same", MACHINE,
          "if comes_back || self.state == State::Exited {\n            self.deadline = None;",
          "if comes_back {\n            self.deadline = None;",
          "who stops a program that is about to come back sees it come back"),
    Fault("a deadline that was moved comes too", TIMERS,
          "            self.due.remove(&(before, timer));\n        }\n        if let Some(at) = at {",
          "            let _ = before;\n        }\n        if let Some(at) = at {",
          "SIGKILL comes when the time for a start would have been over"),
    Fault("the last deadline instead of the first", TIMERS,
          "self.due.first().map(|(at, _)| *at)", "self.due.last().map(|(at, _)| *at)",
          "a SIGKILL waits until something else happens"),
    # --- stopping ---
    Fault("SIGKILL only once", MACHINE,
          "self.deadline = Some(now.mono + self.patience().max(PACE));", "",
          "a child whose SIGKILL was lost on the way is STOPPING for ever"),
    Fault("patience forgotten", MACHINE,
          """                self.deadline = Some(now.mono + self.patience());
                self.enter(State::Stopping""",
          """                self.deadline = None;
                self.enter(State::Stopping""",
          "a child that ignores SIGTERM is never killed"),
    Fault("patience of another option", RESUME,
          "self.deadline = Some(now.mono + self.patience());",
          "self.deadline = Some(now.mono + seconds(self.config.startsecs));",
          "after a brain's death a database is killed while it writes"),
    Fault("killasgroup taken from stopasgroup", MACHINE,
          "self.kill(SIGKILL, self.config.killasgroup, out);", "self.kill(SIGKILL, self.config.stopasgroup, out);",
          "grandchildren survive, or die, against their configuration"),
    Fault("a stop before the child is there is lost", MACHINE,
          "                self.ask_to_stop(out);\n            }\n            State::Backoff",
          "                if self.pid.is_some() {\n                    self.ask_to_stop(out);\n                }\n            }\n            State::Backoff",
          "stop returns only when stopwaitsecs are over, and the program dies by SIGKILL"),
    Fault("a stop between two attempts does nothing", MACHINE,
          "name: Arc::clone(&self.name) }));\n                self.is_stopped(out, 0);",
          "name: Arc::clone(&self.name) }));",
          "a program in BACKOFF cannot be stopped"),
    Fault("a dead child stays the process's", MACHINE,
          "        self.child = None;\n        match self.state {\n            State::Starting if too_quick",
          "        match self.state {\n            State::Starting if too_quick",
          "a group whose programs have all ended cannot be removed"),
    Fault("a stop without waiting is a promise only", COMMANDS,
          "self.decide(ask, id, Ok(()));\n                }\n                self.with(now, id, out, |process, _, out| process.stop(now, Some(Arc::clone(by)), out));",
          "self.decide(ask, id, Ok(()));\n                }\n                if wait {\n                    self.with(now, id, out, |process, _, out| process.stop(now, Some(Arc::clone(by)), out));\n                }",
          "stop is answered with yes, and the program runs on"),
    Fault("a restart starts before all is down", ASK,
          "self.turns > 0 && self.to_stop == 0", "self.turns > 0",
          "two generations of what belongs together run side by side"),
    Fault("a restart reaches further than who gives it", COMMANDS,
          "let covers = |id: &ProcessId| programs.covers(&group.name, &self.processes[id].name);",
          "let covers = |id: &ProcessId| programs.covers(&group.name, &self.processes[id].name) || true;",
          "somebody restarts programs that are not his affair"),
    Fault("a list reaches further than who gives it", LISTED,
          "programs.covers(&process.group, &process.name)", "programs.covers(&process.group, &process.name) || true",
          "somebody stops programs that are not his affair by naming them together"),
    Fault("a list is answered as it happens to end", ASK,
          "job.results.sort_by_key(place);", "job.results.sort_by_key(|entry| place(entry).is_none());",
          "a script takes the result of one program for that of another"),
    Fault("a word for nobody is passed over", LISTED,
          "for name in nobody {", "for name in nobody.into_iter().skip(1) {",
          "a typing error in a deployment is a success"),
    Fault("what a pattern finds running is started again", LISTED,
          "None if deed.concerns(process.state) => {", "None if deed.concerns(process.state) || !reached.is_empty() => {",
          "start 'web-*' fails for what runs already"),
    Fault("a stop counts as done when it has begun", ASK,
          "state if state.is_stopped() => Some(Ok(())),",
          "state if state.is_stopped() || state == State::Stopping => Some(Ok(())),",
          "a deployment replaces files under a program that still runs"),
    Fault("a person's signal goes to the whole group", COMMANDS,
          "target: KillTarget::Process });", "target: KillTarget::Group });",
          "a HUP for a master process reaches its workers"),
    Fault("an unknown process may be started", COMMANDS,
          'State::Unknown => Err(Fault::Failed { detail: format!("{name} is in an unknown process state") }),',
          "State::Unknown => Ok(Until::Started),",
          "two servers fight for one port"),
    # --- children replaced without asking ---
    Fault("promise kept after leaving RUNNING", MACHINE,
          "        self.withdraw(out);\n        let from", "        let from",
          "a program that was stopped is back in the same millisecond"),
    Fault("promise in spite of a pause", MACHINE,
          "let is_plain = self.config.restartpause.is_zero() && self.config.startlimit.is_none();",
          "let is_plain = self.config.startlimit.is_none();",
          "restartpause is kept only sometimes"),
    Fault("promise whatever the exit code", MACHINE,
          "RelaunchOn::OtherThan(self.config.exitcodes.clone())", "RelaunchOn::AnyEnd",
          "a program that ended as it should is started again"),
    Fault("promise without pace", MACHINE,
          "after: PACE });", "after: Duration::ZERO });",
          "a program that ends at once is forked without end"),
    Fault("promises while everything stops", SUPERVISOR,
          "if restarts == Restarts::Allowed && process.promise(", "if process.promise(",
          "a shutdown takes as long as programs crash in it"),
    Fault("promises not withdrawn at the end", ENDING,
          "                process.withdraw(out);\n", "",
          "a program comes back in the middle of a shutdown"),
    Fault("the one that took the place is not stopped", MACHINE,
          "return self.ask_to_stop(out);", "return;",
          "a stop waits for stopwaitsecs, and then kills what it never asked"),
    Fault("the one that took the place inherits the deadline", MACHINE,
          "            self.deadline = Some(now.mono + self.patience());\n            out.push(Action::TakeOver",
          "            out.push(Action::TakeOver",
          "a program is killed before it had its time to stop"),
    Fault("the one that took the place is let run", MACHINE,
          "State::Stopping if next.is_some() => {", "State::Stopping if next.is_some() && pid == 0 => {",
          "a program that was stopped, and said to be stopped, runs"),
    Fault("news for the one that took the place is lost", SUPERVISOR,
          "                    self.children.insert(next, *id);\n", "                    let _ = (next, id);\n",
          "a program that was replaced is STARTING for ever"),
    Fault("an earlier brain's promise stays in force", RESUME,
          "        out.push(Action::NoRelaunch { child });\n", "",
          "after a brain's death a program comes back against its new configuration"),
    # --- news and bookkeeping ---
    Fault("ends are never let go", SUPERVISOR,
          "                out.push(Action::Forget { child });\n", "",
          "the keeper's table grows by every child that ever ended"),
    Fault("a child's number is given away twice", SUPERVISOR,
          "} else if self.next_child == child.0 + 1 {", "} else {",
          "the end of one program is taken for another's"),
    Fault("an end is told to another process", SUPERVISOR,
          "if self.processes.get(&id).is_some_and(|process| process.child == Some(child)) {",
          "if let Some(id) = self.processes.keys().next().copied() {",
          "one program's exit stops another one's record"),
    Fault("waits are not looked at", SUPERVISOR,
          "        self.answer_waits(now, id, out);\n", "",
          "supervisorctl start hangs"),
    Fault("a wait is not answered at a removal", COMMANDS,
          "for wait in self.asks.take(id, |_| true) {", "for wait in self.asks.take(id, |_| false) {",
          "who cleared logs of a group that was removed waits for ever"),
    Fault("a group is removed from under its child", COMMANDS,
          "!process.state.is_stopped() || process.child.or(process.remains).is_some()",
          "!process.state.is_stopped()",
          "a program that nobody may signal is lost from sight"),
    Fault("a group is added twice", COMMANDS,
          "        if self.group(&name).is_some() {\n            return Reply::Fault(Fault::AlreadyAdded",
          "        if name.is_empty() {\n            return Reply::Fault(Fault::AlreadyAdded",
          "supervisorctl add starts every program of the group a second time"),
    Fault("an added group stands at the end", ORDER,
          "groups.partition_point(|group| group.config.priority <= priority)",
          "groups.len() + usize::from(priority < i64::MIN)",
          "a database that was added late is stopped before its clients"),
    Fault("a stop of a group leaves its listeners out of the list", COMMANDS,
          "Deed::Stop { .. } => state.is_running(),", "Deed::Stop { .. } => !state.is_stopped(),",
          "stop all reports failures for what is being stopped already"),
    # --- the end of everything ---
    Fault("waves from the lowest priority", ORDER,
          "groups.iter().rev().find(|group|", "groups.iter().find(|group|",
          "a database is stopped before its clients"),
    Fault("all waves at once", ORDER,
          "group.config.priority == last.config.priority", "group.config.priority <= last.config.priority",
          "a database is stopped while its clients still write"),
    Fault("within a group the lowest priority stops first", ORDER,
          "by_priority(group, processes).into_iter().rev()", "by_priority(group, processes).into_iter()",
          "a master is stopped before its workers"),
    Fault("start all in any order", ORDER,
          "    ids.sort_by_key(|id| processes[id].config.priority);\n", "    ids.sort_by_key(|id| std::cmp::Reverse(processes[id].config.priority));\n",
          "workers start before their master"),
    Fault("waits for a start survive the end", ENDING,
          "|wait| wait.until != Until::Stopped", "|wait| matches!(wait.until, Until::LogsDone(_))",
          "supervisorctl start hangs through a shutdown"),
    Fault("who waits for the main log is forgotten at the end", ENDING,
          "for ask in self.asks.waiting_for_main_log() {", "for ask in self.asks.waiting_for_main_log().into_iter().skip(usize::MAX) {",
          "supervisorctl rotate hangs through a shutdown"),
    Fault("the main log is left out", COMMANDS,
          "if all_of_all => {", "if all_of_all && now.mono.0 == 0 => {",
          "supervisorctl rotate leaves the main log as it is, and says nothing"),
    Fault("essential forgotten", ENDING,
          "if self.processes[&id].config.essential {", "if self.processes[&id].config.essential && !self.begun {",
          "a container goes on without the program it is there for"),
    Fault("the essential program's status is lost", ENDING,
          "self.status = process.end.map_or(0, End::status);", "self.status = 0;",
          "an orchestrator takes a crash for a success"),
    Fault("FATAL with status 0", END,
          "status: last.map_or(1, as_ours).max(1)", "status: last.map_or(1, as_ours)",
          "a program that never came up is a success"),
    Fault("the last failure decides", ENDING,
          "counted().find(failed)", "counted().filter(failed).last()",
          "the exit status is that of a victim, not of the culprit"),
    Fault("listeners keep everything alive", ENDING,
          "self.processes[&id].config.kind != ProcessKind::EventListener", "self.processes.contains_key(&id)",
          "exit_on=all_exited never comes, because a listener runs"),
    Fault("a program that was started again still counts as ended", ENDING,
          "        self.ends.retain(|other| *other != id);\n        let Some(end) = end else { return false };",
          "        let Some(end) = end else { return false };",
          "the exit status is that of a failure which was mended"),
    Fault("an exit in a shutdown changes its status", MACHINE,
          """        if restarts == Restarts::Forbidden {
            return;
        }
        if !self.comes_back""",
          "        if !self.comes_back",
          "systemctl stop reports a failure"),
    Fault("a restart is not overridden by a shutdown", ENDING,
          "if self.mood != Mood::Shutdown && self.mood != mood {", "if self.mood == Mood::Running {",
          "a daemon that was told to end comes back"),
    Fault("a restart with a broken configuration", COMMANDS,
          "(ReadFor::Restart, Ok(_)) => {", "(ReadFor::Restart, _) => {",
          "a typing error and a HUP stop everything for good"),
    # --- a brain's death ---
    Fault("memory written only when the state changes", SUPERVISOR,
          "if memory != before {", "if memory.state != before.state {",
          "after a brain's death start times and ends are those of an earlier life"),
    Fault("memory written before the deed", SUPERVISOR,
          "out.push(Action::Remember { process: id, group, name, memory: Box::new(memory) });",
          "out.push(Action::Remember { process: id, group, name, memory: Box::new(before) });",
          "what was stopped runs again after a brain's death"),
    Fault("an end under way is not written down", ENDING,
          "            out.push(Action::RememberEnding(self.ending()));\n", "",
          "a shutdown is forgotten when a brain dies in it"),
    Fault("a shutdown is promised before it is written down", COMMANDS,
          "                self.turn(Mood::Shutdown, out);\n                Self::reply(ask, Reply::Done, out);\n",
          "                Self::reply(ask, Reply::Done, out);\n                self.turn(Mood::Shutdown, out);\n",
          "supervisorctl shutdown says yes, and everything runs on"),
    Fault("failures forgotten by the next brain", RESUME,
          "(self.backoff, self.stopped) = (memory.backoff, memory.stopped);", "self.stopped = memory.stopped;",
          "while brains die a program is retried without end"),
    Fault("a stop under way forgotten by the next brain", RESUME,
          "                        self.ask_to_stop(out);\n", "",
          "a program that was to stop gets no signal but SIGKILL"),
    Fault("a stop signal sent twice", RESUME,
          "Due::At(at) if memory.asked =>", "Due::At(at) if memory.asked && memory.backoff > 0 =>",
          "a worker that takes a second SIGTERM for 'drop everything' drops its work because a brain died"),
    Fault("patience begins again with the next brain", RESUME,
          "(self.deadline, self.asked) = (Some(at), true),",
          "(self.deadline, self.asked) = (Some(at.max(now.mono + self.patience())), true),",
          "while brains die a stop never comes to SIGKILL"),
    Fault("a stop signal is said to be sent that is not", RESUME,
          "asked: self.asked && self.state == State::Stopping,", "asked: self.state != State::Stopping,",
          "a program is asked again and again, or never"),
    Fault("startsecs forgotten by the next brain", RESUME,
          "                self.deadline = Some(at + seconds(self.config.startsecs));\n", "                let _ = at;\n",
          "a program is STARTING for ever"),
    Fault("a restart that was due is forgotten by the next brain", RESUME,
          "                    Due::At(at) => Some(at),\n", "                    Due::At(_) => None,\n",
          "a crashed program stays down because a brain died"),
    Fault("a restart that was due is made at once by the next brain", RESUME,
          "                    Due::At(at) => Some(at),\n", "                    Due::At(_) => Some(now.mono),\n",
          "restartpause is over when a brain dies"),
    Fault("a retry that was due is forgotten by the next brain", RESUME,
          "                    Due::At(at) => at,\n", "                    Due::At(at) => at + std::time::Duration::from_secs(86_400),\n",
          "a program in BACKOFF stays there"),
    Fault("a retry waits anew with the next brain", RESUME,
          "                    Due::At(at) => at,\n", "                    Due::At(_) => now.mono + self.retry_wait(),\n",
          "while brains die a program in BACKOFF is never tried again"),
    Fault("a retry waits as long as another draw says", RESUME,
          "                    Due::At(at) => at,\n", "                    Due::At(_) => self.retry_as_if_now(now),\n",
          "backoffjitter is drawn again and again, and long waits become short"),
    Fault("a restart that was called off is made by the next brain", RESUME,
          "Due::Never => None,", "Due::Never => self.comes_back(expected).then_some(now.mono),",
          "what somebody kept down is up again after a brain's death"),
    Fault("a wish that died with the brain waits like a failure", RESUME,
          "                self.deadline = Some(self.paced(now.mono));\n",
          "                self.deadline = Some(self.paced(now.mono) + self.retry_wait());\n",
          "a program that was about to be tried again waits its hour once more"),
    Fault("nobody is told what became of a wish that died with the brain", RESUME,
          "self.enter(State::Backoff, StateDetail::Tries(self.backoff), out),", "self.state = State::Backoff,",
          "a listener sees STARTING after STARTING, and one that counts failed starts has missed one"),
    Fault("no pace after a brain's death", RESUME,
          "                self.deadline = Some(self.paced(now.mono));\n",
          "                self.deadline = Some(now.mono);\n",
          "brains and programs that die in turn fork as fast as they can"),
    Fault("restarts forgotten by the next brain", RESUME,
          "Comebacks::recalled(memory.restarts.clone())", "Comebacks::default()",
          "while brains die startlimit never stops anything"),
    Fault("how often a program was restarted is forgotten by the next brain", RESUME,
          "        self.restarted = memory.restarted;\n", "",
          "the web page says that a program which fails every minute has never failed"),
    Fault("one restart too few is written down", PACE,
          "        Arc::clone(&self.0)\n", "        self.0.iter().copied().skip(1).collect()\n",
          "startlimit allows one restart more for each brain that dies"),
    Fault("the last exit code forgotten by the next brain", RESUME,
          "self.last = memory.last.or(memory.exit);", "self.last = memory.exit;",
          "an orchestrator is told 1 instead of what the program said"),
    Fault("the order of ends forgotten by the next brain", ENDING,
          "        ends.sort();\n", "        ends.sort_by_key(|(.., id)| std::cmp::Reverse(*id));\n",
          "the exit status is that of a victim, not of the culprit"),
    Fault("ends are numbered from one again", ENDING,
          "self.last_end = self.last_end.max(", "let _: u64 = self.last_end.max(",
          "the exit status is that of whoever ended after a brain's death"),
    Fault("an end is taken for another child's", RESUME,
          "            (self.remains, self.child, self.pid) = (self.child, None, None);\n", "",
          "a program that was stopped comes back, because a brain died in the same millisecond"),
    Fault("a group goes while the keeper holds a child of it", COMMANDS,
          "process.child.or(process.remains).is_some()", "process.child.is_some()",
          "after two deaths of brains and an update a new program is said to be running that never was"),
    Fault("of two children the older is taken over", SUPERVISOR,
          "        let Some(id) = self.find(&group, &name) else {\n            out.push(Action::NoRelaunch",
          "        let free = self.find(&group, &name).filter(|id| self.processes[id].child.is_none());\n"
          "        let Some(id) = free else {\n            out.push(Action::NoRelaunch",
          "after two deaths of brains a program runs that nobody stops or restarts"),
    Fault("what was stopped starts by itself with the next brain", SUPERVISOR,
          " && !self.recalled.contains(&id)", "",
          "everything that was stopped by hand runs after a brain's death"),
    Fault("deadlines fall due before everything is told", SUPERVISOR,
          "if self.begun && !self.finished {", "if !self.finished {",
          "a brain that dies in a shutdown starts programs before it goes on with it"),
]


def main():
    arguments = argparse.ArgumentParser(description="Does the simulator see planted faults?")
    arguments.add_argument("--some", type=int, metavar="N", help="only N of them, chosen by the commit")
    arguments.add_argument("--only", metavar="WORD", help="only those whose name contains WORD")
    arguments.add_argument("--list", action="store_true", help="show the table")
    wanted = arguments.parse_args()
    if wanted.list:
        for fault in FAULTS:
            print(f"{fault.name} ({fault.file}): {fault.suffer}")
        return 0
    stale = [complaint for complaint in map(staleness, FAULTS) if complaint]
    if stale:
        print("the table is stale:", *stale, sep="\n  ", file=sys.stderr)
        return 2
    return plant(chosen(wanted))


def chosen(wanted):
    faults = [fault for fault in FAULTS if not wanted.only or wanted.only in fault.name]
    if not wanted.some or wanted.some >= len(faults):
        return faults
    # Every commit gets the next ones, so that none is left out for long.
    first = commit_count() * wanted.some
    return [faults[(first + n) % len(faults)] for n in range(wanted.some)]


def commit_count():
    counted = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    # Without a repository the day will do.
    return int(counted.stdout) if counted.returncode == 0 else int(time.time() // 86400)


def staleness(fault):
    text = (ROOT / "crates" / fault.file).read_text()
    found = text.count(fault.find)
    return None if found == 1 else f"{fault.name}: its text is in crates/{fault.file} {found} times"


def plant(faults):
    prepare()
    print(f"{len(faults)} faults, of {len(FAULTS)}", flush=True)
    # All its seeds are what `cargo test` is for.
    verdict = examine(seeds=300)
    if verdict != ("kept", ""):
        print(f"without any fault: {verdict[0]}: {verdict[1]}", file=sys.stderr)
        return 2
    missed, stale, started = [], [], time.monotonic()
    for number, fault in enumerate(faults, 1):
        file = SCRATCH / "crates" / fault.file
        good = file.read_text()
        began = time.monotonic()
        file.write_text(good.replace(fault.find, fault.put))
        try:
            kind, text = examine()
            if kind == "kept":
                missed.append(fault.name)
                text = f"NOT CAUGHT: {fault.suffer} ({scenarios()})"
            elif kind == "broken build":
                stale.append(fault.name)
                text = f"does not compile: {text}"
        finally:
            file.write_text(good)
        print(f"{number:>3}  {fault.name}\n       {text}  [{time.monotonic() - began:.1f} s]", flush=True)
    print(f"{len(faults) - len(missed) - len(stale)} of {len(faults)} caught in {time.monotonic() - started:.0f} s")
    if stale:
        return 2
    return 1 if missed else 0


def prepare():
    """Brings the copy up to date; what has not changed keeps its time, and is not built again."""
    for name in ["core", "config"]:
        source, copy = ROOT / "crates" / name, SCRATCH / "crates" / name
        theirs = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
        for path in copy.rglob("*"):
            if path.is_file() and path.relative_to(copy) not in theirs:
                path.unlink()
        for path in theirs:
            write(copy / path, (source / path).read_bytes())
    write(SCRATCH / "Cargo.toml", workspace().encode())


def write(path, content):
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def workspace():
    """The root manifest, without the root package and without what these two crates do not use."""
    sections = re.split(r"(?m)^(?=\[)", (ROOT / "Cargo.toml").read_text())
    kept = []
    for section in sections:
        name = section.split("]")[0].strip("[")
        if name == "workspace":
            kept.append('[workspace]\nmembers = ["crates/*"]\nresolver = "3"\n')
        elif name == "workspace.dependencies":
            lines = section.splitlines()
            kept += [lines[0], *(line for line in lines if re.match(r"provost-(core|config) ", line)), ""]
        elif name.startswith(("workspace.", "profile.")):
            kept.append(section)
    return "\n".join(kept)


def examine(seeds=None):
    """Builds the copy and runs the simulator: kept, broken rule, or broken build, with a line about it."""
    built = run([*CARGO, "--test", "simulator", "--no-run"], BUILD_SECONDS)
    if built is None or built.returncode != 0:
        errors = [] if built is None else [line for line in built.stderr.splitlines() if line.startswith("error")]
        return "broken build", errors[0] if errors else "the build takes too long"
    ran = run([*CARGO, "--test", "simulator"], RUN_SECONDS, seeds)
    if ran is None:
        return "broken rule", f"it has not ended after {RUN_SECONDS} seconds"
    if ran.returncode == 0:
        return "kept", ""
    broken = re.search(r"after (\d+) seeds: seed \d+ breaks a rule in step \d+: (.*)", ran.stdout + ran.stderr)
    if broken:
        seeds, rule = broken.groups()
        return "broken rule", f"after {seeds} seeds: {rule[:150]}"
    poor = re.search(r"the worlds are too friendly: .* came up (\d+) times", ran.stdout + ran.stderr)
    if not poor:
        return "broken rule", "it fails without a word"
    # What never happens any more is missed. What happens less often than it should by chance is not.
    return "broken rule" if poor.group(1) == "0" else "kept", poor.group(0)


def scenarios():
    ran = run([*CARGO, "--test", "scenarios"], BUILD_SECONDS)
    return "the scenarios do not see it either" if ran and ran.returncode == 0 else "the scenarios see it"


def run(command, seconds, seeds=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROVOST_SIM_")}
    if seeds:
        environment["PROVOST_SIM_SEEDS"] = str(seeds)
    environment["CARGO_TARGET_DIR"] = str(SCRATCH / "target")
    try:
        return subprocess.run(command, cwd=SCRATCH, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None


if __name__ == "__main__":
    sys.exit(main())
