// A client that others wrote proves itself by a key: openid-client's and oauth4webapi's private_key_jwt, with keys that the
// Web Cryptography API makes.
//
// Reads {issuer, token, account, secretive: {id, secret}} from standard input: `token` may register clients, `account` is a
// service account, `secretive` a client with a secret. Ends with 0 when everything held.

import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';

const input = JSON.parse(await new Response(process.stdin).text());
const insecure = { [oauth.allowInsecureRequests]: true };

const kinds = {
  EdDSA: { name: 'Ed25519' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
};

async function registered(kid, kind) {
  const pair = await crypto.subtle.generateKey(kind, true, ['sign', 'verify']);
  const { ext, alg, ...key } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  const answer = await fetch(`${input.issuer}/api/v1/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${input.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: kid,
      kind: 'service',
      auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...key, kid, use: 'sig' }] },
      grants: ['client_credentials'],
      scopes: ['read'],
      service_account: input.account,
      access_token_life: 120,
    }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  const made = await answer.json();
  assert.equal(made.client_secret, null);
  return { id: made.client.id, key: { key: pair.privateKey, kid } };
}

const issuer = new URL(input.issuer);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));

for (const [algorithm, kind] of Object.entries(kinds)) {
  assert.ok(server.token_endpoint_auth_signing_alg_values_supported.includes(algorithm));
  const { id, key } = await registered(`key-${algorithm}`, kind);
  const options = { execute: [openid.allowInsecureRequests] };
  const config = await openid.discovery(issuer, id, undefined, openid.PrivateKeyJwt(key), options);
  const tokens = await openid.clientCredentialsGrant(config, { scope: 'read' });
  assert.equal(tokens.expires_in, 120, algorithm);
  assert.equal((await openid.tokenIntrospection(config, tokens.access_token)).active, true);
  await openid.tokenRevocation(config, tokens.access_token);
  assert.equal((await openid.tokenIntrospection(config, tokens.access_token)).active, false);

  const client = { client_id: id };
  const proof = oauth.PrivateKeyJwt(key);
  const ask = () => oauth.clientCredentialsGrantRequest(server, client, proof, { scope: 'read' }, insecure);
  assert.ok((await oauth.processClientCredentialsResponse(server, client, await ask())).access_token);
  const stranger = await crypto.subtle.generateKey(kind, true, ['sign', 'verify']);
  const forged = oauth.PrivateKeyJwt({ key: stranger.privateKey, kid: key.kid });
  const asked = await oauth.clientCredentialsGrantRequest(server, client, forged, { scope: 'read' }, insecure);
  assert.equal(asked.status, 401, algorithm);
}
// Assertions made by hand: what is used twice, shown in two ways, or meant for somebody else is refused.
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const { id, key } = await registered('by-hand', kinds.EdDSA);
const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

async function assertion(changes = {}, header = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: id, sub: id, aud: input.issuer, exp: now + 60, iat: now, jti: crypto.randomUUID(), ...changes };
  const message = `${encoded({ alg: 'EdDSA', kid: key.kid, ...header })}.${encoded(claims)}`;
  const signature = await crypto.subtle.sign('Ed25519', key.key, Buffer.from(message));
  return `${message}.${Buffer.from(signature).toString('base64url')}`;
}

function post(path, parameters, headers = {}) {
  return fetch(`${input.issuer}/oauth/${path}`, { method: 'POST', headers, body: new URLSearchParams(parameters) });
}

const asking = async (client_assertion, more = {}, headers = {}) => {
  const all = { grant_type: 'client_credentials', client_assertion_type: TYPE, client_assertion, ...more };
  const answer = await post('token', all, headers);
  return [answer.status, (await answer.json()).error];
};

const many = await assertion();
const answers = await Promise.all(Array.from({ length: 64 }, () => asking(many)));
assert.equal(answers.filter(([status]) => status === 200).length, 1, 'one of 64 uses at once');
assert.ok(answers.every(([status, error]) => status === 200 || (status === 401 && error === 'invalid_client')));
const elsewhere = { client_assertion_type: TYPE, client_assertion: many, token: 'x' };
assert.equal((await post('revoke', elsewhere)).status, 401, 'nor is it good at another endpoint');
assert.equal((await post('introspect', { ...elsewhere, client_assertion: await assertion() })).status, 200);

assert.deepEqual(await asking(await assertion({ aud: server.token_endpoint })), [200, undefined]);
assert.deepEqual(await asking(await assertion({ aud: [input.issuer] }), { client_id: id }), [200, undefined]);
const now = Math.floor(Date.now() / 1000);
for (const changes of [
  { aud: [input.issuer, server.token_endpoint] },
  { aud: `${input.issuer}/oauth/revoke` },
  { exp: now - 1 },
  { exp: now + 600 },
  { iat: now + 600 },
  { nbf: now + 600 },
  { iss: 'else' },
  { jti: '' },
  { jti: undefined },
]) {
  assert.deepEqual(await asking(await assertion(changes)), [401, 'invalid_client'], JSON.stringify(changes));
}
for (const header of [{ alg: 'none' }, { alg: 'HS256' }, { alg: 'RS256' }, { kid: 'else' }, { crit: ['exp'] }]) {
  assert.deepEqual(await asking(await assertion({}, header)), [401, 'invalid_client'], JSON.stringify(header));
}
const basic = { authorization: `Basic ${Buffer.from(`${id}:x`).toString('base64')}` };
assert.deepEqual(await asking(await assertion(), {}, basic), [400, 'invalid_request']);
assert.deepEqual(await asking(await assertion(), { client_secret: 'x' }), [400, 'invalid_request']);
assert.deepEqual(await asking(await assertion(), { client_assertion_type: 'jwt' }), [401, 'invalid_client']);
assert.deepEqual(await asking(await assertion(), { client_assertion_type: '' }), [400, 'invalid_request']);
assert.deepEqual(await asking(await assertion(), { client_id: input.secretive.id }), [401, 'invalid_client']);
const other = { iss: input.secretive.id, sub: input.secretive.id };
assert.deepEqual(await asking(await assertion(other)), [401, 'invalid_client'], 'a client with a secret uses it');
const named = { grant_type: 'client_credentials', client_id: id };
for (const more of [{}, { client_secret: input.secretive.secret }]) {
  assert.equal((await post('token', { ...named, ...more })).status, 401, 'and one with a key its key');
}
console.log('a client proves itself by its key');
