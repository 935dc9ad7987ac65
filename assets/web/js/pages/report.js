// Report: one run as the audit log holds it, and whether that entry still is what was written.
"use strict";

(() => {
  const { el } = BT;
  let report = null;
  let check = null;
  BT.exports.run = (kind) => BT.call("export_run", { run: report.run.run, kind });

  const verdict = () => (check
    ? el("p", { class: "row" }, BT.tag(check.kind, check.word), el("span", { class: "grow" }, check.text))
    : el("p", { class: "row" }, BT.tag("none", "Checking"), el("span", { class: "grow" }, "Checking that nothing was changed…")));

  const entry = () => (report.entry === null
    ? [el("h2", {}, "Audit entry"), el("div", { class: "card" }, el("p", {}, report.pending))]
    : [el("h2", {}, `Audit entry ${report.number}`),
      el("div", { class: "card" }, verdict(), BT.pairs(report.facts))]);

  BT.pages.report = {
    title: "Report",
    nav: "history",
    help: [
      "What the audit log holds about one run, and the entry's place in it: number, hash, time in your zone and in UTC.",
      "Verified means that the entry and every other one in the log are what was written, that the log's signature is good, and that a baseline agrees. Of a very long log only this entry is proven, which the words beside it say. Looking at this page changes nothing and records nothing.",
      "Inconclusive means that the log agrees with itself, but there is nothing kept elsewhere to compare it with. A person who holds the signing key could have written it anew."],
    open: async (run) => {
      report = check = null;
      report = await BT.call("report", { run });
      BT.draw();
      if (report.check) check = report.check; // the system's log is verified by its own service
      else if (report.entry !== null) check = await BT.call("check", { entry: report.entry });
    },
    draw: () => {
      if (!report) return [BT.back("history", "History"), BT.hero("none", "Report", BT.sub("Reading the audit log…"))];
      const run = report.run;
      return [BT.back("history", "History"), BT.hero(check && check.kind === "tampered" ? "tampered" : run.kind, run.title, BT.sub(report.when), BT.sub(run.route), run.origin.length > 0 && el("p", { class: "row sub" }, BT.origin(run.origin))),
        run.reason && el("p", { class: "note" }, BT.words(run.reason)),
        run.advice && el("p", { class: "note" }, BT.words(run.advice)),
        el("h2", {}, ["succeeded", "warning"].includes(run.outcome) ? "What was backed up" : "What was to be backed up"), el("div", { class: "card" }, BT.figures(run), report.paths.map((path) => el("div", { class: "path cut", title: path }, path))),
        report.problems.length > 0 && [el("h2", {}, "Problems"), el("div", { class: "card" }, BT.pairs(report.problems))],
        run.steps.length > 0 && [el("h2", {}, "Steps"), el("div", { class: "card" }, BT.steps(run.steps))],
        entry(),
        el("h2", {}, "The run"), el("div", { class: "card" }, BT.pairs(report.happened)),
        el("h2", {}, "To hand over"), el("div", { class: "card" }, BT.exporter(`report ${run.run}`, "Save this report", "run")),
        el("p", { class: "buttons" }, BT.go(`log/${run.run}`, "Full log"), report.entry !== null && !report.check && BT.go(`entry/${report.entry}`, "The entry itself"))];
    },
  };
})();
