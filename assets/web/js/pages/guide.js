// "I already use restic, borg or rclone": the exact words to put before a command that exists.
"use strict";

(() => {
  const { el } = BT;
  let places = [];

  BT.pages.guide = {
    title: "I already use restic, borg or rclone",
    nav: "dashboard",
    help: [
      "Put these words before the backup command that you have. Its output, its exit code and its mail stay as they are; Backup Tray only watches and writes down what happened.",
      "--job NAME gives the job a name; without it one is made from engine, repository and sources."],
    open: async () => {
      places = await BT.call("guide");
    },
    draw: () => [BT.back("dashboard", "Dashboard"),
      BT.hero("history", "Keep your backups, and see them here", BT.sub("Put these words before the command that you have. Everything else stays as it is.")),
      places.map(({ where, text }) => [el("h2", {}, where), BT.copybox(text, `the line for ${where}`)]),
      el("p", { class: "note" }, "The next time such a command runs, it appears on the dashboard by itself. A backup command that you leave as it is shows up too, as Observed: without progress, and only while this program runs.")],
  };
})();
