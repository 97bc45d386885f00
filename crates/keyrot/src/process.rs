//! What the operating system may give away of a process that holds keys.

/// Keeps the memory of this process, and with it every key, out of core dumps and away from the other programs of the
/// same user. A program calls it on the first line of its `main`.
///
/// It does what the system allows and never fails: no core file is written, and on Linux other processes of the user can
/// neither attach to this one nor read its environment. Root can.
pub fn keep_memory_private() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Each is a wall of its own; a program works without either.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
}
