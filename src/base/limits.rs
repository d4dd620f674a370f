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
/// Bytes of an XPath expression.
pub(crate) const XPATH_BYTES_MAX: usize = 64 << 10;
/// Nested parentheses, predicates and operators of an XPath expression; nested evaluations.
pub(crate) const XPATH_DEPTH_MAX: usize = 64;
/// Steps of one XPath evaluation, each a node that is looked at, an operation, or 16 bytes of text: some seconds.
pub(crate) const XPATH_STEPS_MAX: u64 = 32 << 20;
/// Nodes that one XPath evaluation holds.
pub(crate) const XPATH_NODES_MAX: usize = 4 << 20;
/// Schema nodes that are looked at to know what an XPath expression reads: a tenth of a second or so.
pub(crate) const XPATH_ANALYSIS_NODES_MAX: usize = 128 << 10;
/// Bytes of a text that an XPath evaluation makes.
pub(crate) const XPATH_TEXT_BYTES_MAX: usize = 16 << 20;
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
/// SSH connections, with sessions and without. Clients that share a connection leave it open between sessions.
pub(crate) const SSH_CONNECTIONS_MAX: usize = 2 * SESSIONS_MAX;
/// Seconds until an SSH connection must have authenticated.
pub(crate) const SSH_AUTH_TIMEOUT_S: u64 = 60;
/// Bits that an RSA host key has at least (RFC 8332, 5.1): they stand for 112 bits of security.
pub(crate) const SSH_RSA_BITS_MIN: u32 = 2048;
/// Events that wait for the agent's thread; writers to the queue wait beyond.
pub(crate) const AGENT_QUEUE_MAX: usize = 4096;
/// Events that the agent takes between two durable writes.
pub(crate) const AGENT_BATCH_MAX: usize = 512;
/// Bytes of one log record.
pub(crate) const LOG_RECORD_BYTES_MAX: usize = 1 << 30;
/// Bytes of one log entry: what one transaction may change. A larger one is refused (`too-big`). Low where it is tested.
pub(crate) const LOG_ENTRY_BYTES_MAX: usize =
    if cfg!(any(test, feature = "sim")) { 1 << 20 } else { 256 << 20 };
/// Bytes of a preallocated segment of the log. A longer record has a segment of its own.
pub(crate) const LOG_SEGMENT_BYTES: u64 = 16 << 20;
/// Bytes of log after which a snapshot is taken.
pub(crate) const SNAPSHOT_LOG_BYTES: u64 = 64 << 20;
/// Entries of log after which a snapshot is taken: a start reads some 50 000 of them a second.
pub(crate) const SNAPSHOT_ENTRIES: u64 = 16_384;
/// The more bytes the last snapshot has, the more entries there are until the next: to write so many costs what reading
/// one entry again does.
pub(crate) const SNAPSHOT_BYTES_PER_ENTRY: u64 = 2 << 10;
/// Bytes of disk kept back for what is needed to get out of a full disk.
pub(crate) const STORAGE_RESERVE_BYTES: u64 = 64 << 20;
/// Kept entries of the commit history.
pub(crate) const HISTORY_MAX: usize = 1000;
/// Stack of the thread that decides: validation goes as deep as the models, a few hundred bytes to some kilobytes a
/// level. What is not used costs nothing.
pub(crate) const AGENT_STACK_BYTES: usize = 32 << 20;
/// Steps of all XPath evaluations of one validation together: some ten seconds.
pub(crate) const VALIDATION_STEPS_MAX: u64 = 256 << 20;
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
/// Characters of the name that a client gives to what it asks for, and of the cluster's own name for it.
pub(crate) const TRANSACTION_ID_CHARS_MAX: usize = 64;
/// Characters of a message-id where it names a transaction (RFC 6241, appendix C).
pub(crate) const MESSAGE_ID_CHARS_MAX: usize = 4095;
/// Characters of `HOST:PORT`.
pub(crate) const PEER_ADDRESS_CHARS_MAX: usize = 261;
/// Seconds that a join token can be used, unless it was asked for with another time.
pub(crate) const JOIN_TOKEN_DEFAULT_S: u32 = 600;
/// The most seconds that a join token can be asked for.
pub(crate) const JOIN_TOKEN_MAX_S: u32 = 86_400;
/// Join tokens that are not used yet; the oldest is forgotten.
pub(crate) const TOKENS_MAX: usize = 64;
/// Wire session-ids that each boot of a member receives at a time.
pub(crate) const SESSION_ID_BLOCK: u32 = 1 << 10;
/// Bytes that a reply gathers before they are handed to the transport: two packets of SSH (32 KiB), less the chunk's
/// header and most of the entries with which a piece goes beyond.
pub(crate) const REPLY_CHUNK_BYTES: usize = 63 << 10;
/// Bytes of entries in one message between members; a longer entry has a message of its own.
pub(crate) const RAFT_MESSAGE_BYTES: u64 = 1 << 20;
/// Bytes of a log entry beyond which it travels beside the messages of consensus (PROTOCOL F12). Low where it is tested,
/// so that both ways are.
pub(crate) const RAFT_LARGE_BYTES: usize =
    if cfg!(any(test, feature = "sim")) { 256 } else { 1 << 20 };
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
/// Bytes of a message between members in the prompt lane.
pub(crate) const PEER_PROMPT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a message between members in the bulk lane: a request and what is around it.
pub(crate) const PEER_BULK_BYTES_MAX: usize = LOG_RECORD_BYTES_MAX;
/// Bytes of long log entries of one member that have come and wait for the agent; reading from it stops beyond.
pub(crate) const PEER_LARGE_BYTES_MAX: usize = 256 << 20;
/// Bytes of a message from which on it is decoded beside the lane that it came in.
pub(crate) const PEER_LONG_MESSAGE_BYTES: usize = 1 << 20;
/// Bytes of the first frame of a connection between members, and of each frame of one with a node that joins.
pub(crate) const PEER_OPENING_BYTES_MAX: usize = 64 << 10;
/// Bytes that wait to be sent to one member in the prompt lane; messages are dropped beyond. One is always taken.
pub(crate) const PEER_PROMPT_QUEUE_BYTES: usize = 4 << 20;
/// Bytes that wait to be sent to one member in the bulk lane; messages are dropped beyond. One is always taken.
pub(crate) const PEER_BULK_QUEUE_BYTES: usize = 64 << 20;
/// Messages of members in the prompt lane that wait for the agent; reading from them stops beyond.
pub(crate) const PEER_PROMPT_EVENTS_MAX: usize = 4096;
/// Messages of members in the bulk lane that wait for the agent; reading from them stops beyond.
pub(crate) const PEER_BULK_EVENTS_MAX: usize = 64;
/// Milliseconds after which a connection between members says that it lives, if there was nothing else to say.
pub(crate) const PEER_PING_MS: u64 = 250;
/// Milliseconds without a message after which a member says that its agent is at work, if it is: an election timeout has
/// several of them.
pub(crate) const PEER_WORKING_MS: u64 = 50;
/// Milliseconds for which an agent that computes without a pause is taken for alive.
pub(crate) const AGENT_WORK_MS_MAX: u64 = 10_000;
/// Milliseconds that a disk may take for a MiB of the log, before the agent that waits for it is not taken for alive any
/// more. What is less than a MiB takes no time: a leader whose disk hangs is to be replaced.
pub(crate) const DISK_MS_PER_MIB: u64 = 64;
/// Milliseconds of silence after which a member is lost: three of the longest election timeouts.
pub(crate) const PEER_SILENCE_MS: u64 = 1_500;
/// Milliseconds that a write to a member may make no progress: its agent may wait for a slow disk.
pub(crate) const PEER_WRITE_STALL_MS: u64 = 10_000;
/// Milliseconds that a member has to take the end of a connection that this one closes.
pub(crate) const PEER_GOODBYE_MS: u64 = 250;
/// Milliseconds until a connection between members must be authenticated and greeted.
pub(crate) const PEER_HANDSHAKE_MS: u64 = 3_000;
/// Connections to the peers' listener that are not authenticated yet; more wait.
pub(crate) const PEER_HANDSHAKES_MAX: usize = 64;
/// Milliseconds until the first new attempt to reach a member, about; each time twice as long.
pub(crate) const PEER_RETRY_MS_MIN: u64 = 10;
/// Milliseconds between attempts to reach a member, at most.
pub(crate) const PEER_RETRY_MS_MAX: u64 = 1_000;
/// Milliseconds that the older of two members leaves the connecting to the younger one.
pub(crate) const PEER_YIELD_MS: u64 = 100;
/// Bytes of the head of a snapshot on its way to a member, and of one of its pieces.
pub(crate) const PEER_SNAPSHOT_FRAME_BYTES_MAX: usize = 4 << 20;
/// Pieces of a snapshot that have arrived and are not on the disk yet.
pub(crate) const PEER_SNAPSHOT_PIECES_MAX: usize = 4;
/// Seconds that a snapshot may make no progress: the receiver's disk may be slow.
pub(crate) const PEER_SNAPSHOT_STALL_S: u64 = 60;
/// Snapshots that wait to be sent.
pub(crate) const PEER_SNAPSHOTS_MAX: usize = 16;
/// Seconds that a node which wants to join waits for a member that can be asked, and then for its answer.
pub(crate) const JOIN_TIMEOUT_S: u64 = 60;
/// Milliseconds that a read waits for its lease by default (PROTOCOL M2).
pub(crate) const READ_WAIT_MS: u64 = 1_000;
/// Milliseconds after which a read index is asked for again (PROTOCOL F43): the shortest election timeout.
pub(crate) const READ_INDEX_AGAIN_MS: u64 = 250;
/// Milliseconds of one tick of consensus.
pub(crate) const TICK_MS: u64 = 10;
/// Milliseconds between two signs of life of a member to the leader.
pub(crate) const KEEPALIVE_MS: u64 = 50;
/// Milliseconds for which a member may answer reads without having heard the leader again.
pub(crate) const LEASE_MS: u64 = 150;
/// Seconds of silence after which what a member's sessions hold is released.
pub(crate) const SESSION_LEASE_S: u64 = 30;
/// Milliseconds that a leader leads at least before it gives leadership away.
pub(crate) const LEADER_STAYS_MS: u64 = 250;
/// Milliseconds of silence after which a learner is not given its vote.
pub(crate) const VOTE_SILENCE_MS: u64 = 10 * KEEPALIVE_MS;
/// Milliseconds that a learner waits for its vote, where another one is about to get one with it.
pub(crate) const SECOND_LEARNER_WAIT_MS: u64 = 2_000;
/// Milliseconds that a request waits for a leader.
pub(crate) const NO_LEADER_WAIT_MS: u64 = 5_000;
/// Milliseconds after which a request without an outcome is sent again.
pub(crate) const RESEND_MS: u64 = 1_000;
/// Milliseconds that a member has to say whether it has a session that another one is to kill.
pub(crate) const SESSION_QUERY_MS: u64 = 1_000;
/// Milliseconds that a committed change waits for the members that the policy names.
pub(crate) const ACK_TIMEOUT_MS: u64 = 2_000;
/// Milliseconds that an origin waits longer than that for a leader's word on which of them are missing.
pub(crate) const ACK_REPORT_MS: u64 = 500;
/// Milliseconds that a member has to vote, beside the deadlines of its participants.
pub(crate) const PREPARE_TIMEOUT_MS: u64 = 10_000;
/// Milliseconds that a durable write takes on average on a disk that is too slow for a leader: two heartbeats.
pub(crate) const SLOW_DISK_MS: u64 = 100;
/// Milliseconds by which the agent's thread is late on average where that is too slow for a leader: two heartbeats.
pub(crate) const SLOW_THREAD_MS: u64 = 100;
/// Milliseconds that a new leader leads before its own slowness is a reason to give leadership away.
pub(crate) const LEAD_AT_LEAST_MS: u64 = 10_000;
/// Milliseconds for which a leader that is asked to end tries to hand leadership over: two election timeouts.
pub(crate) const HAND_OVER_MS: u64 = 1_000;
/// Milliseconds for which participants stay prepared without a decision.
pub(crate) const PREPARE_LEASE_MS: u64 = 60_000;
/// Milliseconds after which a member whose data diverged says so again.
pub(crate) const DIVERGED_AGAIN_MS: u64 = 1_000;
/// Milliseconds for which it counts that a member said so.
pub(crate) const DIVERGED_COUNTS_MS: u64 = 3_000;
/// Milliseconds between two times that a member whose data diverge again and again takes those of the others.
pub(crate) const REBUILD_PAUSE_MS: u64 = 10_000;
/// Milliseconds after which a quarantined member asks again for another seat.
pub(crate) const QUARANTINED_AGAIN_MS: u64 = 1_000;
/// Files with the data of a member that diverged; the oldest go.
pub(crate) const DIVERGED_FILES_MAX: usize = 2;
/// Milliseconds that a new leader waits to hear how old a confirmed commit is.
pub(crate) const START_WAIT_MS: u64 = 5_000;
/// Bytes of changes by which the kept revisions of running differ from each other.
pub(crate) const KEPT_BYTES_MAX: u64 = 64 << 20;
/// Bytes of log that stay in memory for members that lag; one that lags more is sent a snapshot.
pub(crate) const LOG_TAIL_BYTES: u64 = 32 << 20;
/// Bytes of the name of a node or of a cluster.
pub(crate) const NODE_NAME_BYTES_MAX: usize = 64;
/// Sessions of the local socket that are open before the node is ready; their ids are the last ones.
pub(crate) const EARLY_SESSIONS_MAX: u32 = 64;
/// Lines of the history that operators are shown.
pub(crate) const HISTORY_SHOWN_MAX: usize = 100;
