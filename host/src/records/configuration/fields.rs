//! From a field as it is written in the document to a field that the engine works with.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::document::{Document, FieldDocument, Item};
use super::shape::{below, fault};
use crate::policy::Label;
use crate::records::error::Fault;
use crate::records::input;
use crate::records::json::json_key;
use crate::records::money::parse_scaled;
use crate::records::number;
use crate::records::schema::{CUSTOM_MODULE, Choice, Field, Kind, OnDelete, Target};

/// Characters of a text field that names no limit.
const TEXT: usize = 255;
/// Characters of a text with paragraphs, and the most that any text may have.
const RICH_TEXT: usize = 100_000;
/// The types, for people.
const TYPES: &str = "text, rich_text, integer, decimal, money, percent, boolean, date, date_time, duration, option, options, \
                     reference, references, email, phone, url, address, file, auto_number, json";

/// What a field may refer to.
pub(super) trait Targets {
    /// Whether the organization has this entity, or had it when the field was made.
    fn knows(&self, target: &Target, field: &FieldDocument) -> bool;
}

/// A field being read.
pub(super) struct Reading<'d> {
    /// The document it stands in.
    pub(super) document: &'d Document,
    /// The module whose file it is in.
    pub(super) module: &'d str,
    /// What it may refer to.
    pub(super) targets: &'d dyn Targets,
    /// Where it stands.
    pub(super) at: String,
    /// What is wrong with it.
    pub(super) faults: Vec<Fault>,
}

impl Reading<'_> {
    fn fault(&mut self, member: &str, code: &'static str, detail: impl Into<String>) {
        self.faults.push(fault(below(&self.at, member), code, detail));
    }

    /// The field, if nothing is wrong with it. Its condition is read later, when all fields are known.
    pub(super) fn field(&mut self, written: &FieldDocument) -> Option<Field> {
        let kind = self.kind(written);
        self.members_fit(written);
        let kind = kind?;
        let numbered = matches!(kind, Kind::AutoNumber(_));
        let (min, max) =
            (self.bound("min", written.min.as_ref(), &kind), self.bound("max", written.max.as_ref(), &kind));
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            self.fault("min", "invalid_bound", "`min` is above `max`");
        }
        let longest = if matches!(kind, Kind::RichText) { RICH_TEXT } else { TEXT };
        let max_length = written.max_length.map_or(longest, |length| length as usize);
        let min_length = written.min_length.map(|length| length as usize);
        if min_length.is_some_and(|min| min > max_length) || !(1..=RICH_TEXT).contains(&max_length) {
            self.fault(
                "max_length",
                "invalid_bound",
                format!("is 1 to {RICH_TEXT} and not below `min_length`"),
            );
        }
        let field = Field {
            json_key: json_key(&written.key),
            key: written.key.as_str().into(),
            required: written.required && !numbered,
            required_when: None,
            column: 0,
            unique: written.unique || numbered,
            indexed: written.indexed,
            searchable: written.searchable,
            class: written.class.as_deref().and_then(Label::of_class).unwrap_or(Label::Personal),
            custom: true,
            inverse: written.inverse.as_deref().map(Into::into),
            read_only: numbered,
            min,
            max,
            min_length,
            max_length,
            default: written.default.clone(),
            label: written.label(),
            help: written.help.clone(),
            kind,
        };
        self.flags_fit(&field, written);
        self.faults.is_empty().then_some(field)
    }

    /// Refuses what a kind cannot do.
    fn flags_fit(&mut self, field: &Field, written: &FieldDocument) {
        let kind = &field.kind;
        if field.searchable > 0 && !kind.searchable() {
            let detail = "only text, e-mail, phone, url, address and auto_number fields are searched";
            self.fault("searchable", "not_searchable", detail);
        }
        let plain =
            !kind.structured() && !matches!(kind, Kind::RichText | Kind::Money | Kind::File | Kind::Boolean);
        if written.unique && !plain {
            self.fault(
                "unique",
                "not_unique_kind",
                format!("a field of type {} cannot be unique", written.kind),
            );
        }
        if written.indexed && kind.structured() {
            self.fault(
                "indexed",
                "not_indexable",
                format!("a field of type {} cannot be indexed", written.kind),
            );
        }
        if matches!(kind, Kind::AutoNumber(_))
            && (written.required || written.default.is_some() || written.required_when.is_some())
        {
            self.fault(
                "type",
                "not_settable",
                "an auto_number is given by the host: leave out `required`, `required_when` and `default`",
            );
        }
        let Some(default) = &field.default else { return };
        let chosen =
            input::field(field, default).and_then(|(value, second)| input::stored(field, &value, &second));
        if matches!(kind, Kind::Reference(..) | Kind::References(..) | Kind::File) {
            self.fault("default", "no_default", format!("a field of type {} has no default", written.kind));
        } else if let Err(wrong) = chosen {
            self.fault("default", "invalid_default", wrong.detail);
        }
    }

    /// Refuses members that the type has no use for, so that nobody believes they do something.
    fn members_fit(&mut self, written: &FieldDocument) {
        let of = |kinds: &[&str]| kinds.contains(&written.kind.as_str());
        let (options, references) = (of(&["option", "options"]), of(&["reference", "references"]));
        let numbers = of(&["integer", "decimal", "money", "percent", "duration"]);
        let texts = of(&["text", "rich_text", "email", "phone", "url"]);
        let stray = [
            ("min", written.min.is_some() && !numbers),
            ("max", written.max.is_some() && !numbers),
            ("min_length", written.min_length.is_some() && !texts),
            ("max_length", written.max_length.is_some() && !texts),
            ("scale", written.scale.is_some() && !of(&["decimal"])),
            ("format", written.format.is_some() && !of(&["auto_number"])),
            ("option_set", written.option_set.is_some() && !options),
            ("options", !written.options.is_empty() && !options),
            ("references", written.references.is_some() && !references),
            ("inverse", written.inverse.is_some() && !references),
            ("on_delete", written.on_delete.is_some() && !references),
        ];
        for (member, _) in stray.iter().filter(|(_, stray)| *stray) {
            self.fault(
                member,
                "not_of_this_type",
                format!("a field of type {} has no `{member}`", written.kind),
            );
        }
    }

    fn kind(&mut self, written: &FieldDocument) -> Option<Kind> {
        Some(match written.kind.as_str() {
            "text" => Kind::Text,
            "rich_text" => Kind::RichText,
            "integer" => Kind::Integer,
            "money" => Kind::Money,
            "percent" => Kind::Percent,
            "boolean" => Kind::Boolean,
            "date" => Kind::Date,
            "date_time" => Kind::DateTime,
            "duration" => Kind::Duration,
            "email" => Kind::Email,
            "phone" => Kind::Phone,
            "url" => Kind::Url,
            "json" => Kind::Json,
            "address" => Kind::Address,
            "file" => Kind::File,
            "decimal" => {
                let Some(scale) = written.scale else {
                    self.fault("scale", "required", "a decimal names its `scale`, 0 to 9");
                    return None;
                };
                Kind::Decimal(scale)
            }
            "auto_number" => {
                let format = written.format.as_deref().filter(|format| number::is_format(format));
                let Some(format) = format else {
                    self.fault("format", "invalid_format", format!("must be {}", number::FORMAT));
                    return None;
                };
                Kind::AutoNumber(format.into())
            }
            "option" => Kind::Option(self.choices(written)?),
            "options" => Kind::Options(self.choices(written)?),
            "reference" => Kind::Reference(self.target(written)?, written.on_delete.unwrap_or_default()),
            "references" => Kind::References(self.target(written)?, written.on_delete.unwrap_or_default()),
            _ => {
                self.fault("type", "unknown_type", format!("one of {TYPES}"));
                return None;
            }
        })
    }

    fn choices(&mut self, written: &FieldDocument) -> Option<Vec<Choice>> {
        let document = self.document;
        let items = match &written.option_set {
            None => &written.options,
            Some(_) if !written.options.is_empty() => {
                self.fault(
                    "options",
                    "ambiguous",
                    "a field has an `option_set` or its own `options`, not both",
                );
                return None;
            }
            Some(key) => match document.option_set(key) {
                Some(set) => &set.options,
                None => {
                    self.fault("option_set", "unknown_option_set", format!("there is no option set `{key}`"));
                    return None;
                }
            },
        };
        if items.iter().all(|item| item.archived) {
            self.fault("options", "required", "an option field has at least one option that is not archived");
            return None;
        }
        if written.option_set.is_none() {
            let at = below(&self.at, "options");
            self.faults.extend(doubles(items, &at));
        }
        let choice = |item: &Item| Choice {
            key: item.key.clone(),
            label: item.label.clone(),
            archived: item.archived,
        };
        Some(items.iter().map(choice).collect())
    }

    fn target(&mut self, written: &FieldDocument) -> Option<Target> {
        let Some((plugin, entity)) = written.references.as_deref().and_then(|text| text.split_once('.'))
        else {
            self.fault("references", "required", "a reference names its target, `plugin.entity`");
            return None;
        };
        let target = Target { plugin: plugin.into(), entity: entity.into() };
        if !self.targets.knows(&target, written) {
            let detail =
                format!("this organization has no `{plugin}.{entity}`; its modules are at /api/v1/modules");
            self.fault("references", "unknown_entity", detail);
            return None;
        }
        if plugin != self.module && written.on_delete.is_some_and(|rule| rule != OnDelete::Restrict) {
            let detail =
                "a record of another module can only be held back: `restrict`, or leave `on_delete` out";
            self.fault("on_delete", "other_module", detail);
        }
        Some(target)
    }

    /// A bound in the units that people write: an integer, or a text for decimals and percent; for money minor units.
    fn bound(&mut self, member: &str, json: Option<&Json>, kind: &Kind) -> Option<i64> {
        let json = json?;
        let numeric =
            matches!(kind, Kind::Integer | Kind::Duration | Kind::Money | Kind::Decimal(_) | Kind::Percent);
        if !numeric {
            return None; // said already: the type has no bounds
        }
        let value = match (kind, json) {
            (Kind::Decimal(scale), Json::String(text)) => parse_scaled(text, *scale),
            (Kind::Percent, Json::String(text)) => parse_scaled(text, 4),
            (Kind::Integer | Kind::Duration | Kind::Money, Json::Number(number)) => number.as_i64(),
            _ => None,
        };
        if value.is_none() {
            let detail = "write a whole number (money: minor units), or a text such as \"1.50\" for decimals and percent";
            self.fault(member, "invalid_bound", detail);
        }
        value
    }
}

/// Options whose key another option has already.
pub(super) fn doubles(items: &[Item], at: &str) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let doubled = items.iter().enumerate().filter(|(_, item)| !seen.insert(&item.key));
    doubled
        .map(|(index, item)| {
            fault(format!("{at}/{index}/key"), "duplicate_key", format!("another option is `{}`", item.key))
        })
        .collect()
}

/// Whether the module is the one of the organization's own objects.
pub(super) fn is_own(module: &str) -> bool {
    module == CUSTOM_MODULE
}
