// The token stands behind the # of the link: browsers do not send that part, so it reaches no log on the way here.
"use strict";
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);
const form = document.getElementById("form");
const problem = document.getElementById("problem");
const done = document.getElementById("done");

function refuse(text) {
  problem.textContent = text;
  document.getElementById("password").focus();
}

if (!token) {
  form.hidden = true;
  done.textContent = "This link is not complete. Open it exactly as you received it, or ask for a new one.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const password = document.getElementById("password").value;
  if (password !== document.getElementById("again").value) {
    return refuse("The two passwords differ.");
  }
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const response = await fetch("v1/invitations/accept", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, password }),
    });
    if (response.ok) {
      form.hidden = true;
      done.textContent = "Your password is saved. Sign in with it and enrol your second factor.";
      return;
    }
    const body = await response.json();
    refuse(body.errors && body.errors.length ? body.errors.map((fault) => fault.detail).join(" ") : body.detail);
  } catch {
    refuse("The server did not answer. Try again.");
  } finally {
    button.disabled = false;
  }
});
