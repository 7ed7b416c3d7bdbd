//! What belongs to one request wherever it runs: its id.

use std::future::Future;

use crate::ids::RequestId;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of the request that this task serves, if it serves one.
#[must_use]
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(|id| *id).ok()
}

/// Runs `work` as part of the request `id`.
pub async fn serving<T>(id: RequestId, work: impl Future<Output = T>) -> T {
    CURRENT.scope(id, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_knows_the_request_it_belongs_to() {
        assert!(current().is_none());
        let id = RequestId::new();
        assert_eq!(serving(id, async { current() }).await, Some(id));
    }
}
