// Dashboard: one sentence that answers "am I safe?", what runs now, what needs a look, every job.
"use strict";

(() => {
  const { el } = BT;

  // What is old has no age that grows: only its absolute time.
  const when = (run) => (BT.status.old ? run.at : run.ago);

  const runs = (status) => (status.runs.length ? [el("h2", { id: "running" }, "Running now"), status.runs.map((run) => BT.live(run))] : []);

  const MOST = 5; // jobs that need attention and get a card of their own
  const attended = (status) => status.attention.slice(0, MOST).map((job) => job.forget);

  const forget = (job) => (job.forget ? BT.act("forget", "Forget…", { class: "link", "data-run": job.forget, "data-job": job.job, "aria-label": `Forget ${job.job}` }) : null);

  const attention = (status) => (status.attention.length ? [
    el("h2", {}, "Needs attention"),
    status.attention.slice(0, MOST).map((job) =>
      el("div", { class: "card row attention", "data-key": `${job.system} ${job.job}` }, BT.tag(job.kind, job.word), BT.origin(job.system ? ["System"] : []),
        el("span", { class: "grow" }, el("b", { class: "name" }, job.job), job.why && [": ", BT.words(job.why)], job.arithmetic && job.arithmetic !== job.why && [" ", el("span", { class: "mute whole" }, BT.words(job.arithmetic))]),
        job.live && job.leads === job.live ? BT.liveButtons(job) : job.about && BT.runButtons(job.about),
        forget(job))),
    status.attention.length > MOST && el("p", { class: "mute" }, `and ${status.attention.length - MOST} more in the list below`)] : []);

  const last = (run) => (run ? [
    el("h2", {}, "Last run"),
    el("div", { class: "card" },
      el("div", { class: "row" }, BT.tag(run.kind, run.word),
        el("span", { class: "grow" }, el("b", { class: "name", title: run.job }, run.job), el("span", { class: "mute" }, BT.status.old ? ` ${run.at}` : ` ${run.ago} · ${run.at}`)),
        BT.runButtons(run)),
      el("div", { class: "row" }, el("div", { class: "path cut", title: run.route }, run.route), BT.origin(run.origin)),
      BT.figures(run),
      run.reason && el("p", { class: "note" }, BT.words(run.reason)),
      run.advice && el("p", { class: "note" }, BT.words(run.advice)),
      run.inferred && el("p", { class: "note" }, run.origin.includes("Observed") ? "It was started outside Backup Tray; this was concluded from what could be seen." : "The wrapper stopped before the run ended; this was concluded afterwards."),
      BT.steps(run.steps))] : []);

  const repositories = (status) => (status.repositories.length ? [
    el("h2", {}, "Repositories"),
    el("div", { class: "card" }, status.repositories.map((one) =>
      el("div", { class: "repository", "data-key": `repository ${one.system} ${one.route}` },
        el("div", { class: "row" }, el("b", { class: "name grow cut", title: one.route }, one.route), BT.origin(one.system ? ["System"] : []), el("span", { class: "mute", title: one.newest_at }, one.as_of)),
        one.error && el("p", { class: "note warn" }, [one.error.what, one.error.why, one.error.next].filter(Boolean).map((text, index) => [index > 0 && " ", BT.words(text)])),
        BT.facts([
          { label: "Snapshots", value: one.snapshots }, { label: "Newest snapshot", value: one.newest }, { label: "Size", value: one.size }]),
        one.locked && el("p", { class: "note" }, BT.words(one.locked)))))] : []);

  const row = (job) => {
    const run = job.last;
    return el("tr", { "data-key": `${job.system} ${job.job}` },
      el("td", { class: "who" }, el("span", { class: "name", title: job.job }, BT.origin(job.system ? ["System"] : []), job.backup && !job.system ? BT.go(BT.jobPage(job.job), job.job, { class: "link" }) : job.job), run && el("span", { class: "mute cut", title: run.route }, run.route)),
      el("td", { title: job.arithmetic || null }, BT.tag(job.kind, job.word), job.next && !BT.status.old && el("span", { class: "mute" }, job.next)),
      el("td", { class: run ? "figure" : "figure nothing", "data-label": run ? "Last run" : null, title: run ? run.at : null }, run ? [when(run), el("span", { class: "mute" }, run.duration)] : "–"),
      el("td", { class: job.backup ? "figure" : "figure nothing", "data-label": job.backup ? "Last good" : null, title: job.good_at || null }, job.backup ? [BT.status.old && job.good_at ? job.good_at : job.good, job.proven && !BT.status.old && el("span", { class: "mute proof", title: job.proof }, job.proven)] : "–"),
      el("td", { class: run ? "figure" : "figure nothing", "data-label": run ? "Size" : null }, run ? [run.size, el("span", { class: "mute", title: run.added_how || null }, run.grown)] : "–"),
      el("td", { class: "end" }, job.leads && BT.go(`report/${job.leads}`, "Report", { class: "link", "aria-label": `Report of ${job.job}` }),
        (job.live || job.leads) && BT.go(`log/${job.live || job.leads}`, "Log", { class: "link", "aria-label": `Log of ${job.job}` }),
        !["ok", "run"].includes(job.kind) && !attended(BT.status).includes(job.forget) && forget(job)));
  };

  const jobs = (status) => (status.jobs.length ? [
    el("h2", {}, "Jobs"),
    el("div", { class: "card" }, el("table", { class: "jobs" },
      el("thead", {}, el("tr", {}, ["Job", "State", "Last run", "Last good", "Size"].map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, el("span", { class: "hidden" }, "Open")))),
      el("tbody", {}, status.jobs.map(row))))] : []);

  const foot = (status) => [
    el("div", { class: "row auditline" }, BT.tag(status.audit.kind, `Audit log ${status.audit.word.toLowerCase()}`), BT.origin(status.audit.whose ? ["System"] : []), status.audit.text && el("span", {}, status.audit.text), BT.go("audit", "Audit log", { class: "link" })),
    status.notes.map((note) => el("p", { class: note.page ? "note warn" : "note" }, BT.words(note.text), note.page && [" ", BT.go(note.page, "Notifications", { class: "link inline" })])),
    el("p", { class: "buttons auditline" }, BT.go("create", "Add a backup", { class: "link" }), BT.go("import", "Existing backups", { class: "link" }), BT.go("guide", "I already use restic, borg or rclone", { class: "link" }))];

  const empty = () => el("div", { class: "empty" }, BT.icon("none"),
    el("h1", { id: "title", tabindex: "-1" }, "No backups performed"),
    el("p", {}, "Backup Tray has seen none yet. Choose what to protect and where to keep it: the first backup starts right away, and this page shows how it goes."),
    el("div", { class: "buttons" }, BT.go("create", "Create First Backup", { class: "main" }), BT.go("import", "Find backups that run here already"), BT.go("guide", "I already use restic, borg or rclone", { class: "link" })));

  const blank = (status) => el("div", { class: "empty old" }, BT.icon("unknown"), el("h1", { id: "title", tabindex: "-1" }, "Data unavailable"),
    el("p", {}, "Nothing is known about your backups right now. They need not have failed, but it is not known that they are fine."));

  // "Cancel…" in the tray's menu: the Dashboard, and the question at once.
  const askToCancel = (ident) => {
    const runs = (BT.status ? BT.status.runs : []).filter((run) => run.can.includes("cancel"));
    const meant = ident ? runs.filter((one) => one.run.startsWith(ident) || (ident.length > 5 && one.run.endsWith(ident))) : runs;
    if (ident && meant.length > 1) return BT.refuse({ code: "", what: "Several runs are known by this id.", why: "Nothing was stopped.", next: "Choose one of them below." });
    const run = meant[0];
    if (run) return BT.actions.cancel({ dataset: { run: run.run, job: run.job, ask: run.ask } });
    BT.refuse({ code: "", what: "There is nothing to cancel any more.", why: "The run is over, or it was not started through Backup Tray.", next: "" });
  };

  BT.pages.dashboard = {
    title: "Dashboard",
    nav: "dashboard",
    live: true,
    help: [
      "The sentence at the top answers whether your backups are fine. Below it stand the backups that run now, those that need a look, and every job that Backup Tray has seen.",
      "A job is something that you back up again and again. Its state clears with its next success, or with `backup-tray seen JOB`. Last good is its newest backup that can be relied on; a check, a restore or a dry run is none. Proven restorable means that `backup-tray check JOB` restored files from it and compared them. Forget takes a job off this page until it runs again.",
      "Each job has a rhythm, which you set or which Backup Tray learns. A job is late when its next backup did not come in time, and overdue when that is no delay any more; time in which the computer slept does not count. Point at a state to see the arithmetic behind it.",
      "Observed means that the run was not started through Backup Tray, but by cron, another terminal or another user. Backup Tray saw it begin and end, and says only what could be known. System marks the backups of the whole machine.",
      "Pause stops a backup's processes until you resume them. Cancel asks the backup program to stop, waits, and then insists.",
      "Repositories are a second opinion beside the log: what they say of themselves, and when they were looked at.",
      "View Report shows what the audit log holds about a run, Details the full log of it."],
    draw: () => {
      const status = BT.status;
      if (!status) return [BT.hero("unknown", "Reading the status…"), BT.sub("One moment.")];
      if (status.empty) return empty();
      if (status.blank) return blank(status);
      const title = status.old ? status.old : status.headline;
      return el("div", { class: status.old ? "old" : null },
        BT.hero(status.kind, title, BT.sub(status.sub)), runs(status), attention(status), last(status.last), jobs(status), repositories(status), foot(status));
    },
  };
  BT.pages.cancel = { ...BT.pages.dashboard, entered: askToCancel };
})();
