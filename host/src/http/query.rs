//! Query strings of the host's own resources: a parameter that nobody declared, or that stands twice, is refused. What is
//! declared is read from the same metadata that makes the OpenAPI document.

use poem::Request;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::MetaParamIn;

use crate::http::errors::{dry_run_not_offered, invalid_parameter, unknown_parameter};
use crate::http::problem::Problem;

/// Which parameters each operation takes.
pub struct QueryTable(Vec<Operation>);

struct Operation {
    method: Method,
    path: String,
    query: Vec<String>,
}

impl QueryTable {
    /// The table of these resources.
    #[must_use]
    pub fn of<T: OpenApi>() -> Self {
        let paths = T::meta().into_iter().flat_map(|api| api.paths);
        let operations =
            paths.flat_map(|path| path.operations.into_iter().map(move |o| (path.path.clone(), o)));
        Self(
            operations
                .map(|(path, operation)| {
                    let query = operation.params.into_iter().filter(|p| p.in_type == MetaParamIn::Query);
                    Operation { method: operation.method, path, query: query.map(|p| p.name).collect() }
                })
                .collect(),
        )
    }

    /// Refuses what the operation does not take. Addresses that nothing serves are the router's business.
    ///
    /// # Errors
    /// 400.
    pub fn check(&self, request: &Request) -> Result<(), Problem> {
        let (method, path) = (request.method(), request.uri().path());
        let Some(operation) = self.0.iter().find(|o| o.method == *method && same(&o.path, path)) else {
            return Ok(());
        };
        let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else {
            return Ok(());
        };
        if query.len() > 4096 {
            return Err(Problem::malformed("invalid_parameter", "The query string is too long."));
        }
        let pairs: Vec<(String, String)> = request
            .params()
            .map_err(|_| Problem::malformed("invalid_parameter", "The query string cannot be read."))?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            if !operation.query.contains(name) {
                if name == "dry_run" && !method.is_safe() {
                    return Err(dry_run_not_offered());
                }
                return Err(unknown_parameter(&shown));
            }
            if pairs.iter().take(index).any(|(before, _)| before == name) {
                return Err(invalid_parameter(&shown, "stands twice"));
            }
        }
        Ok(())
    }
}

impl QueryTable {
    /// What the address answers, for `Allow`.
    #[must_use]
    pub fn methods(&self, path: &str) -> String {
        let found = self.0.iter().filter(|operation| same(&operation.path, path));
        let mut methods: Vec<&str> = found.map(|operation| operation.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.dedup();
        methods.join(", ")
    }
}

pub(crate) fn same(pattern: &str, path: &str) -> bool {
    let (mut expected, mut found) = (pattern.split('/'), path.split('/'));
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return true,
            (Some(expected), Some(found)) if expected.starts_with('{') || expected == found => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::http::Uri;
    use poem_openapi::OpenApi;
    use poem_openapi::param::{Path, Query};

    use super::*;

    struct Guests;

    #[OpenApi(prefix_path = "/guests")]
    impl Guests {
        #[oai(path = "/:id", method = "get")]
        async fn get(&self, _id: Path<String>, limit: Query<Option<u32>>) {
            let _ = limit;
        }

        #[oai(path = "/:id", method = "delete")]
        async fn delete(&self, _id: Path<String>) {}
    }

    fn check(uri: &'static str) -> Result<(), Problem> {
        QueryTable::of::<Guests>().check(&Request::builder().uri(Uri::from_static(uri)).finish())
    }

    #[test]
    fn an_address_knows_its_methods() {
        let table = QueryTable::of::<Guests>();
        assert_eq!(
            (table.methods("/guests/7").as_str(), table.methods("/other").as_str()),
            ("DELETE, GET, HEAD", "")
        );
    }

    #[test]
    fn what_cannot_be_tried_is_not_done_for_good() {
        let asked = |method| {
            let uri = Uri::from_static("/guests/7?dry_run=true");
            QueryTable::of::<Guests>().check(&Request::builder().method(method).uri(uri).finish())
        };
        assert_eq!(asked(Method::DELETE).unwrap_err().code, "dry_run_not_offered");
        assert_eq!(asked(Method::GET).unwrap_err().code, "unknown_parameter");
    }

    #[test]
    fn a_parameter_is_declared_and_stands_once() {
        assert!(check("/guests/7").is_ok());
        assert!(check("/guests/7?limit=3").is_ok());
        assert!(check("/elsewhere?x=1").is_ok(), "the router refuses it");
        for bad in ["/guests/7?Limit=3", "/guests/7?x"] {
            assert_eq!(check(bad).unwrap_err().code, "unknown_parameter", "{bad}");
        }
        for bad in ["/guests/7?limit=3&limit=3", "/guests/7?limit=1&%6cimit=2"] {
            assert_eq!(check(bad).unwrap_err().code, "invalid_parameter", "{bad}");
        }
    }
}
