// Where a first backup is kept: a connected drive, a folder, or an address of one of the kinds that restic knows.
"use strict";

(() => {
  const { el } = BT;
  const find = (id) => document.getElementById(id);
  const value = (id) => (find(id) ? find(id).value.trim() : "");
  let form = null;
  let asked = 0; // of the looks at a target only the last one counts
  let good = ""; // the answer of a target that can be used
  let room = null; // bytes that a backup may take at the target, null if that is not known

  const KINDS = [
    ["folder", "A folder", "on another disk"],
    ["sftp", "Another computer", "over SFTP, with your ssh key"],
    ["s3", "S3 storage", "with an access key"],
    ["rest", "A REST server", "restic's own"],
    ["rclone", "A remote of rclone", "such as a cloud drive"]];

  const text = (id, label, more = {}) => el("div", {}, el("label", { for: id }, label),
    el("input", { type: "text", id, autocomplete: "off", spellcheck: "false", maxlength: "4096", ...more }));
  const choice = (name, id, ...words) => el("label", { class: "inline", for: id }, el("input", { type: "radio", name: "place", value: name, id, checked: name === "folder" }), el("span", {}, words));
  const part = (name, ...inside) => el("div", { id: `part-${name}`, class: "part", hidden: name !== "folder" }, inside);

  const drives = () => el("div", { id: "drives" }, form.drives.map((drive, index) =>
    choice(`drive-${index}`, `place-drive-${index}`, el("b", {}, drive.name), ` ${drive.room} `, el("span", { class: "mute" }, drive.path))));

  BT.target = {
    begin: (data) => {
      form = data;
      room = null;
      good = "";
    },
    draw: () => el("fieldset", { class: "field" }, el("legend", {}, "Where to keep it"),
      drives(),
      KINDS.map(([name, title, more]) => choice(name, `place-${name}`, title, " ", el("span", { class: "mute" }, more))),
      el("p", { class: "buttons" }, BT.act("look-for-drives", "Look for drives again", { class: "link" })),
      part("folder", el("label", { for: "repository" }, "Folder"),
        el("div", { class: "with-button" },
          el("input", { type: "text", id: "repository", autocomplete: "off", spellcheck: "false", maxlength: "4096", placeholder: "/media/usb-disk/backup", "aria-describedby": "target-says" }),
          BT.act("choose-target", "Choose…", { "aria-label": "Choose where to keep it" })),
        el("p", { class: "hint" }, "It must be empty or new, and best on a disk that is not always plugged in.")),
      part("sftp", el("div", { class: "two" }, text("sftp-host", "User and computer", { placeholder: "me@nas" }), text("sftp-port", "Port", { placeholder: "22" })),
        text("sftp-path", "Folder there", { placeholder: "/backup/laptop" }),
        el("p", { class: "hint" }, BT.words("A schedule cannot type a password: `ssh me@nas` must work without one."))),
      part("s3", el("div", { class: "two" }, text("s3-server", "Server", { value: "s3.amazonaws.com" }), text("s3-bucket", "Bucket and folder", { placeholder: "my-bucket/laptop" })),
        el("div", { class: "two" }, text("s3-key", "Access key"),
          el("div", {}, el("label", { for: "s3-secret" }, "Secret key"), el("input", { type: "password", id: "s3-secret", autocomplete: "off", maxlength: "1024" }))),
        el("p", { class: "hint" }, "The keys are kept in a private file of this machine, for the runs that start by themselves.")),
      part("rest", text("rest-address", "Address", { placeholder: form.example }),
        el("p", { class: "hint" }, "An address that holds a user and a password is refused: every user of this machine could see it.")),
      part("rclone", el("div", { class: "two" },
        form.remotes.length ? el("div", {}, el("label", { for: "rclone-remote" }, "Remote"), el("select", { id: "rclone-remote" }, form.remotes.map((name) => el("option", { value: name }, name))))
          : text("rclone-remote", "Remote", { placeholder: "drive:" }),
        text("rclone-path", "Folder there", { placeholder: "backup/laptop" })),
        !form.remotes.length && el("p", { class: "hint" }, BT.words("rclone knows no remote yet. Make one with `rclone config`."))),
      el("p", { class: "hint", id: "target-says", role: "status" })),

    chosen: () => {
      const radio = document.querySelector("#create-form input[name=place]:checked");
      return radio ? radio.value : "folder";
    },
    drive: () => {
      const match = /^drive-(\d+)$/.exec(BT.target.chosen());
      return match ? form.drives[Number(match[1])] : null;
    },
    // The address as restic takes it; "" while a part of it is missing.
    address: () => {
      const name = BT.target.chosen();
      if (name === "folder") return value("repository");
      if (name === "sftp") {
        const [host, port, path] = [value("sftp-host"), value("sftp-port"), value("sftp-path")];
        if (!host || !path) return "";
        return port ? `sftp://${host}:${port}/${path}` : `sftp:${host}:${path}`;
      }
      if (name === "s3") {
        const [server, bucket] = [value("s3-server").replace(/\/+$/, ""), value("s3-bucket").replace(/^\/+/, "")];
        return server && bucket ? `s3:${server}/${bucket}` : "";
      }
      if (name === "rest") return value("rest-address") && `rest:${value("rest-address")}`;
      if (name === "rclone") return value("rclone-remote") && `rclone:${value("rclone-remote").replace(/:?$/, ":")}${value("rclone-path")}`;
      return BT.target.drive().place;
    },
    keys: () => (BT.target.chosen() === "s3" ? { key: value("s3-key"), secret: find("s3-secret").value } : { key: "", secret: "" }),
    missing: () => {
      if (!BT.target.address()) return "where to keep it";
      const { key, secret } = BT.target.keys();
      return BT.target.chosen() === "s3" && !(key && secret) && "the keys of the storage";
    },
    // The field to which an error about the target belongs.
    field: (name) => {
      if (name === "login") return find("s3-key");
      const first = { folder: "repository", sftp: "sftp-host", s3: "s3-server", rest: "rest-address", rclone: "rclone-remote" }[BT.target.chosen()];
      return find(first || `place-${BT.target.chosen()}`);
    },
    // Show the part of the kind that is chosen.
    refresh: () => {
      for (const one of document.querySelectorAll("#create-form .part")) one.hidden = one.id !== `part-${BT.target.chosen()}`;
    },
    // Tell whether the folders have room there, as far as both are known.
    weigh: (total, words) => {
      if (room === null || !good || !find("target-says")) return;
      if (total > room) say("warn", `The folders take ${words}: there is no room for them.`);
      else say("ok", good);
    },
    // Ask the target, before anything is made there.
    look: async (sources, weigh) => {
      const number = ++asked;
      room = null;
      good = "";
      if (BT.target.missing()) return say("", "");
      say("", BT.target.chosen() === "folder" || BT.target.drive() ? "" : "Asking the other side…");
      try {
        const answer = await BT.call("reach", { sources, repository: BT.target.address(), ...BT.target.keys() });
        if (number !== asked || !find("target-says")) return;
        room = answer.room;
        good = `${BT.target.drive() ? `The backup goes into ${BT.target.drive().place}. ` : "It can be used. "}${answer.words}`;
        say("ok", good);
        weigh();
      } catch (error) {
        if (number === asked && find("target-says")) say("fail", [error.what, error.why, error.next].filter(Boolean).map((words) => (/[.!?]$/.test(words) ? words : `${words}.`)).join(" "));
      }
    },
    stop: () => {
      asked += 1;
      form = null;
    },
  };

  const say = (kind, words) => {
    const place = find("target-says");
    const name = kind ? `problem ${kind}` : "hint";
    if (place.className === name && place.dataset.text === words) return;
    place.className = name;
    place.dataset.text = words;
    place.replaceChildren();
    BT.put(place, [words && kind && BT.icon(kind, kind), words && el("span", {}, BT.words(words))]);
  };

  BT.actions["look-for-drives"] = async () => {
    const before = BT.target.drive();
    form.drives = (await BT.call("drives")).drives;
    if (!form || !find("drives")) return;
    BT.morph(find("drives"), drives());
    const again = before && form.drives.findIndex((drive) => drive.path === before.path);
    if (before) find(again >= 0 ? `place-drive-${again}` : "place-folder").checked = true;
    find("live").textContent = form.drives.length ? `${form.drives.length} drives` : "No drive is connected.";
    if (!form.drives.length) say("", "No drive is connected, or none that you can write.");
    BT.target.refresh();
  };
})();
