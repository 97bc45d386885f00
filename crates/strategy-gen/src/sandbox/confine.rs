//! Walls that need no path: namespaces with a disk of the run's own, no privileges, no other program in its place.

use std::fs;
use std::path::Path;

use rustix::mount::MountFlags;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use super::folder::{BYTES, FILES};
use super::plan::THREADS;

/// The user that a strategy is inside its namespace: not root there, so that Python starts without any capability.
const INSIDE: u32 = 65_534;

/// Makes the scratch folder a disk of the run's own, in memory and of limited size, which is gone when the last process
/// that sees it has ended.
///
/// # Errors
/// What the system does not allow, for it is not needed: many systems keep user namespaces from users.
pub(super) fn private_disk(scratch: &Path) -> Result<(), String> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    #[expect(deprecated, reason = "its concern is the table of descriptors, which stays as it is")]
    rustix::thread::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)
        .map_err(|error| format!("user namespaces: {error}"))?;
    let map = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text).map_err(|error| format!("`{file}`: {error}"))
    };
    map("setgroups", "deny".to_owned())?;
    map("uid_map", format!("{INSIDE} {user} 1"))?;
    map("gid_map", format!("{INSIDE} {group} 1"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let size = std::ffi::CString::new(format!("size={BYTES},nr_inodes={},mode=0700", FILES + 1));
    let size = size.map_err(|error| error.to_string())?;
    rustix::mount::mount("none", scratch, "tmpfs", flags, size.as_c_str())
        .map_err(|error| format!("a disk in memory: {error}"))?;
    // It was entered before the disk was there.
    std::env::set_current_dir(scratch).map_err(|error| format!("the scratch folder: {error}"))?;
    // Counted within the namespace alone. Root is not bound by it: its threads are counted from outside.
    let threads = Rlimit { current: Some(THREADS.into()), maximum: Some(THREADS.into()) };
    setrlimit(Resource::Nproc, threads).map_err(|error| format!("limit of threads: {error}"))
}

/// Gives up what root, in or outside of a namespace, may do beyond others.
pub(super) fn no_privileges() -> Result<(), String> {
    rustix::thread::set_no_new_privs(true).map_err(|error| format!("no new privileges: {error}"))?;
    // Without new privileges these cannot come back, not even by starting a program as root.
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )
    .map_err(|error| format!("capabilities: {error}"))
}
