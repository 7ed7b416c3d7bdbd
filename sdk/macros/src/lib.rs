//! The two macros of the Stoa SDK: `#[entity]` makes a declaration of a type, `plugin!` makes a component of a list.
//!
//! `entity.rs` reads the attribute and dispatches, `field.rs` reads `#[field]`; `record.rs`, `value.rs` and `choice.rs`
//! write the code for the three shapes; `plugin.rs` is the other macro. Documentation for authors: `stoa_sdk`.

mod choice;
mod entity;
mod field;
mod plugin;
mod record;
mod value;

use proc_macro::TokenStream;

/// Declares a type to Stoa.
///
/// - `#[entity(key = "note", plural = "notes", ...)]` on a struct: a kind of record.
/// - `#[entity(value)]` on a struct: an action's input or output, a report's parameters, in JSON.
/// - `#[entity(row)]` on a struct: a row of a report or of a query.
/// - `#[entity]` on an enum without data: the choices of an option field.
///
/// See the `stoa_sdk` front page.
#[proc_macro_attribute]
pub fn entity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entity::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a plugin of what it offers. See the `stoa_sdk` front page.
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    plugin::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
