// History: every run that has ended, newest first, a page at a time.
"use strict";

(() => {
  const { el } = BT;
  // This user's own runs and the system's: two logs, each read on from where it was.
  const data = { rows: [], next: null, system: null, missing: null };

  const read = async (own, system) => {
    const none = { rows: [], next: null };
    const [mine, others] = await Promise.all([
      own === undefined ? none : BT.call("history", { before: own }),
      system === undefined ? none : BT.call("system_history", { before: system }).catch((error) => { data.missing = error; return none; })]);
    data.rows = [...data.rows, ...mine.rows, ...others.rows].sort((a, b) => b.ms - a.ms);
    data.next = mine.next;
    data.system = others.next;
  };

  const older = () => data.next !== null || data.system !== null;

  const row = (run) => el("tr", { "data-key": run.run },
    el("td", { class: "who" }, el("span", { class: "name", title: run.job }, BT.origin(run.origin), run.job), el("span", { class: "mute cut", title: run.route }, run.route)),
    el("td", {}, BT.tag(run.kind, run.word)),
    el("td", { class: "figure", "data-label": "Ended" }, run.at, el("span", { class: "mute" }, run.ago)),
    el("td", { class: "figure", "data-label": "Took" }, run.duration),
    el("td", { class: "figure", "data-label": "Size" }, run.size, el("span", { class: "mute" }, run.added === "unknown" ? "" : `+${run.added}`)),
    el("td", { class: "end" }, BT.go(`report/${run.run}`, "Report", { class: "link", "aria-label": `Report of ${run.job}, ${run.at}` }),
      BT.go(`log/${run.run}`, "Log", { class: "link", "aria-label": `Log of ${run.job}, ${run.at}` })));

  BT.actions.older = async (button) => {
    button.disabled = true;
    try {
      await read(data.next === null ? undefined : data.next, data.system === null ? undefined : data.system);
    } catch (error) {
      BT.place.error = error;
    }
    BT.draw();
  };

  BT.pages.history = {
    title: "History",
    nav: "history",
    help: [
      "Every run that has ended, newest first, as the audit log holds it. Report opens the entry and checks it; Log shows what the backup program said.",
      "Sizes are what the run went through; the smaller figure is what it added to the repository."],
    open: async () => {
      data.rows = [];
      data.missing = null;
      await read(null, null);
    },
    draw: () => {
      if (BT.place.loading && !data.rows.length) return [BT.hero("run", "History", BT.sub("Reading the audit log…"))];
      if (!data.rows.length) {
        return el("div", { class: "empty" }, BT.icon("none"), el("h1", { id: "title", tabindex: "-1" }, "No run has ended yet"),
          el("p", {}, "As soon as a backup ends, it stands here with its outcome, its size and its log."), el("div", { class: "buttons" }, BT.go("dashboard", "Dashboard", { class: "main" })));
      }
      return [BT.hero("history", "History", BT.sub(`${data.rows.length}${older() ? " newest" : ""} run${data.rows.length === 1 ? "" : "s"}`)),
        el("h2", {}, "Ended runs"),
        el("div", { class: "card" }, el("table", {},
          el("thead", {}, el("tr", {}, ["Job", "Outcome", "Ended", "Took", "Size"].map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, el("span", { class: "hidden" }, "Open")))),
          el("tbody", {}, data.rows.map(row)))),
        data.missing && el("p", { class: "note" }, `${data.missing.what} ${data.missing.why}`),
        older() && el("p", { class: "buttons" }, BT.act("older", "Show older runs"))];
    },
  };
})();
