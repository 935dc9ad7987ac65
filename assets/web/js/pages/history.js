// History: every run that has ended, this user's and the system's, newest first, by filter a page at a time.
"use strict";

(() => {
  const { el } = BT;
  let page = null;

  const list = BT.filterOf("history", ["when", "job", "outcome"], (turned = false) => search(turned));
  BT.paged(list);
  BT.exports.runs = (kind) => BT.call("export", { fields: list.chosen, what: "runs", kind });

  const search = BT.asking(list, {
    call: "history", pages: ["history"], top: "ended",
    take: (found) => { page = found; },
    said: () => (page.rows.length ? `${page.rows.length} runs found` : "No run found"),
  });

  const row = (run) => el("tr", { "data-key": run.run },
    el("td", { class: "who" }, el("span", { class: "name", title: run.job }, BT.origin(run.origin), run.job), el("span", { class: "mute cut", title: run.route }, run.route)),
    el("td", {}, BT.tag(run.kind, run.word)),
    el("td", { class: "figure", "data-label": "Ended" }, run.at, el("span", { class: "mute" }, run.ago)),
    el("td", { class: "figure", "data-label": "Took" }, run.duration),
    el("td", { class: "figure", "data-label": "Size" }, run.size, el("span", { class: "mute", title: run.added_how || null }, run.grown)),
    el("td", { class: "end" }, BT.go(`report/${run.run}`, "Report", { class: "link", "aria-label": `Report of ${run.job}, ${run.at}` }),
      BT.go(`log/${run.run}`, "Log", { class: "link", "aria-label": `Log of ${run.job}, ${run.at}` })));

  const table = () => (page.rows.length
    ? el("table", {},
      el("thead", {}, el("tr", {}, ["Job", "Outcome", "Ended", "Took", "Size"].map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, el("span", { class: "hidden" }, "Open")))),
      el("tbody", {}, page.rows.map(row)))
    : el("p", { class: "mute nothing-found" }, page.next ? "No run fits among those that were looked through." : "No run fits what was chosen above."));

  BT.pages.history = {
    title: "History",
    nav: "history",
    help: [
      "Every run that has ended, newest first, as the audit log holds it. Report opens the entry and checks it; Log shows what the backup program said.",
      "The fields above the list narrow it down; the search looks for words in the records, such as a path, a message or a repository.",
      "Sizes are what the run went through; the smaller figure is what it added to the repository."],
    open: async () => {
      page = null;
      const [choices, rows] = await Promise.all([BT.call("choices"), BT.call("history", { fields: list.chosen, after: list.at })]);
      list.choices = choices;
      list.drawn = (list.drawn || 0) + 1;
      page = rows;
      list.next = rows.next;
    },
    input: (target) => BT.filterInput(target, false),
    submit: (form) => BT.filterInput(form.querySelector("input"), true),
    draw: () => {
      if (!page) return [BT.hero("history", "History", BT.sub("Reading the audit log…"))];
      if (!page.rows.length && !page.next && !list.back.length && !BT.isFiltered(list)) {
        return [el("div", { class: "empty" }, BT.icon("none"), el("h1", { id: "title", tabindex: "-1" }, "No run has ended yet"),
          el("p", {}, "As soon as a backup ends, it stands here with its outcome, its size and its log."), el("div", { class: "buttons" }, BT.go("dashboard", "Dashboard", { class: "main" }))),
        page.missing && el("p", { class: "note" }, page.missing)];
      }
      const count = `${page.rows.length}${page.next || list.back.length ? " runs on this page" : page.rows.length === 1 ? " run" : " runs"}`;
      return [BT.hero("history", "History", BT.sub(count)),
        el("h2", { id: "ended" }, "Ended runs"),
        el("div", { class: "card" }, BT.filterForm(list), BT.filterProblem(list), table(), BT.pager(list, page.rows.length, page.next, "runs")),
        page.missing && el("p", { class: "note warn" }, page.missing),
        page.note && el("p", { class: "note" }, page.note),
        el("div", { class: "card" }, BT.exporter("history", BT.isFiltered(list) ? "Export all runs that fit" : "Export all runs", "runs"))];
    },
  };
})();
