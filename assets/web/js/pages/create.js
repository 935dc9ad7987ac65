// Create First Backup: what, where, a password that is kept, and off it goes. Python checks everything again.
"use strict";

(() => {
  const { el } = BT;
  const find = (id) => document.getElementById(id);
  let form = null; // what the form began with
  let problem = null;
  let busy = false;
  let sources = [];

  const sizes = new Map(); // by path: how much the folder takes, or at least takes so far
  let weighed = ""; // the folders that are being measured

  const field = (id, label, hint, ...inside) =>
    el("div", { class: "field" }, el("label", { for: id }, label), inside, hint && el("p", { class: "hint", id: `${id}-hint` }, hint));
  const input = (id, value, more = {}) =>
    el("input", { type: "text", id, value, autocomplete: "off", spellcheck: "false", maxlength: "4096", "aria-invalid": problem && problem.field === id ? "true" : null, ...more });

  const sizeOf = (path) => (sizes.has(path.trim()) ? sizes.get(path.trim()).words : "");

  // Folders that most people want to keep, but not those that are chosen or lie in a chosen one.
  const suggestions = () => el("p", { class: "buttons", id: "suggestions" }, form.folders.filter((path) => !sources.includes(path)).map((path) =>
    BT.act("suggest", [path.slice(path.lastIndexOf("/") + 1), " ", el("span", { class: "mute", "data-size": path }, sizeOf(path))], { "data-text": path, "data-key": path, title: `Keep ${path}` })));

  const sourceRows = () => el("div", { id: "source-rows" }, sources.map((path, index) =>
    el("div", { class: "with-button", "data-key": `source-${index}-${path}` },
      input(`source-${index}`, path, { "aria-label": `Folder ${index + 1}`, placeholder: "/home/me", "data-source": String(index) }),
      el("span", { class: "mute size", "data-size": path }, sizeOf(path)),
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
      el("p", { class: "buttons" }, BT.act("choose-source", "Choose a folder…"), BT.act("type-source", "Type another one", { class: "link" })),
      form.folders.length > 0 && el("p", { class: "hint" }, "Or only these:"), suggestions()),
    BT.target.draw(),
    field("name", "Name", "How this backup is called in the list.", input("name", form.name, { maxlength: "80", "aria-describedby": "name-hint" })),
    passwordPart(),
    el("label", { class: "inline" }, el("input", { type: "checkbox", id: "kept" }), "I have kept it"),
    el("p", { class: "buttons" }, el("button", { type: "submit", class: "main", id: "go", disabled: true, "aria-describedby": "missing" }, "Create and start the first backup"), BT.go("dashboard", "Cancel")),
    el("p", { class: "hint", id: "missing" }));

  const redoSources = () => {
    BT.morph(find("source-rows"), sourceRows());
    BT.morph(find("suggestions"), suggestions());
  };

  const paths = () => sources.map((path) => path.trim()).filter(Boolean);

  // Have the folders measured that are chosen or suggested; whatever was measured before goes on.
  const measure = () => {
    const wanted = [...paths().filter((path) => /^[/~]/.test(path)), ...form.folders].slice(0, 100);
    if (weighed === wanted.join("\0")) return;
    weighed = wanted.join("\0");
    BT.call("measure", { paths: wanted });
  };

  const weigh = () => {
    const known = paths().map((path) => sizes.get(path));
    if (known.length && known.every(Boolean)) {
      const total = known.reduce((sum, one) => sum + one.total, 0);
      BT.target.weigh(total, known.length === 1 ? known[0].words : "more than that together");
    }
  };

  // Python calls this a few times a second while it measures a folder.
  BT.measured = (path, total, words) => {
    sizes.set(path, { total, words });
    for (const one of document.querySelectorAll("[data-size]")) if (one.dataset.size.trim() === path) one.textContent = words;
    if (form && find("target-says")) weigh();
  };

  const look = () => BT.target.look(paths(), weigh);
  const typed = () => find("kind-typed").checked;

  const refresh = () => {
    for (const one of document.querySelectorAll("[data-source]")) {
      sources[Number(one.dataset.source)] = one.value;
      const size = one.nextElementSibling;
      size.dataset.size = one.value.trim();
      size.textContent = sizeOf(one.value);
    }
    find("made-part").hidden = typed();
    find("typed-part").hidden = !typed();
    const secret = !typed() || (find("password").value && find("password").value === find("again").value);
    find("again").setAttribute("aria-invalid", String(Boolean(typed() && find("again").value && !secret)));
    const missing = [
      !sources.some((path) => path.trim()) && "what to protect", BT.target.missing(),
      !find("name").value.trim() && "a name", !secret && "the same password twice", !find("kept").checked && "the mark at “I have kept it”"].filter(Boolean);
    find("missing").textContent = missing.length ? `Still missing: ${missing.join(", ")}.` : "";
    find("go").disabled = busy || missing.length > 0;
    BT.target.refresh();
    measure();
    weigh();
  };

  const complain = (error) => {
    find("form-problem").replaceChildren(BT.problem(error));
    for (const one of document.querySelectorAll("#create-form [aria-invalid]")) one.removeAttribute("aria-invalid");
    const at = ["repository", "login"].includes(error.field) ? BT.target.field(error.field)
      : find({ sources: "source-0", name: "name", password: typed() ? "password" : "kind-made" }[error.field]);
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
  BT.actions["choose-target"] = () => choose((path) => {
    find("repository").value = path;
    look();
  });
  BT.actions.suggest = (button) => {
    refresh();
    sources = sources.filter((one) => one.trim() && one !== form.sources[0]).concat(button.dataset.text);
    redoSources();
    refresh();
  };
  BT.actions["install-engine"] = async (button) => {
    button.disabled = true;
    button.textContent = "Installing…";
    try {
      Object.assign(form, await BT.call("install_engine"));
      find("form-problem").replaceChildren();
      find("live").textContent = "It is installed.";
    } catch (error) {
      button.disabled = false;
      button.textContent = "Try again";
      find("form-problem").append(BT.problem(error));
    }
  };

  // restic itself is missing: the command is shown, and runs only if the user wants it to.
  const missingEngine = () => {
    find("form-problem").replaceChildren(BT.problem(form.problem, form.install && BT.act("install-engine", "Install it", { class: "main" })));
    if (form.install) find("form-problem").append(el("p", { class: "hint" }, "“Install it” runs ", el("code", {}, form.install), ". The system may ask for the password of an administrator."));
  };
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
      weighed = "";
      sizes.clear();
      BT.target.begin(form);
    },
    entered: () => {
      if (find("kept")) refresh();
      if (form && form.problem && find("form-problem")) missingEngine();
    },
    left: () => {
      form = null; // the password goes with it
      BT.target.stop();
      BT.call("measure", { paths: [] });
    },
    input: () => find("kept") && refresh(),
    change: (field) => {
      if (!find("kept") || !field.closest(".part, #drives, [name=place]")) return;
      refresh();
      look();
    },
    submit: async () => {
      refresh();
      if (find("go").disabled) return;
      busy = true;
      refresh();
      find("go").textContent = "Creating the repository…";
      find("form-problem").replaceChildren();
      try {
        const made = await BT.call("create_backup", {
          name: find("name").value.trim(), sources: paths(),
          repository: BT.target.address(), ...BT.target.keys(), password: typed() ? find("password").value : form.password });
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
