//! The tables of `0007_federation.sql`, `0009_second_factors_elsewhere.sql`, `0013_domains.sql` and `0016_group_roles.sql`
//! in an identity file.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::UnixMillis;
use crate::identity::people::UserStatus;
use crate::ids::{PrincipalId, ProviderId, RecordId};
use crate::storage::{Connection, StorageError};

use super::{Domain, Provider};

type Result<T> = std::result::Result<T, StorageError>;

/// Somebody on the way to a provider.
pub(super) struct Transaction {
    pub(super) provider: ProviderId,
    pub(super) browser: [u8; 32],
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) link: Option<PrincipalId>,
    pub(super) expires_at: UnixMillis,
}

/// Somebody who came back.
pub(super) struct Voucher {
    pub(super) browser: [u8; 32],
    pub(super) provider: ProviderId,
    pub(super) user: PrincipalId,
    pub(super) acr: String,
    pub(super) auth_time: UnixMillis,
    pub(super) expires_at: UnixMillis,
}

/// Adds a provider or stores what changed of one.
pub(super) fn put_provider(connection: &Connection, one: &Provider, secret: Option<&[u8]>) -> Result<()> {
    connection.execute(
        "insert into identity_providers (id, version, name, issuer, endpoints, client_id, client_secret, scopes, status,
             authoritative, provisions, groups_claim, group_roles, second_factor_acrs, created_at, created_by,
             updated_at, updated_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         on conflict (id) do update set version = excluded.version, name = excluded.name, issuer = excluded.issuer,
             endpoints = excluded.endpoints, client_id = excluded.client_id, client_secret = excluded.client_secret,
             scopes = excluded.scopes, status = excluded.status, authoritative = excluded.authoritative,
             provisions = excluded.provisions, groups_claim = excluded.groups_claim,
             group_roles = excluded.group_roles,
             second_factor_acrs = excluded.second_factor_acrs, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        params![
            one.id.as_bytes(),
            one.version,
            one.name,
            one.issuer,
            text(&one.endpoints),
            one.client_id,
            secret,
            text(&one.scopes),
            one.status.as_str(),
            one.authoritative,
            one.provisions,
            one.groups_claim,
            text(&one.group_roles),
            text(&one.second_factor_acrs),
            one.created_at,
            one.created_by.as_bytes(),
            one.updated_at,
            one.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// The provider with this id, and the sealed secret of our client there.
pub(super) fn find_provider(
    connection: &Connection,
    id: ProviderId,
) -> Result<Option<(Provider, Option<Vec<u8>>)>> {
    let mut statement = connection.prepare("select * from identity_providers where id = ?1")?;
    let read = |row: &Row<'_>| Ok((read(row)?, row.get("client_secret")?));
    Ok(statement.query_row([id.as_bytes()], read).optional()?)
}

/// The provider with this name.
pub(super) fn find_provider_by_name(connection: &Connection, name: &str) -> Result<Option<ProviderId>> {
    let mut statement = connection.prepare("select id from identity_providers where name = ?1")?;
    Ok(statement.query_row([name], |row| Ok(ProviderId::from_bytes(row.get(0)?))).optional()?)
}

/// Every provider, by id.
pub(super) fn list_providers(connection: &Connection) -> Result<Vec<Provider>> {
    let mut statement = connection.prepare("select * from identity_providers order by id")?;
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Forgets who is who at a provider, and whoever is on the way there.
pub(super) fn forget_subjects(connection: &Connection, id: ProviderId) -> Result<()> {
    connection.execute("delete from federated_identities where provider_id = ?1", [id.as_bytes()])?;
    connection
        .execute("delete from _stoa_federation_transactions where provider_id = ?1", [id.as_bytes()])?;
    connection.execute("delete from _stoa_federation_vouchers where provider_id = ?1", [id.as_bytes()])?;
    Ok(())
}

/// Removes a provider and everything that names it; `false` when there is none.
pub(super) fn delete_provider(connection: &Connection, id: ProviderId) -> Result<bool> {
    forget_subjects(connection, id)?;
    Ok(connection.execute("delete from identity_providers where id = ?1", [id.as_bytes()])? == 1)
}

/// Who this subject of a provider is here, and the roles that their groups gave them.
pub(super) fn find_linked(
    connection: &Connection,
    provider: ProviderId,
    subject: &str,
) -> Result<Option<(PrincipalId, Vec<String>)>> {
    let mut statement = connection.prepare(
        "select user_id, given_roles from federated_identities where provider_id = ?1 and subject = ?2",
    )?;
    let read = |row: &Row<'_>| Ok((PrincipalId::from_bytes(row.get(0)?), parsed(row, "given_roles")?));
    Ok(statement.query_row(params![provider.as_bytes(), subject], read).optional()?)
}

/// Remembers who a subject is here, and the roles that their groups give them.
pub(super) fn link(
    connection: &Connection,
    provider: ProviderId,
    subject: &str,
    user: PrincipalId,
    given: &[String],
    now: UnixMillis,
) -> Result<()> {
    connection.execute(
        "insert into federated_identities (id, provider_id, subject, user_id, linked_at, given_roles)
         values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (provider_id, subject) do update set given_roles = excluded.given_roles",
        params![RecordId::new().as_bytes(), provider.as_bytes(), subject, user.as_bytes(), now, text(&given)],
    )?;
    Ok(())
}

/// Whether the organization has shown that the domain is its own.
pub(super) fn is_verified(connection: &Connection, domain: &str) -> Result<bool> {
    let mut statement =
        connection.prepare("select 1 from domains where domain = ?1 and verified_at is not null")?;
    Ok(statement.exists([domain])?)
}

/// Adds a domain.
pub(super) fn put_domain(connection: &Connection, one: &Domain) -> Result<()> {
    connection.execute(
        "insert into domains (domain, challenge, added_at, added_by) values (?1, ?2, ?3, ?4)",
        params![one.name, one.challenge, one.added_at, one.added_by.as_bytes()],
    )?;
    Ok(())
}

/// Remembers that a domain is the organization's own.
pub(super) fn verify_domain(
    connection: &Connection,
    domain: &str,
    by: PrincipalId,
    now: UnixMillis,
) -> Result<()> {
    connection.execute(
        "update domains set verified_at = ?2, verified_by = ?3 where domain = ?1",
        params![domain, now, by.as_bytes()],
    )?;
    Ok(())
}

/// Removes a domain; `false` when there is none.
pub(super) fn delete_domain(connection: &Connection, domain: &str) -> Result<bool> {
    Ok(connection.execute("delete from domains where domain = ?1", [domain])? == 1)
}

/// A domain, whether verified or not.
pub(super) fn find_domain(connection: &Connection, domain: &str) -> Result<Option<Domain>> {
    let mut statement = connection.prepare("select * from domains where domain = ?1")?;
    Ok(statement.query_row([domain], read_domain).optional()?)
}

/// Every domain, by name.
pub(super) fn list_domains(connection: &Connection) -> Result<Vec<Domain>> {
    let mut statement = connection.prepare("select * from domains order by domain")?;
    Ok(statement.query_map([], read_domain)?.collect::<rusqlite::Result<_>>()?)
}

fn read_domain(row: &Row<'_>) -> rusqlite::Result<Domain> {
    Ok(Domain {
        name: row.get("domain")?,
        challenge: row.get("challenge")?,
        added_at: row.get("added_at")?,
        added_by: PrincipalId::from_bytes(row.get("added_by")?),
        verified_at: row.get("verified_at")?,
    })
}

/// Remembers somebody who goes; those who never came back are forgotten.
pub(super) fn begin(
    connection: &Connection,
    state: &[u8; 32],
    one: &Transaction,
    now: UnixMillis,
) -> Result<()> {
    connection.execute("delete from _stoa_federation_transactions where expires_at <= ?1", [now])?;
    connection.execute(
        "insert into _stoa_federation_transactions
             (state_hash, provider_id, browser_hash, nonce, verifier, link_user, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            state,
            one.provider.as_bytes(),
            one.browser,
            one.nonce,
            one.verifier,
            one.link.as_ref().map(PrincipalId::as_bytes),
            one.expires_at
        ],
    )?;
    Ok(())
}

/// Takes the transaction of this state; it is gone then, whatever becomes of it.
pub(super) fn take(connection: &Connection, state: &[u8; 32]) -> Result<Option<Transaction>> {
    let mut statement = connection.prepare(
        "delete from _stoa_federation_transactions where state_hash = ?1
         returning provider_id, browser_hash, nonce, verifier, link_user, expires_at",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Transaction {
            provider: ProviderId::from_bytes(row.get(0)?),
            browser: row.get(1)?,
            nonce: row.get(2)?,
            verifier: row.get(3)?,
            link: row.get::<_, Option<[u8; 16]>>(4)?.map(PrincipalId::from_bytes),
            expires_at: row.get(5)?,
        })
    };
    Ok(statement.query_row([state], read).optional()?)
}

/// Remembers somebody who came back.
pub(super) fn put_voucher(
    connection: &Connection,
    hash: &[u8; 32],
    one: &Voucher,
    now: UnixMillis,
) -> Result<()> {
    connection.execute("delete from _stoa_federation_vouchers where expires_at <= ?1", [now])?;
    connection.execute(
        "insert into _stoa_federation_vouchers
             (voucher_hash, browser_hash, provider_id, user_id, acr, auth_time, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            hash,
            one.browser,
            one.provider.as_bytes(),
            one.user.as_bytes(),
            one.acr,
            one.auth_time,
            one.expires_at
        ],
    )?;
    Ok(())
}

/// Takes a voucher; it is gone then.
pub(super) fn take_voucher(connection: &Connection, hash: &[u8; 32]) -> Result<Option<Voucher>> {
    let mut statement = connection.prepare(
        "delete from _stoa_federation_vouchers where voucher_hash = ?1
         returning browser_hash, provider_id, user_id, acr, auth_time, expires_at",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Voucher {
            browser: row.get(0)?,
            provider: ProviderId::from_bytes(row.get(1)?),
            user: PrincipalId::from_bytes(row.get(2)?),
            acr: row.get(3)?,
            auth_time: row.get(4)?,
            expires_at: row.get(5)?,
        })
    };
    Ok(statement.query_row([hash], read).optional()?)
}

fn text<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let failed = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    serde_json::from_str(&text).map_err(failed)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Provider> {
    let secret: Option<Vec<u8>> = row.get("client_secret")?;
    let status: String = row.get("status")?;
    Ok(Provider {
        id: ProviderId::from_bytes(row.get("id")?),
        version: row.get("version")?,
        name: row.get("name")?,
        issuer: row.get("issuer")?,
        endpoints: parsed(row, "endpoints")?,
        client_id: row.get("client_id")?,
        has_secret: secret.is_some(),
        scopes: parsed(row, "scopes")?,
        status: UserStatus::stored(&status),
        authoritative: row.get("authoritative")?,
        provisions: row.get("provisions")?,
        groups_claim: row.get("groups_claim")?,
        group_roles: parsed(row, "group_roles")?,
        second_factor_acrs: parsed(row, "second_factor_acrs")?,
        created_at: row.get("created_at")?,
        created_by: PrincipalId::from_bytes(row.get("created_by")?),
        updated_at: row.get("updated_at")?,
        updated_by: PrincipalId::from_bytes(row.get("updated_by")?),
    })
}
