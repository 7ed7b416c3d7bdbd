//! The `stoa` binary: the host and its command line in one file.

use std::process::ExitCode;

/// The system allocator keeps what bursts of requests have taken; this one gives it back and is faster on small pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stoa::cli::main()
}
