//! What is decided without a look at the data: boots, session-ids, tokens, seats, leadership, policy.

use super::asked::{Asked, Change, Content};
use super::effects::PeerAddress;
use super::event::{Admission, Answer, Fresh, JoinRequest, ReplyTo};
use super::head::NotProposed;
use super::origin::Order;
use super::requests::From;
use super::{Agent, Phase, fault};
use crate::base::ids::{Boot, Digest, Incarnation, Revision, SessionId, TxId};
use crate::base::limits::{LEADER_STAYS_MS, NODE_NAME_BYTES_MAX};
use crate::base::time::{Now, WallTime};
use crate::base::token::JoinToken;
use crate::netconf::error::RpcError;
use crate::netconf::operation::{ClusterRequest, TransactionName};
use crate::raft::{MembershipChange, SeatChange};
use crate::replication::entry::{Body, Seat};
use crate::replication::message::Control;
use crate::replication::state::{Charter, RegisteredParticipant, Token};
use sha2::Digest as _;

/// A boot that announces itself.
struct Arrival {
    boot: Boot,
    name: String,
    address: String,
    participants: Vec<RegisteredParticipant>,
}

/// Of a token's secret: what the log knows of it.
pub(super) fn token_digest(secret: &[u8; 16]) -> Digest {
    Digest(sha2::Sha256::digest(secret).into())
}

/// At the origin.
impl Agent {
    /// An operation of our cluster module.
    pub(super) fn cluster_request(
        &mut self,
        now: Now,
        from: From,
        request: ClusterRequest,
        fresh: Fresh,
    ) {
        if let Err(error) = self.try_cluster_request(now, from, request, fresh) {
            self.answer(from.0, Answer::Errors(vec![error]));
        }
    }

    fn try_cluster_request(
        &mut self,
        now: Now,
        from: From,
        request: ClusterRequest,
        fresh: Fresh,
    ) -> Result<(), RpcError> {
        let admin = self.sessions.get(&from.1.id).is_some_and(|session| session.client.admin);
        // Who has lost a reply may ask what became of the request.
        let asks = matches!(request, ClusterRequest::Outcome { .. });
        if !admin && !asks {
            return Err(fault::access_denied());
        }
        let body = match request {
            ClusterRequest::Init { name, address } => {
                let authority = fresh
                    .authority
                    .ok_or_else(|| fault::operation_failed("no authority was created"))?;
                let own = self.parameters.address.clone();
                let address = if address.is_empty() { own } else { address };
                Control::Init { charter: Charter { name, authority }, address }
            }
            ClusterRequest::Token { valid_for_s } => {
                let ms = u64::from(valid_for_s).saturating_mul(1000);
                let expires = WallTime(now.wall.0.saturating_add(ms));
                self.token_secrets.insert(token_digest(&fresh.random), fresh.random);
                Control::Token(Token { digest: token_digest(&fresh.random), expires })
            }
            ClusterRequest::Remove { member } => {
                let name = member.unwrap_or_else(|| self.parameters.name.clone());
                Control::Remove(self.known_member(&name)?)
            }
            ClusterRequest::TransferLeadership { to } => {
                let named = to.map(|name| self.known_member(&name)).transpose()?;
                Control::Transfer(named.or_else(|| self.next_leader()).ok_or_else(|| {
                    fault::operation_failed("there is no other voter that could lead")
                })?)
            }
            ClusterRequest::SetPolicy { policy } => Control::Policy(policy),
            ClusterRequest::Outcome { transaction } => {
                let answer = self.outcome(&self.user_of(from.1), &transaction)?;
                self.answer(from.0, answer);
                return Ok(());
            }
            ClusterRequest::Rollback { revision } => {
                let mut order = Order::of_session(
                    self,
                    now,
                    from,
                    Content::of(Change::Restore(Revision(revision))),
                );
                order.comment = Some(format!("rollback to revision {revision}"));
                self.order(now, order);
                return Ok(());
            }
        };
        let content = Content::Control(Box::new(body));
        let order = Order::of_session(self, now, from, content);
        self.order(now, order);
        Ok(())
    }

    /// Who leads if nobody is named: this node, or if it does already, the best of the others.
    fn next_leader(&self) -> Option<Incarnation> {
        if self.node.is_leader() {
            return self.best_successor();
        }
        Some(self.parameters.incarnation).filter(|_| self.node.is_voter())
    }

    fn known_member(&self, name: &str) -> Result<Incarnation, RpcError> {
        self.state.member_named(name).map(|member| member.incarnation).ok_or_else(|| {
            let names: Vec<&str> =
                self.state.members.iter().map(|member| member.name.as_str()).collect();
            let known = names.join(", ");
            fault::invalid_value(format!("there is no member {name}; there are {known}"))
        })
    }

    /// What became of a transaction, as far as this node has applied the log.
    fn outcome(&self, user: &str, transaction: &TransactionName) -> Result<Answer, RpcError> {
        let committed = |revision: Revision| {
            Answer::Output(vec![
                ("outcome", "committed".to_owned()),
                ("revision", revision.to_string()),
            ])
        };
        let other = |outcome: &str| Answer::Output(vec![("outcome", outcome.to_owned())]);
        let found = |wanted: &dyn Fn(&crate::replication::state::Committed) -> bool| {
            self.state.history.iter().rev().find(|line| wanted(line)).map(|line| line.revision)
        };
        match transaction {
            TransactionName::Id(text) => {
                let txid: TxId = text
                    .parse()
                    .map_err(|()| fault::invalid_value("a transaction is three numbers"))?;
                if let Some(revision) = self.state.outcomes.get(&txid) {
                    return Ok(committed(*revision));
                }
                let member = self.state.member(txid.incarnation);
                let closed = member.is_none_or(|member| {
                    txid.boot < member.boot.counter
                        || txid.boot == member.boot.counter && txid.seq < member.floor
                });
                Ok(other(if closed { "never-or-forgotten" } else { "open" }))
            }
            TransactionName::Message { session, message_id } => {
                let is_it = |line: &crate::replication::state::Committed| {
                    line.session == Some(*session) && line.message_id.as_deref() == Some(message_id)
                };
                Ok(found(&is_it).map_or_else(|| other("open-or-never"), committed))
            }
            TransactionName::Client(name) => {
                let line = self.state.named(user, name);
                Ok(line.map_or_else(|| other("open-or-never"), |line| committed(line.revision)))
            }
        }
    }

    /// A node without a seat wants one.
    pub(super) fn join_request(&mut self, now: Now, reply: ReplyTo, join: JoinRequest) {
        if self.phase != Phase::Ready {
            let why = "this member is not ready; ask another one, or later".to_owned();
            return self.answer(reply, Answer::Refused(why));
        }
        let JoinRequest { secret, name, address, schema_id, .. } = join;
        let token = token_digest(&secret);
        let body = Control::Join { token, name, address, schema_id };
        let mut order = Order::of_node(now, Content::Control(Box::new(body)));
        order.reply = Some(reply);
        self.order(now, order);
    }

    /// What a committed request of this node is answered with.
    pub(super) fn answer_of(&mut self, asked: &Asked) -> Answer {
        let Content::Control(body) = &asked.content else { return Answer::Ok };
        match &**body {
            Control::Token(token) => {
                let secret = self.token_secrets.remove(&token.digest).unwrap_or_default();
                let authority = match &self.state.charter {
                    Some(charter) => sha2::Sha256::digest(&charter.authority.certificate).into(),
                    None => [0; 32],
                };
                let token = JoinToken { secret, authority: Digest(authority) };
                Answer::Output(vec![("token", token.to_string())])
            }
            Control::Join { name, .. } => {
                let member = self.state.member_named(name).map(|member| member.incarnation);
                match (member, &self.state.charter) {
                    (Some(incarnation), Some(charter)) => Answer::Admitted(Box::new(Admission {
                        incarnation,
                        authority: charter.authority.clone(),
                        members: self.addresses(),
                    })),
                    _ => Answer::Refused("the new member was removed again".to_owned()),
                }
            }
            Control::NodeUp { .. }
            | Control::SessionIds { .. }
            | Control::Init { .. }
            | Control::Policy(_)
            | Control::Remove(_)
            | Control::Transfer(_) => Answer::Ok,
        }
    }

    fn addresses(&self) -> Vec<PeerAddress> {
        let address = |member: &crate::replication::state::Member| PeerAddress {
            incarnation: member.incarnation,
            name: member.name.to_string(),
            address: member.address.to_string(),
        };
        self.state.members.iter().map(address).collect()
    }

    /// This boot wants to be up.
    pub(super) fn announce(&mut self, now: Now) {
        let body = Control::NodeUp {
            boot: self.parameters.boot,
            name: self.parameters.name.clone(),
            address: self.parameters.address.clone(),
            participants: self.registered_participants(),
            schema_id: self.parameters.schema.schema_id,
        };
        self.order(now, Order::of_node(now, Content::Control(Box::new(body))));
    }
}

/// At the leader.
impl Agent {
    pub(super) fn evaluate_control(&mut self, now: Now, asked: Asked) {
        let Content::Control(body) = &asked.content else { return };
        let asks_ids = matches!(**body, Control::SessionIds { .. });
        let request = asked.head.clone();
        let body = match (**body).clone() {
            Control::NodeUp { boot, name, address, participants, schema_id } => {
                let arrival = Arrival { boot, name, address, participants };
                return self.evaluate_node_up(now, &asked, schema_id, arrival);
            }
            Control::SessionIds { lowest } => {
                let TxId { incarnation, boot, .. } = request.txid;
                Body::SessionIds { incarnation, boot, lowest }
            }
            Control::Init { charter, address } => {
                if let Err(error) = self.may_init(&charter.name, &address) {
                    return self.abort(now, request.txid, vec![error]);
                }
                Body::Init { request, charter, address }
            }
            Control::Token(token) => {
                if self.head.state().is_none_or(|head| head.charter.is_none()) {
                    return self.abort(now, request.txid, vec![fault::not_founded()]);
                }
                Body::Token { request, token }
            }
            Control::Policy(policy) => {
                if self.head.state().is_some_and(|head| head.policy == policy) {
                    return self.unchanged(now, request.txid);
                }
                Body::Policy { request, policy }
            }
            Control::Join { token, name, address, schema_id } => {
                return self.evaluate_join(now, &asked, (token, schema_id), (&name, &address));
            }
            Control::Remove(member) => return self.evaluate_remove(now, &asked, member),
            Control::Transfer(to) => return self.evaluate_transfer(now, &asked, to),
        };
        match self.propose(body) {
            // The entry does not name the request: one that is repeated only gives a block more.
            Ok(_) if asks_ids => self.leading.forget(asked.txid()),
            Ok(_) => {}
            Err(NotProposed::NoLeader) => self.leading.forget(asked.txid()),
            Err(NotProposed::Void) => self.unchanged(now, asked.txid()),
            // Nobody but the node itself waits for it: it asks again.
            Err(_) if asks_ids => self.leading.forget(asked.txid()),
            Err(error) => self.abort(now, asked.txid(), vec![fault::not_proposed(&error)]),
        }
    }

    fn evaluate_node_up(&mut self, now: Now, asked: &Asked, schema_id: Digest, arrival: Arrival) {
        let txid = asked.txid();
        let Some(head) = self.head.state() else { return };
        let seat = self.node.conf_state().contains(txid.incarnation);
        let removed = head.member(txid.incarnation).is_none()
            && self.state.member(txid.incarnation).is_some();
        if !seat || removed {
            return self.leading.forget(txid);
        }
        if head.schema_id != schema_id {
            let message = format!(
                "this node's models are not those of the cluster (schema-id {schema_id}, there {}); start it with the \
                 same modules, revisions, features and deviations",
                head.schema_id
            );
            return self.abort(now, txid, vec![fault::operation_failed(message)]);
        }
        let Arrival { boot, name, address, participants } = arrival;
        let incarnation = txid.incarnation;
        match self.propose(Body::NodeUp { incarnation, boot, name, address, participants }) {
            // One that is repeated has no effect.
            Ok(_) | Err(NotProposed::NoLeader | NotProposed::Void | NotProposed::Refused(_)) => {
                self.leading.forget(txid);
            }
            Err(error) => self.abort(now, txid, vec![fault::not_proposed(&error)]),
        }
    }

    fn may_init(&self, name: &str, address: &str) -> Result<(), RpcError> {
        let Some(head) = self.head.state() else { return Err(fault::no_leader()) };
        if let Some(charter) = &head.charter {
            let message = format!("this node is a member of cluster {} already", charter.name);
            return Err(fault::operation_failed(message));
        }
        if address.is_empty() {
            return Err(fault::operation_failed(
                "this node does not listen for members: start it with --peer ADDRESS:PORT, or set [cluster] listen",
            ));
        }
        if name.is_empty() || name.len() > NODE_NAME_BYTES_MAX {
            return Err(fault::invalid_value("a cluster's name has 1 to 64 bytes"));
        }
        Ok(())
    }

    fn evaluate_join(
        &mut self,
        now: Now,
        asked: &Asked,
        (token, schema_id): (Digest, Digest),
        (name, address): (&str, &str),
    ) {
        let txid = asked.txid();
        if let Err(error) = self.may_join(now, token, schema_id, name) {
            return self.abort(now, txid, vec![error]);
        }
        let Some(head) = self.head.state() else { return };
        let incarnation = Incarnation(head.next_incarnation);
        let change =
            Seat::Joined { incarnation, name: name.to_owned(), address: address.to_owned(), token };
        self.propose_seat(now, asked, SeatChange::Learner(incarnation), change);
    }

    fn may_join(
        &self,
        now: Now,
        token: Digest,
        schema_id: Digest,
        name: &str,
    ) -> Result<(), RpcError> {
        let Some(head) = self.head.state() else { return Err(fault::no_leader()) };
        let known = head.tokens.iter().find(|known| known.digest == token);
        if known.is_none_or(|known| known.expires < now.wall) {
            return Err(fault::invalid_value(
                "the token is unknown, used or too old: make a new one with `quorate cluster token`",
            ));
        }
        if name.is_empty() || name.len() > NODE_NAME_BYTES_MAX {
            return Err(fault::invalid_value("a node's name has 1 to 64 bytes"));
        }
        if head.member_named(name).is_some() {
            return Err(fault::invalid_value(format!(
                "there is a member {name} already: choose another name with --node-name, or remove that one first"
            )));
        }
        if head.schema_id != schema_id {
            return Err(fault::operation_failed(format!(
                "the new node's models are not those of the cluster (schema-id {schema_id}, here {}): start it with \
                 the same modules, revisions, features and deviations",
                head.schema_id
            )));
        }
        Ok(())
    }

    fn evaluate_remove(&mut self, now: Now, asked: &Asked, member: Incarnation) {
        let txid = asked.txid();
        if self.head.state().is_none_or(|head| head.member(member).is_none()) {
            return self.unchanged(now, txid);
        }
        if member == self.parameters.incarnation {
            if self.leads_lately(now) {
                return self.leading.forget(txid);
            }
            // A leader never proposes its own removal: another one does (PROTOCOL L9, F37).
            let Some(best) = self.best_successor() else {
                let message = "there is no other voter that could lead; stop the node instead";
                return self.abort(now, txid, vec![fault::operation_failed(message)]);
            };
            if let Err(error) = self.node.transfer_leader(best) {
                return self.abort(now, txid, vec![fault::operation_failed(error.to_string())]);
            }
            return self.leading.forget(txid);
        }
        let change = Seat::Removed { incarnation: member };
        self.propose_seat(now, asked, SeatChange::Removed(member), change);
    }

    fn evaluate_transfer(&mut self, now: Now, asked: &Asked, to: Incarnation) {
        let txid = asked.txid();
        if to == self.parameters.incarnation {
            return self.unchanged(now, txid);
        }
        if !self.peers.connected().contains(&to) {
            let name =
                self.state.member(to).map_or_else(String::new, |member| member.name.to_string());
            return self.abort(now, txid, vec![fault::member_unreachable(&name)]);
        }
        if self.has_diverged(to) {
            let message = "its data are not those that the log states, so it cannot lead now";
            return self.abort(now, txid, vec![fault::operation_failed(message)]);
        }
        if self.leads_lately(now) {
            return self.leading.forget(txid);
        }
        match self.node.transfer_leader(to) {
            // It is done when the new leader hears of it again.
            Ok(()) => self.leading.forget(txid),
            Err(error) => {
                self.abort(now, txid, vec![fault::operation_failed(error.to_string())]);
            }
        }
    }

    /// Leadership does not go on at once: whoever wished for this leader is told so meanwhile, and two wishes that
    /// contradict each other do not send it to and fro for ever. The origin asks again.
    fn leads_lately(&self, now: Now) -> bool {
        now.monotonic.ms_since(self.leading_since) < LEADER_STAYS_MS
    }

    /// Proposes a change of one seat with the record of its member. While another change is on its way the origin is
    /// left to ask again (PROTOCOL L9, F38).
    fn propose_seat(&mut self, now: Now, asked: &Asked, seat: SeatChange, change: Seat) {
        let body = Body::Seat { request: asked.head.clone(), change };
        let change = |context| MembershipChange::Simple { seat, context };
        match self.propose_membership(change, body) {
            Ok(_) => {}
            Err(error @ (NotProposed::NoLeader | NotProposed::Refused(_))) => {
                tracing::debug!(%error, "a change of members waits");
                self.leading.forget(asked.txid());
            }
            Err(error) => self.abort(now, asked.txid(), vec![fault::not_proposed(&error)]),
        }
    }
}

/// At every member.
impl Agent {
    /// The lowest wire id of an open session, or of the next one.
    pub(super) fn lowest_session(&self) -> SessionId {
        let next = SessionId(self.session_ids.0);
        self.sessions.keys().next().copied().map_or(next, |lowest| lowest.min(next))
    }
}
