//! Named points between system calls, where tests kill or stop the process.
//!
//! In a product build the macro is nothing. With the `testkit` feature a test program installs one function that is
//! called with the name of each point reached.

#[cfg(feature = "testkit")]
mod on {
    use std::sync::OnceLock;

    static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

    /// Installs the function that is called at every point; the first one installed stays.
    pub fn install(hook: fn(&'static str)) {
        let _ = HOOK.set(hook);
    }

    pub(crate) fn reached(point: &'static str) {
        if let Some(hook) = HOOK.get() {
            hook(point);
        }
    }
}

#[cfg(feature = "testkit")]
pub use on::install;
#[cfg(feature = "testkit")]
pub(crate) use on::reached;

macro_rules! step {
    ($name:literal) => {
        #[cfg(feature = "testkit")]
        $crate::failpoint::reached($name);
    };
}
pub(crate) use step;

/// Every point, in the order of the code.
#[cfg(feature = "testkit")]
pub const POINTS: [&str; 16] = [
    "acquire.candidate",
    "acquire.flocked",
    "acquire.written",
    "acquire.published",
    "reclaim.flocked",
    "guard.furnished",
    "guard.published",
    "reclaim.guarded",
    "reclaim.checked",
    "reclaim.aside",
    "reclaim.exchanged",
    "reclaim.removed",
    "guard.withdrawn",
    "reclaim.done",
    "release.checked",
    "release.unlinked",
];
