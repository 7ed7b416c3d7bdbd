//! Whom this installation trusts, and with which keys.

use super::{Catalogue, CatalogueError, Publisher, store};
use crate::ids::PrincipalId;
use crate::plugins::{PublicKey, Trust};

impl Catalogue {
    /// Everybody who may publish, by id.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn publishers(&self) -> Result<Vec<Publisher>, CatalogueError> {
        Ok(store::publishers(self.control.pool()).await?)
    }

    /// Trusts somebody.
    ///
    /// # Errors
    /// [`CatalogueError::Invalid`], [`CatalogueError::Taken`].
    pub async fn trust(
        &self,
        (id, name): (&str, &str),
        trust: Trust,
        public_key: &str,
        by: PrincipalId,
    ) -> Result<Publisher, CatalogueError> {
        let key = parsed(public_key)?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(2..=40).contains(&id.len())
            || !id.bytes().all(plain)
            || !id.starts_with(|c: char| c.is_ascii_lowercase())
        {
            let detail = "2 to 40 of a-z, 0-9 and dashes, beginning with a letter".to_owned();
            return Err(CatalogueError::Invalid { field: "id", detail });
        }
        if !matches!(trust, Trust::Verified | Trust::Private | Trust::Community) {
            let detail = "verified, private or community".to_owned();
            return Err(CatalogueError::Invalid { field: "trust", detail });
        }
        let publisher = Publisher {
            id: id.to_owned(),
            name: name.to_owned(),
            trust,
            created_at: self.clock.now(),
            keys: Vec::new(),
        };
        if !store::add_publisher(self.control.pool(), &publisher, &key, by).await? {
            return Err(CatalogueError::Taken(format!("the publisher `{id}` or the key {}", key.id())));
        }
        self.publisher(id).await
    }

    /// The publisher with this id.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownPublisher`].
    pub async fn publisher(&self, id: &str) -> Result<Publisher, CatalogueError> {
        let found = self.publishers().await?.into_iter().find(|one| one.id == id);
        found.ok_or_else(|| CatalogueError::UnknownPublisher(id.to_owned()))
    }

    /// Trusts one more key of a publisher.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownPublisher`], [`CatalogueError::Invalid`], [`CatalogueError::Taken`].
    pub async fn add_key(
        &self,
        publisher: &str,
        public_key: &str,
        by: PrincipalId,
    ) -> Result<Publisher, CatalogueError> {
        let key = parsed(public_key)?;
        self.publisher(publisher).await?;
        if !store::add_key(self.control.pool(), publisher, &key, by, self.clock.now()).await? {
            return Err(CatalogueError::Taken(format!("the key {}", key.id())));
        }
        self.publisher(publisher).await
    }

    /// Trusts a key no longer: nothing that it signed runs from now on.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownKey`].
    pub async fn revoke_key(
        &self,
        publisher: &str,
        key: &str,
        by: PrincipalId,
    ) -> Result<Publisher, CatalogueError> {
        let _alone = self.alone.lock().await;
        if !store::revoke(self.control.pool(), publisher, key, by, self.clock.now()).await? {
            return Err(CatalogueError::UnknownKey(key.to_owned()));
        }
        for version in self.versions().await?.iter().filter(|version| version.key == key) {
            self.stop(version);
        }
        self.publisher(publisher).await
    }
}

fn parsed(public_key: &str) -> Result<PublicKey, CatalogueError> {
    let detail = "an Ed25519 public key: 32 bytes in base64, as `stoa plugin keygen` prints it".to_owned();
    PublicKey::parse(public_key).ok_or(CatalogueError::Invalid { field: "public_key", detail })
}
