//! How a node gets its seat: with the address of any member and a token, on a connection on which only the member shows
//! a certificate. The node's key does not leave it.

use super::authority::{AuthorityError, Credentials, MemberKey, sign};
use super::connect::set_options;
use super::frame::{self, FrameError};
use super::greeting::{Own, one_line};
use super::tls::{TlsError, join_client};
use crate::agent::effects::PeerAddress;
use crate::agent::event::{Admission, Answer, JoinRequest, SessionEvent};
use crate::base::ids::{Boot, ClusterId, Digest, Incarnation, Lineage};
use crate::base::limits::{JOIN_TIMEOUT_S, PEER_OPENING_BYTES_MAX};
use crate::base::token::JoinToken;
use crate::io::handle::AgentHandle;
use crate::io::random;
use crate::storage::Identity;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::{TlsConnector, TlsStream};

/// For the member's answer, and until there is a member that can be asked.
const PATIENCE: Duration = Duration::from_secs(JOIN_TIMEOUT_S);
/// Between two attempts to reach a member.
const RETRY: Duration = Duration::from_millis(500);
/// For each step of the member's until the question is there.
const QUESTION: Duration = Duration::from_secs(3);

/// Who wants to join, and how.
#[derive(Debug)]
pub(crate) struct Applicant {
    /// `host:port` of the peer listener of a member.
    pub(crate) member: String,
    pub(crate) token: JoinToken,
    pub(crate) name: String,
    /// `host:port` of this node's own peer listener.
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) schema_id: Digest,
}

/// A seat.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) credentials: Credentials,
    /// Of the node's first boot.
    pub(crate) identity: Identity,
    /// The other members.
    pub(crate) members: Vec<PeerAddress>,
}

/// Why a node has no seat, or does not know of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(
        "no member can be reached at {member}: {source}; the address is that of a member's peer listener (`--peer` \
         there)"
    )]
    Unreachable { member: String, source: io::Error },
    #[error(
        "{member} does not prove that it is a member of the cluster that the token is for: {source}; check the address, \
         or take a token of that cluster"
    )]
    OtherCluster { member: String, source: io::Error },
    #[error("{member} refuses: {reason}")]
    Refused { member: String, reason: String },
    /// The node may have been given a seat that it does not know.
    #[error(
        "the answer of {member} is lost ({reason}): if the cluster shows a new member that is not there, remove it; then \
         join again with a new token"
    )]
    Lost { member: String, reason: String },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Key(#[from] AuthorityError),
    #[error("the operating system gives no chance: {0}")]
    Chance(#[from] io::Error),
}

/// The question. Postcard: fields are only added at the end.
#[derive(Serialize, Deserialize)]
struct Question {
    secret: [u8; 16],
    name: String,
    address: String,
    version: String,
    schema_id: Digest,
    public_key: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Granted(Box<Grant>),
    Refused(String),
}

#[derive(Serialize, Deserialize)]
struct Grant {
    /// DER.
    certificate: Vec<u8>,
    /// DER.
    authority: Vec<u8>,
    cluster: ClusterId,
    lineage: Lineage,
    incarnation: Incarnation,
    tree_seed: [u8; 16],
    members: Vec<(Incarnation, String, String)>,
}

/// Asks for a seat. A member that cannot be reached yet is waited for; a question that was sent is not sent again.
///
/// # Errors
/// If there is none, or its answer did not come.
pub(crate) async fn join(applicant: &Applicant) -> Result<Joined, JoinError> {
    let member = || applicant.member.clone();
    let key = MemberKey::generate()?;
    let question = Question {
        secret: applicant.token.secret,
        name: applicant.name.clone(),
        address: applicant.address.clone(),
        version: applicant.version.clone(),
        schema_id: applicant.schema_id,
        public_key: key.public_key().to_vec(),
    };
    let mut stream = reach(applicant).await?;
    let lost = |reason: String| JoinError::Lost { member: member(), reason };
    // Postcard fails on what has no length only; there is nothing of the kind in it.
    let question = postcard::to_stdvec(&question).unwrap_or_default();
    let exchange = async {
        frame::write(&mut stream, &question, PATIENCE).await?;
        frame::read(&mut stream, PEER_OPENING_BYTES_MAX, PATIENCE).await
    };
    let answer = exchange.await.map_err(|error: FrameError| lost(error.to_string()))?;
    match postcard::from_bytes(&answer) {
        Ok(Reply::Granted(grant)) => Ok(joined(*grant, key, random::number()?)),
        Ok(Reply::Refused(reason)) => {
            Err(JoinError::Refused { member: member(), reason: one_line(&reason) })
        }
        Err(error) => Err(lost(error.to_string())),
    }
}

fn joined(grant: Grant, key: MemberKey, nonce: u64) -> Joined {
    let own = grant.incarnation;
    let others = grant.members.into_iter().filter(|(incarnation, ..)| *incarnation != own);
    Joined {
        credentials: key.certified(grant.certificate, grant.authority),
        identity: Identity {
            cluster: grant.cluster,
            lineage: grant.lineage,
            incarnation: own,
            boot: Boot { counter: 1, nonce },
            tree_seed: grant.tree_seed,
        },
        members: others
            .map(|(incarnation, name, address)| PeerAddress { incarnation, name, address })
            .collect(),
    }
}

/// A connection to a member of the cluster that the token is for.
async fn reach(applicant: &Applicant) -> Result<TlsStream<TcpStream>, JoinError> {
    let member = || applicant.member.clone();
    let deadline = Instant::now() + PATIENCE;
    let mut waits = false;
    let stream = loop {
        let connected = timeout(QUESTION, TcpStream::connect(&applicant.member)).await;
        let error = match connected {
            Ok(Ok(stream)) => break stream,
            Ok(Err(error)) => error,
            Err(elapsed) => io::Error::new(io::ErrorKind::TimedOut, elapsed),
        };
        // What is no address does not become one.
        if Instant::now() > deadline || error.kind() == io::ErrorKind::InvalidInput {
            return Err(JoinError::Unreachable { member: member(), source: error });
        }
        if !waits {
            let member = &applicant.member;
            tracing::info!(member, %error, "waiting for the member that is to be asked for a seat");
            waits = true;
        }
        sleep(RETRY).await;
    };
    set_options(&stream);
    let connector = TlsConnector::from(Arc::new(join_client(applicant.token.authority)?));
    // Any member will do: it is known by who signed its certificate.
    let name = ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into());
    match timeout(PATIENCE, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(TlsStream::from(stream)),
        Ok(Err(source)) => Err(JoinError::OtherCluster { member: member(), source }),
        Err(elapsed) => {
            let source = io::Error::new(io::ErrorKind::TimedOut, elapsed);
            Err(JoinError::Unreachable { member: member(), source })
        }
    }
}

/// What the member brings that is asked.
pub(super) struct Request<'a> {
    pub(super) own: &'a Own,
    pub(super) tree_seed: [u8; 16],
    pub(super) source: SocketAddr,
}

/// Answers a node that wants a seat: the agent decides, the authority signs.
pub(super) async fn admit(
    mut stream: TlsStream<TcpStream>,
    request: Request<'_>,
    agent: &AgentHandle,
) {
    let source = request.source;
    let question = match frame::read(&mut stream, PEER_OPENING_BYTES_MAX, QUESTION).await {
        Ok(frame) => postcard::from_bytes::<Question>(&frame),
        Err(error) => return tracing::debug!(%source, %error, "a node that wanted to join is gone"),
    };
    let Ok(question) = question else {
        return tracing::warn!(%source, "a question for a seat cannot be read");
    };
    let name = one_line(&question.name);
    let reply = match grant(question, &request, agent).await {
        Ok(grant) => {
            let incarnation = grant.incarnation.0;
            tracing::info!(%source, name, incarnation, "a node was given a seat");
            Reply::Granted(Box::new(grant))
        }
        Err(reason) => {
            tracing::warn!(%source, name, reason, "a node was refused a seat");
            Reply::Refused(reason)
        }
    };
    // Postcard fails on what has no length only; there is nothing of the kind in it.
    let reply = postcard::to_stdvec(&reply).unwrap_or_default();
    if let Err(error) = frame::write(&mut stream, &reply, QUESTION).await {
        tracing::warn!(%source, name, %error, "a node does not know the answer to its question");
    }
}

async fn grant(
    question: Question,
    request: &Request<'_>,
    agent: &AgentHandle,
) -> Result<Grant, String> {
    let Question { secret, name, address, version, schema_id, public_key } = question;
    let own = request.own;
    if schema_id != own.schema_id {
        return Err(format!(
            "node {name} serves other YANG models (schema-id {schema_id}, version {}) than member {} (schema-id {}, \
             version {}): start it with the same modules, features and deviations",
            one_line(&version),
            own.name.incarnation,
            own.schema_id,
            own.version
        ));
    }
    let join = JoinRequest { secret, name, address, version, schema_id };
    let answer = timeout(PATIENCE, agent.ask(SessionEvent::Join(join))).await;
    let admission = match answer {
        Ok(Some(Answer::Admitted(admission))) => *admission,
        Ok(Some(Answer::Refused(reason))) => return Err(reason),
        Ok(Some(Answer::Errors(errors))) => {
            return Err(errors.into_iter().next().map(|it| it.message).unwrap_or_default());
        }
        Ok(Some(Answer::Opened(_) | Answer::Ok | Answer::Output(_)) | None) => {
            return Err("the member stops: ask another one".to_owned());
        }
        Err(_) => return Err("the cluster does not decide in time: try again".to_owned()),
    };
    let Admission { incarnation, authority, members } = admission;
    let certificate = sign(&authority, &own.name.of(incarnation), &public_key)
        .map_err(|error| error.to_string())?;
    Ok(Grant {
        certificate,
        authority: authority.certificate,
        cluster: own.name.cluster,
        lineage: own.name.lineage,
        incarnation,
        tree_seed: request.tree_seed,
        members: members.into_iter().map(|it| (it.incarnation, it.name, it.address)).collect(),
    })
}
