//! Mail: one way out for every message to people. There is no delivery yet: each message becomes a file of RFC 5322 in
//! the spool, `DATA/spool/mail/*.eml`, from which whatever delivers mail takes and deletes it.
//!
//! A message appears there whole or not at all, the spool never holds more than [`MOST`], no header field can be broken
//! up, and the sender is made of the installation's own address.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart};

use crate::clock::Clock;
use crate::config::PublicAddress;
use crate::ids::{OrganizationId, RecordId};

/// Messages that wait in the spool at most.
pub const MOST: usize = 100_000;

/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 200;

/// A message to one person.
#[derive(Clone, Debug)]
pub struct Message {
    /// The organization on whose behalf it is sent.
    pub organization: OrganizationId,
    /// The address it goes to.
    pub to: String,
    /// One line.
    pub subject: String,
    /// What it says, as text.
    pub text: String,
    /// The same as HTML, for those who prefer it.
    pub html: Option<String>,
}

/// Why a message did not go out.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A header field cannot be what was given.
    #[error("the {0} of a message is not acceptable")]
    Header(&'static str),
    /// Nobody takes messages out of the spool.
    #[error("the mail spool is full")]
    Full,
    /// The folder cannot be written.
    #[error("mail spool")]
    Spool(#[from] std::io::Error),
}

/// Sends messages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer(Arc<Spool>);

#[derive(Debug)]
struct Spool {
    folder: PathBuf,
    from: String,
    domain: String,
    clock: Clock,
    /// At least as many as there are; counted anew when it reaches [`MOST`].
    waiting: AtomicUsize,
    most: usize,
}

impl Mailer {
    /// A mailer for the installation in `data` at this address.
    #[must_use]
    pub fn new(data: &Path, address: &PublicAddress, clock: Clock) -> Self {
        let host = url::Url::parse(&address.origin).ok();
        let host = host.as_ref().and_then(|url| url.domain()).unwrap_or("localhost").to_owned();
        let domain = address.base_domain.clone().unwrap_or(host);
        Self(Arc::new(Spool {
            folder: data.join("spool").join("mail"),
            from: format!("Stoa <no-reply@{domain}>"),
            domain,
            clock,
            waiting: AtomicUsize::new(MOST),
            most: MOST,
        }))
    }

    /// Puts a message into the spool.
    ///
    /// # Errors
    /// [`MailError`]; then nothing is sent.
    pub async fn send(&self, message: Message) -> Result<(), MailError> {
        let spool = Arc::clone(&self.0);
        let sent = tokio::task::spawn_blocking(move || spool.put(&message)).await;
        sent.map_err(|error| MailError::Spool(std::io::Error::other(error)))?
    }
}

impl Spool {
    fn put(&self, message: &Message) -> Result<(), MailError> {
        let id = RecordId::new();
        let text = self.render(message, id)?;
        std::fs::create_dir_all(&self.folder)?;
        self.make_room()?;
        let draft = self.folder.join(format!(".{id}.part"));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&text)?;
        drop(file);
        std::fs::rename(&draft, self.folder.join(format!("{id}.eml")))?;
        Ok(())
    }

    fn make_room(&self) -> Result<(), MailError> {
        if self.waiting.fetch_add(1, Ordering::AcqRel) < self.most {
            return Ok(());
        }
        let now = std::fs::read_dir(&self.folder)?.count();
        self.waiting.store(now.saturating_add(1), Ordering::Release);
        if now < self.most { Ok(()) } else { Err(MailError::Full) }
    }

    fn render(&self, message: &Message, id: RecordId) -> Result<Vec<u8>, MailError> {
        let breaks = |text: &str| text.chars().any(char::is_control);
        if breaks(&message.subject) || message.subject.chars().nth(LONGEST_SUBJECT).is_some() {
            return Err(MailError::Header("subject"));
        }
        if breaks(&message.to) {
            return Err(MailError::Header("recipient"));
        }
        let to = message.to.parse().map_err(|_| MailError::Header("recipient"))?;
        let from: Mailbox = self.from.parse().map_err(|_| MailError::Header("sender"))?;
        let sent_at = Duration::from_millis(u64::try_from(self.clock.now()).unwrap_or_default());
        let builder = lettre::Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .date(UNIX_EPOCH + sent_at)
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .subject(message.subject.clone());
        let text = message.text.clone();
        let built = match &message.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, html.clone())),
            None => builder.header(ContentType::TEXT_PLAIN).body(text),
        };
        Ok(built.map_err(|_| MailError::Header("sender"))?.formatted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(to: &str, subject: &str) -> Message {
        Message {
            organization: OrganizationId::new(),
            to: to.to_owned(),
            subject: subject.to_owned(),
            text: "Hello.".to_owned(),
            html: None,
        }
    }

    fn mailer(folder: &Path) -> Mailer {
        let address = PublicAddress { origin: "https://crm.example.com".to_owned(), base_domain: None };
        Mailer::new(folder, &address, Clock::fixed(1_700_000_000_000))
    }

    fn spooled(folder: &Path) -> Vec<String> {
        let files = std::fs::read_dir(folder.join("spool/mail")).into_iter().flatten();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_message_waits_in_the_spool_from_the_installations_own_address() {
        let folder = tempfile::tempdir().unwrap();
        mailer(folder.path()).send(message("ann@example.com", "Welcome")).await.unwrap();
        let mails = spooled(folder.path());
        assert_eq!(mails.len(), 1);
        for line in
            ["From: Stoa <no-reply@crm.example.com>", "To: ann@example.com", "Subject: Welcome", "Hello."]
        {
            assert!(mails[0].contains(line), "{line} in {}", mails[0]);
        }
    }

    #[tokio::test]
    async fn a_header_field_cannot_be_broken_up() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = mailer(folder.path());
        for (to, subject) in [
            ("ann@example.com\r\nBcc: eve@example.com", "Hi"),
            ("ann@example.com", "Hi\r\nBcc: eve@example.com"),
            ("ann@example.com", "Hi\nX: y"),
            ("ann@example.com, eve@example.com", "Hi"),
            ("not an address", "Hi"),
        ] {
            let sent = mailer.send(message(to, subject)).await;
            assert!(matches!(sent, Err(MailError::Header(_))), "{to:?} {subject:?}");
        }
        assert!(spooled(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn a_spool_that_nobody_empties_takes_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool {
            folder: folder.path().join("spool/mail"),
            from: "Stoa <no-reply@example.com>".to_owned(),
            domain: "example.com".to_owned(),
            clock: Clock::fixed(0),
            waiting: AtomicUsize::new(0),
            most: 2,
        };
        let mailer = Mailer(Arc::new(spool));
        for _ in 0..2 {
            mailer.send(message("ann@example.com", "Hi")).await.unwrap();
        }
        assert!(matches!(mailer.send(message("ann@example.com", "Hi")).await, Err(MailError::Full)));
        let first = std::fs::read_dir(folder.path().join("spool/mail")).unwrap().next().unwrap().unwrap();
        std::fs::remove_file(first.path()).unwrap();
        mailer.send(message("ann@example.com", "Hi")).await.unwrap();
    }
}
