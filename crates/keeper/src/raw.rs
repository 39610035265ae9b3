//! System calls for the code between fork and exec, which may share its memory with the keeper: nothing here touches
//! `errno`, which would be the keeper's, or anything else in memory.

use std::ffi::{c_char, c_int};

use crate::sys::Limit;

/// Makes a system call and returns what the kernel does: a negative number is an errno.
///
/// # Safety
/// As for the system call.
#[cfg(target_arch = "x86_64")]
unsafe fn syscall(number: libc::c_long, args: [usize; 4]) -> isize {
    let result: isize;
    // SAFETY: the kernel's calling convention on this machine; it changes rcx and r11 and no other register. The
    // memory that it touches is the caller's affair.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// See above.
///
/// # Safety
/// As for the system call.
#[cfg(target_arch = "aarch64")]
unsafe fn syscall(number: libc::c_long, args: [usize; 4]) -> isize {
    let result: isize;
    // SAFETY: the kernel's calling convention on this machine; it changes no other register. The memory that it
    // touches is the caller's affair.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            options(nostack),
        );
    }
    result
}

/// See above. It does touch `errno`, so here children never share memory ([`MAY_SHARE_MEMORY`]).
///
/// # Safety
/// As for the system call.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn syscall(number: libc::c_long, args: [usize; 4]) -> isize {
    // SAFETY: as for this function.
    match unsafe { libc::syscall(number, args[0], args[1], args[2], args[3]) } {
        // SAFETY: it always returns the calling thread's valid errno.
        -1 => -(unsafe { *libc::__errno_location() } as isize),
        result => result as isize,
    }
}

// The calls for 16-bit ids still have the short names there.
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgid as SETGID, SYS_setgroups as SETGROUPS, SYS_setuid as SETUID};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{SYS_setgid32 as SETGID, SYS_setgroups32 as SETGROUPS, SYS_setuid32 as SETUID};

/// Whether the calls below keep away from memory.
pub(crate) const MAY_SHARE_MEMORY: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// The error is an errno.
type Done = Result<(), i32>;

fn done(result: isize) -> Done {
    if result < 0 { Err(result.unsigned_abs() as i32) } else { Ok(()) }
}

// SAFETY (all calls below): on numbers, or on memory that a reference, or the caller's promise, keeps valid.

/// A process group of its own.
pub(crate) fn setpgid() -> Done {
    // SAFETY: see above.
    done(unsafe { syscall(libc::SYS_setpgid, [0; 4]) })
}

/// `from` and `to` differ.
pub(crate) fn dup(from: c_int, to: c_int) -> Done {
    // SAFETY: see above.
    done(unsafe { syscall(libc::SYS_dup3, [from as usize, to as usize, 0, 0]) })
}

pub(crate) fn close(fd: c_int) {
    // SAFETY: see above.
    let _ = unsafe { syscall(libc::SYS_close, [fd as usize, 0, 0, 0]) };
}

/// Closes everything from `first` on.
pub(crate) fn close_from(first: c_int, flags: u32) -> Done {
    let args = [first as usize, u32::MAX as usize, flags as usize, 0];
    // SAFETY: see above.
    done(unsafe { syscall(libc::SYS_close_range, args) })
}

pub(crate) fn set_descriptor_limit(limit: &Limit) {
    let args = [0, libc::RLIMIT_NOFILE as usize, std::ptr::from_ref(limit.as_kernel()) as usize, 0];
    // SAFETY: see above. Where it is refused, the limit is the keeper's.
    let _ = unsafe { syscall(libc::SYS_prlimit64, args) };
}

pub(crate) fn setgroups(groups: &[u32]) -> Done {
    // SAFETY: see above.
    done(unsafe { syscall(SETGROUPS, [groups.len(), groups.as_ptr() as usize, 0, 0]) })
}

pub(crate) fn setgid(gid: u32) -> Done {
    // SAFETY: see above.
    done(unsafe { syscall(SETGID, [gid as usize, 0, 0, 0]) })
}

pub(crate) fn setuid(uid: u32) -> Done {
    // SAFETY: see above.
    done(unsafe { syscall(SETUID, [uid as usize, 0, 0, 0]) })
}

/// # Safety
/// `path` is a C string.
pub(crate) unsafe fn chdir(path: *const c_char) -> Done {
    // SAFETY: as for this function.
    done(unsafe { syscall(libc::SYS_chdir, [path as usize, 0, 0, 0]) })
}

pub(crate) fn umask(mask: u32) {
    // SAFETY: see above.
    let _ = unsafe { syscall(libc::SYS_umask, [mask as usize, 0, 0, 0]) };
}

/// The default disposition of a signal, any signal: the C library keeps 32 and 33 for itself.
pub(crate) fn reset_signal(signal: c_int) {
    // All zero is the default in the kernel's own structure, which is shorter than this everywhere.
    let default = [0u64; 8];
    // SAFETY: see above.
    let _ = unsafe { syscall(libc::SYS_rt_sigaction, [signal as usize, default.as_ptr() as usize, 0, 8]) };
}

/// No signal is blocked any more.
pub(crate) fn unblock_signals() {
    let none = 0u64;
    let args = [libc::SIG_SETMASK as usize, std::ptr::from_ref(&none) as usize, 0, 8];
    // SAFETY: see above.
    let _ = unsafe { syscall(libc::SYS_rt_sigprocmask, args) };
}

/// Returns only the errno of a failure.
///
/// # Safety
/// `path` is a C string; `argv` and `env` are arrays of C strings that end with a null pointer.
pub(crate) unsafe fn execve(
    path: *const c_char,
    argv: *const *const c_char,
    env: *const *const c_char,
) -> i32 {
    // SAFETY: as for this function.
    let result = unsafe { syscall(libc::SYS_execve, [path as usize, argv as usize, env as usize, 0]) };
    result.unsigned_abs() as i32
}

pub(crate) fn exit(status: c_int) -> ! {
    loop {
        // SAFETY: see above. It does not return.
        let _ = unsafe { syscall(libc::SYS_exit_group, [status as usize, 0, 0, 0]) };
    }
}
