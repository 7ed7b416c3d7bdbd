//! Free ports: the kernel picks one; the host then binds it a moment later.

use std::net::TcpListener;

/// An address on the loopback interface that nobody listened on just now.
///
/// Another process may take the port before the host binds it; the caller then tries again with a new one.
pub(crate) fn free_address() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}
