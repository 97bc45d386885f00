//! The system calls that calculating needs; every other is refused.
//!
//! A list of what is allowed, so that a call nobody thought of, or the same call under the numbers of another
//! interface (x32), is refused like the rest. A program of another architecture is killed.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Allowed whatever their arguments.
const PLAIN: &[c_long] = &[
    // files, within what Landlock leaves
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_umask,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    // memory
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // threads of this process
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // signals to oneself
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // what time it is, and who one is
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_times,
    libc::SYS_getrusage,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getppid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
    // once, to become Python; refused again by `no_exec` before the strategy is loaded
    libc::SYS_execve,
    // answered by the other filter
    libc::SYS_clone3,
];

/// Older forms of the above, which this processor's interface still has.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_dup2,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_time,
    libc::SYS_getrlimit,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// Take a name from a file. Where files are counted by their names, none may be without.
const UNNAMING: &[c_long] = &[libc::SYS_unlinkat, libc::SYS_renameat, libc::SYS_renameat2];
/// Older forms of the above.
#[cfg(target_arch = "x86_64")]
const OLD_UNNAMING: &[c_long] = &[libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename];
#[cfg(not(target_arch = "x86_64"))]
const OLD_UNNAMING: &[c_long] = &[];

/// Open a file, with the places of the flags and of the mode among their arguments.
const OPENING: &[(c_long, u8, u8)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1, 2),
    (libc::SYS_openat, 2, 3),
];
/// Make a folder, with the place of the mode.
const MAKING: &[(c_long, u8)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, 1),
    (libc::SYS_mkdirat, 2),
];

/// Which way a file is opened; `O_RDONLY | O_WRONLY | O_RDWR`. The fourth value opens a file for neither, which Landlock
/// does not see, and can empty it.
const ACCESS: u32 = libc::O_ACCMODE.unsigned_abs();
const CREATE: u32 = libc::O_CREAT.unsigned_abs();
/// Empties a file even when it is opened to be read, which Landlock sees from its third version on.
const TRUNCATE: u32 = libc::O_TRUNC.unsigned_abs();
/// A file without a name, which nobody could count: the flag without `O_DIRECTORY`, which belongs to it.
const UNNAMED: u32 = libc::O_TMPFILE.unsigned_abs() & !libc::O_DIRECTORY.unsigned_abs();
/// A program with one of these runs as its owner.
const SET_ID: u64 = (libc::S_ISUID | libc::S_ISGID) as u64;

/// What a file or a terminal may be asked: whether it is a terminal, how wide; to be closed at `exec`.
const IOCTLS: [u64; 4] = [0x5401, 0x5413, 0x5450, 0x5451];
/// Copies and flags of descriptors; no locks, which would hold up whoever shares a file that can be read, and not whom
/// to send a signal to.
const FCNTLS: [i32; 6] =
    [libc::F_DUPFD, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL, libc::F_DUPFD_CLOEXEC];
/// A thread's name, the name of a mapping, one more filter.
const PRCTLS: [u64; 4] = [15, 16, 22, 0x5356_4d41];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Filters the system calls of this thread and of all it becomes. Files can be deleted and renamed where they lie on
/// their `own_disk`.
pub(super) fn restrict(own_disk: bool) -> Result<(), String> {
    let refused = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let told = |error: seccompiler::Error| format!("seccomp: {error}");
    // Threads are made with `clone` where `clone3`, whose flags no filter can see, does not exist.
    let threads = Rules::from([(libc::SYS_clone3, vec![])]);
    apply_filter(&program(threads, SeccompAction::Allow, refused(libc::ENOSYS))?).map_err(told)?;
    let allowed = rules(own_disk).map_err(|error| format!("seccomp: {error}"))?;
    apply_filter(&program(allowed, refused(libc::EPERM), SeccompAction::Allow)?).map_err(told)
}

/// Hexadecimal: the filter that refuses to start another program, for a Python that already runs.
pub(super) fn no_exec() -> Result<String, String> {
    let rules = Rules::from([(libc::SYS_execve, vec![]), (libc::SYS_execveat, vec![])]);
    let program = program(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.unsigned_abs()))?;
    let mut text = String::new();
    for step in program {
        let [a, b] = step.code.to_ne_bytes();
        let [c, d, e, f] = step.k.to_ne_bytes();
        for byte in [a, b, step.jt, step.jf, c, d, e, f] {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    Ok(text)
}

fn program(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, String> {
    let told = |error: seccompiler::BackendError| format!("seccomp: {error}");
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(told)?;
    SeccompFilter::new(rules, otherwise, matched, arch).and_then(BpfProgram::try_from).map_err(told)
}

fn rules(own_disk: bool) -> Result<Rules, seccompiler::BackendError> {
    let one = |index: u8, width: Width, op: Op, value: u64| {
        SeccompCondition::new(index, width, op, value).and_then(|condition| SeccompRule::new(vec![condition]))
    };
    let any_of = |index: u8, values: &[u64]| -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        values.iter().map(|value| one(index, Width::Dword, Op::Eq, *value)).collect()
    };
    let mut rules: Rules = PLAIN.iter().chain(OLD).map(|number| (*number, vec![])).collect();
    if own_disk {
        rules.extend(UNNAMING.iter().chain(OLD_UNNAMING).map(|number| (*number, vec![])));
    }
    let masked = |index: u8, mask: u32, value: u32| {
        SeccompCondition::new(index, Width::Dword, Op::MaskedEq(mask.into()), value.into())
    };
    let no_set_id = |index: u8| SeccompCondition::new(index, Width::Dword, Op::MaskedEq(SET_ID), 0);
    for (number, flags, mode) in OPENING {
        let mut ways = Vec::new();
        for (mask, value) in [
            (ACCESS | TRUNCATE | UNNAMED, libc::O_RDONLY),
            (ACCESS | UNNAMED, libc::O_WRONLY),
            (ACCESS | UNNAMED, libc::O_RDWR),
        ] {
            let value = value.unsigned_abs();
            ways.push(SeccompRule::new(vec![masked(*flags, mask | CREATE, value)?])?);
            // Only a new file has a mode; of other calls the argument may be anything.
            let new = masked(*flags, mask | CREATE, value | CREATE)?;
            ways.push(SeccompRule::new(vec![new, no_set_id(*mode)?])?);
        }
        rules.insert(*number, ways);
    }
    for (number, mode) in MAKING {
        rules.insert(*number, vec![SeccompRule::new(vec![no_set_id(*mode)?])?]);
    }
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    rules.insert(libc::SYS_clone, vec![one(0, Width::Qword, Op::MaskedEq(thread), thread)?]);
    let itself = u64::from(std::process::id());
    rules.insert(libc::SYS_kill, any_of(0, &[itself])?);
    rules.insert(libc::SYS_tgkill, any_of(0, &[itself])?);
    rules.insert(libc::SYS_ioctl, any_of(1, &IOCTLS)?);
    rules.insert(libc::SYS_fcntl, any_of(1, &FCNTLS.map(|command| u64::from(command.unsigned_abs())))?);
    rules.insert(libc::SYS_prctl, any_of(0, &PRCTLS)?);
    // Its own limits, to be read.
    let own = SeccompCondition::new(0, Width::Dword, Op::Eq, 0)?;
    let no_change = SeccompCondition::new(2, Width::Qword, Op::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![own, no_change])?]);
    Ok(rules)
}
