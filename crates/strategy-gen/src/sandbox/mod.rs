//! Running a stranger's Python where it can do no harm.
//!
//! The program starts itself again in a hidden stage, which takes rights away from itself and then becomes Python:
//! resource limits, Landlock (which files), seccomp (which system calls), no capabilities, and, where the system lets
//! users have namespaces, a disk of its own to write to. No root, no container and no `unsafe` of ours is needed. What
//! is left outside: the existence and size of files can be seen, and the processor's caches be timed. `SECURITY.md`
//! says what each layer stops.

#[cfg(target_os = "linux")]
mod confine;
#[cfg(unix)]
mod folder;
mod layers;
mod pipes;
mod plan;
mod process;
#[cfg(target_os = "linux")]
mod syscalls;

#[cfg(unix)]
pub mod stage;

#[cfg(unix)]
pub(crate) use folder::{Room, RunFolder, sweep};
pub use layers::{Layers, Level};
pub use plan::Limits;
pub(crate) use plan::{Paths, Plan, STAGE};
pub(crate) use process::{Attached, Caps, Ended, Output, run};
pub use process::{Cancel, Limit};

/// The filter that is laid on top once Python runs: no other program in its place. Hexadecimal; empty where seccomp
/// is not in use.
pub(crate) fn closing_filter(layers: &Layers) -> String {
    #[cfg(target_os = "linux")]
    if layers.seccomp {
        return syscalls::no_exec().unwrap_or_default();
    }
    let _ = layers;
    String::new()
}
