// The form above a list, the pager below it, and the buttons that write what the list shows into a file.
//
// BT.filterOf(name, fields) keeps what is chosen for one list, also while another page is open. `fields` names the inputs.
"use strict";

(() => {
  const { el } = BT;
  const EMPTY = { text: "", when: "", since: "", until: "", job: "", engine: "", action: "", outcome: "", severity: "" };
  const LABELS = { text: "Search", when: "When", since: "From", until: "To", job: "Job", engine: "Engine", action: "What happened", outcome: "Outcome", severity: "Severity" };
  const ANY = { job: "any job", engine: "any engine", action: "anything", outcome: "any outcome", severity: "any severity" };
  const PAUSE = 350; // after the last letter
  const lists = new Map();
  let timer = 0;

  BT.filterOf = (name, fields, then) => {
    if (!lists.has(name)) lists.set(name, { name, fields, then, chosen: { ...EMPTY }, choices: null, problem: null });
    return lists.get(name);
  };
  BT.isFiltered = (list) => Object.values(list.chosen).some(Boolean);

  const option = (list, name, [value, words]) => el("option", { value, selected: list.chosen[name] === value }, words);
  const choice = (list, name) => {
    const offered = list.choices[name];
    const known = ["", ...offered.map(([value]) => value)].includes(list.chosen[name]);
    return el("select", { id: `filter-${name}` },
      name !== "when" && option(list, name, ["", ANY[name]]), offered.map((one) => option(list, name, one)),
      name === "outcome" && list.name === "audit" && list.choices.verdict.map((one) => option(list, name, one)),
      !known && option(list, name, [list.chosen[name], list.chosen[name]]));
  };
  const input = (list, name, more) => el("input", {
    type: "text", id: `filter-${name}`, value: list.chosen[name], autocomplete: "off", spellcheck: "false",
    "aria-invalid": list.problem && list.problem.field === name ? "true" : null, ...more });
  const field = (name, inside) => el("div", { class: `field ${name}` }, el("label", { for: `filter-${name}` }, LABELS[name]), inside);

  BT.filterForm = (list) => {
    if (!list.choices) return null;
    const days = list.chosen.when === "days";
    return el("form", { class: "filters", role: "search", "aria-label": "Filter", "data-own": "", "data-list": list.name, "data-key": `filter ${list.name} ${days} ${JSON.stringify(list.problem)} ${list.drawn || 0}` },
      field("text", input(list, "text", { maxlength: "200", placeholder: list.name === "audit" ? "words in the entries" : "words in the records" })),
      list.fields.map((name) => [field(name, choice(list, name)),
        name === "when" && days && [
          field("since", input(list, "since", { maxlength: "10", placeholder: "2026-01-31" })), field("until", input(list, "until", { maxlength: "10", placeholder: "2026-12-31" }))]]),
      el("div", { class: "field clear" }, BT.act("clear-filter", "Clear", { "data-list": list.name, hidden: !BT.isFiltered(list) })));
  };

  const read = (list, form) => {
    const before = JSON.stringify(list.chosen);
    for (const name of Object.keys(EMPTY)) {
      const one = form.querySelector(`#filter-${name}`);
      if (one) list.chosen[name] = one.value.trim();
    }
    if (list.chosen.when !== "days") list.chosen.since = list.chosen.until = "";
    const clear = form.querySelector("[data-do=clear-filter]");
    clear.hidden = !BT.isFiltered(list);
    return JSON.stringify(list.chosen) !== before;
  };

  // Ask anew: at once when the user chooses, after a pause while the user types.
  BT.filterInput = (target, now) => {
    const form = target.closest("form.filters");
    if (!form) return false;
    const list = lists.get(form.dataset.list);
    clearTimeout(timer);
    const act = () => {
      if (!form.isConnected || !read(list, form)) return;
      if (/^filter-when$/.test(target.id)) redraw(target.id);
      list.then();
    };
    if (now || target.tagName === "SELECT") act();
    else timer = setTimeout(act, PAUSE);
    return true;
  };

  // The form is drawn anew where its fields change, and the focus stays in it.
  const redraw = (id) => {
    BT.draw();
    const again = document.getElementById(id);
    if (again) again.focus();
  };

  BT.actions["clear-filter"] = (button) => {
    const list = lists.get(button.dataset.list);
    list.chosen = { ...EMPTY };
    list.problem = null;
    list.drawn = (list.drawn || 0) + 1;
    redraw("filter-text");
    list.then();
  };

  // An error that belongs to a field is shown below the form, and what was found before stays.
  BT.filterProblem = (list) => list.problem && el("p", { class: "problem fail", role: "alert", id: "filter-problem" }, BT.icon("fail", "fail"), " ", list.problem.what, " ", list.problem.why, " ", BT.words(list.problem.next));

  // Pages: `list.back` holds where each page before this one began.
  BT.paged = (list) => {
    list.at = null;
    list.back = [];
  };
  BT.pager = (list, count, next, noun) => {
    const first = list.back.length > 0;
    if (!first && !next) return null;
    return el("div", { class: "row pager" },
      BT.act("newest", "Newest", { "data-list": list.name, disabled: !first }), BT.act("newer", "Newer", { "data-list": list.name, disabled: !first }),
      BT.act("older", "Older", { "data-list": list.name, disabled: !next }),
      el("span", { class: "mute" }, `Page ${list.back.length + 1}${count ? `, ${count} ${noun}` : ""}`));
  };
  const turn = (change) => (button) => {
    const list = lists.get(button.dataset.list);
    change(list);
    return list.then(true);
  };
  BT.actions.newest = turn((list) => BT.paged(list));
  BT.actions.newer = turn((list) => { list.at = list.back.pop(); });
  BT.actions.older = turn((list) => {
    list.back.push(list.at);
    list.at = list.next;
  });

  // Return what asks for a page of the list; of several questions only the newest one's answer counts. `call` names the question,
  // `take` keeps the answer, `pages` are those that show it, `said` is what is read out, and a page that was turned begins at `top`.
  BT.asking = (list, { call, take, pages, said, top }) => {
    let asked = 0;
    return async (turned = false) => {
      if (!turned) BT.paged(list);
      const mine = ++asked;
      try {
        const found = await BT.call(call, { fields: list.chosen, after: list.at });
        if (mine !== asked) return;
        take(found);
        list.next = found.next;
        list.problem = null;
      } catch (error) {
        if (mine !== asked) return;
        if (!error.field) BT.place.error = error;
        list.problem = error.field ? error : null;
      }
      if (!pages.includes(BT.place.page)) return;
      BT.draw();
      document.getElementById("live").textContent = list.problem ? list.problem.what : said();
      if (turned && document.getElementById(top)) document.getElementById(top).scrollIntoView({ block: "start" });
    };
  };

  // -- into a file

  const KINDS = [["pdf", "PDF"], ["csv", "CSV"], ["html", "HTML"], ["jsonl", "JSON Lines"]];
  let written = null; // {place, path} or {place, problem} or {place, busy}

  BT.exporter = (place, what, call) => {
    const mine = written && written.place === place ? written : {};
    return el("div", { class: "exporter", role: "group", "aria-label": what },
      el("div", { class: "row" }, el("span", { class: "grow" }, what),
        el("span", { class: "buttons" }, KINDS.map(([kind, word]) => BT.act("export", word, { "data-kind": kind, "data-call": call, "data-place": place, "aria-label": `${what} as ${word}`, disabled: Boolean(mine.busy) })))),
      mine.busy && el("p", { class: "row" }, BT.tag("run", "Writing"), el("span", { class: "grow" }, "Choose where to keep it; then it is written.")),
      mine.path && el("p", { class: "row" }, BT.tag("ok", "Written"), el("span", { class: "grow hash" }, mine.path)),
      mine.problem && BT.problem(mine.problem));
  };
  BT.exports = {}; // what each call sends: set by the pages

  BT.actions.export = async (button) => {
    const { kind, call, place } = button.dataset;
    if (written && written.busy) return;
    written = { place, busy: true };
    BT.draw();
    try {
      const { path } = await BT.exports[call](kind);
      written = path ? { place, path } : null;
    } catch (problem) {
      written = { place, problem };
    }
    BT.draw();
    document.getElementById("live").textContent = !written ? "Nothing was written." : written.path ? `Written to ${written.path}` : written.problem.what;
    const again = document.querySelector(`[data-do=export][data-kind="${kind}"][data-call="${call}"]`);
    if (!again) return;
    again.focus({ preventScroll: true });
    again.closest(".exporter").scrollIntoView({ block: "nearest" });
  };
})();
