// An OpenID provider to sign in with: real, on loopback, without pages. `node provider.mjs PORT REDIRECT...`
// `/become/{name}` says who signs in next, at once and with consent; `/rotate` signs with a new key only; `/redirects?to=…`
// sets the redirect URIs of the one client `stoa`.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const [port, callbacks] = [Number(process.argv[2]), process.argv.slice(3)];
const issuer = `http://127.0.0.1:${port}`;
const people = {
  ann: { email: "ann@elsewhere.example", email_verified: true, name: "Ann Elsewhere", groups: ["sales"] },
  bob: { email: "bob@elsewhere.example", email_verified: true, name: "Bob Elsewhere", groups: ["nobody-knows"] },
  boss: { email: "boss@acme.example", email_verified: true, name: "Not the boss", groups: ["sales"] },
};
let who = "ann";
let callback = callbacks;
let keys = [];
let number = 0;

function key() {
  number += 1;
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: "jwk" }), kid: `key-${number}`, use: "sig", alg: "RS256" };
}

function provider() {
  const made = new Provider(issuer, {
    clients: [
      {
        client_id: "stoa",
        client_secret: "a secret that only the two of us know",
        redirect_uris: callback.length > 0 ? callback : [`${issuer}/nowhere`],
        response_types: ["code"],
        grant_types: ["authorization_code"],
      },
    ],
    jwks: { keys },
    pkce: { required: () => true },
    scopes: ["openid", "email", "profile"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    conformIdTokenClaims: false,
    cookies: { keys: ["stories"] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id.replace(/^sub-/, "")] }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  });
  return made;
}

keys = [key()];
let current = provider();

async function interaction(request, response) {
  const details = await current.interactionDetails(request, response);
  const accountId = `sub-${who}`;
  const grant = new current.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope("openid email profile");
  const grantId = await grant.save();
  const result = { login: { accountId, remember: false }, consent: { grantId } };
  await current.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

createServer(async (request, response) => {
  const [, verb, value] = new URL(request.url, issuer).pathname.split("/");
  const done = () => response.writeHead(204).end();
  if (verb === "become") {
    who = value;
    return done();
  }
  if (verb === "redirects") {
    callback = new URL(request.url, issuer).searchParams.getAll("to");
    current = provider();
    return done();
  }
  if (verb === "rotate") {
    keys = [key()];
    current = provider();
    return done();
  }
  if (verb === "interaction") {
    return interaction(request, response).catch((error) => response.writeHead(500).end(String(error)));
  }
  return current.callback()(request, response);
}).listen(port, "127.0.0.1", () => console.log(`ready ${issuer}`));
