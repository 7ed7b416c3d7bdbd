//! Filters on tags, which every record can have without a field for them.

use super::parse::Operand;
use super::{Context, Filter, Op};
use crate::records::companions::tag::Tag;
use crate::records::error::RecordError;
use crate::records::schema::Entity;

/// What tags are called in a filter, where the entity has no field of this name.
const TAGS: &str = "tags";

/// Whether `name` means the tags of a record. The organization's own rules judge rows, beside which tags stand.
pub(super) fn asked(context: &Context<'_>, entity: &Entity, name: &str) -> Result<bool, RecordError> {
    Ok(name == TAGS && context.reader.is_some() && context.field(entity, name)?.is_none())
}

/// The test. A text that can be no tag is the tag of nothing.
pub(super) fn test(op: Op, operand: &Operand<'_>) -> Result<Filter, RecordError> {
    let texts = match operand {
        Operand::Texts(texts) => texts.as_slice(),
        Operand::Filter(_) => &[],
    };
    let one_of = || {
        let tags: Vec<String> =
            texts.iter().filter_map(|text| Tag::parse(text).ok()).map(|tag| tag.fold).collect();
        if tags.is_empty() { Filter::Or(Vec::new()) } else { Filter::Tagged(tags.into()) }
    };
    let not = |filter| Filter::Not(Box::new(filter));
    match (op, texts.first().map(String::as_str)) {
        (Op::Eq | Op::Contains | Op::In, Some(_)) => Ok(one_of()),
        (Op::Ne | Op::Nin, Some(_)) => Ok(not(one_of())),
        (Op::Empty, Some("true")) => Ok(not(Filter::Tagged(Vec::new().into()))),
        (Op::Empty, Some("false")) => Ok(Filter::Tagged(Vec::new().into())),
        _ => Err(RecordError::bad(
            "invalid_filter_value",
            "tags take `contains`, `eq`, `ne`, `in`, `nin` with tags, and `empty` with true or false",
        )),
    }
}
