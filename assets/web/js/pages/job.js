// One job: how it stands, its test restore, its schedule, its messages and its recovery sheet. The page after "Create First Backup", too.
"use strict";

(() => {
  const { el } = BT;
  const find = (id) => document.getElementById(id);
  const begun = new Map(); // by shown name: the last run before the one that was started here
  const ends = new Map(); // by shown name: how a process ended badly that was started here
  let data = null;
  let problems = {}; // by card: an error to show in it
  let saved = null; // the file of a sheet that was saved just now
  let changing = false; // the times of a schedule that stands are to be changed

  BT.jobPage = (name) => `job/${encodeURIComponent(name)}`;
  BT.begin = (shown, before, problem) => {
    begun.set(shown, before);
    ends.delete(shown);
    if (problem) begun.sheet = problem;
  };

  // Python calls this when the process of a run or check that was started here has ended.
  BT.ended = (shown, error) => {
    if (error) ends.set(shown, error);
    begun.delete(shown);
    if (BT.place.page === "job") BT.draw();
  };

  const known = (shown) => BT.status && BT.status.jobs.find((one) => one.job === shown && !one.system);
  const lastOf = (shown) => {
    const job = known(shown);
    return job && job.last ? job.last.run : null;
  };
  const running = (kind) => BT.status && BT.status.runs.find((run) => run.job === data.shown && (run.what === "check") === (kind === "check"));
  const starts = (shown, live) => !live && begun.has(shown) && lastOf(shown) === begun.get(shown);

  const hero = () => {
    const job = known(data.shown);
    const live = running("backup");
    const done = job && job.last;
    const bad = ends.get(data.shown);
    const sub = BT.sub(data.route || (done ? done.route : ""));
    if (live) return BT.hero("run", live.activity, sub);
    if (starts(data.shown, live)) return BT.hero("run", `The backup of ${data.shown} is starting…`, sub);
    if (!done && bad) return BT.hero("fail", "The backup did not start", sub);
    if (!job) return BT.hero("none", data.shown, sub);
    return BT.hero(job.kind, done && job.kind === done.kind ? done.title : `${data.shown}: ${job.word.toLowerCase()}`, sub);
  };

  const result = () => {
    const job = known(data.shown);
    const live = running("backup");
    const done = job && job.last;
    const bad = !live && ends.get(data.shown);
    return [
      bad && (!done || done.kind !== "ok") && BT.problem(bad),
      live && [el("h2", {}, "Running now"), BT.live(live)],
      done && !live && !starts(data.shown, live) && [el("h2", {}, "Last run"),
        el("div", { class: "card" },
          el("div", { class: "row" }, BT.tag(done.kind, done.word), el("span", { class: "grow mute" }, BT.status.old ? done.at : `${done.ago} · ${done.at}`), BT.runButtons(done)),
          BT.figures(done), done.reason && el("p", { class: "note" }, BT.words(done.reason)))]];
  };

  const card = (title, name, ...inside) => [el("h2", {}, title),
    el("div", { class: "card", "data-key": `card-${name}`, id: `card-${name}` }, problems[name] && BT.problem(problems[name]), inside)];

  const proof = () => {
    const job = known(data.shown);
    const live = running("check");
    const check = known(data.check);
    const last = check && check.last;
    const bad = ends.get(data.check);
    const waiting = starts(data.check, live);
    const first = starts(data.shown, running("backup")) || running("backup");
    if (data.unprovable) return card("Restored as a test", "proof", el("p", {}, data.unprovable.why), el("p", { class: "note" }, BT.words(data.unprovable.next)));
    return card("Restored as a test", "proof",
      live ? BT.live(live) : [
        job && job.proven ? el("div", { class: "row" }, BT.tag("ok", "Proven"), el("span", { class: "grow" }, `${upper(job.proven)}: ${job.proof} restored and compared.`))
          : el("p", {}, waiting || (first && begun.has(data.check)) ? "A few files are restored and compared as soon as the backup is done." : "No file of it was restored as a test yet."),
        last && last.kind !== "ok" && el("p", { class: "note warn" }, `${last.word} ${last.ago}. `, last.reason && BT.words(last.reason)),
        bad && (!last || last.kind === "ok") && BT.problem(bad)],
      checks(check),
      el("p", { class: "buttons" }, BT.act("prove", waiting ? "The test is starting…" : "Check now", { disabled: Boolean(live || waiting || !job || !job.last) }),
        !data.check_schedule && BT.act("schedule-checks", "Check it each month by itself"),
        last && !live && BT.go(`report/${last.run}`, "Report of the last test", { class: "link" }),
        data.check_schedule && BT.act("unschedule-checks", "Take the schedule away", { class: "link", "aria-label": "Take the schedule of the checks away" })));
  };

  const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  // Whether the scheduler starts the checks, and when the next one is.
  const checks = (check) => {
    const schedule = data.check_schedule;
    const next = schedule && schedule.next ? `Next check: ${schedule.next}` : check && check.next ? upper(check.next) : "";
    return schedule ? scheduled(schedule, next) : el("p", { class: "note" }, next || "Only you start its checks. A backup that could be restored once may be damaged later.");
  };

  const scheduled = (schedule, next) => [
    el("div", { class: "row" }, BT.tag(schedule.fault ? "warn" : "ok", schedule.fault ? "Does not start" : "Scheduled"),
      el("span", { class: "grow" }, next && [el("b", {}, next), " "], el("span", { class: "mute" }, `${schedule.times} (${schedule.by})`))),
    schedule.fault && el("p", { class: "note warn" }, schedule.fault, schedule.repair && [" Mend it: ", el("code", {}, schedule.repair)])];

  const timesForm = (schedule) => el("form", { id: "schedule-form", "data-own": "", "data-key": `times-${BT.place.seq}` },
    el("label", { for: "when" }, "When"),
    el("div", { class: "with-button" },
      el("input", { type: "text", id: "when", value: schedule ? schedule.times : data.usual, maxlength: "200", autocomplete: "off", spellcheck: "false", "aria-describedby": "when-hint" }),
      el("button", { type: "submit", class: "main", id: "set-schedule" }, schedule ? "Change it" : "Back up by itself")),
    el("p", { class: "hint", id: "when-hint" }, BT.words("`20:30` means every day at half past eight. `Mon..Fri 12:00`, `hourly` and the five fields of a crontab work, too.")));

  const times = () => {
    const { schedule } = data;
    const job = known(data.shown);
    const next = schedule && (schedule.next ? `Next start: ${schedule.next}` : job && job.next ? upper(job.next) : "");
    if (data.watched) return card("Runs by itself", "schedule", el("p", {}, `Another program starts it: ${data.watched}.`));
    if (!schedule) {
      return card("Runs by itself", "schedule", el("p", {}, el("b", {}, "This job does not run by itself yet."), " When is it to run? A backup that nothing starts is soon an old one."), timesForm(null));
    }
    return card("Runs by itself", "schedule",
      scheduled(schedule, next),
      !schedule.fault && el("p", { class: "note" }, schedule.promise, schedule.needs_login && " It starts only while you are logged in.",
          data.waits && " A start while its drive or server is away is skipped, and the skip is on record."),
      changing && timesForm(schedule),
      el("p", { class: "buttons" }, !changing && BT.act("change-times", "Change…", { "aria-label": "Change the times" }),
        schedule.needs_login && BT.act("linger", "Start it also while I am logged out"),
        BT.act("unschedule", "Take the schedule away", { class: "link" })));
  };

  const sheet = () => card("Recovery sheet", "sheet",
    el("p", {}, el("b", {}, "Print it, and keep it away from this machine."), " It says where the backup is and the exact commands that restore it on another machine. Without the password every file of the backup is lost; a password that only this machine keeps is lost with it."),
    data.sheet ? el("p", { class: "note" }, "It is in ", el("span", { class: "hash" }, data.sheet), ", which only you can read; the password is not on it.")
      : el("p", { class: "buttons" }, BT.act("keep-sheet", "Write it")),
    el("label", { class: "inline", for: "with-password" }, el("input", { type: "checkbox", id: "with-password" }), "Put the password on the saved sheet"),
    el("p", { class: "buttons" }, BT.act("save-sheet", "Save to print…")),
    saved && el("p", { class: "note" }, "Saved to ", el("span", { class: "hash" }, saved.path), saved.secret ? ". It holds the password: delete the file when it is printed." : "."));

  const messages = () => card("Messages about it", "messages",
    data.rests ? [
      el("div", { class: "row" }, BT.tag("paused", "Resting"), el("span", { class: "grow" }, "No message about it until ", el("b", {}, data.rests), ". Its state is shown as before.")),
      el("p", { class: "buttons" }, BT.act("end-snooze", "End the rest"), BT.go("notifications", "Notifications", { class: "link" }))]
      : [
        el("p", {}, "They go out as the rules of your channels say. You can let them rest while you mend it."),
        el("p", { class: "buttons" }, el("label", { for: "length", class: "hidden" }, "For how long"),
          el("select", { id: "length", class: "short" }, data.lengths.map(([value, words]) => el("option", { value }, words))),
          BT.act("snooze", "Snooze messages"), BT.go("notifications", "Notifications", { class: "link" }))]);

  const pause = () => {
    if (data.off) {
      return card("Off for a while", "off",
        el("div", { class: "row" }, BT.tag("paused", upper(data.off)), el("span", { class: "grow" }, "No schedule runs it, and no backup of it is expected.")),
        el("p", { class: "buttons" }, BT.act("turn-on", "Turn it on")));
    }
    return card("Off for a while", "off",
      el("form", { id: "off-form", "data-own": "", "data-key": `off-${BT.place.seq}` },
        el("label", { for: "off-until" }, "Off until"),
        el("div", { class: "with-button" },
          el("input", { type: "text", id: "off-until", maxlength: "10", placeholder: "2026-12-24", autocomplete: "off", spellcheck: "false", "aria-describedby": "off-hint" }),
          el("button", { type: "submit", id: "turn-off" }, "Turn it off")),
        el("p", { class: "hint", id: "off-hint" }, "Until that day no schedule runs it, and no backup of it is expected. Then it is on again by itself.")));
  };

  const unknown = () => el("div", { class: "card" },
    el("p", {}, el("b", {}, "This job is not in the configuration of Backup Tray: another program starts it."), " Its runs are seen and judged all the same."),
    el("p", { class: "note" }, BT.words("Take it over with `backup-tray jobs import`, or add it with `backup-tray jobs add`. Then it can be started, scheduled and checked here.")));

  // Do something with the job; its error stands in the card that asked. An answer that describes the job is the new picture.
  const ask = async (name, call) => {
    problems = { ...problems, [name]: null };
    const seq = BT.place.seq;
    try {
      const answer = await call({ job: data.job });
      if (BT.place.seq !== seq) return null;
      if (answer && answer.shown) data = answer;
      BT.draw();
      return answer;
    } catch (error) {
      if (BT.place.seq !== seq) return null;
      problems = { ...problems, [name]: error };
      BT.draw();
      find(`card-${name}`).scrollIntoView({ block: "nearest" });
      return null;
    }
  };

  // The button that was pressed is gone: go on at the first control of its card.
  const focusIn = (name) => {
    const next = find(`card-${name}`) && find(`card-${name}`).querySelector("button, input, select");
    if (next) next.focus({ preventScroll: true });
  };

  const turnOff = async () => {
    const button = find("turn-off");
    button.disabled = true;
    await ask("off", (of) => BT.call("turn_off", { ...of, until: find("off-until").value.trim() }));
    button.disabled = false;
    if (data.off) focusIn("off");
    else find("off-until").focus();
  };

  Object.assign(BT.actions, {
    "back-up": async () => {
      BT.begin(data.shown, lastOf(data.shown));
      BT.draw();
      await ask("run", (of) => BT.call("back_up", of));
      if (problems.run) begun.delete(data.shown);
      BT.draw();
    },
    prove: async () => {
      BT.begin(data.check, lastOf(data.check));
      BT.draw();
      await ask("proof", (of) => BT.call("prove_job", of));
      if (problems.proof) begun.delete(data.check);
      BT.draw();
    },
    "change-times": () => {
      changing = true;
      BT.draw();
      find("when").focus();
    },
    linger: () => ask("schedule", (of) => BT.call("linger", of)),
    unschedule: () => ask("schedule", (of) => BT.call("unschedule", { ...of, kind: "backup" })),
    "schedule-checks": () => ask("proof", (of) => BT.call("schedule", { ...of, when: "monthly", kind: "check" })),
    "unschedule-checks": () => ask("proof", (of) => BT.call("unschedule", { ...of, kind: "check" })),
    snooze: async () => {
      await ask("messages", (of) => BT.call("snooze", { ...of, length: find("length").value }));
      if (data.rests) BT.said(`No message about it until ${data.rests}.`);
      focusIn("messages");
    },
    "end-snooze": async () => {
      await ask("messages", (of) => BT.call("snooze", { ...of, length: "end" }));
      if (!data.rests) BT.said("Messages about it are sent again.");
      focusIn("messages");
    },
    "turn-on": async () => {
      await ask("off", (of) => BT.call("turn_on", of));
      focusIn("off");
    },
    "keep-sheet": () => ask("sheet", (of) => BT.call("keep_sheet", of)),
    "save-sheet": async () => {
      const secret = find("with-password").checked;
      const answer = await ask("sheet", (of) => BT.call("save_sheet", { ...of, with_password: secret }));
      if (answer && answer.path) saved = { path: answer.path, secret };
      BT.draw();
    },
  });

  BT.pages.job = {
    title: "Job",
    nav: "dashboard",
    live: true,
    help: [
      "Restored as a test: the backup program checks the repository, then three files chosen at random are restored into a private folder and compared with what was backed up. Only such a test proves that the backup can be used.",
      "Runs by itself: the scheduler of the system starts the job, also while neither this window nor the icon is open.",
      "Snooze messages: until then no channel for people tells of this job; tools that follow each run hear of it all the same. A job that is off is neither run by a schedule nor expected.",
      "The recovery sheet holds the commands that restore the backup on another machine, without Backup Tray. Write the password on it by hand, or have it printed, and keep it where you keep other papers that you cannot lose."],
    open: async (encoded) => {
      data = null;
      problems = {};
      saved = null;
      changing = false;
      data = await BT.call("job", { job: decodeURIComponent(encoded) });
      if (begun.sheet) problems = { sheet: begun.sheet };
      begun.sheet = null;
    },
    entered: () => {
      const title = find("title");
      if (title && data) title.focus({ preventScroll: true });
    },
    submit: async (form) => {
      if (form.id === "off-form") return turnOff();
      const button = find("set-schedule");
      button.disabled = true;
      changing = false;
      await ask("schedule", (of) => BT.call("schedule", { ...of, when: find("when").value.trim(), kind: "backup" }));
      changing = Boolean(problems.schedule && data.schedule);
      BT.draw();
      if (find("set-schedule")) find("set-schedule").disabled = false;
    },
    draw: () => {
      if (!data) return [BT.back("dashboard", "Dashboard"), BT.hero("none", "One moment.")];
      if (!data.configured) return [BT.back("dashboard", "Dashboard"), hero(), result(), unknown(), messages()];
      const live = running("backup");
      return [BT.back("dashboard", "Dashboard"), hero(),
        problems.run && BT.problem(problems.run), result(),
        data.runnable && el("p", { class: "buttons" }, BT.act("back-up", "Back up now", { disabled: Boolean(live || starts(data.shown, live)) })),
        proof(), times(), messages(), pause(), sheet()];
    },
  };
})();
