//! Work that takes a while, away from the async workers.

use super::problem::Problem;
use crate::storage::at_leisure;

/// Runs `f` on a thread that may take its time. The request that it belongs to may end first; `f` goes on.
///
/// # Errors
/// `f` panicked.
pub async fn aside<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(|| at_leisure(f)).await.map_err(|error| Problem::internal(&error))
}
