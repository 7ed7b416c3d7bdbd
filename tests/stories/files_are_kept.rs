//! Files of records: what goes up comes down, each content is stored once, nothing hostile is served as what it is, and a
//! kill leaves no row without its content.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Part, wait_for};
use stoa_tests::{id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn account(caller: &Client, name: &str) -> String {
    format!("{ACCOUNTS}/{}", id(&caller.post(ACCOUNTS, &json!({"name": name})).created()))
}

fn send(caller: &Client, path: &str, name: &str, kind: &str, body: &[u8]) -> Answer {
    let part = Part { name: "file", file_name: Some(name), content_type: kind, body };
    caller.multipart(&format!("{path}/files"), &[part])
}

/// The content behind a file's link, asked for without a token.
fn fetch(host: &Host, file: &Value) -> Answer {
    host.bare().get(text(file, "url"))
}

/// Contents that lie in the folders of all organizations.
fn contents(host: &Host) -> Vec<PathBuf> {
    let list = |folder: PathBuf| -> Vec<PathBuf> {
        let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
        found.map(|entry| entry.path()).collect()
    };
    let organizations = list(host.data().join("organizations")).into_iter();
    let modules = organizations.flat_map(|folder| list(folder.join("blobs")));
    modules.flat_map(list).flat_map(list).collect()
}

#[test]
fn what_goes_up_comes_down_and_each_content_is_stored_once() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    let sent = send(&owner, &path, "data.bin", "application/octet-stream", &bytes);
    let file = sent.created();
    assert_eq!((&file["name"], &file["size"]), (&json!("data.bin"), &json!(300_000)));
    assert!(sent.header("location").unwrap().ends_with(&format!("{path}/files/{}", id(&file))));
    let down = fetch(&host, &file);
    assert!(down.expect(200).response.body == bytes, "the bytes are not the same");
    let seen = owner.get(&format!("{path}/files/{}", id(&file))).ok();
    assert_eq!(fetch(&host, &seen).response.body.len(), bytes.len());

    let part = host.bare();
    let part = part.call("GET", text(&file, "url")).header("Range", "bytes=100-199").send();
    assert_eq!(part.expect(206).response.body, bytes[100..200]);
    assert_eq!(part.header("content-range"), Some("bytes 100-199/300000"));
    let beyond = host.bare();
    beyond
        .call("GET", text(&file, "url"))
        .header("Range", "bytes=300000-")
        .send()
        .problem(416, "invalid_range");

    // The same content again, also at another record, is one file on the disk until its last row is gone.
    let other = account(&owner, "Globex");
    let twin = send(&owner, &other, "copy.bin", "application/octet-stream", &bytes).created();
    assert_eq!((&twin["sha256"], contents(&host).len()), (&file["sha256"], 1));
    owner.delete(&format!("{path}/files/{}", id(&file))).expect(204);
    assert_eq!(contents(&host).len(), 1);
    assert!(fetch(&host, &twin).expect(200).response.body == bytes);
    fetch(&host, &file).problem(404, "file_not_found");
    owner.delete(&format!("{other}/files/{}", id(&twin))).expect(204);
    assert!(contents(&host).is_empty());
    let events = owner.all(&format!("{path}/timeline?types=files"));
    assert_eq!(
        events.iter().map(|item| text(item, "event")).collect::<Vec<_>>(),
        ["file_removed", "file_added"]
    );
    assert_eq!(events[0]["file"]["name"], "data.bin");

    owner
        .multipart(
            &format!("{path}/files?dry_run=true"),
            &[Part { name: "file", file_name: Some("x"), content_type: "text/plain", body: b"x" }],
        )
        .ok();
    assert!(
        contents(&host).is_empty() && owner.all(&format!("{path}/files")).is_empty(),
        "a dry run keeps nothing"
    );
}

#[test]
fn hostile_names_become_harmless_ones() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let long = format!("{}.pdf", "x".repeat(10_000));
    for (sent, kept) in [
        ("../../etc/passwd", "passwd"),
        ("..\\\\..\\\\boot.ini", "boot.ini"),
        ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
        ("..", "file"),
        ("Überblick – Café.xlsx", "Überblick – Café.xlsx"),
    ] {
        let file = send(&owner, &path, sent, "text/plain", b"x").created();
        assert_eq!(file["name"], kept, "{sent:?}");
        let down = fetch(&host, &file);
        let disposition = down.expect(200).header("content-disposition").unwrap().to_owned();
        assert!(
            disposition.starts_with("attachment; filename=\"") && disposition.is_ascii(),
            "{disposition}"
        );
    }
    let file = send(&owner, &path, &long, "text/plain", b"x");
    if file.status() == 201 {
        let name = file.created()["name"].as_str().unwrap().to_owned();
        assert!(name.chars().count() == 200 && name.ends_with(".pdf"), "{name}");
    } else {
        file.problem(400, "malformed_multipart");
    }
    // A line end cannot get into a header, whatever becomes of the upload.
    let split = send(&owner, &path, "a\r\nX-Evil: 1\r\n.txt", "text/plain", b"x");
    assert!(matches!(split.status(), 201 | 400), "{}", split.text());
    for file in owner.all(&format!("{path}/files")) {
        let name = text(&file, "name");
        assert!(!name.contains(['/', '\\', '\r', '\n', '\u{202e}']) && name != "..", "{name:?}");
        let shown = owner.get(&format!("{path}/files/{}", id(&file))).ok();
        assert!(fetch(&host, &shown).expect(200).header("x-evil").is_none());
    }
    assert!(!host.data().join("etc").exists());
}

#[test]
fn nothing_is_served_as_what_a_browser_would_run() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let program = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 60]].concat();
    let cases: [(&str, &str, &[u8], &str, &str); 6] = [
        (
            "page.html",
            "text/html",
            b"<!doctype html><script>alert(1)</script>",
            "text/html",
            "application/octet-stream",
        ),
        (
            "a.png",
            "image/png",
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            "image/svg+xml",
            "application/octet-stream",
        ),
        ("a.txt", "text/plain", &program, "application/x-executable", "application/octet-stream"),
        ("a.html", "text/html", b"GIF89a/*\0*/=1;/*<script>alert(1)</script>*/", "image/gif", "image/gif"),
        ("a.png", "image/png", b"%PDF-1.7\n<script>", "application/pdf", "application/pdf"),
        ("a.csv", "text/csv", b"a,b\n1,2\n", "text/csv", "text/csv"),
    ];
    for (name, declared, body, kind, served) in cases {
        let file = send(&owner, &path, name, declared, body).created();
        assert_eq!(file["media_type"], kind, "{name}");
        let down = fetch(&host, &file);
        down.expect(200);
        assert_eq!(down.header("content-type"), Some(served), "{name}");
        assert_eq!(down.header("x-content-type-options"), Some("nosniff"));
        assert!(down.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
        assert!(down.header("content-disposition").is_some_and(|how| how.starts_with("attachment;")));
        assert_eq!(down.response.body, body);
    }
}

#[test]
fn a_link_is_for_one_file_of_one_organization_and_not_to_be_changed() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let globex = host.organization("globex", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let file = send(&owner, &path, "a.txt", "text/plain", b"secret").created();
    let other = send(&owner, &path, "b.txt", "text/plain", b"other").created();
    let url = text(&file, "url").to_owned();
    let bare = host.bare();
    bare.get(&url).expect(200);
    for forged in [
        url.replace(id(&file), id(&other)),
        url.replace("/t/acme/", "/t/globex/"),
        url.replace("module=crm", "module=sales"),
        url.replace("expires=", "expires=9"),
        url.replace("expires=", "expires=-"),
        format!("{url}A"),
        url.replace("signature=", "signature=%00"),
    ] {
        let refused = bare.get(&forged);
        assert!(matches!(refused.status(), 403 | 404), "{forged}: {} {}", refused.status(), refused.text());
        assert!(!refused.text().contains("secret"), "{forged}");
    }
    let (without, _) = url.split_once("&signature").unwrap();
    bare.get(without).problem(400, "invalid_parameter");
    bare.get(&format!("{url}&more=1")).problem(400, "unknown_parameter");
    // Another organization has no such file, by whatever way it asks.
    let theirs = account(&globex.owner(), "Theirs");
    globex.owner().get(&format!("{theirs}/files/{}", id(&file))).problem(404, "file_not_found");
    globex.owner().get(&format!("{path}/files/{}", id(&file))).expect(404);
    globex.owner().delete(&format!("{theirs}/files/{}", id(&file))).expect(404);
    // Only the content is open; the list and the rest of the area are not.
    acme.anonymous().get(&format!("{path}/files")).problem(401, "invalid_token");
    acme.anonymous().get("/api/v1/files").problem(401, "invalid_token");
    fetch(&host, &file).expect(200);
}

#[test]
fn a_form_that_is_none_and_a_file_that_is_too_large_are_refused() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let files = format!("{path}/files");
    owner.raw(&files, "application/json", b"{}").problem(415, "unsupported_media_type");
    owner.raw(&files, "multipart/form-data; boundary=x", b"nonsense").problem(400, "malformed_multipart");
    let part = |name, body| Part { name, file_name: Some("a"), content_type: "text/plain", body };
    owner.multipart(&files, &[part("other", b"x")]).problem(400, "unknown_part");
    owner.multipart(&files, &[part("file", b"x"), part("file", b"y")]).problem(400, "duplicate_part");
    let empty = owner.multipart(&files, &[]);
    assert!(matches!(empty.status(), 400 | 422), "{}", empty.text());
    let large = vec![b'x'; 64 * 1024 * 1024 + 1];
    let refused = owner.multipart(&files, &[part("file", &large)]).problem(413, "body_too_large");
    assert_eq!(refused["limit"], 64 * 1024 * 1024);
    let most = owner.multipart(&files, &[part("file", &large[1..])]).created();
    assert_eq!(most["size"], 64 * 1024 * 1024);
    assert_eq!(contents(&host).len(), 1, "what was refused left nothing");
    let reader = acme.key("readonly");
    reader.multipart(&files, &[part("file", b"x")]).problem(403, "forbidden");
    assert_eq!(reader.all(&files).len(), 1);
}

#[test]
fn a_hundred_files_are_listed_page_by_page() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    for number in 0..100 {
        send(&owner, &path, &format!("{number:03}.txt"), "text/plain", format!("{number}").as_bytes())
            .created();
    }
    let files = owner.all(&format!("{path}/files?limit=7"));
    let names: Vec<&str> = files.iter().map(|file| text(file, "name")).collect();
    let expected: Vec<String> = (0..100).rev().map(|number| format!("{number:03}.txt")).collect();
    assert_eq!(names, expected);
    assert_eq!(contents(&host).len(), 100);
}

#[test]
fn a_kill_during_uploads_leaves_no_row_without_its_content_and_no_content_without_a_row() {
    let mut host = Host::start();
    let (token, path) = {
        let acme = host.organization("acme", &[]);
        (acme.api_key().to_owned(), account(&acme.owner(), "Initech"))
    };
    let (sent, killed) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let client = Client::new(host.address(), "/t/acme", Some(&token));
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (client, path, sent, killed) = (&client, &path, &sent, &killed);
            scope.spawn(move || {
                for number in 0.. {
                    let body = vec![b'a' + writer; 20_000 + number];
                    let boundary = "multipart/form-data; boundary=x";
                    let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
                    let form = [head.as_bytes(), &body, b"\r\n--x--\r\n"].concat();
                    let files = format!("{path}/files");
                    let call = client.call("POST", &files).header("Content-Type", boundary).body(&form);
                    match call.attempt() {
                        Ok(answer) if answer.status() == 201 => {
                            sent.lock().unwrap().push(id(&answer.json()).to_owned());
                        }
                        Ok(answer) => panic!("{}", answer.text()),
                        Err(_) if killed.load(Ordering::SeqCst) => return,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        wait_for("uploads", Duration::from_secs(60), || (sent.lock().unwrap().len() >= 60).then_some(()));
        killed.store(true, Ordering::SeqCst);
        host.kill9();
    });
    host.restart();
    let client = Client::new(host.address(), "/t/acme", Some(&token));
    let files = client.all(&format!("{path}/files"));
    let there: Vec<&str> = files.iter().map(id).collect();
    for acknowledged in sent.lock().unwrap().iter() {
        assert!(there.contains(&acknowledged.as_str()), "{acknowledged} was acknowledged and is gone");
    }
    for file in &files {
        let shown = client.get(&format!("{path}/files/{}", id(file))).ok();
        let body = fetch(&host, &shown).expect(200).response.body.clone();
        assert_eq!(body.len() as u64, file["size"].as_u64().unwrap());
    }
    let distinct: std::collections::BTreeSet<&str> = files.iter().map(|file| text(file, "sha256")).collect();
    wait_for("the sweep after the start", Duration::from_secs(30), || {
        (contents(&host).len() == distinct.len()).then_some(())
    });
}
