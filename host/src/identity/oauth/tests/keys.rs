//! Clients that prove themselves by a key of their own, what their tokens live, and whose pages call for them.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::identity::foreign::forge::Other;
use crate::organizations::Organization;

/// A client and the key that it signs with.
struct Signer {
    key: Other,
    client: Client,
}

impl Signer {
    async fn new(stage: &Stage) -> Self {
        let key = Other::new();
        let new = NewClient { auth: ClientAuth::Key, keys: vec![key.public.clone()], ..web() };
        let (client, secret) = register(&stage.world, new).await;
        assert!(secret.is_none());
        Self { key, client }
    }

    fn assertion(&self, stage: &Stage, jti: &str, changes: &[(&str, serde_json::Value)]) -> String {
        let (id, now) = (self.client.id, stage.world.clock.now() / SECOND);
        let issuer = stage.world.identity.issuer(&stage.world.acme);
        let mut claims =
            json!({"iss": id, "sub": id, "aud": issuer, "jti": jti, "exp": now + 60, "iat": now});
        for (member, value) in changes {
            claims[*member] = value.clone();
        }
        self.key.token(&json!({"alg": "EdDSA", "kid": "a"}), &claims.to_string())
    }
}

async fn believed(stage: &Stage, organization: &Organization, assertion: &str) -> Option<Client> {
    let proof = ClientProof { id: None, shown: Some(assertion), method: ClientAuth::Key };
    stage.world.identity.authenticate_client(organization, &proof).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_uses_of_one_assertion_at_once_one_wins() {
    let stage = Arc::new(Stage::new().await);
    let signer = Signer::new(&stage).await;
    let assertion = signer.assertion(&stage, "once", &[]);
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (stage, assertion) = (Arc::clone(&stage), assertion.clone());
            tokio::spawn(async move { believed(&stage, &stage.world.acme, &assertion).await.is_some() })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
    assert!(believed(&stage, &stage.world.acme, &signer.assertion(&stage, "other", &[])).await.is_some());
}

#[tokio::test]
async fn a_used_assertion_is_remembered_as_long_as_it_could_be_good() {
    let stage = Stage::new().await;
    let (one, two) = (Signer::new(&stage).await, Signer::new(&stage).await);
    let acme = &stage.world.acme;
    let longest = [("exp", json!(stage.world.clock.now() / SECOND + 300))];
    let assertion = one.assertion(&stage, "x", &longest);
    assert_eq!(believed(&stage, acme, &assertion).await.map(|client| client.id), Some(one.client.id));
    for _ in 0..6 {
        assert!(believed(&stage, acme, &assertion).await.is_none());
        stage.world.clock.advance(50 * SECOND);
    }
    assert!(believed(&stage, acme, &assertion).await.is_none(), "over");
    assert!(believed(&stage, acme, &one.assertion(&stage, "x", &[])).await.is_some(), "a later one");
    assert!(believed(&stage, acme, &two.assertion(&stage, "x", &[])).await.is_some(), "of another client");
}

#[tokio::test]
async fn an_assertion_proves_its_own_client_here_and_in_no_other_way() {
    let stage = Stage::new().await;
    let (signer, other) = (Signer::new(&stage).await, Signer::new(&stage).await);
    let (identity, acme, globex) = (&stage.world.identity, &stage.world.acme, &stage.world.globex);
    let with_secret = register(&stage.world, web()).await;
    let assertion = |jti: &str| signer.assertion(&stage, jti, &[]);
    assert!(believed(&stage, globex, &assertion("a")).await.is_none(), "another organization");
    let issuer = identity.issuer(globex);
    assert!(
        believed(&stage, acme, &signer.assertion(&stage, "b", &[("aud", json!(issuer))])).await.is_none()
    );
    for stranger in [other.client.id, with_secret.0.id, stage.client.id] {
        let changes = [("iss", json!(stranger)), ("sub", json!(stranger))];
        assert!(believed(&stage, acme, &signer.assertion(&stage, "c", &changes)).await.is_none());
        let (id, text) = (stranger.to_string(), assertion("d"));
        let proof = ClientProof { id: Some(&id), shown: Some(&text), method: ClientAuth::Key };
        assert!(identity.authenticate_client(acme, &proof).await.is_err(), "named as another");
    }
    let (id, secret) = (signer.client.id.to_string(), with_secret.1.unwrap());
    for (shown, method) in [
        (None, ClientAuth::None),
        (None, ClientAuth::Key),
        (Some(secret.reveal()), ClientAuth::Basic),
        (Some(secret.reveal()), ClientAuth::Post),
        (Some(secret.reveal()), ClientAuth::Key),
    ] {
        let proof = ClientProof { id: Some(&id), shown, method };
        assert!(identity.authenticate_client(acme, &proof).await.is_err(), "{method:?}");
    }
    assert!(believed(&stage, acme, &assertion("e")).await.is_some(), "none of it used anything up");
    let rotated = identity.rotate_client_secret(&stage.world.platform(), signer.client.id).await;
    assert!(rotated.is_err(), "there is no secret");
}

#[tokio::test]
async fn keys_that_took_the_place_of_others_are_the_only_ones() {
    let stage = Stage::new().await;
    let (signer, fresh) = (Signer::new(&stage).await, Other::new());
    let (identity, acme, by) = (&stage.world.identity, &stage.world.acme, stage.world.platform());
    let change = ClientChange { keys: Some(vec![fresh.public.clone()]), ..ClientChange::default() };
    let client = identity.update_client(&by, signer.client.id, change).await.unwrap();
    assert_eq!((client.version, &client.keys), (2, &vec![fresh.public.clone()]));
    assert!(believed(&stage, acme, &signer.assertion(&stage, "a", &[])).await.is_none());
    let renewed = Signer { key: fresh, client };
    assert!(believed(&stage, acme, &renewed.assertion(&stage, "a", &[])).await.is_some());
    let none = ClientChange { keys: Some(Vec::new()), ..ClientChange::default() };
    assert!(identity.update_client(&by, signer.client.id, none).await.is_err(), "it could never come back");
    let off = ClientChange { active: Some(false), ..ClientChange::default() };
    identity.update_client(&by, signer.client.id, off).await.unwrap();
    assert!(believed(&stage, acme, &renewed.assertion(&stage, "b", &[])).await.is_none());
}

#[tokio::test]
async fn what_a_client_gets_is_as_long_good_as_its_registration_says() {
    let lives = LivesChange { access: Some(120), idle: Some(300), longest: Some(700) };
    let stage = Stage::of(NewClient { lives, ..native() }).await;
    let first = stage.tokens().await;
    assert_eq!(first.expires_in, 120);
    stage.world.clock.advance(119 * SECOND);
    assert!(stage.works(&first.access_token));
    stage.world.clock.advance(7 * SECOND);
    assert!(!stage.works(&first.access_token), "after two minutes and the leeway");
    let second = stage.refresh(&token_of(&first)).await.unwrap();
    stage.world.clock.advance(299 * SECOND);
    let third = stage.refresh(&token_of(&second)).await.unwrap();
    stage.world.clock.advance(225 * SECOND);
    let last = stage.refresh(&token_of(&third)).await.unwrap();
    assert_eq!(last.expires_in, 50, "it ends with what it comes of");
    stage.world.clock.advance(50 * SECOND);
    assert!(!stage.works(&last.access_token));
    invalid_grant(stage.refresh(&token_of(&last)).await);
    let idle = stage.tokens().await;
    stage.world.clock.advance(300 * SECOND);
    invalid_grant(stage.refresh(&token_of(&idle)).await);
}

#[tokio::test]
async fn an_access_token_may_be_good_for_a_quarter_of_an_hour() {
    let lives = LivesChange { access: Some(900), ..LivesChange::default() };
    let stage = Stage::of(NewClient { lives, ..native() }).await;
    let tokens = stage.tokens().await;
    assert_eq!(tokens.expires_in, 900);
    stage.world.clock.advance(899 * SECOND);
    assert!(stage.works(&tokens.access_token));
    let shorter = ClientChange {
        lives: LivesChange { access: Some(60), ..LivesChange::default() },
        ..ClientChange::default()
    };
    let by = stage.world.platform();
    let client = stage.world.identity.update_client(&by, stage.client.id, shorter).await.unwrap();
    assert_eq!((client.lives.access, client.lives.idle), (60, stage.client.lives.idle));
    let found = stage.world.identity.client_of_token(&stage.world.acme, &tokens.access_token).unwrap();
    assert_eq!(found, Some(client));
}

#[tokio::test]
async fn the_pages_of_active_clients_are_known() {
    let origin = "https://app.example.com";
    let stage = Stage::of(NewClient { origins: vec![origin.to_owned()], ..native() }).await;
    let (identity, acme) = (&stage.world.identity, stage.world.acme.id);
    assert!(identity.knows_origin(acme, origin).unwrap());
    assert!(!identity.knows_origin(stage.world.globex.id, origin).unwrap());
    for other in ["https://app.example.co", "https://app.example.com:8443", "http://app.example.com", "%", ""]
    {
        assert!(!identity.knows_origin(acme, other).unwrap(), "{other}");
    }
    let off = ClientChange { active: Some(false), ..ClientChange::default() };
    identity.update_client(&stage.world.platform(), stage.client.id, off).await.unwrap();
    assert!(!identity.knows_origin(acme, origin).unwrap());
}
