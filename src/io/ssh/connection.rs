//! One SSH connection: authentication (RFC 4252), channels and their requests (RFC 4254, RFC 6242).

use super::Shared;
use super::channel;
use crate::base::limits::SSH_CHANNELS_MAX;
use crate::io::clock;
use crate::io::service::{Peer, Service};
use crate::io::tasks::Tasks;
use crate::netconf::state::Transport;
use russh::keys::{Algorithm, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, Response, Session,
    VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

/// The one subsystem (RFC 6242, 3).
const SUBSYSTEM: &str = "netconf";
/// What lets a user in. Never hostbased, never none.
pub(super) const METHODS: [MethodKind; 3] =
    [MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive];
const PROMPTS: &[(Cow<'static, str>, bool)] = &[(Cow::Borrowed("Password: "), false)];

/// What one connection knows.
pub(super) struct Connection<S> {
    shared: Arc<Shared<S>>,
    tasks: Tasks,
    source: SocketAddr,
    /// Attempts that failed. The probe with method none is no attempt.
    failures: usize,
    user: Option<String>,
    /// Held, and to be told, until the user is authenticated.
    unauthenticated: Option<(OwnedSemaphorePermit, oneshot::Sender<Handle>)>,
    /// Open channels without a session.
    waiting: BTreeMap<ChannelId, Channel<Msg>>,
    /// Sessions that run.
    running: Arc<watch::Sender<usize>>,
}

/// Counts a session as running.
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn new(running: &Arc<watch::Sender<usize>>) -> Self {
        running.send_modify(|count| *count += 1);
        Self(Arc::clone(running))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl<S: Service> Connection<S> {
    /// A connection that is not authenticated. `authenticated` is told when it is, `running` counts its sessions.
    pub(super) fn new(
        shared: Arc<Shared<S>>,
        tasks: Tasks,
        source: SocketAddr,
        unauthenticated: (OwnedSemaphorePermit, oneshot::Sender<Handle>),
        running: Arc<watch::Sender<usize>>,
    ) -> Self {
        Self {
            shared,
            tasks,
            source,
            failures: 0,
            user: None,
            unauthenticated: Some(unauthenticated),
            waiting: BTreeMap::new(),
            running,
        }
    }

    /// The answer to an attempt that failed: the same methods again.
    fn reject(&mut self) -> Auth {
        self.failures += 1;
        // Left to itself the library takes the method away, so that nobody could correct a mistyped password.
        let methods = MethodSet::from(METHODS.as_slice());
        Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
    }

    fn accept(&mut self, user: &str, method: &str) -> Auth {
        tracing::info!(user, source = %self.source, method, "authenticated");
        self.user = Some(user.to_owned());
        Auth::Accept
    }

    async fn check_password(&mut self, user: &str, password: &str, method: &str) -> Auth {
        if self.failures >= self.shared.attempts_max {
            return self.reject();
        }
        let source = self.source.ip();
        let delay_ms = self.with_backoff(|backoff| backoff.delay_ms(clock::now(), source));
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        let accounts = Arc::clone(&self.shared.accounts);
        let (name, password) = (user.to_owned(), password.to_owned());
        let right =
            tokio::task::spawn_blocking(move || accounts.is_password(&name, &password)).await;
        if right.is_ok_and(|right| right) {
            self.with_backoff(|backoff| backoff.succeeded(source));
            return self.accept(user, method);
        }
        self.with_backoff(|backoff| backoff.failed(clock::now(), source));
        tracing::warn!(user, source = %self.source, method, "authentication failed");
        self.reject()
    }

    async fn is_key(&self, user: &str, key: &PublicKey, algorithm: &Algorithm) -> bool {
        // A signature over SHA-1 proves nothing any more.
        if self.failures >= self.shared.attempts_max
            || *algorithm == (Algorithm::Rsa { hash: None })
        {
            return false;
        }
        let accounts = Arc::clone(&self.shared.accounts);
        let (user, key) = (user.to_owned(), key.clone());
        tokio::task::spawn_blocking(move || accounts.is_key(&user, &key)).await.unwrap_or(false)
    }

    fn with_backoff<T>(&self, act: impl FnOnce(&mut super::backoff::Backoff) -> T) -> T {
        act(&mut self.shared.backoff.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Service> Handler for Connection<S> {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(self.check_password(user, password, "password").await)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut response) = response else {
            return Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Borrowed(PROMPTS),
            });
        };
        let first = response.next();
        match first.as_deref().map(str::from_utf8) {
            Some(Ok(password)) => {
                let password = password.to_owned();
                Ok(self.check_password(user, &password, "keyboard-interactive").await)
            }
            Some(Err(_)) | None => Ok(self.reject()),
        }
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        if self.is_key(user, offer.public_key, offer.algorithm).await {
            return Ok(Auth::Accept);
        }
        // Nobody guesses a key: clients offer all they have, and do not wait for it.
        tracing::debug!(user, source = %self.source, "public key not known");
        Ok(self.reject())
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        if self.is_key(user, key.public_key, key.algorithm).await {
            return Ok(self.accept(user, "publickey"));
        }
        Ok(self.reject())
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), russh::Error> {
        if let Some((permit, authenticated)) = self.unauthenticated.take() {
            drop(permit);
            if authenticated.send(session.handle()).is_err() {
                tracing::debug!(source = %self.source, "authenticated too late");
            }
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let running = *self.running.borrow();
        if self.waiting.len().saturating_add(running) >= SSH_CHANNELS_MAX {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.waiting.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let (SUBSYSTEM, Some(user)) = (name, &self.user) else {
            tracing::debug!(name, source = %self.source, "subsystem refused");
            return session.channel_failure(id);
        };
        let Some(channel) = self.waiting.remove(&id) else { return session.channel_failure(id) };
        session.channel_success(id)?;
        let peer = Peer {
            user: user.clone(),
            transport: Transport::Ssh,
            source_host: Some(self.source.ip().to_canonical().to_string()),
            admin: self.shared.accounts.is_admin(user),
        };
        let counted = Counted::new(&self.running);
        let service = self.shared.service.clone();
        self.tasks.spawn(async move {
            channel::serve(service, peer, channel).await;
            drop(counted);
        });
        Ok(())
    }

    async fn data(
        &mut self,
        id: ChannelId,
        _data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Nobody would ever take this data, and the connection would wait for it.
        if self.waiting.remove(&id).is_some() {
            tracing::debug!(source = %self.source, "data on a channel without subsystem");
            session.close(id)?;
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.waiting.remove(&id);
        Ok(())
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }
}

/// The table of sources, shared by all connections. Never held over an await.
pub(super) type SharedBackoff = Mutex<super::backoff::Backoff>;
