//! Nicknames and the names that they stand for.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fold::squeeze;

/// Nickname and full name, folded. A nickname of several names (Alex, Chris, Sam) stands for the more common one.
const NAMES: &[(&str, &str)] = &[
    ("abby", "abigail"),
    ("al", "albert"),
    ("alex", "alexander"),
    ("sascha", "alexander"),
    ("sasha", "alexander"),
    ("sandy", "alexandra"),
    ("andy", "andrew"),
    ("drew", "andrew"),
    ("angie", "angela"),
    ("toni", "anton"),
    ("tony", "anthony"),
    ("archie", "archibald"),
    ("art", "arthur"),
    ("basti", "sebastian"),
    ("becky", "rebecca"),
    ("ben", "benjamin"),
    ("benny", "benjamin"),
    ("bernie", "bernard"),
    ("bert", "albert"),
    ("beth", "elizabeth"),
    ("betsy", "elizabeth"),
    ("betty", "elizabeth"),
    ("bill", "william"),
    ("billy", "william"),
    ("bob", "robert"),
    ("bobby", "robert"),
    ("brad", "bradley"),
    ("cathy", "catherine"),
    ("charlie", "charles"),
    ("chuck", "charles"),
    ("chris", "christopher"),
    ("cindy", "cynthia"),
    ("dan", "daniel"),
    ("danny", "daniel"),
    ("dave", "david"),
    ("davy", "david"),
    ("deb", "deborah"),
    ("debbie", "deborah"),
    ("dick", "richard"),
    ("dimi", "dimitri"),
    ("don", "donald"),
    ("doug", "douglas"),
    ("ed", "edward"),
    ("eddie", "edward"),
    ("ted", "edward"),
    ("teddy", "edward"),
    ("eli", "elijah"),
    ("fred", "frederick"),
    ("freddy", "frederick"),
    ("fritz", "friedrich"),
    ("gabi", "gabriele"),
    ("gene", "eugene"),
    ("geoff", "geoffrey"),
    ("gerd", "gerhard"),
    ("greg", "gregory"),
    ("gus", "august"),
    ("hank", "henry"),
    ("harry", "henry"),
    ("hannes", "johannes"),
    ("heinz", "heinrich"),
    ("jack", "john"),
    ("jake", "jacob"),
    ("jeff", "jeffrey"),
    ("jen", "jennifer"),
    ("jenny", "jennifer"),
    ("jerry", "gerald"),
    ("jim", "james"),
    ("jimmy", "james"),
    ("joe", "joseph"),
    ("joey", "joseph"),
    ("johnny", "john"),
    ("jon", "jonathan"),
    ("josh", "joshua"),
    ("jupp", "josef"),
    ("kate", "katherine"),
    ("kathy", "katherine"),
    ("katie", "katherine"),
    ("ken", "kenneth"),
    ("klaus", "nikolaus"),
    ("larry", "lawrence"),
    ("len", "leonard"),
    ("lenny", "leonard"),
    ("leo", "leonard"),
    ("liz", "elizabeth"),
    ("lizzy", "elizabeth"),
    ("maggie", "margaret"),
    ("peggy", "margaret"),
    ("mandy", "amanda"),
    ("manni", "manfred"),
    ("matt", "matthew"),
    ("max", "maximilian"),
    ("meg", "margaret"),
    ("micha", "michael"),
    ("mick", "michael"),
    ("mike", "michael"),
    ("mitch", "mitchell"),
    ("nate", "nathaniel"),
    ("ned", "edward"),
    ("nick", "nicholas"),
    ("pam", "pamela"),
    ("pat", "patrick"),
    ("patty", "patricia"),
    ("paco", "francisco"),
    ("pancho", "francisco"),
    ("pepe", "jose"),
    ("pete", "peter"),
    ("phil", "philip"),
    ("rafa", "rafael"),
    ("ray", "raymond"),
    ("rich", "richard"),
    ("rick", "richard"),
    ("rob", "robert"),
    ("robbie", "robert"),
    ("rolf", "rudolf"),
    ("ron", "ronald"),
    ("rudi", "rudolf"),
    ("russ", "russell"),
    ("sam", "samuel"),
    ("sepp", "josef"),
    ("seb", "sebastian"),
    ("steffi", "stefanie"),
    ("steve", "steven"),
    ("sue", "susan"),
    ("susi", "susanne"),
    ("terry", "terence"),
    ("theo", "theodore"),
    ("tim", "timothy"),
    ("tina", "christina"),
    ("tobi", "tobias"),
    ("tom", "thomas"),
    ("tommy", "thomas"),
    ("uli", "ulrich"),
    ("vicky", "victoria"),
    ("walt", "walter"),
    ("will", "william"),
    ("willi", "wilhelm"),
    ("wolf", "wolfgang"),
    ("zach", "zachary"),
];

static FULL: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| NAMES.iter().copied().collect());

/// The full name of a folded name, [`squeeze`]d.
pub(super) fn full(word: &str) -> String {
    if let Some(full) = FULL.get(word) {
        return squeeze(full);
    }
    let squeezed = squeeze(word);
    match FULL.get(squeezed.as_str()) {
        Some(full) => squeeze(full),
        None => squeezed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::duplicates::normalize::fold::fold;

    #[test]
    fn every_nickname_stands_once_and_leads_to_a_name_that_is_none() {
        assert!(NAMES.len() >= 100);
        assert_eq!(FULL.len(), NAMES.len());
        for (nickname, name) in NAMES {
            assert_eq!((fold(nickname), fold(name)), ((*nickname).to_owned(), (*name).to_owned()));
            assert!(!FULL.contains_key(squeeze(name).as_str()), "{name} is a nickname itself");
        }
    }
}
