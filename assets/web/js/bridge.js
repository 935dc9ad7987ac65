// Talking to Python: BT.call("history", {before: null}) gives a promise of the value, or rejects with {what, why, next, code}.
"use strict";

(() => {
  const boot = document.getElementById("boot");
  BT.boot = JSON.parse(boot.textContent);
  boot.remove();
  const secret = BT.boot.secret;
  delete BT.boot.secret;

  const waiting = new Map();
  let last = 0;
  const ready = new Promise((resolve) => {
    if (window.pywebview && window.pywebview._jsApiCallback) resolve();
    else window.addEventListener("pywebviewready", resolve, { once: true });
  });

  BT.call = async (name, values = {}) => {
    await ready;
    const ident = String(++last);
    return new Promise((resolve, reject) => {
      waiting.set(ident, { resolve, reject });
      window.pywebview._jsApiCallback(name, { secret, arguments: values }, ident);
    });
  };

  // Python calls this with every answer.
  BT.answered = (ident, reply) => {
    const promise = waiting.get(ident);
    waiting.delete(ident);
    if (promise && reply.error) promise.reject(reply.error);
    else if (promise) promise.resolve(reply.value);
  };
})();
