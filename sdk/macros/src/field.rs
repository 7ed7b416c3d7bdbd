//! `#[field(...)]` and doc comments: what an author says about one field, option or column.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, Ident, LitBool, LitInt, LitStr, Result, Token, Type, parenthesized};

/// One field of a struct, or one variant of an enum (whose type is never read).
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) kind: Type,
    pub(crate) key: String,
    pub(crate) label: String,
    pub(crate) help: String,
    pub(crate) default: Option<Expr>,
    pub(crate) min: Option<LitInt>,
    pub(crate) max: Option<LitInt>,
    /// Assignments to the manifest's field.
    pub(crate) declared: Vec<TokenStream>,
}

impl Field {
    /// Reads and removes the attributes of a field.
    pub(crate) fn take(
        ident: &Ident,
        kind: Type,
        attributes: &mut Vec<Attribute>,
        key: String,
    ) -> Result<Self> {
        let mut field = Self {
            ident: ident.clone(),
            kind,
            label: words(&key),
            key,
            help: doc(attributes),
            default: None,
            min: None,
            max: None,
            declared: Vec::new(),
        };
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("field")) {
            attribute.parse_nested_meta(|meta| field.setting(&meta))?;
        }
        attributes.retain(|attribute| !attribute.path().is_ident("field"));
        Ok(field)
    }

    fn setting(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        match name.as_str() {
            "key" => self.key = meta.value()?.parse::<LitStr>()?.value(),
            "label" => self.label = meta.value()?.parse::<LitStr>()?.value(),
            "help" => self.help = meta.value()?.parse::<LitStr>()?.value(),
            "default" => self.default = Some(meta.value()?.parse()?),
            "min" => self.min = Some(meta.value()?.parse()?),
            "max" => self.max = Some(meta.value()?.parse()?),
            "required" | "unique" | "indexed" | "read_only" => {
                let on =
                    if meta.input.peek(Token![=]) { meta.value()?.parse::<LitBool>()?.value } else { true };
                let name = meta.path.require_ident()?;
                self.declared.push(quote! { field.#name = #on; });
            }
            "searchable" => {
                let weight: LitInt = meta.value()?.parse()?;
                self.declared.push(quote! { field.searchable = #weight; });
            }
            "class" => {
                let class: LitStr = meta.value()?.parse()?;
                self.declared.push(quote! { field.class = #class.into(); });
            }
            "inverse" | "format" => {
                let (name, value) = (meta.path.require_ident()?, meta.value()?.parse::<LitStr>()?);
                self.declared.push(quote! { field.#name = Some(#value.into()); });
            }
            "references" | "on_delete" => {
                let (name, value) = (meta.path.require_ident()?, meta.value()?.parse::<LitStr>()?);
                self.declared.push(quote! { field.#name = Some(#value.into()); });
                if name == "references" {
                    let restrict = quote! { field.on_delete.get_or_insert_with(|| "restrict".into()); };
                    self.declared.push(restrict);
                }
            }
            "options" => {
                let options = options(meta)?;
                self.declared.push(quote! { field.choose_from(&[#options]); field.max_length = None; });
            }
            _ => return Err(meta.error("unknown; see `#[field]` on the front page of stoa_sdk")),
        }
        Ok(())
    }

    /// `min` and `max` as `Option<i64>`.
    pub(crate) fn bounds(&self) -> TokenStream {
        let bound = |bound: &Option<LitInt>| match bound {
            Some(value) => quote! { Some(#value) },
            None => quote! { None },
        };
        let (min, max) = (bound(&self.min), bound(&self.max));
        quote! { #min, #max }
    }

    /// The default as `Option<Value>`.
    pub(crate) fn default_json(&self) -> TokenStream {
        match &self.default {
            Some(default) => quote! { Some(::stoa_sdk::__private::json!(#default)) },
            None => quote! { None },
        }
    }
}

/// `options("a" = "A", "b" = "B")` as a list of pairs.
fn options(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    let inner;
    parenthesized!(inner in meta.input);
    let mut pairs = TokenStream::new();
    while !inner.is_empty() {
        let key: LitStr = inner.parse()?;
        inner.parse::<Token![=]>()?;
        let label: LitStr = inner.parse()?;
        pairs.extend(quote! { (#key, #label), });
        if !inner.is_empty() {
            inner.parse::<Token![,]>()?;
        }
    }
    Ok(pairs)
}

/// The doc comment as one line.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    };
    let lines: Vec<String> = attributes.iter().filter_map(line).collect();
    lines.join(" ").trim().to_owned()
}

/// `expected_close_on` as people read it: `Expected close on`.
pub(crate) fn words(key: &str) -> String {
    let text = key.replace('_', " ");
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// `ClosedLost` as a key: `closed_lost`.
pub(crate) fn snake(name: &str) -> String {
    let mut key = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !key.is_empty() {
            key.push('_');
        }
        key.extend(letter.to_lowercase());
    }
    key
}
