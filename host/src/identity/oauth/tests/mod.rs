//! The authorization server below HTTP: the attacks on codes, refresh tokens and clients. The numbers are those of the
//! project's attack catalogue.

mod clients;
mod codes;
mod families;
mod keys;

use super::*;
use crate::clock::UnixMillis;
use crate::identity::fixture::{PASSWORD, World, visitor};
use crate::identity::{SigningAlgorithm, User};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1/cb";
const SITE: &str = "https://app.example.com/cb";
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
        Self::of(native()).await
    }

    async fn of(client: NewClient) -> Self {
        let world = World::new();
        let user = world.member("ann", "owner").await;
        let person = sign_in(&world, PASSWORD).await;
        let client = register(&world, client).await.0;
        Self { world, user, person, client }
    }

    /// Where the client is answered.
    fn back(&self) -> &str {
        &self.client.redirect_uris[0]
    }

    fn asking(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let id = self.client.id.to_string();
        let mut all: Vec<(String, String)> = [
            ("client_id", id.as_str()),
            ("redirect_uri", self.back()),
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
        let (identity, acme) = (&self.world.identity, &self.world.acme);
        identity.exchange_code(acme, &self.client, code, Some(self.back()), VERIFIER).await
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

/// Ann signs in, as the page does it.
async fn sign_in(world: &World, password: &str) -> SignedIn {
    let (identity, acme) = (&world.identity, &world.acme);
    let visitor = visitor();
    let (login, _) = identity.begin_login(acme).await.unwrap();
    identity.login_identify(acme, &login, "ann@example.com").await.unwrap();
    identity.login_password(acme, &login, password, &visitor).await.unwrap();
    let session = identity.complete_login(acme, &login, &visitor).await.unwrap().session;
    SignedIn {
        session: session.id,
        user: session.user,
        auth_time: session.auth_time,
        amr: session.amr(),
        acr: session.acr().to_owned(),
    }
}

fn native() -> NewClient {
    NewClient {
        name: "Phone".to_owned(),
        kind: ClientKind::Native,
        auth: ClientAuth::None,
        redirect_uris: vec![BACK.to_owned()],
        logout_uris: vec!["https://app.example.com/bye".to_owned()],
        keys: Vec::new(),
        origins: Vec::new(),
        lives: LivesChange::default(),
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
        redirect_uris: vec![SITE.to_owned()],
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
