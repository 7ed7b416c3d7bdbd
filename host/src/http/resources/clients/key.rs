//! The public keys of a client as the API shows and takes them: RFC 7517, without a place for a private part.

use poem_openapi::{Enum, Object};

use crate::identity::Jwk;

/// Kinds of keys.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientKeyType")]
pub(super) enum KeyTypeView {
    /// RSA, 2048 to 8192 bits.
    #[oai(rename = "RSA")]
    Rsa,
    /// A curve of NIST.
    #[oai(rename = "EC")]
    Ec,
    /// An Edwards curve.
    #[oai(rename = "OKP")]
    Okp,
}

/// Curves.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientKeyCurve")]
pub(super) enum CurveView {
    /// Of `EC`.
    #[oai(rename = "P-256")]
    P256,
    /// Of `OKP`.
    #[oai(rename = "Ed25519")]
    Ed25519,
}

/// What a client may sign its assertions with.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientKeyAlgorithm")]
pub(super) enum KeyAlgorithmView {
    /// With `RSA`.
    #[oai(rename = "RS256")]
    Rs256,
    /// With `P-256`.
    #[oai(rename = "ES256")]
    Es256,
    /// With `Ed25519`.
    #[oai(rename = "EdDSA")]
    EdDsa,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientKeyUse", rename_all = "snake_case")]
pub(super) enum UseView {
    /// Signatures.
    Sig,
}

/// What is done with a key.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientKeyOperation", rename_all = "snake_case")]
pub(super) enum OperationView {
    /// Signatures are verified.
    Verify,
}

/// A public key. Never send a private part (`d` and the like): a key that was sent is no secret any more.
#[derive(Clone, Debug, Object)]
#[oai(rename = "ClientKey", skip_serializing_if_is_none)]
pub(super) struct KeyView {
    /// Its kind.
    kty: KeyTypeView,
    /// What assertions name it by. Where there are several keys, each has one of its own.
    #[oai(validator(min_length = 1, max_length = 200))]
    kid: Option<String>,
    /// What it is for.
    #[oai(rename = "use")]
    purpose: Option<UseView>,
    /// The same, in another way.
    #[oai(validator(max_items = 1))]
    key_ops: Option<Vec<OperationView>>,
    /// What it signs with; its kind says it too.
    alg: Option<KeyAlgorithmView>,
    /// The curve of `EC` and `OKP`.
    crv: Option<CurveView>,
    /// The modulus of `RSA`, in base64url.
    #[oai(validator(min_length = 342, max_length = 1366))]
    n: Option<String>,
    /// The exponent of `RSA`, in base64url; `AQAB` is 65537.
    #[oai(validator(min_length = 4, max_length = 7))]
    e: Option<String>,
    /// The point of `EC` and `OKP`, in base64url.
    #[oai(validator(min_length = 43, max_length = 43))]
    x: Option<String>,
    /// Its other coordinate, for `EC`.
    #[oai(validator(min_length = 43, max_length = 43))]
    y: Option<String>,
}

/// A JSON Web Key Set of public keys.
#[derive(Clone, Debug, Object)]
#[oai(rename = "ClientKeySet")]
pub(super) struct KeySetView {
    /// 1 to 20.
    #[oai(validator(min_items = 1, max_items = 20))]
    keys: Vec<KeyView>,
}

impl KeySetView {
    /// The keys of a client that has some.
    pub(super) fn of(keys: &[Jwk]) -> Option<Self> {
        let keys: Vec<_> = keys.iter().filter_map(KeyView::of).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    pub(super) fn taken(self) -> Vec<Jwk> {
        self.keys.into_iter().map(Jwk::from).collect()
    }
}

impl KeyView {
    fn of(key: &Jwk) -> Option<Self> {
        Some(Self {
            kty: match key.kty.as_str() {
                "RSA" => KeyTypeView::Rsa,
                "EC" => KeyTypeView::Ec,
                "OKP" => KeyTypeView::Okp,
                _ => return None,
            },
            kid: key.kid.clone(),
            purpose: key.purpose.as_ref().map(|_| UseView::Sig),
            key_ops: key.key_ops.as_ref().map(|_| vec![OperationView::Verify]),
            alg: key.alg.as_deref().and_then(|alg| match alg {
                "RS256" => Some(KeyAlgorithmView::Rs256),
                "ES256" => Some(KeyAlgorithmView::Es256),
                "EdDSA" => Some(KeyAlgorithmView::EdDsa),
                _ => None,
            }),
            crv: key.crv.as_deref().and_then(|crv| match crv {
                "P-256" => Some(CurveView::P256),
                "Ed25519" => Some(CurveView::Ed25519),
                _ => None,
            }),
            n: key.n.clone(),
            e: key.e.clone(),
            x: key.x.clone(),
            y: key.y.clone(),
        })
    }
}

impl From<KeyView> for Jwk {
    fn from(view: KeyView) -> Self {
        let kty = match view.kty {
            KeyTypeView::Rsa => "RSA",
            KeyTypeView::Ec => "EC",
            KeyTypeView::Okp => "OKP",
        };
        let alg = view.alg.map(|alg| match alg {
            KeyAlgorithmView::Rs256 => "RS256",
            KeyAlgorithmView::Es256 => "ES256",
            KeyAlgorithmView::EdDsa => "EdDSA",
        });
        let crv = view.crv.map(|crv| match crv {
            CurveView::P256 => "P-256",
            CurveView::Ed25519 => "Ed25519",
        });
        Self {
            kty: kty.to_owned(),
            kid: view.kid,
            purpose: view.purpose.map(|UseView::Sig| "sig".to_owned()),
            key_ops: view
                .key_ops
                .map(|all| all.iter().map(|OperationView::Verify| "verify".to_owned()).collect()),
            alg: alg.map(str::to_owned),
            crv: crv.map(str::to_owned),
            n: view.n,
            e: view.e,
            x: view.x,
            y: view.y,
        }
    }
}
