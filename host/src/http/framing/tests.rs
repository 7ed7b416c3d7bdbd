//! What hyper gets to read of good, bad and slow clients.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// Impatient, so that tests need not be patient.
const QUICK: Patience =
    Patience { head: Duration::from_millis(50), stall: Duration::from_millis(50), rate: 1 };

/// What hyper would get to read of `sent`, cut into pieces of `cut` bytes.
async fn read(sent: &[u8], cut: usize) -> io::Result<String> {
    let (mut client, server) = duplex(cut);
    let sent = sent.to_vec();
    let writer = tokio::spawn(async move {
        let _ = client.write_all(&sent).await;
        client
    });
    let mut framed = Framed::new(server, QUICK);
    let mut read = Vec::new();
    let mut piece = [0; 7];
    // The end of what is given: nothing for a while, or an error.
    loop {
        match tokio::time::timeout(Duration::from_millis(200), framed.read(&mut piece)).await {
            Ok(Ok(0)) | Err(_) => break,
            Ok(Ok(length)) => read.extend_from_slice(&piece[..length]),
            Ok(Err(error)) => return Err(error),
        }
    }
    writer.abort();
    Ok(String::from_utf8(read).unwrap())
}

#[tokio::test]
async fn good_requests_pass_unchanged_however_they_are_cut() {
    let sent = "GET /a HTTP/1.1\r\nhost: a\r\n\r\nPOST /b HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello\
                POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /d HTTP/1.1\r\n\r\n";
    for cut in [1, 3, 17, 4096] {
        assert_eq!(read(sent.as_bytes(), cut).await.unwrap(), sent, "in pieces of {cut}");
    }
}

#[tokio::test]
async fn a_bad_head_becomes_a_request_that_names_the_refusal() {
    let good = "GET /a HTTP/1.1\r\nhost: a\r\n\r\n";
    let sent = format!("{good}GET /b HTTP/1.1\nhost: a\r\n\r\nGET /secret HTTP/1.1\r\n\r\n");
    for cut in [5, 4096] {
        let got = read(sent.as_bytes(), cut).await.unwrap();
        let stand_in = got.strip_prefix(good).unwrap();
        assert!(stand_in.contains("x-stoa-refused: malformed_request\r\n"), "{stand_in}");
        assert!(!stand_in.contains("/b") && !stand_in.contains("/secret"), "{stand_in}");
    }
    let slow = read(b"GET /a HTTP/1.1\r\nhost: ", 4096).await.unwrap();
    assert!(slow.contains("x-stoa-refused: request_too_slow\r\n"), "{slow}");
}

#[tokio::test]
async fn a_body_that_stalls_or_is_badly_cut_is_an_error() {
    let slow = read(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhel", 4096).await.unwrap_err();
    assert_eq!(slow.kind(), io::ErrorKind::TimedOut);
    let bad = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n";
    assert_eq!(read(bad, 4096).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_an_error() {
    let (_client, server) = duplex(8);
    let mut framed = Framed::new(server, QUICK);
    let error = framed.write_all(&[0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn every_refusal_is_a_problem_of_its_own() {
    for refusal in Refusal::ALL {
        let mut headers = poem::http::HeaderMap::new();
        headers.insert(REFUSED, refusal.code().parse().unwrap());
        assert_eq!(Refusal::of(&headers), Some(refusal));
        assert_eq!(refusal.problem().code, refusal.code());
    }
}
