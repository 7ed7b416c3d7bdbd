// As much of a browser as the pages of signing in touch: cookies, one tab, a document of elements that have an id.
import vm from "node:vm";

class Element {
  constructor(name, { hidden = false, type = "" } = {}) {
    Object.assign(this, { name, hidden, type, children: [], listeners: {}, textContent: "", value: "", disabled: false });
  }
  addEventListener = (kind, heard) => (this.listeners[kind] = heard);
  append = (...all) => this.children.push(...all);
  replaceChildren = (...all) => (this.children = all);
  hasChildNodes = () => this.children.length > 0;
  focus = () => (Element.focused = this);
}

export class Browser {
  constructor(origin, cookies = {}) {
    Object.assign(this, { origin, cookies: new Map(Object.entries(cookies)), tab: new Map() });
  }

  async go(address, options = {}) {
    const headers = new Headers(options.headers);
    const cookies = [...this.cookies].map((pair) => pair.join("=")).join("; ");
    if (String(address).startsWith(this.origin)) headers.set("cookie", cookies);
    const answer = await fetch(address, { method: options.method, body: options.body, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split("=");
      this.cookies.set(name, value);
    }
    return answer;
  }

  // Loads the page with this name until nothing is under way any more.
  async load(name, hash) {
    const page = `${this.origin}/auth/${name}`;
    const html = await (await this.go(page)).text();
    const elements = new Map();
    for (const [tag, kind, id] of html.matchAll(/<(\w+)[^>]*? id="([^"]+)"[^>]*>/g)) {
      elements.set(id, new Element(kind, { hidden: / hidden[ >]/.test(tag), type: tag.match(/ type="(\w+)"/)?.[1] }));
    }
    const { tab, went } = { tab: this.tab, went: [] };
    let under = 0;
    const gone = (to) => went.push(new URL(to, page).href);
    const globals = {
      URL,
      URLSearchParams,
      document: { title: "", getElementById: (id) => elements.get(id), createElement: (kind) => new Element(kind) },
      location: { hash, pathname: new URL(page).pathname, assign: gone, replace: gone },
      history: { replaceState() {} },
      sessionStorage: {
        getItem: (key) => tab.get(key) ?? null,
        setItem: (key, value) => tab.set(key, value),
        removeItem: (key) => tab.delete(key),
      },
      fetch: async (address, options) => {
        under += 1;
        return this.go(new URL(address, page), options).finally(() => (under -= 1));
      },
    };
    vm.runInNewContext(await (await this.go(`${page}.js`)).text(), globals);
    const quiet = async () => {
      for (let calm = 0; calm < 20; calm = under === 0 ? calm + 1 : 0) await new Promise((done) => setTimeout(done, 5));
    };
    await quiet();
    const at = (id) => elements.get(id);
    const press = async (button) => {
      await button.listeners.click({ target: button });
      await quiet();
    };
    return { at, went, press, hasFocus: (id) => Element.focused === at(id) };
  }
}

// What a story gives to a page's test.
export const given = async () => JSON.parse(await new Response(process.stdin).text());
