// The consent page as a browser runs it: says what is asked and for how long, and signs out. Reads {origin, session, request} from
// standard input: an organization, the cookie of a session, the name of a request that waits for consent.
import assert from "node:assert/strict";
import { Browser, given } from "./browser.mjs";

const { origin, session, request } = await given();
const browser = new Browser(origin, { stoa_sid: session });
const question = () => browser.go(`${origin}/oauth/consent/${request}`);

// Whoever is not signed in is told so, and there is nothing to sign out of.
const stranger = await new Browser(origin).load("consent", `#request=${request}`);
assert.match(stranger.at("problem").textContent, /Nobody is signed in/);
assert.deepEqual([stranger.at("form").hidden, stranger.at("session").hidden], [true, true]);

const page = await browser.load("consent", `#request=${request}`);
assert.equal(page.at("problem").textContent, "");
assert.deepEqual([page.at("form").hidden, page.at("session").hidden], [false, false]);
assert.equal(page.at("client").textContent, "Phone");
assert.ok(page.at("scopes").children.length > 0);
assert.match(page.at("lasts").textContent, /^For 90 days at most/);

// A button of its own is reached and pressed with the keyboard.
const button = page.at("sign-out");
assert.deepEqual([button.name, button.type, button.disabled], ["button", "button", false]);
assert.equal((await question()).status, 200);
await page.press(button);
assert.equal((await question()).status, 401);
assert.deepEqual([page.at("form").hidden, page.at("session").hidden, page.at("again").hidden], [true, true, false]);
assert.match(page.at("done").textContent, /You are signed out/);
assert.ok(page.hasFocus("title"));
assert.deepEqual([page.at("problem").textContent, page.went], ["", []]);

// The question waits for whoever signs in next.
const again = await browser.go(new URL(page.at("sign-in").href, `${origin}/auth/consent`));
assert.equal(again.headers.get("location"), `${origin}/auth/sign-in#request=${request}`);
