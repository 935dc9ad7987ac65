// The pieces that pages are made of. All of them take data from Python's view and give elements.
"use strict";

(() => {
  const { el, icon } = BT;

  BT.tag = (kind, word) => el("span", { class: `tag ${kind}` }, icon(kind), word);
  BT.go = (page, text, more = {}) => el("button", { type: "button", "data-go": page, ...more }, text);
  BT.act = (name, text, more = {}) => el("button", { type: "button", "data-do": name, ...more }, text);
  BT.hero = (kind, title, ...below) =>
    el("div", { class: "hero" }, icon(kind, kind), el("div", { class: "grow" }, el("h1", { id: "title", tabindex: "-1" }, title), below));
  BT.sub = (...text) => (text.some(Boolean) ? el("p", { class: "sub" }, ...text) : null);
  BT.back = (page, text) => el("button", { type: "button", class: "link back", "data-go": page }, icon("back"), " ", text);

  BT.facts = (list) =>
    el("dl", { class: "facts" }, list.map(({ label, value, of }) =>
      el("div", {}, el("dt", {}, label), el("dd", { class: /^(unknown|not known)/.test(value) ? "dim" : null }, value, of && " ", of && el("small", {}, of)))));

  BT.pairs = (list) => el("dl", { class: "kv" }, list.filter(Boolean).map(([name, value, kind]) => [el("dt", {}, name), el("dd", { class: kind }, value)]));

  // Text with commands between backticks, as the terminal shows it too.
  BT.words = (text) => text.split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part));

  // An error: what happened, why, what to do next; the code is small.
  BT.problem = (error, ...buttons) =>
    el("div", { class: "banner", role: "alert" }, icon("fail"),
      el("div", { class: "grow" }, el("b", {}, error.what),
        [error.why, error.next, error.old].filter(Boolean).map((text) => el("p", {}, BT.words(text))),
        el("div", { class: "buttons" }, buttons, el("small", { class: "code" }, error.code))));

  // A breach of the audit log: on every page, until the user acknowledges it.
  BT.breach = (breach) =>
    el("div", { class: "banner", role: "alert", "data-key": "breach" }, icon("tampered"),
      el("div", { class: "grow" }, el("b", {}, breach.what), [breach.why, breach.next].filter(Boolean).map((text) => el("p", {}, BT.words(text))),
        breach.mine && el("div", { class: "buttons" }, BT.act("acknowledge", "Acknowledge…"), breach.seq !== null && BT.go(`entry/${breach.seq}`, `Open entry ${breach.seq.toLocaleString("en")}`), BT.go("audit", "Audit log", { class: "link" }))));

  BT.copybox = (text, label, shown = text) =>
    el("div", { class: "copybox" }, el("pre", {}, shown), BT.act("copy", "Copy", { "data-text": text, "aria-label": `Copy ${label}` }));

  // A path that is too long loses its middle: the file's name stays.
  const path = (text) => {
    const cut = text.lastIndexOf("/") + 1;
    return el("p", { class: "path ends", title: text }, el("span", { class: "cut" }, text.slice(0, cut)), el("span", { class: "cut" }, text.slice(cut)));
  };

  // Where a run comes from, if that is special: "System", "by root", "Observed".
  BT.origin = (words) => words.map((word) => el("span", { class: "tag none origin" }, word));

  BT.steps = (steps) => steps.length > 0 && el("ul", { class: "steps", "aria-label": "Steps" }, steps.map((step) =>
    el("li", { class: "row" }, BT.tag(step.kind, step.word), el("span", { class: "cut grow", title: step.name }, step.name),
      step.took && el("span", { class: "mute" }, step.took), step.why && el("span", { class: "mute whole" }, BT.words(step.why)))));

  const CONTROLS = { pause: "Pause", resume: "Resume", cancel: "Cancel…" };
  const controls = (run) => Object.keys(CONTROLS).filter((name) => run.can.includes(name)).map((name) =>
    BT.act(name, CONTROLS[name], { "data-run": run.run, "data-job": run.job, "data-ask": run.ask, "aria-label": `${CONTROLS[name].replace("…", "")} ${run.job}` }));

  // One live run: its figures change several times a second, so nothing in it is announced by itself.
  BT.live = (run, buttons = true) =>
    el("div", { class: "card", "data-key": run.run },
      el("div", { class: "row head" },
        el("span", { class: "name cut", title: run.job }, run.job),
        el("span", { class: "mute cut grow", title: run.route }, run.route),
        run.origin.length > 0 && el("span", { class: "origins" }, BT.origin(run.origin)),
        run.halt && BT.tag(run.halt.kind, run.halt.word),
        (run.percent_text || !run.halt) && el("b", { class: "big" }, run.percent_text || run.phase || "Running"),
        el("span", { class: "buttons" }, controls(run), buttons && BT.go(`log/${run.run}`, "Details", { "aria-label": `Details of ${run.job}` }))),
      run.bar && el("progress", { class: run.halt ? "halted" : null, max: "100", value: run.percent, "aria-label": `Progress of ${run.job}`, "aria-valuetext": run.percent_text || "how much is left is not known" }),
      BT.facts(run.facts),
      (run.tells || run.current) && path(run.current),
      run.halt && el("p", { class: "note" }, run.halt.text),
      BT.steps(run.steps),
      run.problems && el("p", { class: "warn" }, run.problems),
      !run.tracked && el("p", { class: "note" }, "It runs, but no tracker hears it, so its progress is not known."));

  // The figures of a run that is over.
  BT.figures = (run) =>
    BT.facts([
      { label: "Files", value: run.files }, { label: "Size", value: run.size }, { label: "Added", value: run.added, of: run.added_how },
      { label: "Duration", value: run.duration }, { label: "Problems", value: run.errors }]);

  // Of a job whose run goes on but stands still: its own pages, not those of an earlier run.
  BT.liveButtons = (job) => el("span", { class: "buttons" }, BT.go(`log/${job.live}`, "Details", { "aria-label": `Details of ${job.job}, which goes on` }));

  BT.runButtons = (run) => el("span", { class: "buttons" },
    BT.go(`report/${run.run}`, "View Report", { "aria-label": `View report of ${run.job}, ${run.at}` }),
    BT.go(`log/${run.run}`, "Details", { "aria-label": `Details of ${run.job}, ${run.at}` }));
})();
