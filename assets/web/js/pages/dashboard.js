// Dashboard: one sentence that answers "am I safe?", what runs now, what needs a look, every job.
"use strict";

(() => {
  const { el } = BT;

  // What is old has no age that grows: only its absolute time.
  const when = (run) => (BT.status.old ? run.at : run.ago);

  const runs = (status) => (status.runs.length ? [el("h2", { id: "running" }, "Running now"), status.runs.map((run) => BT.live(run))] : []);

  const attention = (status) => (status.attention.length ? [
    el("h2", {}, "Needs attention"),
    status.attention.slice(0, 5).map((job) =>
      el("div", { class: "card row", "data-key": job.job }, BT.tag(job.kind, job.word),
        el("span", { class: "grow" }, el("b", { class: "name" }, job.job), job.why && [": ", BT.words(job.why)]),
        job.last && BT.runButtons(job.last))),
    status.attention.length > 5 && el("p", { class: "mute" }, `and ${status.attention.length - 5} more in the list below`)] : []);

  const last = (run) => (run ? [
    el("h2", {}, "Last run"),
    el("div", { class: "card" },
      el("div", { class: "row" }, BT.tag(run.kind, run.word),
        el("span", { class: "grow cut" }, el("b", { class: "name", title: run.job }, run.job), el("span", { class: "mute" }, BT.status.old ? ` ${run.at}` : ` ${run.ago} · ${run.at}`)),
        BT.runButtons(run)),
      el("div", { class: "path cut", title: run.route }, run.route),
      BT.figures(run),
      run.reason && el("p", { class: "note" }, BT.words(run.reason)),
      run.inferred && el("p", { class: "note" }, "Nobody watched its end; this was concluded afterwards."))] : []);

  const row = (job) => {
    const run = job.last;
    return el("tr", { "data-key": job.job },
      el("td", { class: "who" }, el("span", { class: "name", title: job.job }, job.job), run && el("span", { class: "mute cut", title: run.route }, run.route)),
      el("td", {}, BT.tag(job.kind, job.word)),
      el("td", { class: "figure", "data-label": run ? "Last run" : null, title: run ? run.at : null }, run ? [when(run), el("span", { class: "mute" }, run.duration)] : "–"),
      el("td", { class: "figure", "data-label": run ? "Size" : null }, run ? [run.size, el("span", { class: "mute" }, run.added === "unknown" ? "" : `+${run.added}`)] : "–"),
      el("td", { class: "end" }, run && BT.go(`report/${run.run}`, "Report", { class: "link", "aria-label": `Report of ${job.job}` }),
        (job.live || run) && BT.go(`log/${job.live || run.run}`, "Log", { class: "link", "aria-label": `Log of ${job.job}` })));
  };

  const jobs = (status) => (status.jobs.length ? [
    el("h2", {}, "Jobs"),
    el("div", { class: "card" }, el("table", {},
      el("thead", {}, el("tr", {}, ["Job", "State", "Last run", "Size"].map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, el("span", { class: "hidden" }, "Open")))),
      el("tbody", {}, status.jobs.map(row))))] : []);

  const foot = (status) => [
    status.audit && el("div", { class: "row auditline" }, BT.tag(status.audit.kind, status.audit.word), el("span", {}, status.audit.text), BT.go("audit", "Audit log", { class: "link" })),
    status.notes.map((note) => el("p", { class: "note" }, note)),
    el("p", { class: "buttons auditline" }, BT.go("create", "Add a backup", { class: "link" }), BT.go("guide", "I already use restic, borg or rclone", { class: "link" }))];

  const empty = () => el("div", { class: "empty" }, BT.icon("none"),
    el("h1", { id: "title", tabindex: "-1" }, "No backups performed"),
    el("p", {}, "Backup Tray has seen none yet. Choose what to protect and where to keep it: the first backup starts right away, and this page shows how it goes."),
    el("div", { class: "buttons" }, BT.go("create", "Create First Backup", { class: "main" }), BT.go("guide", "I already use restic, borg or rclone", { class: "link" })));

  const blank = (status) => el("div", { class: "empty old" }, BT.icon("unknown"), el("h1", { id: "title", tabindex: "-1" }, "Data unavailable"),
    el("p", {}, "Nothing is known about your backups right now. They need not have failed, but nobody can call them fine."));

  BT.pages.dashboard = {
    title: "Dashboard",
    nav: "dashboard",
    live: true,
    help: [
      "The sentence at the top answers whether your backups are fine. Below it stand the backups that run now, those that need a look, and every job that Backup Tray has seen.",
      "A job is something that you back up again and again. Its state clears with its next success, or with `backup-tray seen JOB`.",
      "A success older than a week is not called fine, because nobody knows then whether the backup still runs.",
      "View Report shows what the audit log holds about a run, Details the full log of it."],
    draw: () => {
      const status = BT.status;
      if (!status) return [BT.hero("unknown", "Reading the status…"), BT.sub("One moment.")];
      if (status.empty) return empty();
      if (status.blank) return blank(status);
      const title = status.old ? status.old : status.headline;
      return el("div", { class: status.old ? "old" : null },
        BT.hero(status.kind, title, BT.sub(status.sub)), runs(status), attention(status), last(status.last), jobs(status), foot(status));
    },
  };
})();
