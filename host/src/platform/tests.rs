//! The plane under attack: tokens that are genuinely signed and say what an attack wants, and races.

use serde_json::{Value, json};

use super::store::{begin, reader};
use super::*;
use crate::clock::UnixMillis;
use crate::identity::{Cost, Email, jws, totp};
use crate::storage::TenantFiles;

const PASSWORD: &str = "violet tram over nine hills";
const EMAIL: &str = "olga@platform.example";

struct World {
    platform: Platform,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(1_800_000_000_000);
        let secrets = Secrets::open(folder.path()).unwrap();
        let control = ControlPlane::open(&folder.path().join("control.sqlite")).await.unwrap();
        let files = TenantFiles::new(folder.path().to_path_buf(), clock.clone(), 64);
        let identity = Identity::with_cost(files, secrets.clone(), clock.clone(), Cost::FLOOR);
        let platform =
            Platform::new(control, secrets, clock.clone(), &identity).at("https://admin.example.com");
        Self { platform, clock, _folder: folder }
    }

    async fn claimed(&self) -> Admin {
        let code = self.platform.new_claim_code().await.unwrap().unwrap();
        self.claim(&code).await.unwrap()
    }

    async fn claim(&self, code: &str) -> Result<Admin, PlatformError> {
        let (email, password) = (Email::parse(EMAIL).unwrap(), PASSWORD.to_owned());
        self.platform.claim(Claim { code: code.to_owned(), email, name: "Olga".to_owned(), password }).await
    }

    async fn sign_in(&self, code: Option<&str>) -> Result<SignedIn, PlatformError> {
        let (email, password) = (EMAIL.to_owned(), PASSWORD.to_owned());
        let (code, address) = (code.map(str::to_owned), "192.0.2.1".to_owned());
        self.platform.sign_in(SignIn { email, password, code, address, earlier: None }).await
    }

    async fn signed(&self, token: &str) -> Result<Signed, PlatformError> {
        self.platform.authenticate(token).await
    }

    /// Every claim of a good token.
    fn claims(token: &str) -> Value {
        let claims = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&secret::decode(claims).unwrap()).unwrap()
    }

    /// A token that the platform's own key signed and that differs in these claims; `null` removes one.
    async fn forged(&self, token: &str, changes: &Value) -> String {
        let mut claims = Self::claims(token);
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let (kid, private) = self.platform.signer().await.unwrap();
        jws::sign(kid, private, &claims).unwrap()
    }
}

fn refused(result: Result<Signed, PlatformError>) -> bool {
    matches!(result, Err(PlatformError::Identity(IdentityError::InvalidToken)))
}

#[tokio::test]
async fn a_claim_code_is_good_once_for_a_day_and_only_while_nobody_is_there() {
    let world = World::new().await;
    let first = world.platform.first_claim_code().await.unwrap().unwrap();
    assert!(world.platform.first_claim_code().await.unwrap().is_none(), "told once");
    let second = world.platform.new_claim_code().await.unwrap().unwrap();
    assert!(matches!(world.claim(&first).await, Err(PlatformError::InvalidClaimCode)), "replaced");
    world.clock.advance(CLAIM);
    assert!(matches!(world.claim(&second).await, Err(PlatformError::InvalidClaimCode)), "too old");
    let third = world.platform.new_claim_code().await.unwrap().unwrap();
    assert_eq!(world.claim(&third).await.unwrap().roles, [OWNER]);
    assert!(matches!(world.claim(&third).await, Err(PlatformError::InvalidClaimCode)), "used");
    assert!(world.platform.new_claim_code().await.unwrap().is_none(), "somebody is there");
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_at_the_latest_after_half_a_day() {
    let world = World::new().await;
    world.claimed().await;
    let signed = world.sign_in(None).await.unwrap();
    world.clock.advance(IDLE - 1);
    world.platform.renew(&signed.secret).await.unwrap();
    world.clock.advance(IDLE - 1);
    world.platform.renew(&signed.secret).await.unwrap();
    world.clock.advance(IDLE);
    assert!(matches!(world.platform.renew(&signed.secret).await, Err(PlatformError::InvalidSession)));

    let signed = world.sign_in(None).await.unwrap();
    for _ in 0..LONGEST / (IDLE / 2) - 1 {
        world.clock.advance(IDLE / 2);
        world.platform.renew(&signed.secret).await.unwrap();
    }
    world.clock.advance(IDLE / 2);
    assert!(matches!(world.platform.renew(&signed.secret).await, Err(PlatformError::InvalidSession)));
    assert!(world.platform.renew("stoa_p1_x").await.is_err() && world.platform.renew("").await.is_err());
}

#[tokio::test]
async fn a9_a10_a11_claims_of_another_issuer_audience_or_time_are_refused() {
    let world = World::new().await;
    world.claimed().await;
    let token = world.sign_in(None).await.unwrap().token;
    assert!(world.signed(&token).await.is_ok());
    let same = world.forged(&token, &json!({})).await;
    assert!(world.signed(&same).await.is_ok(), "the forge makes good tokens");
    let now = world.clock.now() / 1_000;
    let issuer = world.platform.issuer();
    for changes in [
        json!({ "iss": null }),
        json!({ "iss": "https://crm.example.com/t/acme" }),
        json!({ "iss": [issuer] }),
        json!({ "iss": 7 }),
        json!({ "aud": null }),
        json!({ "aud": "stoa" }),
        json!({ "aud": [AUDIENCE, "stoa"] }),
        json!({ "aud": {} }),
        json!({ "client_id": "stoa" }),
        json!({ "exp": null }),
        json!({ "exp": "9999999999" }),
        json!({ "exp": now + 100, "iat": now - 9_999 }),
        json!({ "exp": 1e300 }),
        json!({ "exp": now - 6 }),
        json!({ "exp": -1 }),
        json!({ "nbf": now + 3_600 }),
        json!({ "exp": now + LIFETIME + 1 }),
        json!({ "sub": crate::ids::PrincipalId::new().to_string() }),
        json!({ "sid": crate::ids::SessionId::new().to_string() }),
        json!({ "sid": null }),
        json!({ "roles": ["owner"] }),
    ] {
        let forged = world.forged(&token, &changes).await;
        assert!(refused(world.signed(&forged).await), "{changes}");
    }
}

#[tokio::test]
async fn a1_to_a8_headers_that_are_not_ours_are_refused() {
    let world = World::new().await;
    world.claimed().await;
    let token = world.sign_in(None).await.unwrap().token;
    let (kid, _) = world.platform.signer().await.unwrap();
    let rest = token.split_once('.').unwrap().1;
    let (claims, signature) = rest.split_once('.').unwrap();
    let stranger = jws::generate().unwrap();
    let theirs = jws::sign(stranger.kid, stranger.private, &World::claims(&token)).unwrap();
    let with = |header: &Value| format!("{}.{rest}", secret::encode(header.to_string().as_bytes()));
    let good = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
    assert!(world.signed(&with(&good)).await.is_ok(), "the same header is good");
    let mut bad = vec![theirs, format!("{token}="), format!("{token}.x"), format!(".{rest}"), String::new()];
    bad.push("x".repeat(5_000));
    bad.push(format!("{}.{claims}.", secret::encode(good.to_string().as_bytes())));
    bad.push(format!("{}.{claims}.A{signature}", secret::encode(good.to_string().as_bytes())));
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("nOnE")),
        ("alg", json!("HS256")),
        ("typ", json!("JWT")),
        ("typ", json!(["at+jwt"])),
        ("kid", json!("../../x")),
        ("kid", json!("' or 1=1 --")),
        ("kid", json!("\u{0}")),
        ("jwk", json!({ "kty": "OKP" })),
        ("jku", json!("https://attacker.example/keys")),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
    ] {
        let mut header = good.clone();
        header[name] = value;
        bad.push(with(&header));
    }
    for token in bad {
        assert!(refused(world.signed(&token).await), "{token}");
    }
}

#[tokio::test]
async fn a16_no_flipped_bit_is_overlooked() {
    let world = World::new().await;
    world.claimed().await;
    let token = world.sign_in(None).await.unwrap().token;
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = secret::decode(signature).unwrap();
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let forged = format!("{message}.{}", secret::encode(&flipped));
        assert!(refused(world.signed(&forged).await), "bit {bit}");
    }
}

#[tokio::test]
async fn a15_a_token_ends_with_its_session_and_its_administrator() {
    let world = World::new().await;
    let admin = world.claimed().await;
    let signed = world.sign_in(None).await.unwrap();
    let by = world.signed(&signed.token).await.unwrap();
    world.platform.end_session(&by, by.session, false).await.unwrap();
    assert!(refused(world.signed(&signed.token).await));
    let signed = world.sign_in(None).await.unwrap();
    let mut tx = begin(&world.platform.control).await.unwrap();
    let gone = Admin { status: AdminStatus::Disabled, ..admin };
    admins::store::update(&mut tx, &gone).await.unwrap();
    super::store::commit(tx).await.unwrap();
    assert!(refused(world.signed(&signed.token).await));
    let refused = world.sign_in(None).await;
    assert!(matches!(refused, Err(PlatformError::Identity(IdentityError::InvalidCredentials))));
}

#[tokio::test]
async fn a19_a_retired_key_verifies_what_it_signed_and_no_longer() {
    let world = World::new().await;
    world.claimed().await;
    let signed = world.sign_in(None).await.unwrap();
    world.platform.rotate_keys(false).await.unwrap();
    assert!(world.signed(&signed.token).await.is_ok());
    assert_eq!(world.platform.rotate_keys(false).await.unwrap().len(), 3);
    assert_eq!(world.platform.rotate_keys(true).await.unwrap().len(), 1);
    assert!(refused(world.signed(&signed.token).await));
}

#[tokio::test]
async fn signing_in_ends_the_session_that_the_browser_had() {
    let world = World::new().await;
    world.claimed().await;
    let (here, elsewhere) = (world.sign_in(None).await.unwrap(), world.sign_in(None).await.unwrap());
    let again = |password: &str| SignIn {
        email: EMAIL.to_owned(),
        password: password.to_owned(),
        code: None,
        address: String::new(),
        earlier: Some(here.secret.clone()),
    };
    assert!(world.platform.sign_in(again("wrong words here")).await.is_err());
    assert!(world.signed(&here.token).await.is_ok(), "nobody is signed out by somebody who does not get in");
    let signed = world.platform.sign_in(again(PASSWORD)).await.unwrap();
    assert!(refused(world.signed(&here.token).await));
    assert!(world.signed(&signed.token).await.is_ok() && world.signed(&elsewhere.token).await.is_ok());
}

#[tokio::test]
async fn c1_c2_every_wrong_way_in_gets_one_answer_and_guessing_is_slowed_down() {
    let world = World::new().await;
    world.claimed().await;
    let with = |email: &str, password: &str| SignIn {
        email: email.to_owned(),
        password: password.to_owned(),
        code: None,
        address: String::new(),
        earlier: None,
    };
    for (email, password) in [(EMAIL, "wrong words here"), ("no@platform.example", PASSWORD)] {
        for _ in 0..3 {
            let refused = world.platform.sign_in(with(email, password)).await.err().unwrap();
            assert!(matches!(refused, PlatformError::Identity(IdentityError::InvalidCredentials)), "{email}");
        }
        let slowed = world.platform.sign_in(with(email, password)).await.err().unwrap();
        assert!(matches!(slowed, PlatformError::Identity(IdentityError::Throttled { .. })), "{email}");
    }
}

#[tokio::test]
async fn c7_one_code_lets_one_of_many_in() {
    let world = World::new().await;
    world.claimed().await;
    let signed = world.sign_in(None).await.unwrap();
    let by = world.signed(&signed.token).await.unwrap();
    world.platform.enrol(&by, PASSWORD, None).await.unwrap();
    let account = admins::store::find(&mut reader(&world.platform.control).await.unwrap(), by.admin.id).await;
    let sealed = account.unwrap().unwrap().pending.unwrap();
    let purpose = format!("platform-totp:{}", by.admin.id);
    let secret = world.platform.secrets.open_sealed(&purpose, &sealed).unwrap();
    let code = |clock: &Clock| totp::code(&secret, clock.now());
    let (strong, recovery) = world.platform.confirm(&by, &code(&world.clock), "").await.unwrap();
    assert!(strong.session.strong && recovery.iter().all(|code| code.len() == 29));
    assert!(refused(world.signed(&signed.token).await), "weak sessions end");

    world.clock.advance(60_000);
    let now = code(&world.clock);
    let attempts = (0..4).map(|_| world.sign_in(Some(&now)));
    let mut inside = 0;
    for attempt in attempts {
        inside += usize::from(attempt.await.is_ok());
    }
    assert_eq!(inside, 1);
}

#[tokio::test]
async fn k1_the_log_refuses_to_be_changed() {
    let world = World::new().await;
    let admin = world.claimed().await;
    let event = NewEvent {
        admin: Some(&admin),
        action: "suspend_organization",
        target: Some("x".repeat(500)),
        outcome: Outcome::Done,
        code: None,
        request: crate::ids::RequestId::new(),
        address: "192.0.2.1".to_owned(),
    };
    world.platform.record(event).await.unwrap();
    let events = world.platform.events(&EventsPage { limit: 10, ..EventsPage::default() }).await.unwrap();
    assert_eq!(events[0].target.as_ref().unwrap().len(), 200);
    for sql in ["update platform_events set outcome = 'refused'", "delete from platform_events"] {
        let refused = sqlx::query(sql).execute(world.platform.control.pool()).await;
        assert!(refused.unwrap_err().to_string().contains("only added"), "{sql}");
    }
    let until: UnixMillis = world.clock.now();
    assert_eq!(events[0].at, until);
}
