// The sign-in page as a browser runs it: offers a provider, leaves for it, comes back and goes on with what was asked for. Reads
// {origin} of an organization with one enabled provider from standard input.
import assert from "node:assert/strict";
import { Browser, given } from "./browser.mjs";

const { origin } = await given();
const browser = new Browser(origin);

const shown = await browser.load("sign-in", "#request=what-was-asked-for");
assert.equal(shown.at("problem").textContent, "");
assert.equal(shown.at("password-form").hidden, false);
assert.equal(shown.at("elsewhere").hidden, false);
const [item, ...others] = shown.at("providers").children;
assert.deepEqual(others, []);
assert.equal(item.name, "li");
const [button] = item.children;
// A button of its own is reached and pressed with the keyboard.
assert.deepEqual([button.name, button.type, button.textContent], ["button", "button", "<b>Elsewhere</b>"]);
await shown.press(button);
assert.equal(shown.went.length, 1, shown.at("problem").textContent);

const there = await browser.go(shown.went[0]);
const callback = there.headers.get("location");
assert.ok(callback.startsWith(`${origin}/auth/callback/`), callback);
const back = await browser.go(callback);
const place = new URL(back.headers.get("location"));
assert.equal(place.origin + place.pathname, `${origin}/auth/sign-in`);
const again = await browser.load("sign-in", place.hash);
assert.equal(again.at("problem").textContent, "");
assert.deepEqual(again.went, [`${origin}/oauth/authorize?request=what-was-asked-for`]);

// Who comes back with nothing is told so, and may use the password.
const refused = await browser.load("sign-in", "#error=federation_refused");
assert.match(refused.at("problem").textContent, /could not sign you in/);
assert.equal(refused.at("password-form").hidden, false);
