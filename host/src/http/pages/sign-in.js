// What stands behind the # names the request to go on with; it goes nowhere but to this organization's own address.
"use strict";
const asked = new URLSearchParams(location.hash.slice(1));
const named = asked.get("request") || "";
const kept = "stoa-request " + location.pathname.replace(/[^/]*$/, "");
const shaped = (text) => (/^[A-Za-z0-9_-]{1,200}$/.test(text) ? text : null);
// Whoever comes back from a provider goes on with what they left for.
const returns = asked.has("voucher") || asked.has("error");
const request = shaped(returns ? sessionStorage.getItem(kept) || "" : named);
const api = "../api/v1/auth/transactions";
const federation = "../api/v1/auth/federation";
const byId = (id) => document.getElementById(id);
// What the application expects to be typed here; it is text in a field, and sent by nobody but the person.
byId("email").value = (asked.get("login_hint") || "").slice(0, 254);

const send = (path, body) => ask(api + path, body);

async function ask(address, body, method = "POST") {
  const response = await fetch(address, {
    method,
    credentials: "same-origin",
    headers: { "content-type": "application/json", "x-stoa-request": "1" },
    body: method === "GET" ? undefined : JSON.stringify(body || {}),
  });
  const answer = await response.json();
  if (response.ok) return answer;
  const wait = response.headers.get("retry-after");
  const error = new Error(wait ? `${answer.detail} Wait ${wait} s.` : answer.detail);
  error.code = answer.code;
  throw error;
}

function show(next) {
  byId("password-form").hidden = !(next.includes("identify") || next.includes("password"));
  byId("code-form").hidden = !next.includes("totp");
  byId("elsewhere").hidden = byId("password-form").hidden || !byId("providers").hasChildNodes();
  byId("enrol-form").hidden = !next.includes("enrol");
  byId("codes-form").hidden = true;
  if (next.includes("totp")) {
    byId("title").textContent = "Second factor";
    document.title = "Second factor · Stoa";
    byId("code").focus();
  } else if (!byId("password-form").hidden) {
    byId("email").focus();
  }
}

// The key is shown until two codes confirm it; asking again makes another one.
async function enrol() {
  const begun = await send("/enrol", {});
  byId("secret").textContent = begun.secret.match(/.{1,4}/g).join(" ");
  byId("otpauth").href = begun.otpauth_url;
  byId("title").textContent = "Add a second factor";
  document.title = "Add a second factor · Stoa";
  show(["enrol"]);
  byId("first").focus();
}

async function goOn(next) {
  if (next.includes("enrol")) return enrol();
  if (!next.includes("complete")) return show(next);
  await send("/complete", {});
  show([]);
  if (request) {
    location.replace("../oauth/authorize?request=" + encodeURIComponent(request));
    return;
  }
  byId("done").textContent = "You are signed in.";
  byId("session").hidden = false;
}

byId("sign-out").addEventListener("click", async () => {
  byId("problem").textContent = "";
  try {
    const marked = { "x-stoa-request": "1" };
    const response = await fetch("../api/v1/auth/logout", { method: "POST", credentials: "same-origin", headers: marked });
    if (!response.ok) throw new Error();
    byId("session").hidden = true;
    byId("done").textContent = "You are signed out.";
    byId("title").focus();
  } catch {
    byId("problem").textContent = "The server did not answer. Try again.";
  }
});

async function attempt(form, work) {
  const button = form.querySelector("button");
  byId("problem").textContent = "";
  button.disabled = true;
  try {
    await goOn(await work());
  } catch (error) {
    if (error.code === "invalid_login") show((await send("", {})).next);
    byId("problem").textContent = error.code ? error.message : "The server did not answer. Try again.";
    (form.querySelector("input:last-of-type") || form.querySelector("button")).focus();
  } finally {
    button.disabled = false;
  }
}

byId("password-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.target, async () => {
    await send("/identify", { email: byId("email").value });
    const answer = await send("/password", { password: byId("password").value });
    byId("password").value = "";
    return answer.next;
  });
});

byId("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.target, async () => {
    const code = byId("code").value.trim();
    const path = /^\d{6}$/.test(code) ? "/totp" : "/recovery";
    return (await send(path, { code })).next;
  });
});

byId("enrol-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  byId("problem").textContent = "";
  button.disabled = true;
  try {
    const codes = { first: byId("first").value.trim(), second: byId("second").value.trim() };
    const answer = await send("/enrol/confirm", codes);
    for (const code of answer.recovery_codes) {
      const item = document.createElement("li");
      item.textContent = code;
      byId("codes").append(item);
    }
    show([]);
    byId("title").textContent = "Your recovery codes";
    byId("codes-form").hidden = false;
    byId("codes-form").querySelector("button").focus();
  } catch (error) {
    if (error.code === "invalid_login") show((await send("", {})).next);
    byId("problem").textContent = error.code ? error.message : "The server did not answer. Try again.";
  } finally {
    button.disabled = false;
  }
});

byId("codes-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.target, async () => {
    byId("codes").replaceChildren();
    return ["complete"];
  });
});

function choice({ id, name }) {
  const [item, button] = [document.createElement("li"), document.createElement("button")];
  button.type = "button";
  button.className = "quiet";
  button.textContent = name;
  button.addEventListener("click", () => leave(button, id));
  item.append(button);
  return item;
}

async function leave(button, provider) {
  byId("problem").textContent = "";
  button.disabled = true;
  try {
    const { authorization_url: there } = await ask(federation, { provider });
    if (request) sessionStorage.setItem(kept, request);
    else sessionStorage.removeItem(kept);
    if (/^https?:/.test(there)) location.assign(there);
  } catch (error) {
    byId("problem").textContent = error.code ? error.message : "The server did not answer. Try again.";
    button.focus();
  } finally {
    button.disabled = false;
  }
}

(async () => {
  try {
    // Without an answer about providers there is still the password.
    const offered = ask(federation, undefined, "GET").catch(() => ({ data: [] }));
    const [begun, elsewhere] = await Promise.all([send("", {}), offered]);
    byId("providers").replaceChildren(...elsewhere.data.map(choice));
    // A provider vouched for the person: its voucher stands for the password, never for the second factor.
    if (asked.get("voucher")) {
      const voucher = asked.get("voucher");
      history.replaceState(null, "", location.pathname);
      return await goOn((await send("/federated", { voucher })).next);
    }
    if (asked.get("error")) byId("problem").textContent = "The other service could not sign you in.";
    await goOn(begun.next);
  } catch (error) {
    byId("problem").textContent = error.code ? error.message : "The server did not answer. Load the page again.";
  }
})();
