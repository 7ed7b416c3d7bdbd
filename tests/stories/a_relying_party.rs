//! A relying party that has a secret, and somebody's browser: what the OpenID list and the stories of tokens need.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Organization};
use stoa_tests::text;

use super::a_program_signs_people_in::{
    CHALLENGE, Person, Registered, VERIFIER, form, location, member, parameter, query, registered, sign_in,
};

const BACK: &str = "https://rp.example/cb";
pub(super) const BYE: &str = "https://rp.example/bye";

/// A relying party with a secret, of the organization itself so that nobody is asked for consent; and somebody's browser.
pub(super) struct Stage<'a> {
    pub(super) acme: Organization<'a>,
    pub(super) door: Client,
    pub(super) person: Person,
    pub(super) client: Registered,
    pub(super) cookie: String,
}

pub(super) fn on_stage(play: impl FnOnce(&Stage<'_>)) {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let site = json!({
        "name": "Site", "kind": "web", "auth_method": "client_secret_post", "trusted": true,
        "grants": ["authorization_code", "refresh_token"], "redirect_uris": [BACK],
        "scopes": ["openid", "profile", "email", "offline_access"], "post_logout_redirect_uris": [BYE],
    });
    let client = registered(&acme, &person, &site);
    let cookie = sign_in(&acme, &person);
    play(&Stage { acme, door, person, client, cookie });
}

impl Stage<'_> {
    pub(super) fn query(&self, changes: &[(&str, &str)]) -> String {
        let mut all = vec![
            ("client_id", self.client.id.as_str()),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "xyz"),
            ("nonce", "n-0S6_WzA2Mj"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for &(name, value) in changes {
            all.retain(|(known, _)| *known != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        query(&all)
    }

    /// Where the browser is sent, with this cookie.
    pub(super) fn sent(&self, cookie: &str, query: &str) -> String {
        let path = format!("/oauth/authorize?{query}");
        location(&self.door.call("GET", &path).header("Cookie", cookie).send())
    }

    pub(super) fn asked(&self, changes: &[(&str, &str)]) -> String {
        self.sent(&self.cookie, &self.query(changes))
    }

    pub(super) fn redeemed(&self, address: &str) -> Answer {
        assert!(address.starts_with(BACK), "{address}");
        let code = parameter(address, "code").unwrap_or_else(|| panic!("no code: {address}"));
        self.exchanged(&code, VERIFIER)
    }

    pub(super) fn exchanged(&self, code: &str, verifier: &str) -> Answer {
        let more = [("code", code), ("redirect_uri", BACK), ("code_verifier", verifier)];
        self.token("authorization_code", &more)
    }

    pub(super) fn token(&self, grant: &str, more: &[(&str, &str)]) -> Answer {
        let secret = self.client.secret.as_deref().unwrap();
        let mut all =
            vec![("grant_type", grant), ("client_id", self.client.id.as_str()), ("client_secret", secret)];
        all.extend(more);
        form(&self.door, "/oauth/token", &all)
    }

    pub(super) fn tokens(&self, changes: &[(&str, &str)]) -> Value {
        self.redeemed(&self.asked(changes)).ok()
    }

    pub(super) fn info(&self, tokens: &Value) -> Value {
        self.acme.with_token(text(tokens, "access_token")).get("/oauth/userinfo").ok()
    }

    pub(super) fn discovery(&self) -> Value {
        self.door.get("/.well-known/openid-configuration").ok()
    }

    /// The error that the client is told.
    pub(super) fn error(&self, changes: &[(&str, &str)]) -> String {
        let address = self.asked(changes);
        assert!(address.starts_with(BACK), "{address}");
        assert_eq!(parameter(&address, "state").as_deref(), Some("xyz"));
        assert_eq!(parameter(&address, "code"), None);
        parameter(&address, "error").unwrap()
    }
}

/// One part of a token.
pub(super) fn part(token: &str, number: usize) -> Value {
    let (mut held, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for letter in token.split('.').nth(number).unwrap().bytes() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = alphabet.iter().position(|known| *known == letter).unwrap();
        (held, bits) = ((held << 6) | u32::try_from(value).unwrap(), bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits).unwrap());
            held &= (1 << bits) - 1;
        }
    }
    serde_json::from_slice(&bytes).unwrap()
}

pub(super) fn claims(tokens: &Value) -> Value {
    part(text(tokens, "id_token"), 1)
}

pub(super) fn waits_for_the_person(address: &str) -> &str {
    let (_, request) = address.split_once("/auth/sign-in#request=").unwrap_or_else(|| panic!("{address}"));
    request.split('&').next().unwrap()
}
