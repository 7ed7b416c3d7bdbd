//! The authorization server below HTTP: the attacks on codes, refresh tokens and clients. The numbers are those of the
//! project's attack catalogue.

use std::sync::Arc;

use super::grants::generations;
use super::*;
use crate::clock::UnixMillis;
use crate::identity::fixture::{PASSWORD, World, acting};
use crate::identity::{IdentityError, SigningAlgorithm, User, UserChange, UserStatus, secret};
use crate::ids::SessionId;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1/cb";
const SECOND: UnixMillis = 1_000;

/// A world with a person who is signed in, and a public client.
struct Stage {
    world: World,
    user: User,
    person: SignedIn,
    client: Client,
}

impl Stage {
    async fn new() -> Self {
        let world = World::new();
        let user = world.member("ann", "owner").await;
        let person = SignedIn {
            session: SessionId::new(),
            user: user.id,
            auth_time: world.clock.now(),
            amr: vec!["pwd".to_owned()],
            acr: "aal1".to_owned(),
        };
        let client = register(&world, native()).await.0;
        Self { world, user, person, client }
    }

    fn asking(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let id = self.client.id.to_string();
        let mut all: Vec<(String, String)> = [
            ("client_id", id.as_str()),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid profile offline_access"),
            ("state", "xyz"),
            ("nonce", "n-0S6"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in changes {
            all.retain(|(known, _)| known != name);
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
        all
    }

    async fn ask(&self, changes: &[(&str, &str)], signed_in: bool) -> Result<Authorization, AuthorizeError> {
        let asking = self.asking(changes);
        let person = signed_in.then_some(&self.person);
        self.world.identity.authorize(&self.world.acme, Ask::New(&asking), person).await
    }

    /// The answer's parameter, once the person has allowed what is asked.
    async fn answered(&self, changes: &[(&str, &str)], name: &str) -> Option<String> {
        let (identity, acme) = (&self.world.identity, &self.world.acme);
        let mut next = self.ask(changes, true).await.unwrap();
        if let Authorization::Consent(request) = next {
            identity.answer_consent(acme, &request, &self.person, true).await.unwrap();
            next = identity.authorize(acme, Ask::Known(&request), Some(&self.person)).await.unwrap();
        }
        let Authorization::Answer(answer) = next else { panic!("{next:?}") };
        assert!(
            answer.parameters.iter().any(|(name, value)| *name == "iss" && *value == identity.issuer(acme))
        );
        assert!(answer.parameters.contains(&("state", "xyz".to_owned())));
        answer.parameters.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    async fn code(&self) -> String {
        self.answered(&[], "code").await.unwrap()
    }

    async fn exchange(&self, code: &str) -> Result<TokenAnswer, OAuthError> {
        self.world.identity.exchange_code(&self.world.acme, &self.client, code, Some(BACK), VERIFIER).await
    }

    async fn tokens(&self) -> TokenAnswer {
        self.exchange(&self.code().await).await.unwrap()
    }

    async fn refresh(&self, token: &str) -> Result<TokenAnswer, OAuthError> {
        self.world.identity.refresh(&self.world.acme, &self.client, token, None).await
    }

    fn works(&self, token: &str) -> bool {
        self.world.authenticate(token).is_ok()
    }
}

fn native() -> NewClient {
    NewClient {
        name: "Phone".to_owned(),
        kind: ClientKind::Native,
        auth: ClientAuth::None,
        redirect_uris: vec![BACK.to_owned()],
        logout_uris: vec!["https://app.example.com/bye".to_owned()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: ["openid", "profile", "email", "offline_access", "crm.contact:read"].map(Into::into).into(),
        service: None,
        id_token_algorithm: SigningAlgorithm::EdDsa,
        trusted: false,
    }
}

fn web() -> NewClient {
    NewClient {
        kind: ClientKind::Web,
        auth: ClientAuth::Basic,
        redirect_uris: vec!["https://app.example.com/cb".to_owned()],
        ..native()
    }
}

async fn register(world: &World, new: NewClient) -> (Client, Option<ClientSecret>) {
    world.identity.create_client(&world.platform(), new).await.unwrap()
}

fn token_of(answer: &TokenAnswer) -> String {
    answer.refresh_token.as_ref().unwrap().to_string()
}

fn invalid_grant<T>(result: Result<T, OAuthError>) {
    assert!(matches!(result, Err(OAuthError::InvalidGrant(_))), "{:?}", result.err());
}

#[tokio::test]
async fn a_person_signs_in_and_the_client_learns_who_and_gets_no_more_than_was_allowed() {
    let stage = Stage::new().await;
    let answer = stage.tokens().await;
    let caller = stage.world.authenticate(&answer.access_token).unwrap();
    assert_eq!(caller.principal.id, stage.user.id);
    assert_eq!(caller.principal.session, Some(stage.person.session));
    let limits: Vec<_> = caller.principal.limits.as_ref().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(limits, ["openid", "profile", "offline_access"]);
    let claims = answer.id_token.as_ref().unwrap().split('.').nth(1).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&secret::decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], stage.world.identity.issuer(&stage.world.acme));
    assert_eq!(claims["aud"], stage.client.id.to_string());
    assert_eq!((&claims["nonce"], &claims["acr"]), (&"n-0S6".into(), &"aal1".into()));
    assert!(claims["at_hash"].is_string() && claims["sid"].is_string() && claims["auth_time"].is_i64());
    let info = stage.world.identity.user_info(&caller).unwrap().unwrap();
    assert_eq!((info.name.as_deref(), info.email), (Some("ann"), None));
}

#[tokio::test]
async fn a7_an_id_token_and_a_refresh_token_are_no_access_tokens() {
    let stage = Stage::new().await;
    let answer = stage.tokens().await;
    assert!(stage.works(&answer.access_token));
    assert!(!stage.works(answer.id_token.as_ref().unwrap()) && !stage.works(&token_of(&answer)));
}

#[tokio::test]
async fn b1_without_pkce_s256_there_is_no_code() {
    let stage = Stage::new().await;
    for bad in [
        &[("code_challenge", "")][..],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "")],
        &[("code_challenge", &CHALLENGE[1..])],
        &[("code_challenge", "+9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")],
    ] {
        assert_eq!(stage.answered(bad, "error").await.as_deref(), Some("invalid_request"), "{bad:?}");
    }
}

#[tokio::test]
async fn b2_b3_a_wrong_verifier_burns_the_code() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    for bad in ["", &VERIFIER[1..], &"a".repeat(42), &"a".repeat(43), &"a".repeat(129), CHALLENGE] {
        let code = stage.code().await;
        invalid_grant(identity.exchange_code(acme, &stage.client, &code, Some(BACK), bad).await);
        invalid_grant(stage.exchange(&code).await);
    }
}

#[tokio::test]
async fn b4_a_code_that_is_used_twice_ends_all_that_came_of_it() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    let answer = stage.exchange(&code).await.unwrap();
    assert!(stage.works(&answer.access_token));
    stage.world.clock.advance(30 * SECOND);
    invalid_grant(stage.exchange(&code).await);
    assert!(!stage.works(&answer.access_token));
    invalid_grant(stage.refresh(&token_of(&answer)).await);
}

#[tokio::test]
async fn b4_of_64_exchanges_at_once_one_wins() {
    let stage = Arc::new(Stage::new().await);
    let code = stage.code().await;
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let (stage, code) = (Arc::clone(&stage), code.clone());
        tasks.push(tokio::spawn(async move { stage.exchange(&code).await.is_ok() }));
    }
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert!(won <= 1, "{won}");
}

#[tokio::test]
async fn b5_a_code_is_one_clients_and_one_address_and_one_organizations() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let other = register(&stage.world, native()).await.0;
    let code = stage.code().await;
    invalid_grant(identity.exchange_code(acme, &other, &code, Some(BACK), VERIFIER).await);
    let code = stage.code().await;
    let elsewhere = Some("http://127.0.0.1:7/cb");
    invalid_grant(identity.exchange_code(acme, &stage.client, &code, elsewhere, VERIFIER).await);
    let code = stage.code().await;
    let result =
        identity.exchange_code(&stage.world.globex, &stage.client, &code, Some(BACK), VERIFIER).await;
    invalid_grant(result);
}

#[tokio::test]
async fn b6_a_code_is_good_for_a_minute() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    stage.world.clock.advance(61 * SECOND);
    invalid_grant(stage.exchange(&code).await);
}

#[tokio::test]
async fn b7_b8_nobody_is_redirected_to_an_address_that_is_not_the_clients() {
    let stage = Stage::new().await;
    for bad in [
        &[("redirect_uri", "https://evil.example/cb")][..],
        &[("redirect_uri", "")],
        &[("client_id", "00000000-0000-7000-8000-000000000000")],
        &[("client_id", "x' or 1=1 --")],
        &[("client_id", "")],
    ] {
        let result = stage.ask(bad, true).await;
        assert!(matches!(result, Err(AuthorizeError::Page(_))), "{bad:?}");
    }
    for kind in ["token", "id_token", "none", "code id_token"] {
        let error = stage.answered(&[("response_type", kind)], "error").await;
        assert_eq!(error.as_deref(), Some("unsupported_response_type"), "{kind}");
    }
    assert_eq!(stage.answered(&[("response_type", "")], "error").await.as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn b10_scopes_narrow_and_request_objects_are_refused() {
    let stage = Stage::new().await;
    let beyond = stage.answered(&[("scope", "admin root")], "error").await;
    assert_eq!(beyond.as_deref(), Some("invalid_scope"));
    let unsigned = stage.answered(&[("request", "eyJhbGciOiJub25lIn0.e30.")], "error").await;
    assert_eq!(unsigned.as_deref(), Some("request_not_supported"));
    let fetched = stage.answered(&[("request_uri", "https://evil.example/r")], "error").await;
    assert_eq!(fetched.as_deref(), Some("request_uri_not_supported"));
    let unknown = stage.answered(&[("colour", "red"), ("claims", "{}"), ("ui_locales", "de")], "code").await;
    assert!(unknown.is_some(), "unknown parameters are ignored");
}

#[tokio::test]
async fn prompt_and_max_age_are_heeded() {
    let stage = Stage::new().await;
    let error = |changes: &'static [(&str, &str)]| stage.answered(changes, "error");
    assert_eq!(error(&[("prompt", "none")]).await.as_deref(), Some("consent_required"));
    stage.code().await;
    assert!(stage.answered(&[("prompt", "none")], "code").await.is_some());
    assert_eq!(error(&[("prompt", "none login")]).await.as_deref(), Some("invalid_request"));
    let again = stage.ask(&[("prompt", "consent")], true).await.unwrap();
    assert!(matches!(again, Authorization::Consent(_)));

    stage.world.clock.advance(5 * SECOND);
    for fresh in [&[("prompt", "login")][..], &[("max_age", "1")], &[("max_age", "0")]] {
        let next = stage.ask(fresh, true).await.unwrap();
        let Authorization::SignIn(request) = next else { panic!("{next:?}") };
        let (identity, acme) = (&stage.world.identity, &stage.world.acme);
        let old = identity.authorize(acme, Ask::Known(&request), Some(&stage.person)).await.unwrap();
        assert!(matches!(old, Authorization::SignIn(_)), "the old session is not fresh");
        let anew = SignedIn { auth_time: stage.world.clock.now(), ..stage.person.clone() };
        let next = identity.authorize(acme, Ask::Known(&request), Some(&anew)).await.unwrap();
        assert!(matches!(next, Authorization::Answer(_)), "{next:?}");
        let gone = identity.authorize(acme, Ask::Known(&request), Some(&anew)).await;
        assert!(matches!(gone, Err(AuthorizeError::Page(_))), "a request is answered once");
    }
    assert!(stage.answered(&[("max_age", "10000")], "code").await.is_some());
    assert_eq!(error(&[("max_age", "x")]).await.as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn b23_without_a_session_nobody_is_asked_under_prompt_none() {
    let stage = Stage::new().await;
    let Authorization::Answer(answer) = stage.ask(&[("prompt", "none")], false).await.unwrap() else {
        panic!("not answered")
    };
    assert!(answer.parameters.contains(&("error", "login_required".to_owned())));
    assert!(matches!(stage.ask(&[], false).await.unwrap(), Authorization::SignIn(_)));
}

#[tokio::test]
async fn consent_is_remembered_revocable_and_may_be_refused() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let Authorization::Consent(request) = stage.ask(&[], true).await.unwrap() else { panic!("not asked") };
    let question = identity.consent_question(acme, &request, &stage.person).unwrap();
    assert_eq!(question.scopes, ["openid", "profile", "offline_access"]);
    identity.answer_consent(acme, &request, &stage.person, false).await.unwrap();
    let next = identity.authorize(acme, Ask::Known(&request), Some(&stage.person)).await.unwrap();
    let Authorization::Answer(answer) = next else { panic!("{next:?}") };
    assert!(answer.parameters.contains(&("error", "access_denied".to_owned())));

    let answer = stage.tokens().await;
    assert!(matches!(stage.ask(&[], true).await.unwrap(), Authorization::Answer(_)), "asked once");
    assert!(matches!(stage.ask(&[("scope", "email")], true).await.unwrap(), Authorization::Consent(_)));
    let by = acting(acme.id, &stage.user);
    assert_eq!(identity.consents(acme.id, stage.user.id).unwrap().len(), 1);
    identity.revoke_consent(&by, stage.client.id).await.unwrap();
    assert!(!stage.works(&answer.access_token));
    invalid_grant(stage.refresh(&token_of(&answer)).await);
    assert!(identity.consents(acme.id, stage.user.id).unwrap().is_empty());
}

#[tokio::test]
async fn b13_a_refresh_token_is_good_once_and_its_answer_may_be_asked_for_again_at_once() {
    let stage = Stage::new().await;
    let first = token_of(&stage.tokens().await);
    let second = token_of(&stage.refresh(&first).await.unwrap());
    stage.world.clock.advance(SECOND);
    assert_eq!(token_of(&stage.refresh(&first).await.unwrap()), second, "the same successor");
    let third = stage.refresh(&second).await.unwrap();
    invalid_grant(stage.refresh(&first).await);
    assert!(!stage.works(&third.access_token), "two generations old: the family is dead");
    invalid_grant(stage.refresh(&token_of(&third)).await);
}

#[tokio::test]
async fn b13_after_ten_seconds_a_used_refresh_token_ends_the_family() {
    let stage = Stage::new().await;
    let first = token_of(&stage.tokens().await);
    let second = stage.refresh(&first).await.unwrap();
    stage.world.clock.advance(11 * SECOND);
    invalid_grant(stage.refresh(&first).await);
    assert!(!stage.works(&second.access_token));
    invalid_grant(stage.refresh(&token_of(&second)).await);
}

#[tokio::test]
async fn b13_a_confidential_client_has_no_second_chance() {
    let mut stage = Stage::new().await;
    stage.client = register(&stage.world, web()).await.0;
    let back = "https://app.example.com/cb";
    let code = stage.answered(&[("redirect_uri", back)], "code").await.unwrap();
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let answer = identity.exchange_code(acme, &stage.client, &code, Some(back), VERIFIER).await.unwrap();
    let second = stage.refresh(&token_of(&answer)).await.unwrap();
    invalid_grant(stage.refresh(&token_of(&answer)).await);
    invalid_grant(stage.refresh(&token_of(&second)).await);
}

#[tokio::test]
async fn b14_64_parallel_uses_of_one_refresh_token_make_one_new_generation() {
    let stage = Arc::new(Stage::new().await);
    let first = token_of(&stage.tokens().await);
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let (stage, first) = (Arc::clone(&stage), first.clone());
        tasks.push(tokio::spawn(async move { stage.refresh(&first).await.map(|answer| token_of(&answer)) }));
    }
    let mut successors = Vec::new();
    for task in tasks {
        successors.push(task.await.unwrap().unwrap());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let count = stage.world.identity.read(stage.world.acme.id, |connection| Ok(generations(connection)?));
    assert_eq!(count.unwrap(), 2, "the first one and its successor");
}

#[tokio::test]
async fn b15_another_process_knows_that_a_refresh_token_was_used() {
    let stage = Stage::new().await;
    let first = token_of(&stage.tokens().await);
    stage.refresh(&first).await.unwrap();
    stage.world.clock.advance(11 * SECOND);
    let other = stage.world.another_process();
    invalid_grant(other.refresh(&stage.world.acme, &stage.client, &first, None).await);
}

#[tokio::test]
async fn b16_a_refresh_takes_the_same_client_the_same_scope_and_somebody_who_may_act() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let token = token_of(&stage.tokens().await);
    let wider = identity.refresh(acme, &stage.client, &token, Some("openid email")).await;
    assert!(matches!(wider, Err(OAuthError::InvalidScope)));
    let other = register(&stage.world, native()).await.0;
    invalid_grant(identity.refresh(acme, &other, &token, None).await);
    let narrow = identity.refresh(acme, &stage.client, &token, Some("openid")).await.unwrap();
    assert_eq!(narrow.scope, "openid");

    let status = UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() };
    stage.world.member("zoe", "owner").await;
    identity.update_user(&stage.world.platform(), stage.user.id, status).await.unwrap();
    invalid_grant(stage.refresh(&token_of(&narrow)).await);
}

#[tokio::test]
async fn b16_a_changed_password_and_a_removed_client_end_the_family() {
    let stage = Stage::new().await;
    let (identity, acme, by) = (&stage.world.identity, &stage.world.acme, stage.world.platform());
    let answer = stage.tokens().await;
    identity.set_password(&by, acme, stage.user.id, &format!("{PASSWORD} two")).await.unwrap();
    invalid_grant(stage.refresh(&token_of(&answer)).await);

    let answer = stage.tokens().await;
    assert!(stage.works(&answer.access_token));
    identity.delete_client(&by, stage.client.id).await.unwrap();
    assert!(!stage.works(&answer.access_token));
    invalid_grant(stage.refresh(&token_of(&answer)).await);
}

#[tokio::test]
async fn b19_a_secret_of_one_kind_is_nothing_as_another() {
    let stage = Stage::new().await;
    let (code, refresh) = (stage.code().await, token_of(&stage.tokens().await));
    let invitation = stage.world.identity.invite(&stage.world.platform(), stage.user.id).await.unwrap().token;
    for other in [&refresh, &invitation] {
        invalid_grant(stage.exchange(other).await);
    }
    for other in [&code, &invitation] {
        invalid_grant(stage.refresh(other).await);
    }
    let set_up = stage.world.identity.set_up(&stage.world.acme, &code, "another violet tram 9").await;
    assert!(matches!(set_up, Err(IdentityError::InvalidSetupToken)));
}

#[tokio::test]
async fn b21_a_client_learns_and_ends_its_own_tokens_only() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let stranger = register(&stage.world, web()).await.0;
    let answer = stage.tokens().await;
    for token in [answer.access_token.clone(), token_of(&answer)] {
        assert!(identity.introspect(acme, &stranger, &token).unwrap().is_none());
        let own = identity.introspect(acme, &stage.client, &token).unwrap().unwrap();
        assert_eq!((own.user, own.client), (stage.user.id, stage.client.id));
        identity.revoke_token(acme, &stranger, &token).await.unwrap();
        assert!(stage.works(&answer.access_token));
    }
    assert!(identity.introspect(acme, &stage.client, "x.y.z").unwrap().is_none());
    identity.revoke_token(acme, &stage.client, &token_of(&answer)).await.unwrap();
    assert!(!stage.works(&answer.access_token));
    assert!(identity.introspect(acme, &stage.client, &answer.access_token).unwrap().is_none());
    identity.revoke_token(acme, &stage.client, "nothing").await.unwrap();
}

#[tokio::test]
async fn b22_a_hint_is_one_that_this_organization_signed() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let answer = stage.tokens().await;
    let hint = answer.id_token.clone().unwrap();
    stage.world.clock.advance(20 * 60 * SECOND);
    let read = identity.read_hint(acme, &hint).unwrap().unwrap();
    assert_eq!(
        (read.client, read.user, read.session),
        (stage.client.id, stage.user.id, Some(stage.person.session))
    );
    assert!(identity.read_hint(&stage.world.globex, &hint).unwrap().is_none());
    assert!(identity.read_hint(acme, &answer.access_token).unwrap().is_none());
    assert!(identity.read_hint(acme, &hint[..hint.len() - 4]).unwrap().is_none());
}

#[tokio::test]
async fn a_secret_is_proved_in_the_registered_way_and_a_rotated_one_is_none() {
    let stage = Stage::new().await;
    let (identity, acme, by) = (&stage.world.identity, &stage.world.acme, stage.world.platform());
    let (client, secret) = register(&stage.world, web()).await;
    let (id, secret) = (client.id.to_string(), secret.unwrap());
    let proof = |secret, method| Proof { id: &id, secret, method };
    let good = |proof: &Proof<'_>| identity.authenticate_client(acme, proof).is_ok();
    assert!(good(&proof(Some(secret.reveal()), ClientAuth::Basic)));
    assert!(!good(&proof(Some(secret.reveal()), ClientAuth::Post)));
    assert!(!good(&proof(None, ClientAuth::None)) && !good(&proof(None, ClientAuth::Basic)));
    let (_, fresh) = identity.rotate_client_secret(&by, client.id).await.unwrap();
    assert!(!good(&proof(Some(secret.reveal()), ClientAuth::Basic)));
    assert!(good(&proof(Some(fresh.reveal()), ClientAuth::Basic)));
    let off = ClientChange { active: Some(false), ..ClientChange::default() };
    identity.update_client(&by, client.id, off).await.unwrap();
    assert!(!good(&proof(Some(fresh.reveal()), ClientAuth::Basic)));
}

#[tokio::test]
async fn what_a_client_is_fits_together() {
    let stage = Stage::new().await;
    let by = stage.world.platform();
    for bad in [
        NewClient { auth: ClientAuth::Basic, ..native() },
        NewClient { grants: Vec::new(), ..native() },
        NewClient { grants: vec![GrantType::RefreshToken], ..native() },
        NewClient { redirect_uris: Vec::new(), ..native() },
        NewClient { redirect_uris: vec!["http://app.example.com/cb".to_owned()], ..web() },
        NewClient { redirect_uris: vec!["https://a.example/cb".to_owned(); 21], ..web() },
        NewClient { scopes: vec!["everything".to_owned()], ..web() },
        NewClient { grants: vec![GrantType::ClientCredentials], ..native() },
        NewClient { kind: ClientKind::Service, ..web() },
        NewClient {
            kind: ClientKind::Service,
            grants: vec![GrantType::ClientCredentials],
            redirect_uris: Vec::new(),
            service: Some(stage.user.id),
            ..web()
        },
    ] {
        let result = stage.world.identity.create_client(&by, bad.clone()).await;
        assert!(matches!(result, Err(IdentityError::Invalid { .. })), "{bad:?}");
    }
}
