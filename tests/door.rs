//! The front door of an organization as a browser has it: one cookie jar, the header of our own pages, the mail spool.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::{id, text};

/// Good enough for somebody without a second factor.
pub(crate) const PASSWORD: &str = "a walk under one roof";

const TRANSACTIONS: &str = "/api/v1/auth/transactions";

/// A browser before the door.
pub(crate) struct Door {
    pub(crate) client: Client,
    login: Option<String>,
}

impl Door {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, login: None }
    }

    /// Begins a login, whatever cookies there were.
    pub(crate) fn begin(&mut self) {
        let begun = self.send("POST", "", &json!({}));
        assert_eq!(begun.ok()["next"], json!(["identify"]));
        self.login = cookie(&begun, "stoa_tx");
    }

    /// One step, with the cookie of the login.
    pub(crate) fn step(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body)
    }

    /// Address and password.
    pub(crate) fn say(&mut self, email: &str, password: &str) -> Answer {
        self.begin();
        assert_eq!(self.step("/identify", &json!({"email": email})).ok()["next"], json!(["password"]));
        self.step("/password", &json!({"password": password}))
    }

    /// The cookie of a session and the access token that came with it.
    pub(crate) fn complete(&self) -> (String, String) {
        let done = self.step("/complete", &json!({"access_token": true}));
        let session = cookie(&done, "stoa_sid").unwrap();
        (session, text(&done.ok(), "access_token").to_owned())
    }

    pub(crate) fn cookie(&self) -> &str {
        self.login.as_deref().unwrap_or_default()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("{TRANSACTIONS}{path}");
        let call = self.client.call(method, &path).header("X-Stoa-Request", "1");
        let call = match &self.login {
            Some(login) => call.header("Cookie", &format!("stoa_tx={login}")),
            None => call,
        };
        call.json(body).send()
    }
}

/// The value of the first cookie that an answer sets, which has this name.
pub(crate) fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let line = answer.header("set-cookie")?;
    let (found, rest) = line.split_once('=')?;
    (found == name).then(|| rest.split(';').next().unwrap_or_default().to_owned())
}

/// A person of the organization with [`PASSWORD`].
pub(crate) fn person(owner: &Client, anonymous: &Client, name: &str) -> String {
    let email = format!("{name}@acme.example");
    let user = json!({"name": name, "email": email, "roles": ["rep"]});
    let user = owner.post("/api/v1/users", &user).created();
    let invitation = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&invitation, "setup_url").split_once("#token=").unwrap();
    anonymous.post("/api/v1/auth/setup", &json!({"token": token, "password": PASSWORD})).success();
    email
}

/// The mails in the spool with this subject, soft line breaks undone.
pub(crate) fn mails(host: &Host, subject: &str) -> Vec<String> {
    let files = std::fs::read_dir(host.data().join("spool/mail")).into_iter().flatten();
    let files = files.map(|file| file.unwrap().path());
    let done = files.filter(|path| path.extension().is_some_and(|end| end == "eml"));
    let text = done.map(|path| std::fs::read_to_string(path).unwrap());
    let text = text.map(|text| text.replace("=\r\n", "").replace("=3D", "="));
    text.filter(|text| text.contains(&format!("Subject: {subject}\r\n"))).collect()
}

/// The token that a mail brings.
pub(crate) fn token(mail: &str) -> String {
    let (_, rest) = mail.split_once("#token=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}
