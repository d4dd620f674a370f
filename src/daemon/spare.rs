//! The next segment of the log, made beside the agent's thread.

use crate::storage::{Disk, LogOptions, prepare_spare};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The thread that makes the spare segment, so that no commit waits for megabytes of zeros.
pub(super) struct SpareSegments {
    asked: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl SpareSegments {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub(super) fn start(disk: Arc<dyn Disk>) -> std::io::Result<Self> {
        let (asked, queue) = sync_channel(1);
        let thread = std::thread::Builder::new().name("spare".to_owned()).spawn(move || {
            while queue.recv().is_ok() {
                if let Err(error) = prepare_spare(&*disk, LogOptions::default()) {
                    tracing::warn!(%error, "no spare segment; the commit that needs one makes it");
                }
            }
        })?;
        Ok(Self { asked, thread })
    }

    /// Asks for a spare segment, if there is none.
    pub(super) fn ask(&self) {
        // If the queue is full, it has been asked for already.
        self.asked.try_send(()).ok();
    }

    /// Ends the thread, once it has made what it was asked for.
    pub(super) fn stop(self) {
        drop(self.asked);
        if self.thread.join().is_err() {
            tracing::error!("the thread for spare segments has panicked");
        }
    }
}
