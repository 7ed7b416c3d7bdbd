//! `plugin!`: from the list of what a plugin offers to its manifest, its dispatch, and a component's exports.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token, braced, bracketed};

/// `key: value` members between braces, all literals or paths.
struct Offer {
    at: Span,
    members: Vec<(Ident, Member)>,
}

enum Member {
    Text(LitStr),
    Path(Path),
}

impl Parse for Offer {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let inner;
        let at = braced!(inner in input).span.join();
        let mut members = Vec::new();
        while !inner.is_empty() {
            let name: Ident = inner.parse()?;
            inner.parse::<Token![:]>()?;
            let member =
                if inner.peek(LitStr) { Member::Text(inner.parse()?) } else { Member::Path(inner.parse()?) };
            members.push((name, member));
            if !inner.is_empty() {
                inner.parse::<Token![,]>()?;
            }
        }
        Ok(Self { at, members })
    }
}

impl Offer {
    fn find(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|(ident, _)| ident == name).map(|(_, member)| member)
    }

    fn text(&self, name: &str) -> Result<String> {
        match self.find(name) {
            Some(Member::Text(text)) => Ok(text.value()),
            _ => Err(Error::new(self.at, format!("`{name}: \"...\"` is missing"))),
        }
    }

    fn text_or(&self, name: &str, default: &str) -> String {
        self.text(name).unwrap_or_else(|_| default.to_owned())
    }

    fn path(&self, name: &str) -> Result<&Path> {
        match self.find(name) {
            Some(Member::Path(path)) => Ok(path),
            _ => Err(Error::new(self.at, format!("`{name}: a::path` is missing"))),
        }
    }

    /// A bare word, such as `on: record`.
    fn word(&self, name: &str, known: &[&str]) -> Result<String> {
        let word = self.path(name)?.get_ident().map(Ident::to_string).unwrap_or_default();
        if known.contains(&word.as_str()) {
            Ok(word)
        } else {
            Err(Error::new(self.at, format!("`{name}` must be one of {}", known.join(", "))))
        }
    }

    fn only(&self, known: &[&str]) -> Result<()> {
        match self.members.iter().find(|(name, _)| !known.iter().any(|known| name == known)) {
            Some((name, _)) => Err(Error::new_spanned(name, format!("unknown; known: {}", known.join(", ")))),
            None => Ok(()),
        }
    }
}

/// The whole list.
#[derive(Default)]
struct List {
    id: Option<LitStr>,
    name: Option<LitStr>,
    module: Option<LitStr>,
    requires: Vec<LitStr>,
    permissions: Vec<LitStr>,
    entities: Vec<Path>,
    actions: Vec<Offer>,
    reports: Vec<Offer>,
    grants: Option<Expr>,
    settings: Option<Expr>,
    seed: Option<Expr>,
    demo: Option<Expr>,
    private: Option<Expr>,
    views: Option<Expr>,
    reads: Option<Expr>,
    limits: Option<Expr>,
}

fn several<T: Parse>(input: ParseStream<'_>) -> Result<Vec<T>> {
    let inner;
    bracketed!(inner in input);
    Ok(Punctuated::<T, Token![,]>::parse_terminated(&inner)?.into_iter().collect())
}

impl Parse for List {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut list = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            match name.to_string().as_str() {
                "id" => list.id = Some(input.parse()?),
                "name" => list.name = Some(input.parse()?),
                "module" => list.module = Some(input.parse()?),
                "requires" => list.requires = several(input)?,
                "permissions" => list.permissions = several(input)?,
                "entities" => list.entities = several(input)?,
                "actions" => list.actions = several(input)?,
                "reports" => list.reports = several(input)?,
                "grants" => list.grants = Some(input.parse()?),
                "settings" => list.settings = Some(input.parse()?),
                "seed" => list.seed = Some(input.parse()?),
                "demo" => list.demo = Some(input.parse()?),
                "private" => list.private = Some(input.parse()?),
                "views" => list.views = Some(input.parse()?),
                "reads" => list.reads = Some(input.parse()?),
                "limits" => list.limits = Some(input.parse()?),
                _ => {
                    return Err(Error::new_spanned(
                        name,
                        "unknown; see `plugin!` on the front page of stoa_sdk",
                    ));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(list)
    }
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let list: List = syn::parse2(input)?;
    let describe = describe(&list)?;
    let dispatch = dispatch(&list)?;
    Ok(quote! {
        /// What this crate offers to the host.
        pub struct Plugin;

        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::restriction)]
        impl ::stoa_sdk::Plugin for Plugin {
            #describe
            #dispatch
        }

        /// The manifest of this plugin.
        #[must_use]
        pub fn describe() -> ::stoa_sdk::Manifest {
            <Plugin as ::stoa_sdk::Plugin>::describe()
        }

        #[cfg(target_family = "wasm")]
        type StoaComponent = ::stoa_sdk::export::Component<Plugin>;
        #[cfg(target_family = "wasm")]
        ::stoa_sdk::export::export!(StoaComponent);
    })
}

fn describe(list: &List) -> Result<TokenStream> {
    let missing = |what| Error::new(Span::call_site(), format!("`{what}: \"...\"` is missing"));
    let id = list.id.as_ref().ok_or_else(|| missing("id"))?;
    let name = list.name.as_ref().ok_or_else(|| missing("name"))?;
    let module = match &list.module {
        Some(module) => quote! { Some(#module.into()) },
        None => quote! { None },
    };
    let List { requires, permissions, entities, .. } = list;
    let actions = list.actions.iter().map(declared_action).collect::<Result<Vec<_>>>()?;
    let reports = list.reports.iter().map(declared_report).collect::<Result<Vec<_>>>()?;
    let several = |expression: &Option<Expr>| match expression {
        Some(expression) => quote! { ::core::iter::IntoIterator::into_iter(#expression).collect() },
        None => quote! { ::std::vec::Vec::new() },
    };
    let (grants, settings) = (several(&list.grants), several(&list.settings));
    let (views, reads) = (several(&list.views), several(&list.reads));
    let (seed, demo, private) = (several(&list.seed), several(&list.demo), several(&list.private));
    let limits = match &list.limits {
        Some(limits) => quote! { #limits },
        None => quote! { ::core::default::Default::default() },
    };
    Ok(quote! {
        fn describe() -> ::stoa_sdk::Manifest {
            ::stoa_sdk::__private::glue::finish(::stoa_sdk::Manifest {
                v: 1,
                id: #id.into(),
                name: #name.into(),
                version: env!("CARGO_PKG_VERSION").into(),
                contract: "1.0".into(),
                module: #module,
                requires: ::std::vec![#(#requires.into()),*],
                permissions: ::std::vec![#(#permissions.into()),*],
                entities: ::std::vec![#(<#entities as ::stoa_sdk::Entity>::declare()),*],
                private: #private,
                actions: ::std::vec![#(#actions),*],
                reports: ::std::vec![#(#reports),*],
                grants: #grants,
                settings: #settings,
                seed: #seed,
                demo: #demo,
                views: #views,
                reads: #reads,
                limits: #limits,
            })
        }
    })
}

fn declared_action(offer: &Offer) -> Result<TokenStream> {
    offer.only(&["key", "run", "on", "entity", "verb", "mode", "label", "help"])?;
    let key = offer.text("key")?;
    let verb = offer.text_or("verb", key.rsplit('.').next().unwrap_or(&key));
    let label = offer.text("label")?;
    let help = offer.text_or("help", "");
    let target = offer.word("on", &["record", "collection", "module"])?;
    let mode = offer.word("mode", &["read", "write", "effect"])?;
    let run = offer.path("run")?;
    let types = match target.as_str() {
        "record" => quote! {
            let (entity, input, output) = ::stoa_sdk::__private::glue::record_types(#run);
            let entity = Some(entity);
        },
        "collection" => {
            let entity = offer.path("entity")?;
            quote! {
                let (input, output) = ::stoa_sdk::__private::glue::all_types(#run);
                let entity = Some(<#entity as ::stoa_sdk::Entity>::KEY.into());
            }
        }
        _ => quote! {
            let (input, output) = ::stoa_sdk::__private::glue::all_types(#run);
            let entity = None;
        },
    };
    Ok(quote! {{
        #types
        ::stoa_sdk::manifest::Action {
            key: #key.into(),
            entity,
            target: #target.into(),
            verb: #verb.into(),
            mode: #mode.into(),
            label: #label.into(),
            help: #help.into(),
            input,
            output: Some(output),
        }
    }})
}

fn declared_report(offer: &Offer) -> Result<TokenStream> {
    offer.only(&["key", "run", "reads", "label", "help"])?;
    let (key, label, help) = (offer.text("key")?, offer.text("label")?, offer.text("help")?);
    let (run, reads) = (offer.path("run")?, offer.path("reads")?);
    Ok(quote! {{
        let (params, columns) = ::stoa_sdk::__private::glue::report_types(#run);
        ::stoa_sdk::manifest::Report {
            key: #key.into(),
            object: ::std::format!(".{}", <#reads as ::stoa_sdk::Entity>::KEY),
            label: #label.into(),
            help: #help.into(),
            params,
            columns,
        }
    }})
}

fn dispatch(list: &List) -> Result<TokenStream> {
    let entities = &list.entities;
    let mut actions = Vec::new();
    for offer in &list.actions {
        let (key, run) = (offer.text("key")?, offer.path("run")?);
        actions.push(match offer.word("on", &["record", "collection", "module"])?.as_str() {
            "record" => quote! { #key => ::stoa_sdk::__private::glue::on_record(#run, ctx, id, input), },
            _ => quote! { #key => ::stoa_sdk::__private::glue::on_all(#run, ctx, input), },
        });
    }
    let mut reports = Vec::new();
    for offer in &list.reports {
        let (key, run) = (offer.text("key")?, offer.path("run")?);
        reports.push(quote! { #key => ::stoa_sdk::__private::glue::report(#run, ctx, params), });
    }
    Ok(quote! {
        fn hook(
            ctx: &::stoa_sdk::Context<'_>,
            hook: &str,
            entity: &str,
            drafts: ::std::vec::Vec<::stoa_sdk::backend::RawDraft>,
        ) -> ::stoa_sdk::Result<::std::vec::Vec<::stoa_sdk::backend::RawVerdict>> {
            let _ = (ctx, hook, &drafts);
            #(if entity == <#entities as ::stoa_sdk::Entity>::KEY {
                return ::stoa_sdk::__private::glue::hook::<#entities>(ctx, hook, drafts);
            })*
            Err(::stoa_sdk::unknown_name("entity", entity))
        }

        fn action(
            ctx: &::stoa_sdk::Context<'_>,
            action: &str,
            id: Option<::stoa_sdk::RecordId>,
            input: &str,
        ) -> ::stoa_sdk::Result<String> {
            let _ = (ctx, id, input);
            match action {
                #(#actions)*
                other => Err(::stoa_sdk::unknown_name("action", other)),
            }
        }

        fn report(
            ctx: &::stoa_sdk::Context<'_>,
            report: &str,
            params: &str,
        ) -> ::stoa_sdk::Result<::stoa_sdk::backend::RawReport> {
            let _ = (ctx, params);
            match report {
                #(#reports)*
                other => Err(::stoa_sdk::unknown_name("report", other)),
            }
        }
    })
}
