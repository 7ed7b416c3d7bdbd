//! Kinds of secrets, clients' own tokens, hints, and clients themselves.

use super::*;
use crate::identity::IdentityError;
use crate::identity::foreign::forge::Other;

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
    let good = async |shown, method| {
        let proof = ClientProof { id: Some(&id), shown, method };
        identity.authenticate_client(acme, &proof).await.is_ok()
    };
    assert!(good(Some(secret.reveal()), ClientAuth::Basic).await);
    assert!(!good(Some(secret.reveal()), ClientAuth::Post).await);
    assert!(!good(None, ClientAuth::None).await && !good(None, ClientAuth::Basic).await);
    let (_, fresh) = identity.rotate_client_secret(&by, client.id).await.unwrap();
    assert!(!good(Some(secret.reveal()), ClientAuth::Basic).await);
    assert!(good(Some(fresh.reveal()), ClientAuth::Basic).await);
    let off = ClientChange { active: Some(false), ..ClientChange::default() };
    identity.update_client(&by, client.id, off).await.unwrap();
    assert!(!good(Some(fresh.reveal()), ClientAuth::Basic).await);
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
        NewClient { auth: ClientAuth::Key, ..web() },
        NewClient { keys: vec![Other::new().public], ..web() },
        NewClient { keys: vec![Other::new().public], ..native() },
        NewClient { auth: ClientAuth::Key, keys: vec![Other::new().public], ..native() },
        NewClient { origins: vec!["https://app.example.com".to_owned()], ..web() },
        NewClient { origins: vec!["https://app.example.com/x".to_owned()], ..native() },
        NewClient { origins: vec!["https://app.example.com".to_owned(); 21], ..native() },
        NewClient { lives: LivesChange { idle: Some(28_801), ..LivesChange::default() }, ..web() },
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
