// Create First Backup: what, where, a password that is kept, and off it goes. Python checks everything again.
"use strict";

(() => {
  const { el } = BT;
  const find = (id) => document.getElementById(id);
  let form = null; // what the form began with
  let problem = null;
  let busy = false;
  let sources = [];

  const field = (id, label, hint, ...inside) =>
    el("div", { class: "field" }, el("label", { for: id }, label), inside, hint && el("p", { class: "hint", id: `${id}-hint` }, hint));
  const input = (id, value, more = {}) =>
    el("input", { type: "text", id, value, autocomplete: "off", spellcheck: "false", maxlength: "4096", "aria-invalid": problem && problem.field === id ? "true" : null, ...more });

  const sourceRows = () => el("div", { id: "source-rows" }, sources.map((path, index) =>
    el("div", { class: "with-button", "data-key": `source-${index}-${path}` },
      input(`source-${index}`, path, { "aria-label": `Folder ${index + 1}`, placeholder: "/home/me", "data-source": String(index) }),
      sources.length > 1 && BT.act("drop-source", "Remove", { "data-text": String(index), "aria-label": `Remove folder ${index + 1}` }))));

  const passwordPart = () => el("fieldset", { class: "field" },
    el("legend", {}, "Password of the repository"),
    el("label", { class: "inline" }, el("input", { type: "radio", name: "kind", value: "made", id: "kind-made", checked: true }), "Make a strong one for me"),
    el("label", { class: "inline" }, el("input", { type: "radio", name: "kind", value: "typed", id: "kind-typed" }), "I type my own"),
    el("div", { id: "made-part" },
      el("p", { class: "secret", id: "made-password" }, form.password),
      el("p", { class: "buttons" }, BT.act("copy", "Copy", { "data-text": form.password, "aria-label": "Copy the password" }), BT.act("renew", "Make another one"))),
    el("div", { id: "typed-part", class: "two", hidden: true },
      el("div", {}, el("label", { for: "password" }, "Password"), el("input", { type: "password", id: "password", autocomplete: "new-password", maxlength: "1024" })),
      el("div", {}, el("label", { for: "again" }, "The same again"), el("input", { type: "password", id: "again", autocomplete: "new-password", maxlength: "1024" }))),
    el("p", { class: "hint" }, "Without this password the backup cannot be read, not even by you. It is shown only now. This machine keeps it in a private file for the nightly run; keep it in a second place as well, in case this machine is lost."));

  const drawForm = () => el("form", { id: "create-form", "data-own": "", "data-key": `form-${BT.place.seq}` },
    el("div", { id: "form-problem" }),
    el("div", { class: "field" }, el("label", { for: "source-0" }, "What to protect"), sourceRows(),
      el("p", { class: "buttons" }, BT.act("choose-source", "Choose a folder…"), BT.act("type-source", "Type another one", { class: "link" }))),
    field("repository", "Where to keep it", "A folder on another disk, best on one that is not always plugged in. It must be empty or new.",
      el("div", { class: "with-button" }, input("repository", form.repository, { placeholder: "/media/usb-disk/backup", "aria-describedby": "repository-hint" }), BT.act("choose-target", "Choose…", { "aria-label": "Choose where to keep it" }))),
    field("name", "Name", "How this backup is called in the list.", input("name", form.name, { maxlength: "80", "aria-describedby": "name-hint" })),
    passwordPart(),
    el("label", { class: "inline" }, el("input", { type: "checkbox", id: "kept" }), "I have kept it"),
    el("p", { class: "buttons" }, el("button", { type: "submit", class: "main", id: "go", disabled: true, "aria-describedby": "missing" }, "Create and start the first backup"), BT.go("dashboard", "Cancel")),
    el("p", { class: "hint", id: "missing" }));

  const redoSources = () => BT.morph(find("source-rows"), sourceRows());
  const typed = () => find("kind-typed").checked;

  const refresh = () => {
    for (const one of document.querySelectorAll("[data-source]")) sources[Number(one.dataset.source)] = one.value;
    find("made-part").hidden = typed();
    find("typed-part").hidden = !typed();
    const secret = !typed() || (find("password").value && find("password").value === find("again").value);
    find("again").setAttribute("aria-invalid", String(Boolean(typed() && find("again").value && !secret)));
    const missing = [
      !sources.some((path) => path.trim()) && "what to protect", !find("repository").value.trim() && "where to keep it",
      !find("name").value.trim() && "a name", !secret && "the same password twice", !find("kept").checked && "the mark at “I have kept it”"].filter(Boolean);
    find("missing").textContent = missing.length ? `Still missing: ${missing.join(", ")}.` : "";
    find("go").disabled = busy || missing.length > 0;
  };

  const complain = (error) => {
    find("form-problem").replaceChildren(BT.problem(error));
    for (const one of document.querySelectorAll("#create-form [aria-invalid]")) one.removeAttribute("aria-invalid");
    const at = find({ sources: "source-0", name: "name", repository: "repository", password: typed() ? "password" : "kind-made" }[error.field]);
    if (at) at.setAttribute("aria-invalid", "true");
    (at || find("go")).focus();
    find("form-problem").scrollIntoView({ block: "center" });
  };

  const choose = async (then) => {
    try {
      const { path } = await BT.call("choose_folder");
      if (path) then(path);
    } catch (error) {
      complain(error);
    }
    refresh();
  };
  BT.actions["choose-source"] = () => choose((path) => {
    refresh();
    sources = sources.filter((one) => one.trim() && one !== form.sources[0]).concat(path);
    redoSources();
  });
  BT.actions["choose-target"] = () => choose((path) => { find("repository").value = path; });
  BT.actions["type-source"] = () => {
    refresh();
    sources.push("");
    redoSources();
    find(`source-${sources.length - 1}`).focus();
  };
  BT.actions["drop-source"] = (button) => {
    refresh();
    sources.splice(Number(button.dataset.text), 1);
    redoSources();
    find("source-0").focus();
    refresh();
  };
  BT.actions.renew = async () => {
    form.password = (await BT.call("new_password")).password;
    find("made-password").textContent = form.password;
    for (const one of document.querySelectorAll("#made-part [data-do=copy]")) one.dataset.text = form.password;
    find("kept").checked = false;
    refresh();
  };

  BT.pages.create = {
    title: "Create First Backup",
    nav: "dashboard",
    help: [
      "Choose the folders to protect and a folder on another disk to keep the copies in. Backup Tray makes a restic repository there, encrypted with the password, and runs the first backup.",
      "Keep the password in a second place: a password manager, or paper. Without it the backup is lost for good.",
      "After the first backup a few of its files are restored and compared, as a test. The page that follows asks when the job is to run by itself, and holds the recovery sheet: print it, and keep it away from this machine."],
    open: async () => {
      problem = null;
      busy = false;
      form = null;
      form = await BT.call("create_form");
      sources = [...form.sources];
    },
    entered: () => {
      if (find("kept")) refresh();
      if (form && form.problem && find("form-problem")) find("form-problem").replaceChildren(BT.problem(form.problem));
    },
    left: () => {
      form = null; // the password goes with it
    },
    input: () => find("kept") && refresh(),
    submit: async () => {
      refresh();
      if (find("go").disabled) return;
      busy = true;
      refresh();
      find("go").textContent = "Creating the repository…";
      find("form-problem").replaceChildren();
      try {
        const made = await BT.call("create_backup", {
          name: find("name").value.trim(), sources: sources.map((path) => path.trim()).filter(Boolean),
          repository: find("repository").value.trim(), password: typed() ? find("password").value : form.password });
        BT.begin(made.shown, made.before, made.problem);
        BT.begin(made.check, made.checked, null);
        await BT.visit(BT.jobPage(made.job));
      } catch (error) {
        busy = false;
        find("go").textContent = "Create and start the first backup";
        complain(error);
        refresh();
      }
    },
    draw: () => {
      if (!form) return BT.hero("none", "Create First Backup", BT.sub("One moment."));
      return [BT.back("dashboard", "Dashboard"),
        BT.hero("none", "Create First Backup", BT.sub("An encrypted copy of your folders, made with restic. It takes a minute to set up.")),
        el("div", { class: "card" }, drawForm())];
    },
  };
})();
