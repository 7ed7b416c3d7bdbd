//! The crumbs of WASI that a standard library may need silently: randomness for hash maps. Nothing else is offered.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

/// Adds them to any linker: also for a component that is only asked what it is.
pub(in crate::plugins) fn add_to_linker<T: 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut seed = linker.instance("wasi:random/insecure-seed@0.2.6")?;
    seed.func_wrap("insecure-seed", |_: StoreContextMut<'_, T>, (): ()| Ok(((word()?, word()?),)))?;
    let mut random = linker.instance("wasi:random/random@0.2.6")?;
    random.func_wrap("get-random-u64", |_: StoreContextMut<'_, T>, (): ()| Ok((word()?,)))?;
    random.func_wrap("get-random-bytes", |_: StoreContextMut<'_, T>, (length,): (u64,)| {
        let length = usize::try_from(length.min(super::random::MOST)).unwrap_or_default();
        Ok((super::random::strong(length)?,))
    })
}

fn word() -> wasmtime::Result<u64> {
    let bytes = super::random::strong(8)?;
    Ok(bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)))
}
