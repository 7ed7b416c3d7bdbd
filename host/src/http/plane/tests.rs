//! Which part of the API an address belongs to, and which bearer is looked at.

use super::*;

#[test]
fn a_path_belongs_to_one_part() {
    let cases = [
        ("/docs", Part::Page),
        ("/auth/setup", Part::Page),
        ("/auth/callback/1", Part::Callback),
        ("/api/v1/security/leaked-secret", Part::Open),
        ("/openapi.json", Part::Document),
        ("/oauth/token", Part::OAuth),
        ("/.well-known/openid-configuration", Part::OAuth),
        ("/api/v1/auth/login", Part::Open),
        ("/api/v1/files/1/content", Part::Open),
        ("/api/v1/files/1", Part::Host),
        ("/api/v1/files/1/2/content", Part::Host),
        ("/api/v1/imports", Part::Host),
        ("/api/v1/users/1", Part::Host),
        ("/api/v1/books/novels", Part::Plugin),
        ("/api/v2/users", Part::Nothing),
        ("/", Part::Nothing),
    ];
    for (path, part) in cases {
        assert_eq!(Part::of(path, &Method::GET), part, "{path}");
    }
    assert_eq!(Part::of("/api/v1/imports", &Method::POST), Part::Import);
    assert_eq!(Part::of("/api/v1/imports/x", &Method::GET), Part::Host);
}

#[test]
fn every_host_resource_is_in_a_host_area() {
    use poem_openapi::OpenApi;
    for path in Resources::meta().into_iter().flat_map(|api| api.paths) {
        let area = area(&path.path).unwrap_or_default().to_owned();
        assert!(HOST_AREAS.contains(&area.as_str()), "{}", path.path);
    }
}

#[test]
fn one_bearer_of_reasonable_length_is_looked_at() {
    let headers = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    };
    assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
    assert_eq!(bearer(&headers(&["bearer abc"])), Some("abc"));
    let long = format!("Bearer {}", "x".repeat(LONGEST_BEARER + 1));
    for bad in
        [&[][..], &["Basic abc"], &["Bearer"], &["Bearer "], &["Bearer a", "Bearer b"], &[long.as_str()]]
    {
        assert_eq!(bearer(&headers(bad)), None, "{bad:?}");
    }
}

#[test]
fn the_path_is_replaced_and_the_query_kept() {
    let mut request = Request::builder().uri(Uri::from_static("http://x/t/a/docs?b=1")).finish();
    set_path(&mut request, "/docs").unwrap();
    assert_eq!(request.uri().to_string(), "/docs?b=1");
}
