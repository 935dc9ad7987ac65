// Audit log: whether it can be trusted, its newest entries, and a check at the press of a button.
"use strict";

(() => {
  const { el } = BT;
  let log = null;
  let result = null;
  let busy = false;

  BT.actions.verify = async () => {
    busy = true;
    BT.draw();
    try {
      result = await BT.call("verify");
      log = await BT.call("audit", {});
    } catch (error) {
      result = { problem: error };
    }
    busy = false;
    BT.draw();
    document.getElementById("live").textContent = result.problem ? result.problem.what : `${result.word}. ${result.text}`;
  };

  const outcome = () => {
    if (busy) return el("p", { class: "row" }, BT.tag("run", "Checking"), el("span", { class: "grow" }, "Reading every entry…"));
    if (result && result.problem) return BT.problem(result.problem);
    const shown = result || log.last;
    return el("p", { class: "row" }, BT.tag(shown.kind, shown.word), el("span", { class: "grow" }, shown.text));
  };

  const row = (entry) => el("tr", { "data-key": String(entry.seq) },
    el("td", {}, entry.number), el("td", { class: "figure", "data-label": "When", title: entry.utc }, entry.at),
    el("td", { "data-label": "What" }, entry.action, el("span", { class: "mute" }, entry.result)),
    el("td", { "data-label": "Job" }, entry.job || "–"),
    el("td", { "data-label": "Who", class: "who" }, el("span", { class: "cut", title: entry.actor }, entry.actor)));

  BT.pages.audit = {
    title: "Audit log",
    nav: "audit",
    help: [
      "The audit log is a chain: every entry holds the hash of the one before, and a signature covers the whole. Verify now reads all of it and says whether anything was changed, removed or put in between. The check itself becomes an entry.",
      "Intact: everything is as it was written. Tampered: it names the first entry that is not. Inconclusive: the log agrees with itself, but there is nothing kept elsewhere to compare it with.",
      "In the terminal: `backup-tray audit verify`."],
    open: async () => {
      log = result = null;
      busy = false;
      log = await BT.call("audit", {});
    },
    draw: () => {
      if (!log) return [BT.hero("audit", "Audit log", BT.sub("Reading the audit log…"))];
      if (!log.size) {
        return el("div", { class: "empty" }, BT.icon("audit"), el("h1", { id: "title", tabindex: "-1" }, "The audit log begins with the first backup"),
          el("p", {}, "Every run will stand here for good: who, what, when, with which result."), el("div", { class: "buttons" }, BT.go("dashboard", "Dashboard", { class: "main" })));
      }
      return [BT.hero("audit", "Audit log", BT.sub(log.text)),
        el("h2", {}, "Can it be trusted?"),
        el("div", { class: "card" }, outcome(), BT.pairs(log.facts.map(([name, value]) => [name, value, /root|origin/i.test(name) ? "hash" : null])),
          el("p", { class: "buttons" }, BT.act("verify", "Verify now", { class: "main", disabled: busy }))),
        el("h2", {}, "Newest entries"),
        el("div", { class: "card" }, el("table", {},
          el("thead", {}, el("tr", {}, ["Entry", "When", "What", "Job", "Who"].map((name) => el("th", { scope: "col" }, name)))),
          el("tbody", {}, log.entries.map(row))))];
    },
  };

  // "Verify audit log" in the tray's menu: the same page, and the check that was asked for.
  BT.pages.verify = { ...BT.pages.audit, entered: () => log && log.size ? BT.actions.verify() : undefined };
})();
