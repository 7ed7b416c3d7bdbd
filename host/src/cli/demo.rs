//! `stoa serve --demo`: an organization to look at, whose credentials are printed at every start.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{CliError, output};
use crate::caller::{Caller, Source};
use crate::http::operator::Operator;
use crate::http::operator::provision::{self, NewOrganizationRequest};
use crate::http::problem::Problem;
use crate::identity::{self, NewApiKey, OWNER};
use crate::ids::RequestId;
use crate::organizations::Organization;
use crate::records::schema::Entity;
use std::sync::Arc;

pub(super) const SLUG: &str = "demo";
const EMAIL: &str = "demo@example.com";
const FILE: &str = "demo.json";

/// What a demo prints; kept so that the next start prints the same.
#[derive(Deserialize, Serialize)]
struct Credentials {
    organization: String,
    email: String,
    password: String,
    api_key: String,
}

/// Makes the organization if it is not there, and prints how to get in.
pub(super) async fn prepare(operator: &Operator) -> Result<(), CliError> {
    let refused = |problem: Problem| CliError::Refused(problem.body());
    let found = operator.app.organizations.by_slug(SLUG).await.map_err(|error| refused(error.into()))?;
    let file = operator.data.join(FILE);
    let credentials = match (found, read(&file)) {
        (Some(_), Some(credentials)) => credentials,
        (found, _) => {
            let organization = match found {
                Some(organization) => organization,
                None => create(operator).await.map_err(refused)?,
            };
            let credentials = credentials(operator, &organization).await.map_err(refused)?;
            write(&file, &credentials).map_err(|error| CliError::File(file, error))?;
            credentials
        }
    };
    let path = a_list(operator).await.map_err(refused)?;
    output::say(&welcome(&operator.app.address.origin, &credentials, &path));
    Ok(())
}

async fn create(operator: &Operator) -> Result<Arc<Organization>, Problem> {
    let request = NewOrganizationRequest {
        slug: SLUG.to_owned(),
        name: "Demo".to_owned(),
        owner: EMAIL.to_owned(),
        owner_name: Some("Demo Owner".to_owned()),
        modules: operator.app.modules(),
        zone: None,
        locale: None,
        currency: None,
        api_key: false,
    };
    provision::create(operator, request).await?;
    let organization = operator.app.organizations.by_slug(SLUG).await?.ok_or_else(Problem::opaque)?;
    let entered = operator.app.enter(&organization).await.map_err(|error| Problem::internal(&error))?;
    let owner = owner(operator, &organization)?;
    operator.app.plant_demo(&entered, &owner).await.map_err(|error| Problem::internal(&error))?;
    Ok(organization)
}

/// The owner as a caller: the sample records are theirs.
fn owner(operator: &Operator, organization: &Organization) -> Result<Caller, Problem> {
    let identity = &operator.app.identity;
    let user = identity.user_by_email(organization.id, EMAIL)?.ok_or_else(Problem::opaque)?;
    let principal = identity.principal(organization.id, user.id)?.ok_or_else(Problem::opaque)?;
    Ok(Caller {
        organization: organization.id,
        principal,
        request: RequestId::new(),
        source: Source::Platform,
    })
}

/// A new password and a new key: for a new organization, or when the file with the old ones is gone.
async fn credentials(operator: &Operator, organization: &Organization) -> Result<Credentials, Problem> {
    let identity = &operator.app.identity;
    let caller = identity::platform(organization.id, RequestId::new());
    let user = identity.user_by_email(organization.id, EMAIL)?.ok_or_else(Problem::opaque)?;
    let password = password()?;
    identity.set_password(&caller, organization, user.id, &password).await?;
    let new = NewApiKey {
        name: "Demo key".to_owned(),
        role: Some(OWNER.to_owned()),
        administers: true,
        ..NewApiKey::default()
    };
    let (_, secret) = identity.create_api_key(&caller, new).await?;
    let api_key = secret.reveal().to_owned();
    Ok(Credentials { organization: SLUG.to_owned(), email: EMAIL.to_owned(), password, api_key })
}

/// 100 random bits that can be typed.
fn password() -> Result<String, Problem> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0_u8; 20];
    getrandom::fill(&mut random).map_err(|error| Problem::internal(&error))?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied().map_or('x', char::from);
    let letters: Vec<char> = random.iter().map(letter).collect();
    Ok(letters.chunks(5).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

fn read(file: &Path) -> Option<Credentials> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

fn write(file: &Path, credentials: &Credentials) -> std::io::Result<()> {
    let mut to =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    // A file that was there keeps its mode otherwise.
    to.set_permissions(Permissions::from_mode(0o600))?;
    to.write_all(serde_json::to_string_pretty(credentials)?.as_bytes())
}

/// The address of some list of the organization, for an example.
async fn a_list(operator: &Operator) -> Result<String, Problem> {
    let organization = operator.app.organizations.by_slug(SLUG).await?.ok_or_else(Problem::opaque)?;
    let entered = operator.app.enter(&organization).await.map_err(|error| Problem::internal(&error))?;
    let first = entered.modules().iter().flat_map(|module| &module.entities).next();
    let list = |entity: &Arc<Entity>| format!("/api/v1/{}/{}?limit=3", entity.plugin, entity.plural);
    Ok(first.map_or_else(|| "/api/v1/modules".to_owned(), list))
}

fn welcome(address: &str, credentials: &Credentials, list: &str) -> String {
    let Credentials { organization, email, password, api_key } = credentials;
    let base = format!("{address}/t/{organization}");
    format!(
        "\nStoa serves the organization `{organization}` at {base}
  The API, to try out  {base}/docs
  User                 {email}
  Password             {password}
  API key              {api_key}

Try:
  curl -s '{base}{list}' -H 'Authorization: Bearer {api_key}'
  curl -s '{base}/api/v1/me' -H 'Authorization: Bearer {api_key}'
  curl -s '{base}/api/v1/auth/login' -H 'Content-Type: application/json' -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}'
"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn credentials_are_kept_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert!(read(&file).is_none());
        let text = str::to_owned;
        let credentials = Credentials {
            organization: text("demo"),
            email: text("a"),
            password: text("b"),
            api_key: text("c"),
        };
        write(&file, &credentials).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&file).unwrap().password, "b");
    }

    #[test]
    fn a_password_is_random_and_can_be_typed() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 23);
        assert!(one.bytes().all(|b| b == b'-' || b.is_ascii_lowercase() || b.is_ascii_digit()));
    }

    #[test]
    fn three_lines_can_be_pasted() {
        let text = str::to_owned;
        let credentials = Credentials {
            organization: text("demo"),
            email: text("d@e.x"),
            password: text("p"),
            api_key: text("k"),
        };
        let welcome = welcome("http://127.0.0.1:1", &credentials, "/api/v1/books/novels?limit=3");
        assert_eq!(welcome.lines().filter(|line| line.trim_start().starts_with("curl ")).count(), 3);
        assert!(welcome.contains("http://127.0.0.1:1/t/demo/api/v1/books/novels?limit=3"));
    }
}
