//! Everything that can grow, and how far. Where the configuration file sets one, this is its default.

/// Open NETCONF sessions of one node.
pub(crate) const SESSIONS_MAX: usize = 1024;
/// Bytes of one NETCONF message (`too-big` beyond).
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 30;
/// Nested elements in a message, and levels of a data tree.
pub(crate) const DEPTH_MAX: usize = 1024;
/// Attributes of one element, namespace declarations included.
pub(crate) const ATTRIBUTES_MAX: usize = 64;
/// Namespace declarations that are in scope at one place of a message.
pub(crate) const DECLARATIONS_MAX: usize = 256;
/// Requests that one session has sent and that are not answered yet; reading stops beyond.
pub(crate) const REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// Bytes of messages that one session has received and not looked at; reading stops beyond.
pub(crate) const READ_AHEAD_BYTES: usize = 1 << 20;
/// Seconds until a new session must have said hello.
pub(crate) const HELLO_TIMEOUT_S: u64 = 60;
/// Authentication attempts of one SSH connection.
pub(crate) const SSH_AUTH_ATTEMPTS_MAX: usize = 6;
/// SSH connections that have not authenticated yet.
pub(crate) const SSH_UNAUTHENTICATED_MAX: usize = 64;
/// Seconds until an SSH connection must have authenticated.
pub(crate) const SSH_AUTH_TIMEOUT_S: u64 = 60;
/// Events that wait for the agent's thread; writers to the queue wait beyond.
pub(crate) const AGENT_QUEUE_MAX: usize = 4096;
/// Events that the agent takes between two durable writes.
pub(crate) const AGENT_BATCH_MAX: usize = 512;
/// Bytes of one log record.
pub(crate) const LOG_RECORD_BYTES_MAX: usize = 1 << 30;
/// Bytes of one log entry, so that a record has room for it. A larger change is refused.
pub(crate) const LOG_ENTRY_BYTES_MAX: usize = LOG_RECORD_BYTES_MAX - (1 << 20);
/// Bytes of a preallocated segment of the log. A longer record has a segment of its own.
pub(crate) const LOG_SEGMENT_BYTES: u64 = 16 << 20;
/// Bytes of log after which a snapshot is taken.
pub(crate) const SNAPSHOT_LOG_BYTES: u64 = 64 << 20;
/// Bytes of disk kept back for what is needed to get out of a full disk.
pub(crate) const STORAGE_RESERVE_BYTES: u64 = 64 << 20;
/// Kept entries of the commit history.
pub(crate) const HISTORY_MAX: usize = 1000;
/// Errors reported for one validation.
pub(crate) const VALIDATION_ERRORS_MAX: usize = 100;
/// Roots that one candidate's footprint holds before it is widened to their parents.
pub(crate) const FOOTPRINT_ROOTS_MAX: usize = 10_000;
/// Requests of writers that wait behind an open slot.
pub(crate) const TX_QUEUE_MAX: usize = 4096;
/// Milliseconds that a participant has to answer, unless it registered another deadline.
pub(crate) const PARTICIPANT_DEADLINE_MS: u64 = 5_000;
/// Seconds that NETCONF stays closed for a participant that takes in the configuration at the start.
pub(crate) const PARTICIPANT_START_TIMEOUT_S: u64 = 600;
/// Seconds that the end waits for a participant to finish what it has been told.
pub(crate) const PARTICIPANT_STOP_TIMEOUT_S: u64 = 30;
/// In-process participants.
pub(crate) const PARTICIPANTS_MAX: usize = 1024;
/// Bytes of a persist-id.
pub(crate) const PERSIST_ID_BYTES_MAX: usize = 1024;
/// Wire session-ids that each boot of a member receives at a time.
pub(crate) const SESSION_ID_BLOCK: u32 = 1 << 10;
/// Bytes that a reply gathers before they are handed to the transport: two packets of SSH (32 KiB), less the chunk's
/// header and most of the entries with which a piece goes beyond.
pub(crate) const REPLY_CHUNK_BYTES: usize = 63 << 10;
/// Bytes of entries in one message between members; a longer entry has a message of its own.
pub(crate) const RAFT_MESSAGE_BYTES: u64 = 1 << 20;
/// Messages with entries that are on their way to one member.
pub(crate) const RAFT_INFLIGHT_MESSAGES_MAX: usize = 256;
/// Bytes of entries that a leader holds uncommitted; proposals are dropped beyond. One entry is always taken.
pub(crate) const RAFT_UNCOMMITTED_BYTES_MAX: u64 = 256 << 20;
/// Bytes of committed entries that are handed out together.
pub(crate) const RAFT_COMMITTED_BYTES_MAX: u64 = 16 << 20;
/// Seconds that a write to a client may make no progress at all. A slow client is served; one that stopped is not.
pub(crate) const WRITE_STALL_TIMEOUT_S: u64 = 600;
/// Seconds that a session has to answer what it was asked when the node stops.
pub(crate) const DRAIN_TIMEOUT_S: u64 = 10;
/// Seconds that a session waits for the agent to confirm its end, and a transport for its last bytes to leave.
pub(crate) const SESSION_END_TIMEOUT_S: u64 = 30;
/// Seconds without a byte in either direction after which an SSH connection is dropped. A live client answers
/// keep-alives, so that an idle one stays.
pub(crate) const SSH_INACTIVITY_TIMEOUT_S: u64 = 600;
/// Seconds of silence after which an SSH client is asked whether it lives.
pub(crate) const SSH_KEEPALIVE_S: u64 = 60;
/// Keep-alives without an answer after which an SSH client is taken for dead.
pub(crate) const SSH_KEEPALIVES_MAX: usize = 3;
/// Open channels of one SSH connection.
pub(crate) const SSH_CHANNELS_MAX: usize = 128;
/// Packets that one SSH channel holds for a session that does not read yet; the connection stops reading beyond.
pub(crate) const SSH_INPUT_PACKETS_MAX: usize = 4096;
/// Sources of failed authentication that are remembered; the one that failed longest ago is forgotten first.
pub(crate) const SSH_BACKOFF_SOURCES_MAX: usize = 4096;
/// Milliseconds that a source waits at most before its next password is looked at.
pub(crate) const SSH_BACKOFF_MS_MAX: u64 = 8_000;
/// Bytes of a password; a longer one is wrong without being looked at.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;
/// Bytes of a file of the operator's: configuration, keys, authorized keys.
pub(crate) const OPERATOR_FILE_BYTES_MAX: u64 = 1 << 20;
