//! A module with the kinds of field that the garden has not: several values, addresses, numbers that the host gives.

use std::sync::Arc;

use crate::records::schema::{Choice, Field, Kind, Module, OnDelete, Target};
use crate::records::tests::garden::{PLUGIN, entity, field, module, tree_fields};

fn target(key: &str) -> Target {
    Target { plugin: PLUGIN.into(), entity: key.into() }
}

/// Every kind there is, but for files.
pub(super) fn fields() -> Vec<Field> {
    let choice = |key: &str, label: &str| Choice { key: key.into(), label: label.into(), archived: false };
    let uses = vec![choice("food", "Food"), choice("wood", "Timber wood"), choice("shade", "Shade")];
    let of_garden = tree_fields().into_iter().map(|field| match &*field.key {
        "root" | "parent" => Field { kind: Kind::Reference(target("plant"), OnDelete::Detach), ..field },
        _ => field,
    });
    of_garden
        .chain([
            field("uses", Kind::Options(uses)),
            field("friends", Kind::References(target("plant"), OnDelete::Detach)),
            field("place", Kind::Address),
            field("number", Kind::AutoNumber("P-{000}".into())),
            field("owner_name", Kind::Text),
        ])
        .collect()
}

/// `garden.plant`, and `garden.pot` that refers to plants.
pub(super) fn orchard() -> Arc<Module> {
    let pot = vec![
        Field { required: true, ..field("name", Kind::Text) },
        field("plant", Kind::Reference(target("plant"), OnDelete::Restrict)),
        field("plants", Kind::References(target("plant"), OnDelete::Detach)),
    ];
    module("1", vec![entity("plant", fields(), &[]), entity("pot", pot, &[])], Vec::new())
}
