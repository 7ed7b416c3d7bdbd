// Whatever a client calls itself is shown as text. The way back is made by the host.
"use strict";
const named = new URLSearchParams(location.hash.slice(1)).get("request") || "";
const request = /^[A-Za-z0-9_-]{1,200}$/.test(named) ? named : "";
const address = "../oauth/consent/" + encodeURIComponent(request);
const byId = (id) => document.getElementById(id);
const headers = { "content-type": "application/json", "x-stoa-request": "1" };

function refuse(text) {
  byId("problem").textContent = text;
}

(async () => {
  if (!request) return refuse("This link is not complete. Begin again where you came from.");
  try {
    const response = await fetch(address, { credentials: "same-origin", headers: { "x-stoa-request": "1" } });
    const question = await response.json();
    byId("session").hidden = response.status === 401;
    if (!response.ok) return refuse(question.detail);
    byId("client").textContent = question.client.name;
    byId("user").textContent = question.user.name;
    byId("back").textContent = new URL(question.redirect_uri).host || question.redirect_uri;
    for (const scope of question.scopes) {
      const item = document.createElement("li");
      item.textContent = scope.description;
      byId("scopes").append(item);
    }
    byId("lasts").textContent = question.lasts.description;
    byId("form").hidden = false;
  } catch {
    refuse("The server did not answer. Load the page again.");
  }
})();

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const allow = event.submitter !== null && event.submitter.value === "allow";
  try {
    const body = JSON.stringify({ allow });
    const response = await fetch(address, { method: "POST", credentials: "same-origin", headers, body });
    const answer = await response.json();
    if (!response.ok) return refuse(answer.detail);
    location.replace("../oauth/authorize?request=" + encodeURIComponent(request));
  } catch {
    refuse("The server did not answer. Try again.");
  }
});

// The session ends on the server; the question waits for whoever signs in next.
byId("sign-out").addEventListener("click", async (event) => {
  byId("problem").textContent = "";
  event.target.disabled = true;
  try {
    const marked = { "x-stoa-request": "1" };
    const response = await fetch("../api/v1/auth/logout", { method: "POST", credentials: "same-origin", headers: marked });
    if (!response.ok) return refuse((await response.json()).detail);
    byId("form").hidden = byId("session").hidden = true;
    byId("title").textContent = "Signed out";
    document.title = "Signed out · Stoa";
    byId("done").textContent = "You are signed out. Nothing was allowed.";
    byId("sign-in").href = "../oauth/authorize?request=" + encodeURIComponent(request);
    byId("again").hidden = false;
    byId("title").focus();
  } catch {
    refuse("The server did not answer. Try again.");
  } finally {
    event.target.disabled = false;
  }
});
