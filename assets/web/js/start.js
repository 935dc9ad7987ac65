// The start: what was known when the page was put together is shown at once; then Python says what is new.
"use strict";
document.getElementById("trial").hidden = !BT.boot.trial;
BT.status = BT.boot.status;
BT.visit(BT.boot.page, true);
requestAnimationFrame(() => requestAnimationFrame(() => BT.call("shown").catch(() => {})));
