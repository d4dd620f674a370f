//! What members say to each other: mutual TLS, two connections for each pair of members, and snapshots on connections
//! of their own.
//!
//! Either side connects, the younger one (of the higher incarnation) first, because it knows the older one in any case.
//! Nothing is delivered for certain: a message that cannot be sent now is gone, and the protocol sends it again.

pub(crate) mod authority;
mod connect;
mod credentials;
mod frame;
mod greeting;
pub(crate) mod join;
mod link;
mod outlet;
mod queue;
mod server;
mod snapshot;
mod tls;
mod work;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub(crate) use credentials::{read_credentials, write_credentials};
pub(crate) use greeting::Own;
pub(crate) use server::{PeerServer, PeerSettings, open};
pub(crate) use snapshot::Arrived;

use self::link::Links;
use self::work::Work;
use crate::agent::effects::{PeerAddress, SendSnapshot, ToPeer};
use crate::base::ids::Incarnation;
use crate::raft::Delivery;
use crate::replication::message::{Lane, PeerMessage};
use crate::replication::state::Authority;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

/// What happens between members.
#[derive(Debug)]
pub(crate) enum PeerEvent {
    Message {
        from: Incarnation,
        message: PeerMessage,
        /// What it takes of the memory for long log entries, until it is dropped.
        room: Option<Room>,
    },
    /// Both lanes are there.
    Connected(Incarnation),
    Lost(Incarnation),
    /// It is durable.
    SnapshotArrived(Box<Arrived>),
    SnapshotSent {
        to: Incarnation,
        delivery: Delivery,
    },
    SnapshotProgress {
        arrived: u64,
        of: u64,
    },
}

/// A part of the memory for long log entries.
#[derive(Debug)]
pub(crate) struct Room(OwnedSemaphorePermit);

/// The agent's side: what has happened. In the prompt one, what a member's connection is stands before its messages.
#[derive(Debug)]
pub(crate) struct PeerEvents {
    pub(crate) prompt: mpsc::Receiver<PeerEvent>,
    pub(crate) bulk: mpsc::Receiver<PeerEvent>,
}

/// The agent's side: what is to be done. Nothing in it waits.
#[derive(Debug, Clone)]
pub(crate) struct PeerHandle {
    links: Arc<Links>,
    peers: watch::Sender<Vec<PeerAddress>>,
    authority: watch::Sender<Option<Authority>>,
    snapshots: mpsc::Sender<SendSnapshot>,
    /// Snapshots that are being read from the disk, or are about to be.
    sending: Arc<AtomicUsize>,
}

/// Where events go.
#[derive(Debug, Clone)]
struct Events {
    prompt: mpsc::Sender<PeerEvent>,
    bulk: mpsc::Sender<PeerEvent>,
}

impl PeerHandle {
    /// Sends a message, or drops it.
    pub(crate) fn send(&self, ToPeer { to, message }: &ToPeer) {
        self.links.send(*to, message);
    }

    /// Whom to be connected to from now on.
    pub(crate) fn set_peers(&self, peers: Vec<PeerAddress>) {
        self.peers.send_replace(peers);
    }

    /// The authority of the cluster: certifies this node if nobody has.
    pub(crate) fn set_authority(&self, authority: Authority) {
        self.authority.send_replace(Some(authority));
    }

    /// Sends a snapshot in the background. `Failed` if too many are on their way.
    pub(crate) fn send_snapshot(&self, snapshot: SendSnapshot) -> Result<(), Delivery> {
        self.sending.fetch_add(1, Ordering::Relaxed);
        self.snapshots.try_send(snapshot).map_err(|_full_or_gone| {
            self.sending.fetch_sub(1, Ordering::Relaxed);
            Delivery::Failed
        })
    }

    /// What the agent is at: said by its thread, heard by the other members.
    pub(crate) fn work(&self) -> &Work {
        &self.links.work
    }

    /// Whether snapshots are being sent, which are not to be deleted meanwhile.
    pub(crate) fn is_sending_snapshots(&self) -> bool {
        self.sending.load(Ordering::Relaxed) > 0
    }
}

impl Events {
    /// Tells the agent, after all that it was told before in this way. False if it is gone.
    async fn tell(&self, event: PeerEvent) -> bool {
        self.prompt.send(event).await.is_ok()
    }

    /// Gives the agent a message. Waits while it has too many; false if it is gone.
    async fn message(
        &self,
        lane: Lane,
        from: Incarnation,
        (message, room): (PeerMessage, Option<Room>),
    ) -> bool {
        let event = PeerEvent::Message { from, message, room };
        match lane {
            Lane::Prompt => self.prompt.send(event).await.is_ok(),
            Lane::Bulk => self.bulk.send(event).await.is_ok(),
        }
    }
}
