//! Legal forms of companies and how they are written.

use std::sync::LazyLock;

use super::fold::squeeze;

/// How a form is written at the end of a name, in folded words, and which form it is.
const FORMS: &[(&str, &str)] = &[
    ("ab", "ab"),
    ("ad", "ad"),
    ("ag", "ag"),
    ("ag co kg", "ag co kg"),
    ("aktiengesellschaft", "ag"),
    ("a s", "as"),
    ("anonim sirketi", "as"),
    ("aps", "aps"),
    ("as", "as"),
    ("asa", "asa"),
    ("bhd", "bhd"),
    ("bt", "bt"),
    ("bv", "bv"),
    ("bvba", "bv"),
    ("co", "co"),
    ("co ltd", "co ltd"),
    ("company", "co"),
    ("company limited", "co ltd"),
    ("corp", "corp"),
    ("corporation", "corp"),
    ("cvba", "cvba"),
    ("dd", "dd"),
    ("doo", "doo"),
    ("d o o", "doo"),
    ("e k", "ek"),
    ("e v", "ev"),
    ("ehf", "ehf"),
    ("ek", "ek"),
    ("eood", "eood"),
    ("eurl", "eurl"),
    ("ev", "ev"),
    ("gbr", "gbr"),
    ("gesellschaft mit beschrankter haftung", "gmbh"),
    ("ggmbh", "ggmbh"),
    ("gk", "gk"),
    ("gmbh", "gmbh"),
    ("gmbh co kg", "gmbh co kg"),
    ("gmbh co kgaa", "gmbh co kgaa"),
    ("gufen", "gufen"),
    ("hf", "hf"),
    ("inc", "inc"),
    ("incorporated", "inc"),
    ("jsc", "jsc"),
    ("jusik", "jusik"),
    ("kft", "kft"),
    ("kg", "kg"),
    ("kgaa", "kgaa"),
    ("kk", "kk"),
    ("lda", "lda"),
    ("limited", "ltd"),
    ("limited liability company", "llc"),
    ("limited sirketi", "ltd sti"),
    ("llc", "llc"),
    ("llp", "llp"),
    ("lp", "lp"),
    ("ltd", "ltd"),
    ("ltda", "ltda"),
    ("ltd sti", "ltd sti"),
    ("nv", "nv"),
    ("nyrt", "nyrt"),
    ("ohg", "ohg"),
    ("ood", "ood"),
    ("oy", "oy"),
    ("oyj", "oyj"),
    ("plc", "plc"),
    ("public limited company", "plc"),
    ("private limited", "pvt ltd"),
    ("pte ltd", "pte ltd"),
    ("pty ltd", "pty ltd"),
    ("pvt ltd", "pvt ltd"),
    ("sa", "sa"),
    ("s a", "sa"),
    ("sa de cv", "sa de cv"),
    ("s de rl de cv", "s de rl de cv"),
    ("sarl", "sarl"),
    ("sas", "sas"),
    ("sasu", "sasu"),
    ("sdn bhd", "sdn bhd"),
    ("se", "se"),
    ("sl", "sl"),
    ("slu", "slu"),
    ("snc", "snc"),
    ("sp z oo", "sp z oo"),
    ("sp zoo", "sp z oo"),
    ("spa", "spa"),
    ("spol sro", "sro"),
    ("srl", "srl"),
    ("sro", "sro"),
    ("s r o", "sro"),
    ("tbk", "tbk"),
    ("ug", "ug"),
    ("ug haftungsbeschrankt", "ug"),
    ("vof", "vof"),
    ("yk", "yk"),
    ("youxian", "youxian"),
    ("zrt", "zrt"),
    ("株", "kk"),
    ("ооо", "ооо"),
    ("оао", "оао"),
    ("зао", "зао"),
    ("пао", "пао"),
    ("ао", "ао"),
    ("тов", "тов"),
];

/// Forms that also stand before the name.
const BEFORE: &[&str] =
    &["gk", "jusik", "kk", "pt", "sia", "uab", "yk", "株", "ао", "зао", "оао", "ооо", "пао", "тов", "тоо"];

/// Forms in scripts without spaces, as folded words.
const UNSPACED: &[(&str, &str)] = &[
    ("株式会社", " kk "),
    ("有限会社", " yk "),
    ("合同会社", " gk "),
    ("股份有限公司", " gufen "),
    ("有限责任公司", " youxian "),
    ("有限責任公司", " youxian "),
    ("有限公司", " youxian "),
    ("주식회사", " jusik "),
];

/// The forms as squeezed words, those of more words first.
static AT_END: LazyLock<Vec<(Vec<String>, &'static str)>> = LazyLock::new(|| {
    let squeezed = |text: &str| text.split(' ').map(squeeze).collect();
    let mut forms: Vec<(Vec<String>, &'static str)> =
        FORMS.iter().map(|(written, form)| (squeezed(written), *form)).collect();
    forms.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
    forms
});

/// The text with spaces around the forms of scripts that have none.
pub(super) fn spaced(folded: &str) -> String {
    let mut text = folded.to_owned();
    for (written, word) in UNSPACED {
        if text.contains(written) {
            text = text.replace(written, word);
        }
    }
    text
}

/// A legal form at an end of the words: which, whether it is the last, and of how many words. Never all of them.
pub(super) fn found(words: &[String]) -> Option<(&'static str, bool, usize)> {
    let last = AT_END.iter().find(|(form, _)| form.len() < words.len() && words.ends_with(form));
    if let Some((form, name)) = last {
        return Some((name, true, form.len()));
    }
    let first = words.first().filter(|_| words.len() > 1)?;
    let form = BEFORE.iter().find(|form| *form == first)?;
    Some((if *form == "株" { "kk" } else { form }, false, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::duplicates::normalize::fold::{fold, words};

    #[test]
    fn forms_are_written_as_folded_words() {
        for (written, _) in FORMS {
            assert_eq!(words(&fold(written)).join(" "), *written);
        }
        for (written, word) in UNSPACED {
            assert_eq!(fold(written), *written);
            assert!(found(&["x".to_owned(), word.trim().to_owned()]).is_some(), "{word}");
        }
    }
}
