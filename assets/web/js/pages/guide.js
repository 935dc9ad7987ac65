// "I already use restic, borg or rclone": the exact words to put before a command that exists.
"use strict";

(() => {
  const { el } = BT;
  let known = { places: [], channels: [] };

  BT.pages.guide = {
    title: "I already use restic, borg or rclone",
    nav: "dashboard",
    help: [
      "Put these words before the backup command that you have. Its output, its exit code and its mail stay as they are; Backup Tray only watches and writes down what happened.",
      "A channel tells you when a backup fails, is overdue or succeeds again: mail, ntfy, a webhook, Apprise, healthchecks, Uptime Kuma, Home Assistant. Its lines go into config.toml; `backup-tray notify lines` prints them too.",
      "--job NAME gives the job a name; without it one is made from engine, repository and sources."],
    open: async () => {
      known = await BT.call("guide");
    },
    draw: () => [BT.back("dashboard", "Dashboard"),
      BT.hero("history", "Keep your backups, and see them here", BT.sub("Put these words before the command that you have. Everything else stays as it is.")),
      known.places.map(({ where, text }) => [el("h2", {}, where), BT.copybox(text, `the line for ${where}`)]),
      el("p", { class: "note" }, "The next time such a command runs, it appears on the dashboard by itself. A backup command that you leave as it is shows up too, as Observed: without progress, and only while this program runs."),
      known.channels.length > 0 && [el("h2", {}, "Be told when one fails"),
        el("p", {}, "Notices come on this desktop by themselves. Lines in config.toml add other channels; ", BT.go("notifications", "Notifications", { class: "link inline" }), " shows how each stands, and tests it."),
        BT.channelLines(known.channels)]],
  };
})();
