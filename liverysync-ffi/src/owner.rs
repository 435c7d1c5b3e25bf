//! Changes of a driver's own liveries.

use std::ffi::c_char;

use livery::{Act, ClientError};
use tokio::runtime::Builder;

use crate::{client::ClientOptions, error::Failure, guard, ptr, result::ResultCode, sized};

/// Asks the server, and writes how many files have no name any more.
///
/// # Safety
///
/// `options` is NULL or points to options with their size, whose pointers are NULL or text. `files_out` is NULL or room for a
/// number.
unsafe fn ask(
    options: *const ClientOptions,
    act: impl FnOnce() -> Result<Act, Failure>,
    files_out: *mut u64,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: as the caller of this function promises.
        let builder = unsafe { sized::read(options)?.read_for_act()? };
        let act = act()?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(ResultCode::System, error))?;
        let report = runtime.block_on(builder.act(&act)).map_err(|error| {
            let code = match &error {
                ClientError::Refused(_) => ResultCode::Refused,
                ClientError::Server { source, .. }
                    if source.kind() == std::io::ErrorKind::TimedOut =>
                {
                    ResultCode::TimedOut
                }
                ClientError::Server { .. } => ResultCode::Unreachable,
                _ => ResultCode::Failed,
            };
            Failure::of(code, &error)
        })?;
        if !files_out.is_null() {
            // SAFETY: it is not NULL, so the caller of this function promised that there is room.
            unsafe { files_out.write(report.retired as u64) };
        }
        Ok(())
    })
}

/// Withdraws a livery that the driver owns, such as `Team`, or one file of it, such as `Team/sponsors.png`, from every PC.
/// Each keeps a copy in `.backup`.
///
/// The driver is told by the identity of the options, whether or not a client runs; of the others, only host, port, state and
/// name matter. With dry_run nothing changes. `files_out` may be NULL; it gets the number of files that no PC keeps under
/// their name.
///
/// Fails with LIVERYSYNC_RESULT_REFUSED if the livery is not the driver's or does not exist, with
/// LIVERYSYNC_RESULT_UNREACHABLE if there is no server, and with LIVERYSYNC_RESULT_TIMED_OUT if it does not answer within 30 s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_withdraw(
    options: *const ClientOptions,
    name: *const c_char,
    files_out: *mut u64,
) -> ResultCode {
    let act = || {
        // SAFETY: the contract: text.
        let name = unsafe { ptr::text(name, "name") }?.to_owned();
        Ok(Act::Retire { liveries: vec![name], confirmed: true })
    };
    // SAFETY: the contract.
    unsafe { ask(options, act, files_out) }
}

/// Gives a livery that the driver owns another name on every PC. Otherwise as liverysync_withdraw(); also refused if the name
/// is taken or cannot be one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_rename(
    options: *const ClientOptions,
    livery: *const c_char,
    new_name: *const c_char,
    files_out: *mut u64,
) -> ResultCode {
    let act = || {
        // SAFETY: the contract: text.
        let (livery, new) =
            unsafe { (ptr::text(livery, "livery")?, ptr::text(new_name, "new_name")?) };
        Ok(Act::Rename { livery: livery.to_owned(), new: new.to_owned() })
    };
    // SAFETY: the contract.
    unsafe { ask(options, act, files_out) }
}

/// Makes `new_livery`, which the league has already, the successor of `old_livery`, which is withdrawn. The driver owns both.
/// Otherwise as liverysync_withdraw().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_replace(
    options: *const ClientOptions,
    old_livery: *const c_char,
    new_livery: *const c_char,
    files_out: *mut u64,
) -> ResultCode {
    let act = || {
        // SAFETY: the contract: text.
        let (old, new) =
            unsafe { (ptr::text(old_livery, "old_livery")?, ptr::text(new_livery, "new_livery")?) };
        Ok(Act::Replace { old: old.to_owned(), new: new.to_owned() })
    };
    // SAFETY: the contract.
    unsafe { ask(options, act, files_out) }
}
