//! `#[entity(key = "...")]`: the declaration of a kind of record, its cells, its hooks.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, LitStr, Result};

use crate::entity::Arguments;
use crate::field::{Field, words};

pub(crate) fn expand(arguments: &Arguments, name: &Ident, fields: &[Field]) -> Result<TokenStream> {
    let Some(key) = &arguments.key else {
        return Ok(TokenStream::new());
    };
    let keys = fields.iter().map(|field| &field.key);
    let kinds: Vec<_> = fields.iter().map(|field| &field.kind).collect();
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let members = fields.iter().map(|field| &field.key);
    let reads = fields.iter().map(read);
    let declaration = declaration(arguments, key, fields);
    let hooks = arguments.hooks.iter().map(|(hook, path)| {
        let hook = hook.to_string();
        quote! { #hook => #path(ctx, drafts), }
    });
    Ok(quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::restriction)]
        impl ::stoa_sdk::Entity for #name {
            const KEY: &'static str = #key;
            const FIELDS: &'static [(&'static str, usize)] =
                &[#((#keys, <#kinds as ::stoa_sdk::Stored>::CELLS)),*];

            #declaration

            fn read(
                reader: &mut ::stoa_sdk::cells::Reader<'_>,
            ) -> ::core::result::Result<Self, ::stoa_sdk::cells::Malformed> {
                Ok(Self { #(#idents: #reads,)* })
            }

            fn write(&self, out: &mut ::stoa_sdk::cells::Cells) {
                #(::stoa_sdk::Stored::write(&self.#idents, out);)*
            }

            fn to_json(&self) -> ::stoa_sdk::__private::Map<String, ::stoa_sdk::__private::Value> {
                let mut members = ::stoa_sdk::__private::Map::new();
                #(members.insert(#members.into(), ::stoa_sdk::Wire::to_json(&self.#idents));)*
                members
            }

            fn hook(
                ctx: &::stoa_sdk::Context<'_>,
                hook: &str,
                drafts: &mut [::stoa_sdk::Draft<Self>],
            ) -> ::stoa_sdk::Result<()> {
                let _ = (ctx, &drafts);
                match hook {
                    #(#hooks)*
                    other => Err(::stoa_sdk::entity::unknown_hook(#key, other)),
                }
            }
        }
    })
}

fn read(field: &Field) -> TokenStream {
    let kind = &field.kind;
    match &field.default {
        Some(default) => quote! {
            ::stoa_sdk::field::read_or::<#kind>(reader, &::stoa_sdk::__private::json!(#default))?
        },
        None => quote! { <#kind as ::stoa_sdk::Stored>::read(reader)? },
    }
}

fn declaration(arguments: &Arguments, key: &LitStr, fields: &[Field]) -> TokenStream {
    let plural = arguments.plural.as_ref().map_or_else(|| key.value() + "s", LitStr::value);
    let label = arguments.label.as_ref().map_or_else(|| words(&key.value()), LitStr::value);
    let optional = |text: &Option<LitStr>| match text {
        Some(text) => quote! { Some(#text.into()) },
        None => quote! { None },
    };
    let (title, subject) = (optional(&arguments.title), optional(&arguments.subject));
    let operations: Vec<String> = match &arguments.operations {
        Some(names) => names.iter().map(LitStr::value).collect(),
        None => ["create", "update", "delete"].map(str::to_owned).to_vec(),
    };
    let hooks = arguments.hooks.iter().map(|(hook, _)| hook.to_string());
    let duplicates = match &arguments.duplicates {
        Some(rules) => quote! { #rules() },
        None => quote! { ::std::vec::Vec::new() },
    };
    let fields = fields.iter().map(declared_field);
    quote! {
        fn declare() -> ::stoa_sdk::manifest::Entity {
            ::stoa_sdk::manifest::Entity {
                key: #key.into(),
                plural: #plural.into(),
                label: #label.into(),
                title: #title,
                subject: #subject,
                fields: ::std::vec![#(#fields),*],
                hooks: ::std::vec![#(#hooks.into()),*],
                operations: ::std::vec![#(#operations.into()),*],
                duplicates: #duplicates,
            }
        }
    }
}

fn declared_field(field: &Field) -> TokenStream {
    let Field { kind, key, label, help, declared, min, max, .. } = field;
    let min = min.iter().map(|min| quote! { field.at_least(#min); });
    let max = max.iter().map(|max| quote! { field.limit_to(#max); });
    let default = field.default_json();
    quote! {{
        let mut field = ::stoa_sdk::manifest::Field {
            key: #key.into(),
            required: <#kind as ::stoa_sdk::Stored>::REQUIRED,
            label: #label.into(),
            class: "internal".into(),
            help: #help.into(),
            default: #default,
            ..::core::default::Default::default()
        };
        <#kind as ::stoa_sdk::Stored>::declare(&mut field);
        #(#min)*
        #(#max)*
        #(#declared)*
        field
    }}
}
