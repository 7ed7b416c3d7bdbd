//! Providers elsewhere that people come from (`tests/provider`: a real one, and one that lies), and how a browser goes there and
//! comes back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Organization, Setup};
use stoa_tests::{id, text};

use crate::door::{Door, cookie};
use crate::programs::installed;

pub(crate) const PROVIDERS: &str = "/api/v1/identity-providers";
const FEDERATION: &str = "/api/v1/auth/federation";

/// A host whose operator lets organizations name addresses of this machine.
pub(crate) fn host() -> Host {
    Setup::default().environment("STOA_ALLOW_LOOPBACK_OUTBOUND", "true").start()
}

/// A provider, for as long as the test runs.
pub(crate) struct Elsewhere {
    pub(crate) issuer: String,
    program: Child,
    /// Kept open, so that the program can write.
    _said: BufReader<ChildStdout>,
}

impl Elsewhere {
    /// The certified one.
    pub(crate) fn real() -> Self {
        Self::started(&installed("provider", &["provider.mjs"]).join("provider.mjs"))
    }

    /// The one that lies as it is told.
    pub(crate) fn lying() -> Self {
        Self::started(&Path::new(env!("CARGO_MANIFEST_DIR")).join("provider/liar.mjs"))
    }

    fn started(script: &Path) -> Self {
        let mut program = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("Node 20 or later is needed (`node`): {error}"));
        let mut said = BufReader::new(program.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ready ") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "{} did not start", script.display());
        }
        let issuer = line.trim_start_matches("ready ").trim().to_owned();
        Self { issuer, program, _said: said }
    }

    fn client(&self) -> Client {
        Client::new(self.issuer.strip_prefix("http://").unwrap(), "", None)
    }

    /// Says something to the real one.
    #[track_caller]
    pub(crate) fn tell(&self, path: &str) {
        self.client().get(path).expect(204);
    }

    /// Says how to lie from now on; `{}`: not.
    #[track_caller]
    pub(crate) fn lie(&self, lie: &Value) {
        self.client().post("/lie", lie).expect(204);
    }

    /// How often its keys were asked for.
    pub(crate) fn keys_asked(&self) -> u64 {
        self.client().get("/asked").ok()["keys"].as_u64().unwrap()
    }

    /// Sets it up in an organization, and the organization's address with it: people of `sales` become representatives.
    #[track_caller]
    pub(crate) fn arranged(&self, owner: &Client, changes: &Value) -> Value {
        let mut new = json!({
            "name": "Elsewhere", "issuer": self.issuer, "client_id": "stoa",
            "client_secret": "a-secret-that-only-the-two-of-us-know", "provisions": true,
            "group_roles": [{"group": "sales", "role": "rep"}],
        });
        for (member, value) in changes.as_object().unwrap() {
            new[member] = value.clone();
        }
        owner.post(PROVIDERS, &new).created()
    }

    /// Lets a browser go there, until it is sent back: the address that it is sent to.
    #[track_caller]
    pub(crate) fn browse(&self, start: &str) -> String {
        let mut jar = BTreeMap::new();
        let mut address = start.to_owned();
        for _ in 0..8 {
            let Some(path) = address.strip_prefix(&self.issuer) else {
                return address;
            };
            let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let answer = self.client().call("GET", path).header("Cookie", &cookies.join("; ")).send();
            assert!(matches!(answer.status(), 302 | 303), "{path}: {}", answer.text());
            for (name, line) in &answer.response.headers {
                let pair = line.split(';').next().and_then(|pair| pair.split_once('='));
                if let (true, Some((name, value))) = (name == "set-cookie", pair) {
                    jar.insert(name.to_owned(), value.to_owned());
                }
            }
            let to = answer.header("location").unwrap();
            address = if to.starts_with('/') { format!("{}{to}", self.issuer) } else { to.to_owned() };
        }
        panic!("the provider sends a browser to and fro: {address}")
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A browser on its way: what it was bound with, and where it was sent.
pub(crate) struct Away {
    pub(crate) cookie: String,
    pub(crate) address: String,
}

/// What a browser that goes away is told.
#[track_caller]
pub(crate) fn away(answer: &Answer) -> Away {
    let address = text(&answer.ok(), "authorization_url").to_owned();
    Away { cookie: cookie(answer, "stoa_fed").unwrap(), address }
}

/// Leaves for a provider.
#[track_caller]
pub(crate) fn depart(acme: &Organization<'_>, provider: &Value) -> Away {
    away(&acme.anonymous().post(FEDERATION, &json!({"provider": id(provider)})))
}

/// Comes back with an address of this host.
#[track_caller]
pub(crate) fn arrive(address: &str, cookie: &str) -> Answer {
    let (host, path) = address.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
    let (client, path) = (Client::new(host, "", None), format!("/{path}"));
    client.call("GET", &path).header("Cookie", &format!("stoa_fed={cookie}")).send()
}

/// The voucher that a browser comes back with.
#[track_caller]
pub(crate) fn voucher(answer: &Answer) -> String {
    let place = answer.expect(303).header("location").unwrap();
    let (_, voucher) = place.split_once("/auth/sign-in#voucher=").unwrap_or_else(|| panic!("{place}"));
    voucher.to_owned()
}

/// The browser came back with nothing.
#[track_caller]
pub(crate) fn refused(answer: &Answer) {
    let place = answer.expect(303).header("location").unwrap();
    assert!(place.ends_with("/auth/sign-in#error=federation_refused"), "{place}");
    assert_eq!(answer.header("set-cookie"), None);
}

/// Goes to a provider and comes back, whatever with.
#[track_caller]
pub(crate) fn visit(acme: &Organization<'_>, elsewhere: &Elsewhere, provider: &Value) -> (Answer, String) {
    let away = depart(acme, provider);
    (arrive(&elsewhere.browse(&away.address), &away.cookie), away.cookie)
}

/// Begins a login with a voucher: the door, and what it asks next.
pub(crate) fn present(acme: &Organization<'_>, voucher: &str, bound: &str) -> (Door, Answer) {
    let mut door = Door::new(acme.anonymous());
    door.begin();
    let cookies = format!("stoa_tx={}; stoa_fed={bound}", door.cookie());
    let client = acme.anonymous();
    let call = client.call("POST", "/api/v1/auth/transactions/federated").header("X-Stoa-Request", "1");
    let answer = call.header("Cookie", &cookies).json(&json!({"voucher": voucher})).send();
    (door, answer)
}

/// Exchanges a voucher for a token without steps.
pub(crate) fn exchange(acme: &Organization<'_>, voucher: &str, bound: &str) -> Answer {
    let (client, path) = (acme.anonymous(), format!("{FEDERATION}/token"));
    let call = client.call("POST", &path).header("Cookie", &format!("stoa_fed={bound}"));
    call.json(&json!({"voucher": voucher})).send()
}

/// Signs in: the person, and how well they were proved.
#[track_caller]
pub(crate) fn signed_in(acme: &Organization<'_>, elsewhere: &Elsewhere, provider: &Value) -> (Client, Value) {
    let (back, bound) = visit(acme, elsewhere, provider);
    let (door, next) = present(acme, &voucher(&back), &bound);
    assert_eq!(next.ok()["next"], json!(["complete"]));
    let person = acme.with_token(&door.complete().1);
    let sessions = person.get("/api/v1/me/sessions").ok();
    let acr = sessions["data"][0]["acr"].clone();
    (person, acr)
}
