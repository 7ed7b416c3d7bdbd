//! Cursors: where a page ended, signed and bound to the list that they continue. Opaque to callers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::cells::{self, Cells};
use super::value::Value;

/// Bytes of the signature that are kept: 128 bits.
const TAG: usize = 16;

fn tag(key: &[u8; 32], binding: &str, payload: &[u8]) -> [u8; TAG] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(&(binding.len() as u64).to_le_bytes());
    mac.update(binding.as_bytes());
    mac.update(payload);
    let full = mac.finalize().into_bytes();
    let mut tag = [0; TAG];
    tag.iter_mut().zip(full.iter()).for_each(|(to, from)| *to = *from);
    tag
}

/// A cursor for the row with these key values. `binding` names the list: organization, entity, filter, order, scope.
#[must_use]
pub fn seal(key: &[u8; 32], binding: &str, values: &[Value], row: i64) -> String {
    let mut payload = Vec::with_capacity(64);
    values.iter().for_each(|value| cells::push(value, &mut payload));
    cells::push(&Value::Integer(row), &mut payload);
    let mut bytes = tag(key, binding, &payload).to_vec();
    bytes.extend_from_slice(&payload);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key values and row of a cursor; `None` when it is not one of ours or belongs to another list.
#[must_use]
pub fn open(key: &[u8; 32], binding: &str, text: &str) -> Option<(Vec<Value>, i64)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (sent, payload) = bytes.split_at_checked(TAG)?;
    if !bool::from(tag(key, binding, payload).ct_eq(sent)) {
        return None;
    }
    let mut values: Vec<Value> =
        Cells::new(payload).map(|cell| cell.ok()?.to_value().ok()).collect::<Option<_>>()?;
    let row = values.pop()?.integer()?;
    Some((values, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_unchanged_and_only_for_its_list() {
        let (key, values) = ([7; 32], vec![Value::Text("x".into()), Value::Null]);
        let cursor = seal(&key, "list", &values, 42);
        assert_eq!(open(&key, "list", &cursor), Some((values, 42)));
        assert_eq!(open(&key, "other", &cursor), None);
        assert_eq!(open(&[8; 32], "list", &cursor), None);
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(open(&key, "list", &changed).is_none_or(|_| changed == cursor), "{at}");
        }
        assert_eq!(open(&key, "list", ""), None);
    }
}
