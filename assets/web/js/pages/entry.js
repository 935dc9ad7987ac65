// One entry of the audit log: what it says, its details, and the very bytes that were hashed.
"use strict";

(() => {
  const { el } = BT;
  let entry = null;
  let check = null;

  const verdict = () => {
    if (!check) return el("p", { class: "row" }, BT.tag("none", "Checking"), el("span", { class: "grow" }, "Following its hash to the signed root…"));
    if (check.what) return BT.problem(check);
    return el("p", { class: "row" }, BT.tag(check.kind, check.word), el("span", { class: "grow" }, check.text));
  };

  const details = () => {
    if (entry.erased) return el("p", { class: "note" }, "The details were erased. The entry itself is untouched, and so is the chain.");
    if (!entry.details) return el("p", { class: "mute" }, "This entry has no details beyond what stands above.");
    return BT.pairs(entry.details);
  };

  BT.pages.entry = {
    title: "Entry",
    nav: "audit",
    help: [
      "One entry of the audit log. What stands under “As it was hashed” are its very bytes; their SHA-256 behind a zero byte is the leaf hash, from which the root of the log is made.",
      "Verified means that this entry is part of what was signed and of what a baseline holds. The page reads no other entry.",
      "Details that may have to be erased lie beside the entry, which holds their hash. Erasing them leaves the entry and the chain as they are."],
    open: async (number) => {
      entry = check = null;
      entry = await BT.call("entry", { entry: Number(number) });
      BT.draw();
      check = await BT.call("prove", { entry: entry.seq }).catch((error) => error);
    },
    draw: () => {
      const back = BT.back("audit", "Audit log");
      if (!entry) return [back, BT.hero("none", "Entry", BT.sub("Reading the audit log…"))];
      return [back,
        BT.hero(check && check.kind === "tampered" ? "tampered" : entry.kind, entry.title, BT.sub(`Entry ${entry.number} · ${entry.when} · ${entry.severity}`)),
        el("h2", {}, "What it says"), el("div", { class: "card" }, verdict(), BT.pairs(entry.facts)),
        el("h2", {}, "Details"), el("div", { class: "card" }, details()),
        el("h2", {}, "As it was hashed"),
        el("div", { class: "card" }, BT.copybox(entry.raw, "the entry's bytes", entry.shown), BT.pairs([["Leaf hash", BT.copybox(entry.leaf, "the leaf hash")]])),
        el("p", { class: "buttons" },
          BT.go(`entry/${entry.previous}`, "Previous entry", { disabled: entry.previous === null }), BT.go(`entry/${entry.next}`, "Next entry", { disabled: entry.next === null }),
          entry.run && BT.go(`report/${entry.run}`, "Report of the run"))];
    },
  };
})();
