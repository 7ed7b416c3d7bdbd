//! `#[entity]` on an enum: the choices of an option field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, ItemEnum, Result, parse_quote};

use crate::field::{Field, snake};

pub(crate) fn expand(mut item: ItemEnum) -> Result<TokenStream> {
    let mut choices = Vec::new();
    for variant in &mut item.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "a choice carries no data"));
        }
        let key = snake(&variant.ident.to_string());
        choices.push(Field::take(&variant.ident, parse_quote!(()), &mut variant.attrs, key)?);
    }
    let name = &item.ident;
    let idents: Vec<_> = choices.iter().map(|choice| &choice.ident).collect();
    let keys: Vec<_> = choices.iter().map(|choice| &choice.key).collect();
    let labels = choices.iter().map(|choice| &choice.label);
    Ok(quote! {
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #item

        #[automatically_derived]
        impl ::stoa_sdk::Choice for #name {
            const OPTIONS: &'static [(&'static str, &'static str)] = &[#((#keys, #labels)),*];

            fn key(self) -> &'static str {
                match self {
                    #(Self::#idents => #keys,)*
                }
            }

            fn from_key(key: &str) -> Option<Self> {
                match key {
                    #(#keys => Some(Self::#idents),)*
                    _ => None,
                }
            }
        }
    })
}
