//! Names of companies: a stem, and a legal form that is compared separately.

use super::Form;
use super::fold::{fold, squeeze, words};
use super::legal;

/// Words that join others and carry nothing.
const JOINING: [&str; 4] = ["and", "et", "und", "the"];

/// The stem of a name, and its legal form if it has one.
#[must_use]
pub fn normal(raw: &str) -> Option<Form> {
    let text = legal::spaced(&fold(raw));
    let all: Vec<String> = words(&text).iter().map(|word| squeeze(word)).collect();
    let carrying: Vec<String> =
        all.iter().filter(|word| !JOINING.contains(&word.as_str())).cloned().collect();
    let mut stem = if carrying.is_empty() { all } else { carrying };
    let mut forms: Vec<&str> = Vec::new();
    while let Some((form, at_end, length)) = legal::found(&stem) {
        forms.push(form);
        if at_end {
            stem.truncate(stem.len() - length);
        } else {
            stem.drain(..length);
        }
    }
    forms.sort_unstable();
    forms.dedup();
    let mut form = Form::of_words(stem)?;
    form.legal = (!forms.is_empty()).then(|| forms.join(" "));
    Some(form)
}
