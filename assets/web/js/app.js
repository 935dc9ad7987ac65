// One page at a time: going there, drawing it, and drawing it again when Python pushes a new status.
//
// A page is BT.pages.NAME = {title, nav, help: [paragraphs], open(run) -> promise or nothing, draw(run) -> elements, live: bool,
// entered(), left()}. `open` fetches what the page needs and may be left out; `draw` is pure; `live` pages are drawn again on each push, or on those
// that live(before, now) chooses.
"use strict";

(() => {
  const { el } = BT;
  const find = (id) => document.getElementById(id);
  BT.status = null;
  BT.refused = null; // what was asked of a live run and not done
  BT.place = { page: null, run: "", seq: 0, error: null, loading: false };

  BT.visit = async (where, keepFocus = false) => {
    const [name, run = ""] = where.split("/");
    const page = BT.pages[name];
    if (!page) return;
    const left = BT.pages[BT.place.page];
    if (left && left.left) left.left();
    const seq = BT.place.seq + 1;
    BT.place = { page: name, run, seq, error: null, loading: Boolean(page.open) };
    BT.draw(true);
    find("main").scrollTo(0, 0);
    window.scrollTo(0, 0);
    if (!keepFocus) focusTitle();
    if (page.open) {
      try {
        await page.open(run);
      } catch (error) {
        if (BT.place.seq === seq) BT.place.error = error;
      }
      if (BT.place.seq !== seq) return;
      BT.place.loading = false;
      BT.draw();
    }
    if (page.entered) page.entered(run);
  };

  // Draw the present page. A new page replaces the old one, the same page is only brought up to date.
  BT.draw = (anew = false) => {
    const { page: name, run, error } = BT.place;
    const page = BT.pages[name];
    const fresh = el("div", { id: "page", "data-page": name });
    if (error) BT.put(fresh, [BT.hero("unknown", page.title), BT.problem(error, BT.act("again", "Try again"))]);
    else BT.put(fresh, [page.draw(run)]);
    if (anew) find("page").replaceWith(fresh);
    else BT.morph(find("page"), fresh);
    drawBanner();
    for (const link of document.querySelectorAll("nav [data-go]")) {
      if (link.dataset.go === page.nav) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${page.title} – Backup Status`;
  };

  // Python calls this with every new status; "Try again" may get null while there is none yet, and the first one comes by itself.
  BT.receive = (status) => {
    if (!status) return;
    const before = BT.status;
    BT.status = status;
    const page = BT.pages[BT.place.page];
    if (!page) return;
    const live = typeof page.live === "function" ? page.live(before, status) : page.live;
    if (live && !BT.place.error) BT.draw();
    else drawBanner();
    announce(before, status);
  };

  // Python calls this when a second start asks for a page.
  BT.navigate = (where) => BT.visit(where);

  function drawBanner() {
    const error = BT.status && BT.status.error;
    const breach = BT.status && BT.status.audit && BT.status.audit.breach;
    BT.morph(find("banner"), el("div", { id: "banner" },
      breach && BT.breach(breach),
      error && BT.problem(error, BT.act("retry", "Try again")), BT.refused && BT.problem(BT.refused, BT.act("dismiss", "Dismiss"))));
  }

  // Said aloud: a change of state, and the start and end of a run. Never the figures that change each second.
  function announce(before, status) {
    const sign = (one) => one && [one.state, one.error && one.error.code, one.runs.map((run) => run.run), one.last && one.last.run, one.audit && one.audit.kind].join();
    if (!before || sign(before) === sign(status)) return;
    find("live").textContent = status.headline;
  }

  function focusTitle() {
    const title = find("title") || find("main");
    title.focus({ preventScroll: true });
  }

  // Ask before something is done that the page cannot take back. The button that changes nothing has the focus.
  function confirm(what, run, title, text, yes, no) {
    find("confirm-title").textContent = title;
    find("confirm-text").textContent = text;
    find("confirm-no").textContent = no;
    Object.assign(find("confirm-yes").dataset, { run, do: `yes-${what}` });
    find("confirm-yes").textContent = yes;
    if (!find("confirm").open) find("confirm").showModal();
  }
  BT.ask = confirm;
  BT.said = (text) => { find("live").textContent = text; };

  const actions = {
    skip: () => find("main").focus(),
    help: () => {
      const page = BT.pages[BT.place.page];
      find("help-title").textContent = `Help: ${page.title}`;
      find("help-text").replaceChildren(...page.help.map((text) => el("p", {}, BT.words(text))));
      find("help").showModal();
    },
    "close-help": () => find("help").close(),
    cancel: (button) => {
      const { run, job, ask } = button.dataset;
      confirm("cancel", run, `Cancel ${job}?`, ask, "Cancel the run", "Let it go on");
    },
    forget: (button) => {
      const { run, job } = button.dataset;
      confirm("forget", run, `Forget ${job}?`, "It is no longer shown or judged until it runs again. Its runs stay in the history; that you forgot it goes on record.", "Forget the job", "Keep it");
    },
    acknowledge: () => {
      find("reason").value = "";
      find("reason-problem").textContent = "";
      find("reason").removeAttribute("aria-invalid");
      if (!find("acknowledge").open) find("acknowledge").showModal();
      find("reason").focus();
    },
    "close-acknowledge": () => find("acknowledge").close(),
    "yes-acknowledge": async (button) => {
      button.disabled = true;
      try {
        await BT.call("acknowledge", { reason: find("reason").value });
        find("acknowledge").close();
        BT.receive(await BT.call("retry"));
        find("live").textContent = "The breach is acknowledged; the reason is on record.";
        focusTitle();
      } catch (error) {
        find("reason-problem").replaceChildren(BT.icon("fail", "fail"), [error.what, error.why, error.next].filter(Boolean).join(" "));
        find("reason").setAttribute("aria-invalid", "true");
        find("reason").focus();
      } finally {
        button.disabled = false;
      }
    },
    "close-confirm": () => find("confirm").close(),
    "yes-cancel": (button) => {
      find("confirm").close();
      return control("cancel", button.dataset.run);
    },
    "yes-forget": async (button) => {
      find("confirm").close();
      try {
        await BT.call("forget", { run: button.dataset.run });
        BT.receive(await BT.call("retry"));
        focusTitle();
      } catch (error) {
        BT.refuse(error);
      }
    },
    pause: (button) => control("pause", button.dataset.run, button),
    resume: (button) => control("resume", button.dataset.run, button),
    dismiss: () => {
      BT.refused = null;
      drawBanner();
    },
    again: () => BT.visit([BT.place.page, BT.place.run].filter(Boolean).join("/")),
    retry: async (button) => {
      button.disabled = true;
      try {
        BT.receive(await BT.call("retry"));
      } finally {
        button.disabled = false;
      }
    },
    copy: (button) => {
      // The clipboard's newer interface is for pages from the network only.
      const box = el("textarea", { class: "hidden", readonly: true });
      box.value = button.dataset.text;
      document.body.append(box);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      button.focus();
      button.textContent = done ? "Copied" : "Select it and press Ctrl+C";
      find("live").textContent = button.textContent;
      setTimeout(() => { button.textContent = "Copy"; }, 2500);
    },
  };
  BT.actions = actions;

  BT.refuse = (error) => {
    BT.refused = error;
    drawBanner();
  };

  // Ask for something to be done with a live run. The picture that comes next shows that it was done; only a refusal is said.
  async function control(what, run, button) {
    if (button) button.disabled = true;
    try {
      await BT.call("control", { what, run });
    } catch (error) {
      BT.refuse(error);
    } finally {
      if (button) button.disabled = false;
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-go], [data-do]");
    if (!target) return;
    event.preventDefault();
    if (target.dataset.go) BT.visit(target.dataset.go);
    else if (actions[target.dataset.do]) actions[target.dataset.do](target);
  });
  // Something dropped on the window must never become the page.
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("submit", (event) => {
    event.preventDefault();
    const page = BT.pages[BT.place.page];
    if (page.submit) page.submit(event.target);
  });
  document.addEventListener("change", (event) => {
    const page = BT.pages[BT.place.page];
    if (page.change) page.change(event.target);
  });
  document.addEventListener("input", (event) => {
    const page = BT.pages[BT.place.page];
    if (page.input) page.input(event.target);
  });
})();
