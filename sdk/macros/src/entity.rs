//! `#[entity]`: reads the attribute and sends each shape to its writer.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Fields, Ident, Item, ItemStruct, LitStr, Path, Result, Token, parenthesized};

use crate::field::Field;
use crate::{choice, record, value};

/// What stands in the parentheses.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) key: Option<LitStr>,
    pub(crate) plural: Option<LitStr>,
    pub(crate) label: Option<LitStr>,
    pub(crate) title: Option<LitStr>,
    pub(crate) subject: Option<LitStr>,
    pub(crate) operations: Option<Vec<LitStr>>,
    pub(crate) hooks: Vec<(Ident, Path)>,
    pub(crate) duplicates: Option<Path>,
    value: bool,
    row: bool,
}

impl Arguments {
    fn setting(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        match name.as_str() {
            "key" => self.key = Some(meta.value()?.parse()?),
            "plural" => self.plural = Some(meta.value()?.parse()?),
            "label" => self.label = Some(meta.value()?.parse()?),
            "title" => self.title = Some(meta.value()?.parse()?),
            "subject" => self.subject = Some(meta.value()?.parse()?),
            "duplicates" => self.duplicates = Some(meta.value()?.parse()?),
            "value" => self.value = true,
            "row" => self.row = true,
            "operations" => {
                let inner;
                parenthesized!(inner in meta.input);
                let names = Punctuated::<LitStr, Token![,]>::parse_terminated(&inner)?;
                self.operations = Some(names.into_iter().collect());
            }
            "hooks" => meta.parse_nested_meta(|hook| {
                let name = hook.path.require_ident()?.clone();
                let known = [
                    "validate",
                    "before_create",
                    "before_update",
                    "before_delete",
                    "after_create",
                    "after_update",
                    "after_delete",
                ];
                if !known.iter().any(|known| name == known) {
                    return Err(hook.error(format!("no such hook; known: {}", known.join(", "))));
                }
                self.hooks.push((name, hook.value()?.parse()?));
                Ok(())
            })?,
            _ => return Err(meta.error("unknown; see `#[entity]` on the front page of stoa_sdk")),
        }
        Ok(())
    }
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut parsed = Arguments::default();
    syn::meta::parser(|meta| parsed.setting(&meta)).parse2(arguments)?;
    match syn::parse2(item)? {
        Item::Enum(item) => choice::expand(item),
        Item::Struct(mut item) => {
            let fields = fields(&mut item)?;
            let mut code = quote! { #item };
            if parsed.key.is_some() {
                code.extend(record::expand(&parsed, &item.ident, &fields)?);
            }
            if parsed.value {
                code.extend(value::expand(&item.ident, &fields));
            }
            if parsed.row {
                code.extend(value::expand_row(&item.ident, &fields));
            }
            if parsed.key.is_none() && !parsed.value && !parsed.row {
                return Err(Error::new_spanned(&item.ident, "say `key = \"...\"`, `value` or `row`"));
            }
            Ok(code)
        }
        other => Err(Error::new_spanned(other, "#[entity] belongs on a struct or an enum")),
    }
}

fn fields(item: &mut ItemStruct) -> Result<Vec<Field>> {
    let Fields::Named(named) = &mut item.fields else {
        return Err(Error::new_spanned(&item.ident, "#[entity] needs named fields"));
    };
    let mut fields = Vec::new();
    for field in &mut named.named {
        let Some(ident) = field.ident.clone() else {
            continue;
        };
        let key = ident.to_string().trim_start_matches("r#").to_owned();
        fields.push(Field::take(&ident, field.ty.clone(), &mut field.attrs, key)?);
    }
    Ok(fields)
}
