// The token stands behind the # of the link: browsers do not send that part, so it reaches no log on the way here.
"use strict";
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);
const byId = (id) => document.getElementById(id);
const form = byId(token ? "choose" : "ask");
form.hidden = false;

async function send(path, body) {
  const response = await fetch("../api/v1/auth/reset" + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.ok) return;
  const answer = await response.json();
  const faults = answer.errors && answer.errors.length ? answer.errors.map((fault) => fault.detail).join(" ") : answer.detail;
  throw Object.assign(new Error(faults), { told: true });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("problem").textContent = "";
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    if (token) {
      if (byId("password").value !== byId("again").value) {
        throw Object.assign(new Error("The two passwords differ."), { told: true });
      }
      const body = { token, password: byId("password").value };
      if (byId("code").value.trim()) body.code = byId("code").value.trim();
      await send("/confirm", body);
      byId("done").textContent = "Your password is saved. You can sign in now.";
    } else {
      await send("", { email: byId("email").value });
      byId("done").textContent = "If somebody has this address, a link was sent to it. It is good for 15 minutes.";
    }
    form.hidden = true;
  } catch (error) {
    byId("problem").textContent = error.told ? error.message : "The server did not answer. Try again.";
    form.querySelector("input").focus();
  } finally {
    button.disabled = false;
  }
});
