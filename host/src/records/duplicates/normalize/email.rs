//! E-mail addresses.

use unicode_normalization::UnicodeNormalization as _;

/// Providers that ignore `+tags`.
const TAGS: [&str; 10] = [
    "fastmail.com",
    "gmail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "me.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "yandex.ru",
];
/// Providers that ignore dots.
const DOTS: [&str; 1] = ["gmail.com"];

/// The address in lower case, its domain in ASCII. With `provider_rules`, what large providers ignore is left out.
/// `None` when it is no address.
#[must_use]
pub fn normal(raw: &str, provider_rules: bool) -> Option<String> {
    let text: String = raw.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect();
    let (local, domain) = text.trim().rsplit_once('@')?;
    let mut domain = host(domain)?;
    let mut local = local.trim().to_owned();
    if provider_rules {
        if domain == "googlemail.com" {
            "gmail.com".clone_into(&mut domain);
        }
        if TAGS.contains(&domain.as_str())
            && let Some((name, _)) = local.split_once('+').filter(|(name, _)| !name.is_empty())
        {
            local = name.to_owned();
        }
        if DOTS.contains(&domain.as_str()) {
            local.retain(|sign| sign != '.');
        }
    }
    (!local.is_empty()).then(|| format!("{local}@{domain}"))
}

/// A host name in ASCII, without the dot of the root.
pub(super) fn host(name: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(name.trim().trim_end_matches('.')).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let named = ascii.split('.').all(|label| !label.is_empty());
    (named && ascii.bytes().all(plain)).then_some(ascii)
}
