// Details: the full log of a run, read in pieces; of a live run also what comes.
"use strict";

(() => {
  const { el } = BT;
  const MOST = 1500000; // characters to read at once; beyond that the reader asks for more
  let head = null;
  let offset = 0;
  let length = 0;
  let timer = 0;

  const liveRun = () => head && BT.status && BT.status.runs.find((run) => run.run === head.run);

  // Read on until the end or until `limit` characters are shown.
  const more = async (limit) => {
    const seq = BT.place.seq;
    do {
      const part = await BT.call("log", { run: head.run, offset });
      if (BT.place.seq !== seq) return;
      append(part.text);
      offset = part.next;
      head.more = part.more;
      head.live = part.live;
    } while (head.more && length < limit);
  };

  const append = (text) => {
    const pane = document.getElementById("log-text");
    if (!text || !pane) return;
    const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
    pane.append(document.createTextNode(text));
    length += text.length;
    if (atEnd && head.live) pane.scrollTop = pane.scrollHeight;
  };

  const follow = async () => {
    clearTimeout(timer);
    if (!head || !head.live || BT.place.page !== "log") return;
    try {
      await more(length + MOST);
      if (!head.live) head = await BT.call("log_head", { run: head.run }); // it has ended: now its outcome is known
    } catch (error) {
      BT.place.error = error;
    }
    BT.draw();
    if (!BT.place.error) timer = setTimeout(follow, 1000);
  };

  BT.actions.more = async () => {
    await more(length + MOST);
    BT.draw();
  };

  const note = () => [head.note && el("p", { class: "note" }, head.note), rest()];

  const rest = () => {
    if (head.live) return el("p", { class: "mute" }, `The run goes on${length ? "" : " and has said nothing yet"}; new lines come by themselves.`);
    if (head.more) return el("p", { class: "buttons" }, BT.act("more", "Show more of the log"), el("span", { class: "mute" }, "This log is long; you see its beginning."));
    return length || BT.place.loading ? null : el("p", { class: "mute" }, "The backup program said nothing.");
  };

  BT.pages.log = {
    title: "Details",
    nav: "history",
    live: true,
    help: [
      "Everything that the backup program said in this run, with the time of each line and where it came from (out or err). Passwords are replaced by ***.",
      "While the run goes on, new lines come by themselves."],
    open: async (run) => {
      head = null;
      offset = length = 0;
      head = await BT.call("log_head", { run });
      BT.draw();
      await more(MOST);
    },
    entered: () => follow(),
    left: () => clearTimeout(timer),
    draw: () => {
      if (!head) return [BT.back("dashboard", "Dashboard"), BT.hero("none", "Details", BT.sub("Reading the log…"))];
      const live = liveRun();
      return [BT.back("dashboard", "Dashboard"),
        BT.hero(live ? "run" : head.kind, live ? live.activity : head.title, BT.sub(head.when), BT.sub(head.route)),
        live && BT.live(live, false),
        el("pre", { class: "log", id: "log-text", tabindex: "0", "aria-label": "Log", "data-key": `log-${head.run}`, "data-own": "" }),
        note(),
        head.ended && el("p", { class: "buttons" }, BT.go(`report/${head.run}`, "View Report"))];
    },
  };
})();
