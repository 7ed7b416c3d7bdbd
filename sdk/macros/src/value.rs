//! `#[entity(value)]` and `#[entity(row)]`: structs in JSON, and rows of reports and queries.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use crate::field::Field;

pub(crate) fn expand(name: &Ident, fields: &[Field]) -> TokenStream {
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    // A field may be called as a parameter below is.
    let locals: Vec<_> = fields.iter().map(|field| format_ident!("__{}", field.key)).collect();
    let kinds: Vec<_> = fields.iter().map(|field| &field.kind).collect();
    let keys: Vec<_> = fields.iter().map(|field| &field.key).collect();
    let helps = fields.iter().map(|field| &field.help);
    let bounds: Vec<_> = fields.iter().map(Field::bounds).collect();
    let defaults: Vec<_> = fields.iter().map(Field::default_json).collect();
    quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::restriction)]
        impl ::stoa_sdk::Wire for #name {
            fn schema() -> ::stoa_sdk::__private::Value {
                let mut schema = ::stoa_sdk::object::Schema::default();
                #(schema.member::<#kinds>(#keys, #helps, #defaults, #bounds);)*
                schema.finish()
            }

            fn to_json(&self) -> ::stoa_sdk::__private::Value {
                let mut members = ::stoa_sdk::__private::Map::new();
                #(members.insert(#keys.into(), ::stoa_sdk::Wire::to_json(&self.#idents));)*
                ::stoa_sdk::__private::Value::Object(members)
            }

            fn from_json(
                json: &::stoa_sdk::__private::Value,
                at: &str,
                failures: &mut ::std::vec::Vec<::stoa_sdk::Failure>,
            ) -> Option<Self> {
                let object = ::stoa_sdk::object::members(json, &[#(#keys),*], at, failures)?;
                #(let #locals: Option<#kinds> = ::stoa_sdk::field::member(object, #keys, #defaults, at, failures);)*
                #(::stoa_sdk::object::within(object, #keys, #bounds, at, failures);)*
                Some(Self { #(#idents: #locals?,)* })
            }
        }
    }
}

pub(crate) fn expand_row(name: &Ident, fields: &[Field]) -> TokenStream {
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let kinds: Vec<_> = fields.iter().map(|field| &field.kind).collect();
    let keys = fields.iter().map(|field| &field.key);
    let labels = fields.iter().map(|field| &field.label);
    quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::restriction)]
        impl ::stoa_sdk::Row for #name {
            fn columns() -> ::std::vec::Vec<::stoa_sdk::manifest::Column> {
                ::std::vec![#(::stoa_sdk::__private::glue::column::<#kinds>(#keys, #labels)),*]
            }

            fn write(&self, out: &mut ::stoa_sdk::cells::Cells) {
                #(::stoa_sdk::Stored::write(&self.#idents, out);)*
            }
        }

        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::restriction)]
        impl ::stoa_sdk::sql::FromRow for #name {
            const COLUMNS: usize = 0 #(+ <#kinds as ::stoa_sdk::Stored>::CELLS)*;

            fn from_row(
                reader: &mut ::stoa_sdk::cells::Reader<'_>,
            ) -> ::core::result::Result<Self, ::stoa_sdk::cells::Malformed> {
                Ok(Self { #(#idents: <#kinds as ::stoa_sdk::Stored>::read(reader)?,)* })
            }
        }
    }
}
