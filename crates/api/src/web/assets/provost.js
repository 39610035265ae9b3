// Keeps the page as it is on the server: rows as they change, buttons without reloading, logs as they grow, the filter.
// All of it works without this file, only less conveniently. What comes from the server is either a row that the server has
// escaped, as on the page, or text, which is put in as text.
"use strict";

(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const every = (selector, within = document) => Array.from(within.querySelectorAll(selector));

  // Whoever came by an address with a password in it has that in all relative ones, and a browser refuses to fetch those.
  const at = (address) => new URL(address, location.href).href;

  const live = one("#live");
  function say(text, on) {
    if (!live || live.textContent === text) return;
    live.textContent = text;
    live.classList.toggle("on", on);
  }

  // --- the page of all programs ---

  function programs() {
    const message = one("#statusmessage");

    function tell(text, wrong) {
      message.textContent = text;
      message.className = text ? "status_msg" + (wrong ? " wrong" : "") : "hidden";
    }

    const filter = one("#filter");
    const folded = new Set();

    function fits(row) {
      const name = decodeURIComponent(row.dataset.name).toLowerCase();
      if (!name.includes(filter.q.value.toLowerCase())) return false;
      switch (filter.state.value) {
        case "running": return row.dataset.state === "running";
        case "down": return row.dataset.state !== "running";
        case "failed": return row.dataset.failed === "true";
        default: return true;
      }
    }

    // Shows what fits, counts what runs, and says so.
    function arrange() {
      let running = 0, failed = 0, all = 0, seen = 0;
      for (const body of every("tbody")) {
        let up = 0, fitting = 0;
        const rows = every("tr.process", body);
        for (const row of rows) {
          const fit = fits(row);
          row.hidden = !fit || folded.has(body.dataset.group);
          if (fit) fitting += 1;
          if (row.dataset.state === "running") up += 1;
          if (row.dataset.failed === "true") failed += 1;
        }
        running += up;
        all += rows.length;
        seen += fitting;
        const line = one("tr.group", body);
        if (!line) continue;
        line.hidden = fitting === 0;
        one(".count", line).textContent = `${up} of ${rows.length} running`;
      }
      const count = one("#count");
      if (count) count.textContent = `${running} of ${all} running` + (failed ? `, ${failed} failed` : "");
      const nothing = one("#nothing");
      if (nothing) nothing.hidden = seen > 0;
    }

    // A button in front of each group that shows and hides its programs.
    function addFolds() {
      for (const body of every("tbody")) {
        const line = one(".groupline", body);
        if (!line || one(".fold", line)) continue;
        const group = body.dataset.group;
        const fold = document.createElement("button");
        fold.type = "button";
        fold.className = "fold";
        const show = () => {
          fold.textContent = folded.has(group) ? "▸" : "▾";
          fold.setAttribute("aria-expanded", String(!folded.has(group)));
          fold.setAttribute("aria-label", `programs of ${group}`);
        };
        fold.addEventListener("click", () => {
          if (!folded.delete(group)) folded.add(group);
          show();
          arrange();
        });
        show();
        line.prepend(fold);
      }
    }

    // Uptimes go on between two events. They are counted from when a row came.
    const since = new WeakMap();
    const length = (seconds) => {
      const days = Math.floor(seconds / 86400);
      const two = (n) => String(n).padStart(2, "0");
      const clock = `${Math.floor((seconds % 86400) / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
      return days === 0 ? clock : days === 1 ? `1 day, ${clock}` : `${days} days, ${clock}`;
    };
    function tick() {
      for (const up of every(".up")) {
        if (!since.has(up)) since.set(up, Date.now() - 1000 * Number(up.dataset.seconds));
        const seconds = Math.max(0, Math.floor((Date.now() - since.get(up)) / 1000));
        const text = up.textContent.replace(/uptime (\d+ days?, )?[\d:]+/, `uptime ${length(seconds)}`);
        if (text !== up.textContent) up.textContent = text;
      }
    }

    // Another row in the place of one; whoever was on one of its buttons stays there.
    function replaceRow(html) {
      const table = document.createElement("table");
      table.innerHTML = `<tbody>${html}</tbody>`;
      const fresh = one("tr.process", table);
      const old = fresh && every("tr.process").find((row) => row.dataset.name === fresh.dataset.name);
      if (!old) return;
      const focus = old.contains(document.activeElement) ? document.activeElement : null;
      fresh.classList.add("changed");
      old.replaceWith(fresh);
      if (focus) {
        const same = focus.dataset.action && one(`[data-action="${focus.dataset.action}"]`, fresh);
        (same || one("button, a", fresh) || fresh).focus({ preventScroll: true });
      }
    }

    let busy = null;
    function fetchAnew() {
      if (busy) return busy;
      busy = (async () => {
        const answer = await fetch(at("index.html"), { headers: { Accept: "text/html" } });
        if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const [mine, theirs] = [one("#statustable"), one("#statustable", page)];
        if (!mine || !theirs) return location.reload();
        mine.replaceWith(theirs);
        one("#actions").replaceWith(one("#actions", page));
        addFolds();
        arrange();
        tick();
      })().finally(() => { busy = null; });
      return busy;
    }

    // Buttons, without leaving the page.
    document.addEventListener("submit", async (event) => {
      const form = event.target;
      if (form.id === "filter") {
        event.preventDefault();
        return arrange();
      }
      if (form.id !== "actions" || !event.submitter) return;
      event.preventDefault();
      const button = event.submitter;
      if (button.getAttribute("aria-busy") === "true") return;
      button.setAttribute("aria-busy", "true");
      tell(`${button.getAttribute("aria-label") || button.textContent} …`, false);
      const address = at(button.getAttribute("formaction"));
      const send = () => fetch(address, {
        method: "POST",
        headers: { Accept: "text/plain" },
        body: new URLSearchParams({ token: one("#actions").elements.token.value }),
      });
      try {
        let answer = await send();
        if (answer.status === 409) {
          // Another brain, which knows nothing of our token; it was a person's press of a button all the same.
          await fetchAnew();
          answer = await send();
        }
        const text = await answer.text();
        const isText = (answer.headers.get("Content-Type") || "").startsWith("text/plain");
        tell(isText ? text : `Refused: ${answer.status}`, !answer.ok || /^(ERROR|unexpected|No such)/.test(text));
        if (!watching()) await fetchAnew();
      } catch (error) {
        tell(`No answer: ${error.message}`, true);
      }
      button.removeAttribute("aria-busy");
    });

    // --- changes ---

    let source = null;
    let polling = null;
    const watching = () => source !== null && source.readyState === EventSource.OPEN;

    function watch() {
      if (source || document.hidden) return;
      source = new EventSource(at(`events?version=${encodeURIComponent(one("#actions").dataset.version)}`));
      source.addEventListener("open", () => { say("live", true); poll(false); });
      source.addEventListener("row", (event) => { replaceRow(event.data); arrange(); tick(); });
      source.addEventListener("page", () => { fetchAnew().catch(() => {}); });
      source.addEventListener("error", () => {
        say("reconnecting …", false);
        if (source && source.readyState === EventSource.CLOSED) {
          // Refused: too many look already, or somebody in between does not let streams through.
          source = null;
          poll(true);
        }
      });
    }

    function poll(wanted) {
      clearInterval(polling);
      polling = wanted ? setInterval(() => {
        if (document.hidden) return;
        fetchAnew().then(() => { say("", false); watch(); }, () => say("no connection", false));
      }, 10000) : null;
    }

    // A browser has few connections to one server: a page that nobody sees gives its own back.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        if (source) source.close();
        source = null;
      } else {
        fetchAnew().catch(() => {}).finally(watch);
      }
    });

    one("#apply").hidden = true;
    for (const kind of ["input", "change"]) filter.addEventListener(kind, arrange);
    one("#refresh").addEventListener("click", (event) => {
      event.preventDefault();
      fetchAnew().then(() => tell("", false), (error) => tell(`No answer: ${error.message}`, true));
    });
    addFolds();
    arrange();
    tick();
    setInterval(tick, 1000);
    watch();
  }

  // --- a log ---

  const MOST = 1 << 20;

  // As the server shows what cannot be seen, or deceives.
  const visible = (text) => text
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, "\ufffd");

  async function log(pre) {
    const atEnd = () => pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40;
    pre.scrollTop = pre.scrollHeight;
    let end = Number(pre.dataset.end);
    let wait = 1000;
    for (;;) {
      try {
        const answer = await fetch(at(`${pre.dataset.stream}?from=${end}`));
        if (!answer.ok) throw new Error(String(answer.status));
        const reader = answer.body.getReader();
        const decoder = new TextDecoder();
        say("live", true);
        wait = 1000;
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          end += value.length;
          const follow = atEnd();
          pre.append(visible(decoder.decode(value, { stream: true })));
          if (pre.textContent.length > MOST) pre.textContent = pre.textContent.slice(-MOST / 2);
          if (follow) pre.scrollTop = pre.scrollHeight;
        }
      } catch (error) { /* said below, and tried again */ }
      say("reconnecting …", false);
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(2 * wait, 30000);
    }
  }

  if (one("#filter")) programs();
  const pre = one("#log");
  if (pre) log(pre);
})();
