//! The command line: flags, values and words, taken one by one; what is left over is refused or passed on.

use std::str::FromStr;

use crate::fault::Fault;

/// The words that nobody has taken yet.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn from_env() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes the first word that is not an option.
    pub(crate) fn word(&mut self) -> Option<String> {
        if self.0.first().is_some_and(|word| !word.starts_with('-')) { Some(self.0.remove(0)) } else { None }
    }

    /// Takes a flag; whether it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|word| word == name);
        at.map(|at| self.0.remove(at)).is_some()
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    pub(crate) fn value<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, Fault> {
        let Some(at) = self.0.iter().position(|word| word == name || assigned(word, name).is_some()) else {
            return Ok(default);
        };
        let word = self.0.remove(at);
        let text = match assigned(&word, name) {
            Some(text) => text.to_owned(),
            None if at < self.0.len() => self.0.remove(at),
            None => return Err(Fault::new(format!("{name} needs a value"))),
        };
        text.parse().map_err(|_| Fault::new(format!("{name}: `{text}` does not fit")))
    }

    /// Whether an option stands there, in either form.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|word| word == name || assigned(word, name).is_some())
    }

    /// All that is left, to be passed on.
    pub(crate) fn rest(self) -> Vec<String> {
        self.0
    }

    /// Refuses what is left.
    pub(crate) fn done(self) -> Result<(), Fault> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(Fault::new(format!("`{word}` is not understood here; --help says what is"))),
        }
    }
}

fn assigned<'a>(word: &'a str, name: &str) -> Option<&'a str> {
    word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> Arguments {
        Arguments(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn values_come_in_two_forms_and_may_be_left_out() {
        let mut arguments = given(&["--rounds", "5", "--seconds=2"]);
        assert_eq!(arguments.value("--rounds", 3).unwrap(), 5);
        assert_eq!(arguments.value("--seconds", 3).unwrap(), 2);
        assert_eq!(arguments.value("--connections", 32).unwrap(), 32);
        assert!(arguments.done().is_ok());
    }

    #[test]
    fn what_nobody_took_is_refused() {
        assert!(given(&["--fast"]).done().is_err());
        assert!(given(&["--rounds"]).value("--rounds", 3).is_err());
        assert!(given(&["--rounds", "many"]).value("--rounds", 3).is_err());
    }
}
