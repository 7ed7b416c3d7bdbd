// The sign-in page as a browser runs it, with as much of a document as it touches: offers a provider, leaves for it, comes back and
// goes on with what was asked for. Reads {origin} of an organization with one enabled provider from standard input.
import assert from "node:assert/strict";
import vm from "node:vm";

const { origin } = JSON.parse(await new Response(process.stdin).text());
const cookies = new Map();
const tab = new Map();
const page = `${origin}/auth/sign-in`;

async function go(address, options = {}) {
  const headers = new Headers(options.headers);
  if (String(address).startsWith(origin)) headers.set("cookie", [...cookies].map((pair) => pair.join("=")).join("; "));
  const answer = await fetch(address, { method: options.method, body: options.body, headers, redirect: "manual" });
  for (const line of answer.headers.getSetCookie()) {
    const [name, value] = line.split(";")[0].split("=");
    cookies.set(name, value);
  }
  return answer;
}

class Element {
  constructor(name, hidden = false) {
    Object.assign(this, { name, hidden, children: [], listeners: {}, textContent: "", value: "", disabled: false });
  }
  addEventListener = (kind, heard) => (this.listeners[kind] = heard);
  append = (...all) => this.children.push(...all);
  replaceChildren = (...all) => (this.children = all);
  hasChildNodes = () => this.children.length > 0;
  focus() {}
}

// Loads the page at this address until nothing is under way any more.
async function load(hash) {
  const html = await (await go(page)).text();
  const elements = new Map();
  for (const [tag, name, id] of html.matchAll(/<(\w+)[^>]*? id="([^"]+)"[^>]*>/g)) {
    elements.set(id, new Element(name, / hidden[ >]/.test(tag)));
  }
  const went = [];
  let under = 0;
  const browser = {
    URLSearchParams,
    document: { title: "", getElementById: (id) => elements.get(id), createElement: (name) => new Element(name) },
    location: {
      hash,
      pathname: new URL(page).pathname,
      assign: (to) => went.push(new URL(to, page).href),
      replace: (to) => went.push(new URL(to, page).href),
    },
    history: { replaceState() {} },
    sessionStorage: {
      getItem: (key) => tab.get(key) ?? null,
      setItem: (key, value) => tab.set(key, value),
      removeItem: (key) => tab.delete(key),
    },
    fetch: async (address, options) => {
      under += 1;
      return go(new URL(address, page), options).finally(() => (under -= 1));
    },
  };
  vm.runInNewContext(await (await go(`${origin}/auth/sign-in.js`)).text(), browser);
  const quiet = async () => {
    for (let calm = 0; calm < 20; calm = under === 0 ? calm + 1 : 0) await new Promise((done) => setTimeout(done, 5));
  };
  await quiet();
  return { at: (id) => elements.get(id), went, quiet };
}

const shown = await load("#request=what-was-asked-for");
assert.equal(shown.at("problem").textContent, "");
assert.equal(shown.at("password-form").hidden, false);
assert.equal(shown.at("elsewhere").hidden, false);
const [item, ...others] = shown.at("providers").children;
assert.deepEqual(others, []);
assert.equal(item.name, "li");
const [button] = item.children;
// A button of its own is reached and pressed with the keyboard.
assert.deepEqual([button.name, button.type, button.textContent], ["button", "button", "<b>Elsewhere</b>"]);
await button.listeners.click();
await shown.quiet();
assert.equal(shown.went.length, 1, shown.at("problem").textContent);

const there = await go(shown.went[0]);
const callback = there.headers.get("location");
assert.ok(callback.startsWith(`${origin}/auth/callback/`), callback);
const back = await go(callback);
const place = new URL(back.headers.get("location"));
assert.equal(place.origin + place.pathname, page);
const again = await load(place.hash);
assert.equal(again.at("problem").textContent, "");
assert.deepEqual(again.went, [`${origin}/oauth/authorize?request=what-was-asked-for`]);

// Who comes back with nothing is told so, and may use the password.
const refused = await load("#error=federation_refused");
assert.match(refused.at("problem").textContent, /could not sign you in/);
assert.equal(refused.at("password-form").hidden, false);
