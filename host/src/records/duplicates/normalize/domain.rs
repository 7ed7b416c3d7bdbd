//! Domains: the part of a web or e-mail address that somebody registered.

/// Providers of mailboxes for everybody: their domain says nothing about who somebody works for.
const FREE_MAIL: &[&str] = &[
    "126.com",
    "163.com",
    "abv.bg",
    "aol.com",
    "aol.de",
    "arcor.de",
    "bluewin.ch",
    "bol.com.br",
    "btinternet.com",
    "centrum.cz",
    "comcast.net",
    "daum.net",
    "duck.com",
    "email.cz",
    "fastmail.com",
    "fastmail.fm",
    "free.fr",
    "freemail.hu",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.es",
    "hotmail.fr",
    "hotmail.it",
    "icloud.com",
    "interia.pl",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "o2.pl",
    "onet.pl",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "seznam.cz",
    "sfr.fr",
    "t-online.de",
    "tutanota.com",
    "uol.com.br",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "yahoo.com",
    "yandex.ru",
    "ymail.com",
];

/// Providers with a domain in many countries.
const FREE_EVERYWHERE: &[&str] = &["hotmail.", "live.", "outlook.", "yahoo."];

/// The registrable domain of an address on the web, an e-mail address or a host name; `None` when there is none, or it
/// belongs to a provider of mailboxes for everybody.
#[must_use]
pub fn normal(raw: &str) -> Option<String> {
    let text = raw.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let ascii = super::email::host(name)?;
    if ascii.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None; // an address of a machine
    }
    let domain = psl::domain_str(&ascii)?;
    let free =
        FREE_MAIL.contains(&domain) || FREE_EVERYWHERE.iter().any(|provider| domain.starts_with(provider));
    (!free).then(|| domain.to_owned())
}
