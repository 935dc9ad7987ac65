// Notifications: how every channel stands, a test of each, the messages that rest, and the lines that add a channel.
"use strict";

(() => {
  const { el } = BT;
  const EVERY = 5000; // milliseconds between two looks while the page is shown
  const busy = new Set(); // channels that are being tested
  const results = new Map(); // by channel: null after a test that was sent, else its error
  let data = null;
  let problem = null; // why the rest of a job was not ended
  let timer = 0;

  const result = (name) => {
    if (busy.has(name)) return el("p", { class: "note" }, "A test message is being sent. That takes up to half a minute where the receiver does not answer.");
    if (!results.has(name)) return null;
    const error = results.get(name);
    return error ? BT.problem(error) : el("div", { class: "row" }, BT.tag("ok", "Sent"), el("span", { class: "grow" }, "Look whether the test message has arrived."));
  };

  // The reason stands in the result of a test that has just failed; once is enough.
  const sameAsResult = (one) => results.get(one.name) && results.get(one.name).why === one.why;

  const channel = (one) => el("div", { class: "card channel", "data-key": `channel-${one.name}` },
    el("div", { class: "row" }, el("b", { class: "name" }, one.title), one.shown !== one.title.toLowerCase() && one.shown !== one.title && el("span", { class: "mute" }, one.shown), el("span", { class: "mute grow" }, one.whom),
      BT.tag(one.kind, one.word),
      one.testable && BT.act("test-channel", busy.has(one.name) ? "Testing…" : "Test", { "data-name": one.name, disabled: busy.has(one.name), "aria-label": `Test ${one.shown}` })),
    one.why && !sameAsResult(one) && el("p", { class: "note warn" }, BT.words(one.why)),
    one.facts.length > 0 && el("p", {}, one.facts.join(" "), one.next && ` Next try: ${one.next}.`),
    one.rules.length > 0 && el("ul", { class: "plain rules", "aria-label": `Rules of ${one.shown}` }, one.rules.map((rule) => el("li", {}, rule))),
    result(one.name));

  const ofJobs = () => data.of_jobs.length > 0 && [el("h2", {}, "Jobs with a rule of their own"),
    el("div", { class: "card" }, BT.pairs(data.of_jobs.map((one) => [one.job, one.text])))];

  const rests = () => (data.rests.length > 0 || problem) && [el("h2", { id: "rests" }, "Messages that rest"),
    el("div", { class: "card" }, problem && BT.problem(problem), data.rests.map((one) =>
      el("div", { class: "row", "data-key": `rest-${one.system} ${one.job}` }, el("span", { class: "grow" }, one.text),
        BT.act("end-rest", "End the rest", { "data-job": one.job, "data-system": String(one.system), "aria-label": `End the rest of ${one.text.replace(/ rest until .*/, "").replace("Messages about ", "")}` }))))];

  // Every kind of channel with the lines that add it: here and on the page for beginners.
  BT.channelLines = (kinds) => el("div", { class: "card kinds" }, kinds.map((kind) =>
    el("details", { "data-key": `lines-${kind.type}` },
      el("summary", {}, el("b", {}, kind.title), " ", el("span", { class: "mute" }, kind.about)),
      BT.copybox(kind.lines, `the lines for ${kind.title}`),
      kind.then.map((sentence) => el("p", { class: "hint" }, BT.words(sentence))))));

  const more = () => [el("h2", { id: "more" }, data.alone ? "Be told elsewhere, too" : "Add a channel"),
    data.alone && el("p", {}, "Messages come as notices on this desktop only. While you are away from it, a mail or a message to your phone reaches you."),
    BT.channelLines(data.lines),
    el("p", { class: "note" }, "Copy the lines into ", el("code", {}, data.file), " and put your own addresses there. The channel then appears here; test it.")];

  const look = async () => {
    clearTimeout(timer);
    const seq = BT.place.seq;
    try {
      data = await BT.call("notifications");
    } catch (error) {
      if (BT.place.seq === seq) BT.place.error = error;
    }
    if (BT.place.seq !== seq) return;
    BT.draw();
    timer = setTimeout(look, EVERY);
  };

  const here = () => BT.place.page === "notifications" && !BT.place.error;

  BT.actions["test-channel"] = async (button) => {
    const { name } = button.dataset;
    if (busy.has(name)) return;
    busy.add(name);
    results.delete(name);
    BT.draw();
    try {
      results.set(name, (await BT.call("test_channel", { channel: name })).error);
    } catch (error) {
      results.set(name, error);
    }
    busy.delete(name);
    BT.said(results.get(name) ? `${name}: ${results.get(name).what}` : `${name}: the test message was sent.`);
    if (!here()) return;
    const idle = document.activeElement === document.body;
    await look();
    if (idle && here()) document.querySelector(`[data-key="channel-${name}"] button`).focus();
  };

  BT.actions["end-rest"] = async (button) => {
    button.disabled = true;
    problem = null;
    try {
      data = await BT.call("end_rest", { job: button.dataset.job, system: button.dataset.system === "true" });
      BT.said("Messages are sent again.");
    } catch (error) {
      problem = error;
    }
    if (!here()) return;
    BT.draw();
    document.getElementById("title").focus({ preventScroll: true });
  };

  BT.pages.notifications = {
    title: "Notifications",
    nav: "notifications",
    help: [
      "A channel is a way by which messages leave this machine: the desktop, mail, a phone, a tool that you watch already. Each has a table [channels.NAME] in config.toml. `backup-tray notify status` says the same in a terminal.",
      "Test sends one message at once, past the queue and its rules. Ready means that a message or a test went out and no later one failed.",
      "A message that cannot be sent waits and is tried again after 1, 5 and 30 minutes, 2 hours and then every 6 hours, for a week; it survives a restart. When a channel stays out, the others tell you.",
      "The rules are keys of [notify], for every channel, or of [channels.NAME]: `events`, `jobs`, `quiet`, `only_if_older_than`, `remind`, `digest`. `notify` in [jobs.NAME] chooses the events of one job.",
      "Messages about a job rest when you choose Snooze messages on its page. Its state is shown as before."],
    open: async () => {
      problem = null;
      if (!busy.size) results.clear();
      data = null;
      data = await BT.call("notifications");
    },
    entered: () => {
      if (here()) timer = setTimeout(look, EVERY);
    },
    left: () => clearTimeout(timer),
    draw: () => {
      if (!data) return BT.hero("none", "Notifications", BT.sub("One moment."));
      return [BT.hero(data.kind, "Notifications", BT.sub(data.summary)),
        el("h2", {}, "Channels"), data.channels.map(channel), ofJobs(), rests(), more()];
    },
  };
})();
