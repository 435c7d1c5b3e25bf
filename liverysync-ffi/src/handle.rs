//! The calls that clients and servers share.

use livery::Limits;

use crate::{
    error::Failure,
    event::Event,
    guard,
    host::{Callback, Host, Service},
    ptr::{self, Out},
    result::ResultCode,
    sized::OutSized,
};

/// A handle of a client or server.
pub(crate) trait Handle: Sized {
    type Service: Service;

    fn new(host: Host<Self::Service>) -> Self;

    fn host(&self) -> &Host<Self::Service>;
}

type Builder<H> = <<H as Handle>::Service as Service>::Builder;

/// Starts a client or server and hands it over.
pub(crate) fn start<H: Handle>(
    builder: Builder<H>,
    callback: Option<Callback>,
    out: Out<*mut H>,
) -> Result<(), Failure> {
    let (host, dispatch) = Host::start(builder, callback)?;
    out.hand_over(H::new(host));
    // Last, so that the callback finds the handle where the program expects it.
    dispatch.begin();
    Ok(())
}

/// Runs a call on a handle.
///
/// # Safety
///
/// `handle` is NULL, or a handle that nobody frees during the call.
pub(crate) unsafe fn call<H: Handle>(
    handle: *const H,
    inside: impl FnOnce(&Host<H::Service>) -> Result<(), Failure>,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: as the caller of this function promises.
        let host = unsafe { ptr::get(handle, H::Service::NAME) }?.host();
        host.guard(|| inside(host))
    })
}

/// Changes the speed limits, in bytes per second; 0 is no limit.
///
/// # Safety
///
/// As for [`call`].
pub(crate) unsafe fn set_limits<H: Handle>(handle: *const H, up: u64, down: u64) -> ResultCode {
    let set = |host: &Host<H::Service>| {
        host.service().set_limits(limits(up, down));
        Ok(())
    };
    // SAFETY: as the caller of this function promises.
    unsafe { call(handle, set) }
}

/// Converts limits in bytes per second, where 0 is no limit.
pub(crate) fn limits(up: u64, down: u64) -> Limits {
    let limit = |bytes_per_second: u64| (bytes_per_second > 0).then_some(bytes_per_second);
    Limits::new(limit(up), limit(down))
}

/// Waits for the next event.
///
/// # Safety
///
/// As for [`call`] and [`OutSized::new`].
pub(crate) unsafe fn next_event<H: Handle>(
    handle: *const H,
    wait_ms: u32,
    event_out: *mut Event,
) -> ResultCode {
    let next = |host: &Host<H::Service>| {
        // SAFETY: as the caller of this function promises.
        let out = unsafe { OutSized::new(event_out) }?;
        host.next_event(wait_ms, out)
    };
    // SAFETY: as the caller of this function promises.
    unsafe { call(handle, next) }
}

/// Stops a client or server and waits for its end.
///
/// # Safety
///
/// As for [`call`].
pub(crate) unsafe fn stop<H: Handle>(handle: *const H) -> ResultCode {
    // SAFETY: as the caller of this function promises.
    unsafe { call(handle, Host::stop) }
}

/// Stops a client or server and frees it. Its own callback cannot do so; every other failure frees it as well.
///
/// # Safety
///
/// As for [`ptr::free`].
pub(crate) unsafe fn free<H: Handle>(handle: *mut H) -> ResultCode {
    guard::call(|| {
        // SAFETY: it is NULL or a handle.
        let Some(inner) = (unsafe { handle.as_ref() }) else { return Ok(()) };
        inner.host().refuse_in_callback()?;
        let stopped = guard::caught(|| inner.host().stop());
        // SAFETY: as the caller of this function promises.
        unsafe { ptr::free(handle) };
        stopped
    })
}
