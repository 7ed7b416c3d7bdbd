// Two relying parties that others wrote sign a person in at a served Stoa: openid-client and oauth4webapi.
//
// Reads {issuer, email, password, native, web: {id, secret}} from standard input; ends with 0 when everything held. The
// person's browser is played by `browse`: cookies, the login transaction, the consent.

import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';

const REDIRECT = 'http://127.0.0.1:49152/cb';
const BYE = 'http://127.0.0.1:49152/bye';
const WEB = 'https://app.example.com/cb';

const input = JSON.parse(await new Response(process.stdin).text());
const cookies = new Map();

async function browser(url, options = {}) {
  const headers = new Headers(options.headers);
  headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '));
  const answer = await fetch(url, { ...options, headers, redirect: 'manual' });
  for (const cookie of answer.headers.getSetCookie()) {
    const [pair] = cookie.split(';');
    const cut = pair.indexOf('=');
    if (/max-age=0/i.test(cookie)) cookies.delete(pair.slice(0, cut));
    else cookies.set(pair.slice(0, cut), pair.slice(cut + 1));
  }
  return answer;
}

async function page(method, path, body) {
  const answer = await browser(`${input.issuer}${path}`, {
    method,
    headers: { 'content-type': 'application/json', 'x-stoa-request': '1' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? {} : answer.json();
}

async function signIn() {
  await page('POST', '/api/v1/auth/transactions', {});
  await page('POST', '/api/v1/auth/transactions/identify', { email: input.email });
  await page('POST', '/api/v1/auth/transactions/password', { password: input.password });
  await page('POST', '/api/v1/auth/transactions/complete', {});
}

// Goes where the authorization server sends it until the client is answered; says what was asked on the way.
async function browse(url, way = []) {
  const answer = await browser(url);
  assert.equal(answer.status, 303, await answer.clone().text());
  const next = new URL(answer.headers.get('location'));
  const request = new URLSearchParams(next.hash.slice(1)).get('request');
  if (next.pathname.endsWith('/auth/sign-in')) {
    await signIn();
    return browse(`${input.issuer}/oauth/authorize?request=${request}`, [...way, 'sign-in']);
  }
  if (next.pathname.endsWith('/auth/consent')) {
    const question = await page('GET', `/oauth/consent/${request}`);
    assert.ok(question.scopes.length > 0 && question.client.name);
    const { next: on } = await page('POST', `/oauth/consent/${request}`, { allow: true });
    return browse(on, [...way, 'consent']);
  }
  return { url: next, way };
}

async function withOpenidClient() {
  const insecure = { execute: [openid.allowInsecureRequests] };
  const config = await openid.discovery(new URL(input.issuer), input.native, undefined, openid.None(), insecure);
  assert.equal(config.serverMetadata().issuer, input.issuer);
  assert.ok(config.serverMetadata().supportsPKCE());

  const verifier = openid.randomPKCECodeVerifier();
  const [state, nonce] = [openid.randomState(), openid.randomNonce()];
  const to = openid.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope: 'openid profile email offline_access',
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const answered = await browse(to);
  assert.deepEqual(answered.way, ['sign-in', 'consent']);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  openid.enableNonRepudiationChecks(config);
  const tokens = await openid.authorizationCodeGrant(config, answered.url, checks);
  const claims = tokens.claims();
  assert.ok(claims.sid && claims.auth_time && claims.amr.includes('pwd'));

  const info = await openid.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.equal(info.email, input.email);

  const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
  await openid.tokenRevocation(config, refreshed.refresh_token);
  await assert.rejects(openid.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' });
  await assert.rejects(openid.fetchUserInfo(config, refreshed.access_token, claims.sub));

  const out = openid.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: BYE,
    state: 'gone',
  });
  const left = await browse(out);
  assert.equal(left.url.href, `${BYE}?state=gone`);
  assert.equal([...cookies.keys()].includes('stoa_sid'), false);
  const silent = new URL(to);
  silent.searchParams.set('prompt', 'none');
  const refused = await browse(silent);
  assert.equal(refused.url.searchParams.get('error'), 'login_required');
}

async function withOauth4webapi() {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(input.issuer);
  for (const algorithm of ['oidc', 'oauth2']) {
    const answer = await oauth.discoveryRequest(issuer, { algorithm, ...insecure });
    assert.equal((await oauth.processDiscoveryResponse(issuer, answer)).issuer, input.issuer);
  }
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
  const client = { client_id: input.web.id };
  const proof = oauth.ClientSecretBasic(input.web.secret);

  const verifier = oauth.generateRandomCodeVerifier();
  const to = new URL(server.authorization_endpoint);
  to.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: WEB,
    response_type: 'code',
    scope: 'openid offline_access',
    state: 's',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const answered = await browse(to);
  const parameters = oauth.validateAuthResponse(server, client, answered.url, 's');
  const exchange = () =>
    oauth.authorizationCodeGrantRequest(server, client, proof, parameters, WEB, verifier, insecure);
  const raw = await exchange();
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, raw, { requireIdToken: true });
  await oauth.validateApplicationLevelSignature(server, raw, insecure);

  // The access token as a resource server checks it.
  const call = new Request(`${input.issuer}/api/v1/me`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  const accepted = await oauth.validateJwtAccessToken(server, call, 'stoa', insecure);
  assert.equal(accepted.client_id, client.client_id);

  const asked = await oauth.introspectionRequest(server, client, proof, tokens.access_token, insecure);
  assert.equal((await oauth.processIntrospectionResponse(server, client, asked)).active, true);
  const refreshing = await oauth.refreshTokenGrantRequest(server, client, proof, tokens.refresh_token, insecure);
  const refreshed = await oauth.processRefreshTokenResponse(server, client, refreshing);
  const revoking = await oauth.revocationRequest(server, client, proof, refreshed.refresh_token, insecure);
  await oauth.processRevocationResponse(revoking);
  const again = await oauth.introspectionRequest(server, client, proof, refreshed.access_token, insecure);
  assert.equal((await oauth.processIntrospectionResponse(server, client, again)).active, false);

  await assert.rejects(async () => oauth.processAuthorizationCodeResponse(server, client, await exchange()), {
    error: 'invalid_grant',
  });
}

await withOpenidClient();
await withOauth4webapi();
console.log('both relying parties are content');
