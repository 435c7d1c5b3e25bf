//! Calls from a program that is a tokio program itself, such as a Rust plugin of one.

use std::{ffi::CString, mem, path::Path, ptr::null_mut};

use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    task::coop,
};

use crate::{
    client::{
        Client, ClientOptions, SyncReport, liverysync_client_free, liverysync_client_next_event,
        liverysync_client_start, liverysync_client_stop, liverysync_client_sync,
    },
    event::{Event, NO_LIMIT},
    result::ResultCode,
    server::{
        Server, liverysync_server_free, liverysync_server_port, liverysync_server_start,
        liverysync_server_stop,
    },
};

/// Returns a struct of the interface that has its size, and zero in every other field.
fn sized<T>() -> T {
    // SAFETY: the structs of the interface hold only numbers, pointers and functions that may be NULL.
    let mut empty: T = unsafe { mem::zeroed() };
    // SAFETY: they begin with their size.
    unsafe { (&raw mut empty).cast::<usize>().write(size_of::<T>()) };
    empty
}

fn c_text(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

/// Syncs a folder with a server of the same process, and uses every function that waits.
fn sync_a_folder() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("T")).unwrap();
    std::fs::write(folder.path().join("T/decals.png"), "paint").unwrap();
    let (mut server, mut client) = (null_mut::<Server>(), null_mut::<Client>());
    let (host, liveries) = (CString::new("127.0.0.1").unwrap(), c_text(folder.path()));
    let mut report: SyncReport = sized();
    let mut event: Event = sized();
    // SAFETY: the structs have their size, the texts live as long as the calls, and each handle is freed once.
    unsafe {
        assert_eq!(liverysync_server_start(std::ptr::null(), &raw mut server), ResultCode::Ok);
        let options = ClientOptions {
            host: host.as_ptr(),
            liveries: liveries.as_ptr(),
            port: liverysync_server_port(server),
            ..sized()
        };
        assert_eq!(liverysync_client_start(&raw const options, &raw mut client), ResultCode::Ok);
        let synced = liverysync_client_sync(client, NO_LIMIT, &raw mut report);
        assert_eq!((synced, report.files), (ResultCode::Ok, 1));
        let event_read = liverysync_client_next_event(client, NO_LIMIT, &raw mut event);
        assert_eq!(event_read, ResultCode::Ok);
        assert_eq!(liverysync_client_stop(client), ResultCode::Ok);
        while liverysync_client_next_event(client, NO_LIMIT, &raw mut event) == ResultCode::Ok {}
        assert_eq!(liverysync_server_stop(server), ResultCode::Ok);
        assert_eq!(liverysync_client_free(client), ResultCode::Ok);
        assert_eq!(liverysync_server_free(server), ResultCode::Ok);
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

#[test]
fn every_call_works_in_a_task_of_a_tokio_program() {
    let workers = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    workers.block_on(async { tokio::spawn(async { sync_a_folder() }).await.unwrap() });
    current_thread().block_on(async { sync_a_folder() });
    // A program may also be inside of a runtime without running a task of it.
    let outside = current_thread();
    let _entered = outside.enter();
    sync_a_folder();
}

#[test]
fn a_call_goes_on_when_the_budget_of_the_task_is_used_up() {
    current_thread().block_on(async {
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
        sync_a_folder();
    });
}
