//! A real Chromium without a window, driven by the DevTools protocol over a pair of pipes.
//!
//! In: addresses, expressions to evaluate, clicks and keys. Out: what the page says, and pictures of it below `target/web-screenshots`
//! (or where `PROVOST_SCREENSHOTS` says). The browser has a profile of its own and speaks to this machine only. Where none is
//! installed the tests fail and say how to get one. Not here: what a page should look like.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provost_testkit::{DEADLINE, Deadline, Process, Sandbox};
use serde_json::{Value, json};

/// Where Debian's package and others have it.
const PLACES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Handles 3 and 4 are where the browser takes orders and reports.
const WITH_PIPES: &str = "exec \"$@\" 3<&0 4>&1 1>&2";

/// A running browser.
pub(crate) struct Browser {
    child: Child,
    orders: ChildStdin,
    reports: Receiver<Value>,
    /// Events that nobody has waited for yet.
    heard: Vec<Value>,
    last_order: u64,
    _profile: Sandbox,
}

impl Browser {
    /// Starts one in which every name of `example` is this machine.
    #[track_caller]
    pub(crate) fn start() -> Browser {
        let program = PLACES.iter().find(|name| which(name)).unwrap_or_else(|| {
            panic!("there is no Chromium to test the web page with; scripts/setup-tests.sh installs one")
        });
        let profile = Sandbox::new();
        let said = File::create(profile.file("browser.err")).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", WITH_PIPES, "sh", program])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"])
            // Else clicks are dropped until some time after a page has been painted.
            .arg("--allow-pre-commit-input")
            .arg("--host-resolver-rules=MAP *.example 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let (sender, reports) = channel();
        std::thread::spawn(move || {
            for message in from.split(0) {
                let message = message.ok().and_then(|text| serde_json::from_slice(&text).ok());
                if message.is_none_or(|message| sender.send(message).is_err()) {
                    return;
                }
            }
        });
        Browser { child, orders, reports, heard: Vec::new(), last_order: 0, _profile: profile }
    }

    /// Opens a window of this size.
    #[track_caller]
    pub(crate) fn page(&mut self, width: u32, height: u32) -> Page<'_> {
        // A context of its own has no passwords and no cache of another test's.
        let context = self.order(None, "Target.createBrowserContext", json!({}));
        let target = self.order(
            None,
            "Target.createTarget",
            json!({"url": "about:blank", "browserContextId": context["browserContextId"]}),
        );
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.order(None, "Target.attachToTarget", attach);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let context = context["browserContextId"].as_str().unwrap().to_owned();
        let mut page = Page { browser: self, session, context, loader: String::new() };
        for domain in ["Page.enable", "Page.bringToFront", "Runtime.enable", "Network.enable", "Log.enable"] {
            page.order(domain, json!({}));
        }
        page.order("Page.setLifecycleEventsEnabled", json!({"enabled": true}));
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        page.order("Emulation.setDeviceMetricsOverride", metrics);
        page
    }

    #[track_caller]
    fn order(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        let answer = self.try_order(session, method, params);
        answer.unwrap_or_else(|e| panic!("{method}: {e}"))
    }

    #[track_caller]
    fn try_order(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        self.last_order += 1;
        let id = self.last_order;
        let mut order = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            order["sessionId"] = session.into();
        }
        let mut bytes = order.to_string().into_bytes();
        bytes.push(0);
        self.orders.write_all(&bytes).unwrap();
        let deadline = Deadline::default();
        loop {
            let mut report = self.next(deadline, &format!("the answer to {method}"));
            if report["id"] == id {
                return match report.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(report["result"].take()),
                };
            }
            self.heard.push(report);
        }
    }

    #[track_caller]
    fn next(&mut self, deadline: Deadline, what: &str) -> Value {
        let left = deadline.remaining().unwrap_or_default();
        match self.reports.recv_timeout(left) {
            Ok(report) => report,
            Err(RecvTimeoutError::Timeout) => {
                let heard: Vec<String> = self.heard.iter().map(Value::to_string).collect();
                panic!("the browser has not said {what} in {DEADLINE:?}, but:\n{}", heard.join("\n"))
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the browser has ended before {what}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends when told so; by force if not.
        let close = json!({"id": 0, "method": "Browser.close", "params": {}}).to_string() + "\0";
        let _ = self.orders.write_all(close.as_bytes());
        let process = Process::new(i32::try_from(self.child.id()).unwrap());
        if !process.ended_before(Deadline::default()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn which(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// A window.
pub(crate) struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
    context: String,
    /// The number of the page that is loaded, as the browser counts.
    loader: String,
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let context = json!({"browserContextId": self.context});
            self.browser.order(None, "Target.disposeBrowserContext", context);
        }
    }
}

impl Page<'_> {
    /// From here on pages have no scripts.
    #[track_caller]
    pub(crate) fn without_scripts(&mut self) {
        self.order("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    #[track_caller]
    pub(crate) fn in_the_dark(&mut self) {
        let features = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
        self.order("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Goes to an address, and waits until all of it is there.
    #[track_caller]
    pub(crate) fn go(&mut self, url: &str) {
        let gone = self.order("Page.navigate", json!({"url": url}));
        assert!(gone.get("errorText").is_none(), "{url}: {gone}");
        let loader = gone["loaderId"].as_str().unwrap().to_owned();
        self.load(|this| this == loader);
    }

    /// Waits for the page that a click leads to.
    #[track_caller]
    pub(crate) fn loaded(&mut self) {
        let before = self.loader.clone();
        self.load(|this| this != before);
    }

    /// Waits until the wanted page is there.
    #[track_caller]
    fn load(&mut self, wanted: impl Fn(&str) -> bool) {
        let deadline = Deadline::default();
        loop {
            let heard = &self.browser.heard;
            let mut ours = heard.iter().filter(|event| event["sessionId"] == *self.session);
            let loaded = ours.find_map(|event| {
                let what = &event["params"];
                let is_load = event["method"] == "Page.lifecycleEvent" && what["name"] == "load";
                what["loaderId"].as_str().filter(|loader| is_load && wanted(loader)).map(str::to_owned)
            });
            if let Some(loader) = loaded {
                self.browser.heard.retain(|event| event["method"] != "Page.lifecycleEvent");
                self.loader = loader;
                break;
            }
            let report = self.browser.next(deadline, "that the page is loaded");
            self.browser.heard.push(report);
        }
    }

    /// What an expression of JavaScript gives.
    #[track_caller]
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let result = self.try_eval(expression);
        result.unwrap_or_else(|e| panic!("{expression}: {e}"))
    }

    fn try_eval(&mut self, expression: &str) -> Result<Value, Value> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let session = self.session.clone();
        let mut result = self.browser.try_order(Some(&session), "Runtime.evaluate", params)?;
        match result.get("exceptionDetails") {
            Some(thrown) => Err(thrown.clone()),
            None => Ok(result["result"]["value"].take()),
        }
    }

    #[track_caller]
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({selector:?}).textContent"));
        text.as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true, looking whenever the page changes.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let deadline = Deadline::default();
        let waiting = format!(
            "new Promise(done => {{
                const look = () => {{ let is; try {{ is = {expression}; }} catch {{ is = false; }} if (is) {{ watcher.disconnect(); done(true); }} }};
                const watcher = new MutationObserver(look);
                watcher.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
                setTimeout(() => done(false), {});
                look();
            }})",
            deadline.remaining().unwrap().as_millis() / 2
        );
        while deadline.remaining().is_some() {
            // A page that goes away takes the promise with it; the next one is asked anew.
            if let Ok(Value::Bool(true)) = self.try_eval(&waiting) {
                return;
            }
        }
        let page = self.eval("document.documentElement.outerHTML");
        panic!("never true: {expression}\n{}", page.as_str().unwrap_or_default());
    }

    /// Clicks into the middle of what the selector finds, as a person would.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let at = self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2, r.width]; }})()"
        ));
        assert!(at[2].as_f64().is_some_and(|width| width > 0.0), "{selector} cannot be seen: {at}");
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "buttons": 1, "clickCount": 1});
            self.order("Input.dispatchMouseEvent", params);
        }
    }

    /// Types into whatever has the focus.
    #[track_caller]
    pub(crate) fn type_text(&mut self, text: &str) {
        self.order("Input.insertText", json!({"text": text}));
    }

    /// Keeps a picture of the page.
    #[track_caller]
    pub(crate) fn picture(&mut self, name: &str) {
        let shot = self.order("Page.captureScreenshot", json!({"format": "png"}));
        let picture = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let directory = std::env::var_os("PROVOST_SCREENSHOTS").map_or_else(
            || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("web-screenshots"),
            PathBuf::from,
        );
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{name}.png")), picture).unwrap();
    }

    /// What the page's console and the browser complained about so far.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // Whatever was said before this answer has been heard.
        self.eval("1");
        let said = |event: &Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(event["params"]["exceptionDetails"].to_string()),
            Some("Log.entryAdded") => {
                let entry = &event["params"]["entry"];
                (entry["level"] == "error").then(|| entry.to_string())
            }
            _ => None,
        };
        self.browser
            .heard
            .iter()
            .filter(|event| event["sessionId"] == *self.session)
            .filter_map(said)
            .collect()
    }

    /// What a server has answered to this page so far.
    pub(crate) fn statuses(&mut self, server: &str) -> Vec<i64> {
        self.eval("1");
        let answered = |event: &Value| {
            let response = &event["params"]["response"];
            let is_ours = response["url"].as_str().is_some_and(|url| url.starts_with(server));
            (event["method"] == "Network.responseReceived" && is_ours).then(|| response["status"].as_i64())?
        };
        self.browser
            .heard
            .iter()
            .filter(|event| event["sessionId"] == *self.session)
            .filter_map(answered)
            .collect()
    }

    #[track_caller]
    fn order(&mut self, method: &str, params: Value) -> Value {
        let session = self.session.clone();
        self.browser.order(Some(&session), method, params)
    }
}
