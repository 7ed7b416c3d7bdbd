// Nothing happens before the person asks for it: mail programs open links by themselves.
"use strict";
const asked = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
const undo = asked.get("undo");
const token = undo || asked.get("token");
const byId = (id) => document.getElementById(id);
byId("what").textContent = undo
  ? "Give the account its earlier address back, and end every session."
  : "Confirm that this is your address.";
if (!token) {
  byId("form").hidden = true;
  byId("done").textContent = "This link is not complete. Open it exactly as you received it.";
}
byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("problem").textContent = "";
  try {
    const response = await fetch("../api/v1/auth/email/" + (undo ? "undo" : "confirm"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (!response.ok) {
      byId("problem").textContent = (await response.json()).detail;
      return;
    }
    byId("form").hidden = true;
    byId("done").textContent = undo ? "The earlier address is back." : "Your address is confirmed.";
  } catch {
    byId("problem").textContent = "The server did not answer. Try again.";
  }
});
