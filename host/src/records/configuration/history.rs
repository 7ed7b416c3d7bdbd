//! What may become of a document once it was in force. Nothing disappears: what is no longer wanted is archived, so that
//! its values can be read and it can come back. A type changes only where the stored values stay what they are.

use super::document::{Document, Extension, FieldDocument, Item, Object};
use super::shape::{below, fault};
use crate::records::error::Fault;

/// What `after` does to `before` that cannot be done.
#[must_use]
pub(super) fn faults(before: &Document, after: &Document) -> Vec<Fault> {
    let mut comparing = Comparing { before, after, faults: Vec::new() };
    comparing.option_sets();
    comparing.entities();
    comparing.objects();
    comparing.faults
}

struct Comparing<'d> {
    before: &'d Document,
    after: &'d Document,
    faults: Vec<Fault>,
}

impl Comparing<'_> {
    fn gone(&mut self, at: &str, what: &str) {
        let detail = format!(
            "{what} is missing; keep it and set `archived` to true, so that its values stay readable"
        );
        self.faults.push(fault(at, "removed", detail));
    }

    fn option_sets(&mut self) {
        for old in &self.before.option_sets {
            let found = self.after.option_sets.iter().position(|set| set.key == old.key);
            let Some((index, set)) =
                found.and_then(|index| Some((index, self.after.option_sets.get(index)?)))
            else {
                let detail = format!("the option set `{}` is missing; archive its options instead", old.key);
                self.faults.push(fault("/option_sets", "removed", detail));
                continue;
            };
            self.items(&old.options, &set.options, &format!("/option_sets/{index}/options"));
        }
    }

    fn items(&mut self, before: &[Item], after: &[Item], at: &str) {
        for old in before {
            if after.iter().all(|item| item.key != old.key) {
                self.gone(at, &format!("the option `{}`", old.key));
            }
        }
    }

    fn entities(&mut self) {
        let none = Extension::default();
        for (object, old) in &self.before.entities {
            let extension = self.after.entities.get(object).unwrap_or(&none);
            self.fields(&old.fields, &extension.fields, &below("/entities", object));
        }
    }

    fn objects(&mut self) {
        for old in &self.before.objects {
            let found = self.after.objects.iter().position(|object| object.key == old.key);
            let Some((index, object)) = found.and_then(|index| Some((index, self.after.objects.get(index)?)))
            else {
                self.gone("/objects", &format!("the object `{}`", old.key));
                continue;
            };
            self.fields(&old.fields, &object.fields, &format!("/objects/{index}"));
        }
    }

    fn fields(&mut self, before: &[FieldDocument], after: &[FieldDocument], at: &str) {
        for old in before {
            let found = after.iter().position(|field| field.key == old.key);
            let Some((index, field)) = found.and_then(|index| Some((index, after.get(index)?))) else {
                self.gone(&format!("{at}/fields"), &format!("the field `{}`", old.key));
                continue;
            };
            self.field(old, field, &format!("{at}/fields/{index}"));
        }
    }

    fn field(&mut self, old: &FieldDocument, field: &FieldDocument, at: &str) {
        let another =
            "make another field, move the values there with an import or a bulk update, and archive this one";
        if !castable(&old.kind, &field.kind) {
            let detail = format!("a field of type {} cannot become {}: {another}", old.kind, field.kind);
            self.faults.push(fault(below(at, "type"), "type_changed", detail));
            return;
        }
        if old.scale != field.scale {
            let detail = format!("the stored numbers would mean something else: {another}");
            self.faults.push(fault(below(at, "scale"), "type_changed", detail));
        }
        if old.references != field.references {
            let detail = format!("the stored ids would point at something else: {another}");
            self.faults.push(fault(below(at, "references"), "type_changed", detail));
        }
        let (before, after) = (self.before.options(old), self.after.options(field));
        self.items(before, after, &below(at, "options"));
    }
}

/// Whether every stored value of one type is a value of the other as it stands.
fn castable(from: &str, to: &str) -> bool {
    from == to
        || matches!(
            (from, to),
            ("email" | "phone" | "url" | "auto_number", "text")
                | ("text" | "email" | "phone" | "url" | "auto_number", "rich_text")
        )
}

/// The document `target` again, with everything that came after it archived, and with the types that its fields have now.
#[must_use]
pub(super) fn back_to(target: &Document, current: &Document) -> Document {
    let mut document = target.clone();
    for set in &current.option_sets {
        match document.option_sets.iter_mut().find(|old| old.key == set.key) {
            Some(old) => keep_items(&mut old.options, &set.options),
            None => {
                let mut set = set.clone();
                set.options.iter_mut().for_each(|item| item.archived = true);
                document.option_sets.push(set);
            }
        }
    }
    for (object, extension) in &current.entities {
        let old = document.entities.entry(object.clone()).or_default();
        keep_fields(&mut old.fields, &extension.fields);
    }
    for object in &current.objects {
        match document.objects.iter_mut().find(|old| old.key == object.key) {
            Some(old) => keep_fields(&mut old.fields, &object.fields),
            None => document.objects.push(Object { archived: true, ..object.clone() }),
        }
    }
    document
}

fn keep_items(items: &mut Vec<Item>, later: &[Item]) {
    for item in later {
        if items.iter().all(|old| old.key != item.key) {
            items.push(Item { archived: true, ..item.clone() });
        }
    }
}

fn keep_fields(fields: &mut Vec<FieldDocument>, later: &[FieldDocument]) {
    for field in later {
        match fields.iter_mut().find(|old| old.key == field.key) {
            None => fields.push(FieldDocument { archived: true, ..field.clone() }),
            // Values may have been written that the narrower type does not have.
            Some(old) if old.kind != field.kind => {
                *old = FieldDocument { archived: old.archived, ..field.clone() }
            }
            Some(old) => keep_items_of(old, field),
        }
    }
}

fn keep_items_of(old: &mut FieldDocument, field: &FieldDocument) {
    match (&old.option_set, &field.option_set) {
        (None, None) => keep_items(&mut old.options, &field.options),
        // Its options moved into a set meanwhile, or out of one: there they are all.
        (before, now) if before != now => {
            old.option_set.clone_from(&field.option_set);
            old.options.clone_from(&field.options);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::configuration::shape;

    fn document(fields: &serde_json::Value) -> Document {
        let json = json!({"entities": {"crm.account": {"fields": fields}}});
        shape::document(&json).unwrap()
    }

    fn found(before: &serde_json::Value, after: &serde_json::Value) -> Vec<String> {
        let faults = faults(&document(before), &document(after));
        faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
    }

    #[test]
    fn a_type_changes_only_where_the_stored_values_stay_what_they_are() {
        let of = |kind: &str| json!([{"key": "c_x", "type": kind}]);
        for (from, to) in
            [("text", "rich_text"), ("email", "text"), ("url", "rich_text"), ("auto_number", "text")]
        {
            assert_eq!(found(&of(from), &of(to)), [""; 0], "{from} to {to}");
        }
        for (from, to) in [
            ("text", "email"),
            ("rich_text", "text"),
            ("integer", "decimal"),
            ("text", "integer"),
            ("date", "date_time"),
            ("option", "options"),
            ("boolean", "integer"),
            ("integer", "duration"),
        ] {
            assert_eq!(
                found(&of(from), &of(to)),
                ["/entities/crm.account/fields/0/type type_changed"],
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn nothing_disappears() {
        let options = |keys: &[&str]| {
            let items: Vec<_> = keys.iter().map(|key| json!({"key": key, "label": key})).collect();
            json!([{"key": "c_x", "type": "option", "options": items}])
        };
        assert_eq!(found(&options(&["a", "b"]), &options(&["b", "a", "c"])), [""; 0]);
        assert_eq!(
            found(&options(&["a", "b"]), &options(&["a"])),
            ["/entities/crm.account/fields/0/options removed"]
        );
        assert_eq!(found(&options(&["a"]), &json!([])), ["/entities/crm.account/fields removed"]);
        let scaled = |scale: u8| json!([{"key": "c_x", "type": "decimal", "scale": scale}]);
        assert_eq!(found(&scaled(2), &scaled(3)), ["/entities/crm.account/fields/0/scale type_changed"]);
        let pointing = |to: &str| json!([{"key": "c_x", "type": "reference", "references": to}]);
        assert_eq!(
            found(&pointing("crm.account"), &pointing("crm.contact")),
            ["/entities/crm.account/fields/0/references type_changed"]
        );
    }

    #[test]
    fn going_back_archives_what_came_later() {
        let old = shape::document(&json!({
            "option_sets": [{"key": "s", "label": "S", "options": [{"key": "a", "label": "A"}]}],
            "entities": {"crm.account": {"fields": [{"key": "c_a", "type": "text"}, {"key": "c_b", "type": "text", "required": true}]}},
        }))
        .unwrap();
        let new = shape::document(&json!({
            "option_sets": [{"key": "s", "label": "T", "options": [{"key": "a", "label": "B"}, {"key": "b", "label": "B"}]}],
            "entities": {
                "crm.account": {"fields": [{"key": "c_a", "type": "rich_text"}, {"key": "c_b", "type": "text"}, {"key": "c_c", "type": "integer"}]},
                "crm.contact": {"fields": [{"key": "c_d", "type": "text"}]},
            },
            "objects": [{"key": "project", "plural": "projects", "label": "Project"}],
        }))
        .unwrap();
        let back = back_to(&old, &new);
        assert_eq!(faults(&new, &back), []);
        let fields = |object: &str| &back.entities[object].fields;
        let shown: Vec<_> = fields("crm.account")
            .iter()
            .map(|f| (f.key.as_str(), f.kind.as_str(), f.required, f.archived))
            .collect();
        assert_eq!(
            shown,
            [
                ("c_a", "rich_text", false, false),
                ("c_b", "text", true, false),
                ("c_c", "integer", false, true)
            ]
        );
        assert!(fields("crm.contact")[0].archived && back.objects[0].archived);
        let items: Vec<_> =
            back.option_sets[0].options.iter().map(|item| (item.label.as_str(), item.archived)).collect();
        assert_eq!(items, [("A", false), ("B", true)]);
        assert_eq!(back.option_sets[0].label, "S");
    }
}
