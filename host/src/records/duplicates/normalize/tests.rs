//! Tables of what is the same to a reader and what is not.

use proptest::prelude::*;

use super::*;

fn text(kind: Sort, raw: &str) -> Option<String> {
    form(kind, raw, Region::of_locale("de-DE"), false).map(|form| form.text)
}

fn same(kind: Sort, table: &[(&str, &str)]) {
    for (one, other) in table {
        let (left, right) = (text(kind, one), text(kind, other));
        assert!(left.is_some(), "{one} says nothing");
        assert_eq!(left, right, "{one} and {other}");
    }
}

fn different(kind: Sort, table: &[(&str, &str)]) {
    for (one, other) in table {
        assert_ne!(text(kind, one), text(kind, other), "{one} and {other}");
    }
}

#[test]
fn letters_are_folded_as_readers_take_them_for_the_same() {
    for (raw, folded) in [
        ("Müller", "muller"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("Isparta", "isparta"),
        ("ısparta", "isparta"),
        ("Łódź", "lodz"),
        ("Øresund", "oresund"),
        ("Ærø", "aero"),
        ("Þór", "thor"),
        ("Ὀδυσσεύς", "οδυσσευσ"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
        ("Ёлкин", "елкин"),
        ("Йошкар", "йошкар"),
        ("Nguyễn Thị", "nguyen thi"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "full width"),
        ("ﬁnance", "finance"),
        ("O’Brien", "obrien"),
        ("co\u{ad}operation", "cooperation"),
        ("パナソニック", "パナソニック"),
        ("ﾊﾟﾅｿﾆｯｸ", "パナソニック"),
    ] {
        assert_eq!(fold::fold(raw), folded, "{raw}");
    }
}

#[test]
fn letters_of_other_scripts_that_look_alike_stay_different() {
    // Latin, Cyrillic and Greek capitals A, O, P.
    assert_ne!(fold::fold("AO"), fold::fold("АО"));
    assert_ne!(fold::fold("PAYPAL"), fold::fold("РAYPAL"));
    assert_ne!(fold::fold("OMEGA"), fold::fold("ΟMEGA"));
    different(Sort::Email, &[("info@аpple.com", "info@apple.com")]);
    different(Sort::Person, &[("Иван", "Ivan")]);
}

#[test]
fn words_keep_abbreviations_together() {
    for (raw, cut) in [
        ("s.r.l.", vec!["srl"]),
        ("S. r. l.", vec!["s", "r", "l"]),
        ("i.b.m deutschland", vec!["ibm", "deutschland"]),
        ("co.kg", vec!["co", "kg"]),
        ("a-b/c", vec!["a", "b", "c"]),
        ("  ", vec![]),
        ("नमस्ते दुनिया", vec!["नमस्ते", "दुनिया"]),
    ] {
        assert_eq!(fold::words(&fold::fold(raw)), cut, "{raw}");
    }
}

#[test]
fn mail_addresses() {
    same(
        Sort::Email,
        &[
            ("Ada@Example.COM", "ada@example.com"),
            (" ada@example.com ", "ada@example.com"),
            ("ada@example.com.", "ada@example.com"),
            ("info@müller.de", "info@xn--mller-kva.de"),
            ("info@MÜLLER.de", "info@müller.de"),
            ("ｉｎｆｏ@ｅｘａｍｐｌｅ.com", "info@example.com"),
            ("İsmet@example.com", "i̇smet@example.com"),
        ],
    );
    different(
        Sort::Email,
        &[
            ("ada@example.com", "ada@example.org"),
            ("ada+crm@gmail.com", "ada@gmail.com"),
            ("a.da@gmail.com", "ada@gmail.com"),
            ("straße@example.com", "strasse@example.com"),
        ],
    );
    for nothing in ["", "ada", "@example.com", "ada@", "ada@ex ample.com"] {
        assert_eq!(text(Sort::Email, nothing), None, "{nothing}");
    }
}

#[test]
fn what_large_providers_ignore_is_ignored_on_request() {
    for (raw, normal) in [
        ("A.d.a+crm@GoogleMail.com", "ada@gmail.com"),
        ("a.da+x@outlook.com", "a.da@outlook.com"),
        ("a.da+x@example.com", "a.da+x@example.com"),
        ("+x@gmail.com", "+x@gmail.com"),
    ] {
        assert_eq!(email::normal(raw, true).as_deref(), Some(normal), "{raw}");
    }
}

#[test]
fn telephone_numbers() {
    same(
        Sort::Phone,
        &[
            ("+49 30 901820", "+4930901820"),
            ("+49 (0)30 901820", "+4930901820"),
            ("0049 30 901820", "+4930901820"),
            ("030 / 90 18 20", "+4930901820"),
            ("tel:+49-30-901820", "+4930901820"),
            ("+44 20 7946 0958", "+44 (0)20 7946 0958"),
            ("+39 06 6982", "0039 06 6982"),
            ("+1 (212) 555-2368", "+1 212.555.2368"),
            ("+1 212 555 2368 ext. 12", "+1 212-555-2368 x12"),
        ],
    );
    different(
        Sort::Phone,
        &[
            ("+49 30 901820", "+43 30 901820"),
            ("+1 212 555 2368 x12", "+1 212 555 2368"),
            ("+1 212 555 2368 x12", "+1 212 555 2368 x13"),
            ("+39 06 6982", "+39 6 6982"),
        ],
    );
    assert_eq!(text(Sort::Phone, "n/a"), None);
    assert_eq!(text(Sort::Phone, "1234"), None);
    let american = form(Sort::Phone, "(212) 555-2368", Region::of_locale("en-US"), false).unwrap();
    assert_eq!(american.text, "+12125552368");
    let nowhere = form(Sort::Phone, "030 / 901820", Region::of_locale("tlh"), false).unwrap();
    assert_eq!(nowhere.text, "030901820");
}

#[test]
fn regions_come_from_the_locale() {
    for (locale, code) in [("de-AT", "AT"), ("de", "DE"), ("pt-BR", "BR"), ("zh-Hans-CN", "CN"), ("xx", "")] {
        assert_eq!(Region::of_locale(locale).as_str(), code, "{locale}");
    }
}

#[test]
fn domains() {
    same(
        Sort::Domain,
        &[
            ("https://www.example.co.uk/about?x=1", "example.co.uk"),
            ("HTTP://Shop.Example.com:8080", "example.com"),
            ("ada@mail.example.com", "https://example.com"),
            ("https://müller.de", "https://www.xn--mller-kva.de/"),
            ("https://user:secret@example.com/", "example.com"),
        ],
    );
    different(
        Sort::Domain,
        &[("https://example.com", "https://example.org"), ("https://a.github.io", "https://b.github.io")],
    );
    for nothing in ["ada@gmail.com", "https://www.yahoo.fr", "https://192.168.0.1/", "co.uk", "", "https://"]
    {
        assert_eq!(text(Sort::Domain, nothing), None, "{nothing}");
    }
}

#[test]
fn companies_are_the_same_by_their_stem() {
    same(
        Sort::Company,
        &[
            ("Müller GmbH", "MÜLLER"),
            ("Müller GmbH", "Mueller GmbH & Co. KG"),
            ("Muller", "Müller"),
            ("Acme, Inc.", "ACME Incorporated"),
            ("The Acme Company", "Acme Co."),
            ("Smith & Sons Ltd", "Smith and Sons Limited"),
            ("Fratelli Rossi S.r.l.", "fratelli rossi"),
            ("Żabka Polska Sp. z o.o.", "Zabka Polska"),
            ("ООО Ромашка", "Ромашка"),
            ("株式会社トヨタ", "トヨタ株式会社"),
            ("㈱トヨタ", "トヨタ"),
            ("삼성전자 주식회사", "삼성전자"),
            ("L'Oréal S.A.", "LOREAL"),
            ("Grupo Bimbo, S.A. de C.V.", "Grupo Bimbo"),
            ("Koç Holding A.Ş.", "Koc Holding"),
            ("I.B.M. Corp", "IBM"),
        ],
    );
    different(Sort::Company, &[("Acme Nord GmbH", "Acme Süd GmbH"), ("AEG", "AG"), ("Газпром", "Gazprom")]);
}

#[test]
fn legal_forms_are_known_and_kept_apart() {
    let legal = |raw: &str| form(Sort::Company, raw, Region::default(), false).unwrap().legal;
    for (raw, known) in [
        ("Acme GmbH", Some("gmbh")),
        ("Acme Gesellschaft mit beschränkter Haftung", Some("gmbh")),
        ("Acme GmbH & Co. KG", Some("gmbh co kg")),
        ("Acme AG", Some("ag")),
        ("Acme Limited", Some("ltd")),
        ("Acme Pty. Ltd.", Some("pty ltd")),
        ("Acme S.p.A.", Some("spa")),
        ("Acme s. r. o.", Some("sro")),
        ("Acme d.o.o.", Some("doo")),
        ("Acme A/S", Some("as")),
        ("Acme", None),
        ("AG", None),
        ("深圳华为技术有限公司", Some("youxian")),
    ] {
        assert_eq!(legal(raw).as_deref(), known, "{raw}");
    }
}

#[test]
fn people_are_the_same_in_any_order_without_titles_and_by_nickname() {
    same(
        Sort::Person,
        &[
            ("Ada Lovelace", "Lovelace, Ada"),
            ("Dr. Ada Lovelace", "ada LOVELACE"),
            ("Prof. Dr. Jörg Müller", "Joerg Mueller"),
            ("Bob Smith", "Robert Smith"),
            ("Bill O’Neil", "William ONeil"),
            ("Jane Doe, Ph.D.", "Jane Doe"),
            ("Łukasz Żak", "Lukasz Zak"),
            ("Anna-Maria Weiß", "Weiss Anna Maria"),
            ("Joe Bloggs", "Joseph Bloggs"),
            ("Παπαδόπουλος Γιώργος", "ΓΙΩΡΓΟΣ ΠΑΠΑΔΟΠΟΥΛΟΣ"),
        ],
    );
    different(
        Sort::Person,
        &[("John Smith", "Jane Smith"), ("John Smith Jr.", "John Smith Sr."), ("Joy Bloggs", "Joey Bloggs")],
    );
    assert_eq!(text(Sort::Person, "Dr.").as_deref(), Some("dr"), "a title alone is better than nothing");
}

#[test]
fn postal_keys() {
    let address = |street: &str, code: &str, country: &str| {
        serde_json::json!({ "street": street, "postal_code": code, "city": "x", "country": country })
            .to_string()
    };
    for (street, code, country, key) in [
        ("Hauptstraße 12a", "10115", "DE", "DE|10115|12a"),
        ("Hauptstr. 12 A", "10115", "DE", "DE|10115|12a"),
        ("12-14 High Street", "SW1A 1AA", "GB", "GB|SW1A1AA|12"),
        ("Straße des 17. Juni 135", "10623", "DE", "DE|10623|135"),
        ("Hauptstraße 12-14", "10115", "DE", "DE|10115|12"),
        ("5th Avenue 350", "10118", "US", "US|10118|350"),
        ("Calle Mayor 3, 2º B", "28013", "ES", "ES|28013|3"),
    ] {
        assert_eq!(text(Sort::Postal, &address(street, code, country)).as_deref(), Some(key), "{street}");
    }
    assert_eq!(text(Sort::Postal, &address("Hauptstraße", "10115", "DE")), None);
    assert_eq!(text(Sort::Postal, r#"{"street":"Hauptstraße 1","country":"DE"}"#), None);
    assert_eq!(text(Sort::Postal, "[]"), None);
}

/// Texts as people type them and as nobody does.
fn raw() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "\\PC{0,12}",
        "[A-Za-zäöüßÄÖÜéèçñøłİı .,&'-]{0,20}",
        "[+0-9 ()/.x;=-]{0,20}",
        prop::sample::select(vec![
            "GmbH",
            "& Co. KG",
            "S.r.l.",
            "Ltd",
            "Inc.",
            "AG",
            "株式会社",
            "ООО",
            "Dr.",
            "Bob",
            "Joe",
            "@",
            "gmail.com",
            "https://",
            "www.example.co.uk",
            "+49 (0)30",
            "ext. 12",
            "Müller",
            "Mueller",
            "aeoeue",
            "ŉ",
            "ẞ",
            "ﬀ",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(pieces, 1..5).prop_map(|pieces| pieces.join(" "))
}

fn kind() -> impl Strategy<Value = Sort> {
    prop::sample::select(vec![
        Sort::Email,
        Sort::Phone,
        Sort::Domain,
        Sort::Company,
        Sort::Person,
        Sort::Postal,
        Sort::Text,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_common_form_is_its_own_common_form(
        raw in raw(), kind in kind(), locale in prop::sample::select(vec!["de-DE", "en-US", "it-IT", "tlh"]),
        providers in any::<bool>(),
    ) {
        let region = Region::of_locale(locale);
        if let Some(first) = form(kind, &raw, region, providers) {
            prop_assert!(!first.text.is_empty());
            let again = form(kind, &first.text, region, providers);
            prop_assert_eq!(again.map(|form| form.text), Some(first.text));
        }
    }
}
