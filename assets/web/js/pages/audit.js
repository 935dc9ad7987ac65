// Audit log: whether it can be trusted, its entries by filter a page at a time, and what identifies it.
"use strict";

(() => {
  const { el } = BT;
  const FIELDS = ["when", "job", "action", "outcome", "severity", "engine"];
  let log = null; // what identifies it
  let page = null; // the entries on the screen
  let result = null; // of the verification that was asked for here
  let progress = null; // [done, total] while it goes on

  const list = BT.filterOf("audit", FIELDS, (turned = false) => search(turned));
  BT.paged(list);
  BT.exports.entries = (kind) => BT.call("export", { fields: list.chosen, what: "entries", kind });

  const search = BT.asking(list, {
    call: "entries", pages: ["audit", "verify"], top: "entries",
    take: (found) => { page = found; },
    said: () => found(),
  });

  const found = () => (page.rows.length ? `${page.rows.length}${page.next ? " newest" : ""} entries found` : "No entry found");

  BT.actions.verify = async () => {
    if (progress) return;
    progress = [0, 0];
    BT.draw();
    try {
      result = await BT.call("verify");
      log = await BT.call("audit");
      BT.call("retry").then(BT.receive).catch(() => {});
    } catch (error) {
      result = { problem: error };
    }
    progress = null;
    await search(true);
    document.getElementById("live").textContent = result.problem ? result.problem.what : `${result.word}. ${result.text}`;
  };

  // Python calls this while it reads.
  BT.verifying = (done, total) => {
    if (!progress) return;
    progress = [done, total];
    if (BT.place.page === "audit" || BT.place.page === "verify") BT.draw();
  };

  const standing = () => BT.status && BT.status.audit;

  const busy = () => {
    const [done, total] = progress;
    const percent = total ? Math.floor(done * 100 / total) : null;
    return [el("p", { class: "row" }, BT.tag("run", "Verifying"), el("span", { class: "grow" }, total ? `${done.toLocaleString("en")} of ${total.toLocaleString("en")} entries read, ${percent} %` : "Reading every entry…")),
      el("progress", { max: "100", value: percent, "aria-label": "Verification" })];
  };

  const verdict = () => {
    if (progress) return busy();
    if (result && result.problem) return BT.problem(result.problem);
    if (result) {
      return [el("p", { class: "row" }, BT.tag(result.kind, result.word), el("span", { class: "grow" }, result.text)),
        result.baselines.length > 1 && BT.pairs([["Agrees with", result.baselines.map((name) => el("div", { class: "hash" }, name))]]),
        result.problems.map((text) => el("p", { class: "note warn" }, text))];
    }
    const known = standing();
    if (!known) return el("p", { class: "row" }, BT.tag("none", "Not verified"), el("span", { class: "grow" }, "This log has not been verified yet."));
    return [el("p", { class: "row" }, BT.tag(known.kind, known.word), BT.origin(known.whose ? ["System"] : []), el("span", { class: "grow" }, known.why || known.text || "This log has not been verified yet.")), known.facts.length > 0 && BT.pairs(known.facts),
      known.whose && el("p", { class: "note" }, "This is what the system's own service says of its log. The entries below are those of your log; the system's runs stand in the history.")];
  };

  const baselines = () => (log.baselines.length
    ? el("ul", { class: "plain" }, log.baselines.map((one) => el("li", {}, el("div", { class: "hash" }, one.name), el("span", { class: "mute" }, `${one.covers}, ${one.age}`))))
    : el("p", { class: "note" }, "No baseline was found. Without one that is kept elsewhere, a log that was replaced as a whole looks genuine."));

  const trust = () => el("div", { class: "card" }, verdict(),
    el("p", { class: "buttons" }, BT.act("verify", "Verify now", { class: "main", disabled: Boolean(progress) }),
      standing() && standing().breach && standing().breach.mine && BT.act("acknowledge", "Acknowledge…")));

  const row = (entry) => el("tr", { "data-key": String(entry.seq) },
    el("td", { class: "number" }, entry.number),
    el("td", { class: "figure", "data-label": "When", title: entry.utc }, entry.at),
    el("td", { class: "what" }, BT.icon(entry.kind, entry.kind), el("span", {}, el("b", {}, entry.action), el("span", { class: "mute" }, [entry.result, entry.severity, entry.erased && "details erased"].filter(Boolean).join(" · ")))),
    el("td", { "data-label": "Job", class: "who" }, el("span", { class: "cut", title: entry.job }, entry.job || "–"), el("span", { class: "mute cut", title: entry.actor }, entry.actor)),
    el("td", { class: "end" }, BT.go(`entry/${entry.seq}`, "Open", { class: "link", "aria-label": `Open entry ${entry.number}` })));

  const table = () => (page.rows.length
    ? el("table", {},
      el("thead", {}, el("tr", {}, ["Entry", "When", "What happened", "Job, who"].map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, el("span", { class: "hidden" }, "Open")))),
      el("tbody", {}, page.rows.map(row)))
    : el("p", { class: "mute nothing-found" }, page.next ? "No entry fits among those that were looked through." : BT.isFiltered(list) ? "No entry fits what was chosen above." : "There is no entry here."));

  const identity = () => [el("h2", {}, "This log"),
    el("div", { class: "card" }, BT.pairs([
      ["File", log.file, "hash"], ["Identity", log.origin, "hash"], ["Root", log.root, "hash"],
      ["Public key", log.keys.length ? log.keys.map((key) => BT.copybox(key, "the public key")) : "No key is pinned beside the log."],
      ["Newest checkpoint", log.checkpoint ? [BT.copybox(log.checkpoint, "the newest checkpoint"), el("p", { class: "hint" }, "Size and root of the log, signed. Kept elsewhere it is a baseline: `audit verify --checkpoint FILE` compares with it.".split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part)))] : "The log holds none."],
      ["Baselines", [baselines(), log.problems.map((text) => el("p", { class: "note warn" }, text))]]]))];

  BT.pages.audit = {
    title: "Audit log",
    nav: "audit",
    live: (before, now) => JSON.stringify(before && before.audit) !== JSON.stringify(now.audit), // a long table is not drawn for nothing
    help: [
      "The audit log is a chain: every entry holds the hash of the one before, and a signature covers the whole. Verify now reads all of it and says whether anything was changed, removed or put in between. The check itself becomes an entry.",
      "Intact: everything is as it was written, and a baseline that is kept elsewhere agrees. Tampered: it names the first entry that is not. Inconclusive: the log agrees with itself, but there is nothing kept elsewhere to compare it with.",
      "A baseline is a signed checkpoint of the log in another place. Keep one on another machine or on paper: who can change this log and all its baselines leaves no trace.",
      "Acknowledge ends the alarm after a breach; the reason that you give becomes an entry.",
      "In the terminal: `backup-tray audit verify`, `backup-tray audit show`."],
    open: async () => {
      log = result = page = null;
      log = await BT.call("audit");
      if (!log.size) return;
      const [choices, rows] = await Promise.all([BT.call("choices"), BT.call("entries", { fields: list.chosen, after: list.at })]);
      list.choices = choices;
      list.drawn = (list.drawn || 0) + 1;
      page = rows;
      list.next = rows.next;
    },
    input: (target) => BT.filterInput(target, false),
    submit: (form) => BT.filterInput(form.querySelector("input"), true),
    draw: () => {
      if (log && !log.size) {
        return el("div", { class: "empty" }, BT.icon("audit"), el("h1", { id: "title", tabindex: "-1" }, "The audit log begins with the first backup"),
          el("p", {}, "Every run will stand here for good: who, what, when, with which result."), el("div", { class: "buttons" }, BT.go("dashboard", "Dashboard", { class: "main" })));
      }
      if (!log || !page) return [BT.hero("audit", "Audit log", BT.sub("Reading the audit log…"))];
      return [BT.hero("audit", "Audit log", BT.sub(log.text)),
        el("h2", {}, "Can it be trusted?"), trust(),
        el("h2", { id: "entries" }, "Entries"),
        el("div", { class: "card" }, BT.filterForm(list), BT.filterProblem(list), table(), BT.pager(list, page.rows.length, page.next, "entries"), page.note && el("p", { class: "note" }, page.note)),
        el("div", { class: "card" }, BT.exporter("audit", BT.isFiltered(list) ? "Export all entries that fit" : "Export all entries", "entries")),
        identity()];
    },
  };

  // "Verify audit log" in the tray's menu: the same page, and the check that was asked for.
  BT.pages.verify = { ...BT.pages.audit, entered: () => (log && log.size ? BT.actions.verify() : undefined) };
})();
