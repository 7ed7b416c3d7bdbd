// An OpenID provider that lies as it is told, without anything installed. `node liar.mjs`, on a free port of loopback.
//
// `POST /lie` says what its next ID tokens are: `claims` and `header` are put over the good ones (null takes one away), `later`
// moves times by seconds, `signed` is by `nobody`, with the `public-key` or the `secret` as a shared secret, or by a `stranger`;
// `token` is the whole answer of the token endpoint, `iss` what the way back names. `{}`: it is honest. `GET /asked` counts how
// often its keys and its tokens were asked for. Ends with its standard input.
import { createServer } from "node:http";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";

const SECRET = "a-secret-that-only-the-two-of-us-know";
const [own, stranger] = [0, 1].map(() => generateKeyPairSync("rsa", { modulusLength: 2048 }));
const nonces = new Map();
const asked = { keys: 0, tokens: 0 };
let lie = {};
let issuer;

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function over(good, changes) {
  const all = { ...good, ...changes };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

function idToken(nonce) {
  const now = Math.floor(Date.now() / 1000);
  const person = { sub: "sub-ann", name: "Ann Elsewhere", email: "ann@elsewhere.example", email_verified: true, groups: ["sales"] };
  const claims = over({ iss: issuer, aud: "stoa", iat: now, exp: now + 300, nonce, ...person }, lie.claims);
  for (const [name, seconds] of Object.entries(lie.later ?? {})) claims[name] = now + seconds;
  const header = over({ alg: "RS256", typ: "JWT", kid: "own" }, lie.header);
  const message = `${encode(header)}.${encode(claims)}`;
  const shared = (key) => createHmac("sha256", key).update(message).digest("base64url");
  switch (lie.signed) {
    case "nobody":
      return `${message}.`;
    case "public-key":
      return `${message}.${shared(own.publicKey.export({ type: "spki", format: "pem" }))}`;
    case "secret":
      return `${message}.${shared(SECRET)}`;
    default: {
      const pair = lie.signed === "stranger" ? stranger : own;
      return `${message}.${sign("sha256", Buffer.from(message), pair.privateKey).toString("base64url")}`;
    }
  }
}

const document = () => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
  id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
  token_endpoint_auth_methods_supported: ["client_secret_basic"],
});

async function text(request) {
  let all = "";
  for await (const part of request) all += part;
  return all;
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  const json = (value) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
  switch (url.pathname) {
    case "/.well-known/openid-configuration":
      return json(document());
    case "/keys":
      asked.keys += 1;
      return json({ keys: [{ ...own.publicKey.export({ format: "jwk" }), kid: "own", use: "sig" }] });
    case "/authorize": {
      const code = `code-${nonces.size}`;
      nonces.set(code, url.searchParams.get("nonce"));
      const back = new URL(url.searchParams.get("redirect_uri"));
      back.searchParams.set("code", code);
      back.searchParams.set("state", url.searchParams.get("state"));
      if (lie.iss) back.searchParams.set("iss", lie.iss);
      return response.writeHead(303, { location: back.href }).end();
    }
    case "/token": {
      asked.tokens += 1;
      const code = new URLSearchParams(await text(request)).get("code");
      const tokens = { access_token: "a", token_type: "Bearer", expires_in: 60, id_token: idToken(nonces.get(code)) };
      return json(lie.token ?? tokens);
    }
    case "/lie":
      lie = JSON.parse(await text(request));
      return response.writeHead(204).end();
    case "/asked":
      return json(asked);
    default:
      return response.writeHead(404).end();
  }
});
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(`ready ${issuer}`);
});
process.stdin.resume().on("end", () => process.exit());
