// Existing backups: what crontabs, timers and other tools start already, and a button that has a job watch each.
"use strict";

(() => {
  const { el } = BT;
  let listed = null;
  let problem = null; // why the last "Watch" was not done, and of which backup

  const rows = () => listed.sources.flatMap((source) => source.rows);
  const row = (number) => rows().find((one) => one.number === Number(number));

  const card = (one) => el("div", { class: "card existing", "data-key": `backup-${one.number}` },
    el("div", { class: "row" }, el("b", { class: "name grow", tabindex: "-1" }, one.title), BT.tag(one.kind, one.word),
      one.able && BT.act("watch", "Watch…", { "data-number": String(one.number), "aria-label": `Watch ${one.name}` })),
    one.rhythm && el("p", {}, BT.words(one.rhythm)),
    one.copied && el("p", { class: "path whole" }, one.copied),
    el("p", { class: "path whole" }, el("span", { class: "mute" }, `${one.place}: `), one.command),
    one.why && el("p", { class: "note" }, BT.words(one.why)),
    one.notes.map((note) => el("p", { class: "note" }, BT.words(note))),
    problem && problem.number === one.number && BT.problem(problem.error),
    one.line && el("details", {},
      el("summary", {}, "The line that records every run"),
      el("p", { class: "hint" }, BT.words(one.how)),
      BT.copybox(one.line, `the line for ${one.name}`, one.shown_line)));

  const places = () => [
    el("h2", { id: "places" }, "Where Backup Tray looked"),
    el("div", { class: "card" }, el("ul", { class: "plain" }, listed.places.map((place) => el("li", {}, BT.words(place)))),
      el("p", { class: "note" }, "Backup Tray read these and started no backup. It does not see the crontabs of other users, and no backup that another machine makes."))];

  const headline = (count) => {
    const all = `${count} existing ${count === 1 ? "backup" : "backups"} found`;
    return listed.able ? `${all}, ${listed.able} can be watched` : all;
  };

  const buttons = () => el("p", { class: "buttons" }, BT.act("again", "Search again"),
    BT.go("guide", "I already use restic, borg or rclone", { class: "link" }), BT.go("create", "Add a backup", { class: "link" }));

  const nothing = () => [BT.hero("none", "No existing backup found", BT.sub("Neither a crontab nor a timer nor another tool starts one here, as far as Backup Tray can see.")),
    places(), buttons()];

  BT.actions.watch = (button) => {
    const one = row(button.dataset.number);
    const rhythm = one.rhythm ? ` ${one.rhythm.replaceAll("`", "")}.` : "";
    BT.ask("watch", button.dataset.number, `Watch ${one.name}?`,
      `Backup Tray adds the job ${one.name} to its own config.toml, and from then on tells when this backup does not run in time.${rhythm} Nothing of the backup itself is changed.`, "Watch it", "Not now");
  };
  BT.actions["yes-watch"] = async (button) => {
    const number = Number(button.dataset.run);
    BT.actions["close-confirm"]();
    problem = null;
    try {
      const fresh = await BT.call("watch", { search: listed.search, number });
      for (const source of listed.sources) source.rows = source.rows.map((one) => (one.number === number ? fresh : one));
      listed.able -= 1;
      BT.said(`${fresh.name} is watched.`);
    } catch (error) {
      problem = { number, error };
    }
    if (BT.place.page !== "import") return;
    BT.draw();
    document.querySelector(`[data-key="backup-${number}"] .name`).focus();
  };

  BT.pages.import = {
    title: "Existing backups",
    nav: "dashboard",
    help: [
      "Backup Tray looks for backups that this machine makes already: in crontabs, systemd's timers, and the configurations of tools that call a backup program. It only reads, and changes nothing of theirs.",
      "Watch adds a job to Backup Tray's own config.toml, with the rhythm that the crontab or timer states. The backup's runs belong to that job from then on, and it is called late or overdue when one does not come. `backup-tray jobs import` does the same in a terminal.",
      "A watched run is noticed while the icon, the window or the system-wide instance runs. The line with `backup-tray run` before the command records every run, with its progress; you put it into your crontab or unit yourself.",
      "Not understood means that something here looks like a backup and Backup Tray cannot tell what it does. The reason stands beside it."],
    open: async () => {
      listed = problem = null;
      listed = await BT.call("existing");
    },
    draw: () => {
      if (!listed) return [BT.back("dashboard", "Dashboard"), BT.hero("none", "Existing backups", BT.sub("Looking at crontabs, timers and the configurations of backup tools…"))];
      const count = rows().length;
      if (!count) return [BT.back("dashboard", "Dashboard"), nothing()];
      return [BT.back("dashboard", "Dashboard"),
        BT.hero("history", "Existing backups", BT.sub(`${headline(count)}. Nothing of theirs is changed.`)),
        listed.sources.map((source) => [el("h2", {}, source.source), source.rows.map(card)]),
        el("p", { class: "note" }, BT.words(listed.seen)),
        places(), buttons()];
    },
  };
})();
