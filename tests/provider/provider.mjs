// An OpenID provider to sign in with: real, on loopback, on a free port, without pages. `node provider.mjs`
// `/become/{name}` says who signs in next, at once and with consent; `/rotate` signs with a new key only; `/redirects?to=…`
// sets the redirect URIs of the one client `stoa`. Ends with its standard input.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const people = {
  ann: { email: "ann@elsewhere.example", email_verified: true, name: "Ann Elsewhere", groups: ["sales"] },
  bob: { email: "bob@elsewhere.example", email_verified: true, name: "Bob Elsewhere", groups: ["nobody-knows"] },
  boss: { email: "boss@acme.example", email_verified: true, name: "Not the boss", groups: ["sales"] },
};
let who = "ann";
let callback = [];
let keys = [];
let number = 0;
let issuer;
let current;

function key() {
  number += 1;
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: "jwk" }), kid: `key-${number}`, use: "sig", alg: "RS256" };
}

function provider() {
  return new Provider(issuer, {
    clients: [
      {
        client_id: "stoa",
        client_secret: "a-secret-that-only-the-two-of-us-know",
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
}

async function interaction(request, response) {
  const details = await current.interactionDetails(request, response);
  const accountId = `sub-${who}`;
  const grant = new current.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope("openid email profile");
  const grantId = await grant.save();
  const result = { login: { accountId, remember: false }, consent: { grantId } };
  await current.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const server = createServer(async (request, response) => {
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
});
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  keys = [key()];
  current = provider();
  console.log(`ready ${issuer}`);
});
process.stdin.resume().on("end", () => process.exit());
