//! Who this node is when it starts: the member that its directory belongs to, a new cluster of one, or a new member of a
//! cluster that it joins.

use super::configuration::{Configuration, Join, LocalData};
use super::rejoin;
use super::replay::{recovered_state, replay};
use super::start::FOUNDER;
use crate::agent::effects::{PeerAddress, Rejoin};
use crate::base::ids::{Boot, ClusterId, Lineage, Revision};
use crate::base::token::JoinToken;
use crate::io::peer::authority::{Credentials, MemberName, fingerprint};
use crate::io::peer::join::{Applicant, Joined, join};
use crate::io::peer::{read_credentials, write_credentials};
use crate::io::random;
use crate::replication::state::State;
use crate::storage::{
    Disk, DiskError, Identity, IdentityError, LogOptions, Reserve, erase, recover, replace_file,
};
use crate::yang::schema::Schema;
use anyhow::Context;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Which token this member joined with: the digest of its text. A restart with the same arguments is no wish to join
/// again.
const JOINED_WITH: &str = "joined-with";

/// What is known of the node before anything else is.
pub(super) struct Member {
    pub(super) identity: Identity,
    /// None of a cluster of one that nobody can join.
    pub(super) credentials: Option<Credentials>,
    /// Other members, from the one that admitted this one.
    pub(super) others: Vec<PeerAddress>,
    /// Of the token with which this node joins again, should it be quarantined.
    pub(super) rejoin_secret: [u8; 16],
}

/// Where the node lives.
pub(super) struct Place<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) disk: &'a Arc<dyn Disk>,
    pub(super) schema: &'a Arc<Schema>,
    pub(super) runtime: &'a Runtime,
    /// `host:port` under which members will find it.
    pub(super) address: String,
}

/// The name in the certificate of the member with this identity.
pub(super) fn name_of(identity: &Identity) -> MemberName {
    let Identity { cluster, lineage, incarnation, .. } = *identity;
    MemberName { cluster, lineage, incarnation }
}

/// What the directory says of itself: the identity of the boot before, and the credentials that belong to it.
pub(super) fn look(disk: &dyn Disk) -> anyhow::Result<Option<(Identity, Option<Credentials>)>> {
    let Some(identity) = Identity::read(disk)? else { return Ok(None) };
    let credentials = read_credentials(disk)?;
    // Those of another member are left over from an attempt to join that was interrupted.
    let own = credentials.filter(|credentials| credentials.are_of(&name_of(&identity)));
    Ok(Some((identity, own)))
}

impl Place<'_> {
    /// Begins a new life of the member that the directory belongs to, founds a cluster of one, or joins one.
    ///
    /// # Errors
    /// If the directory cannot be used, or the cluster does not take the node in. Then what was there is still there.
    pub(super) fn begin(&self) -> anyhow::Result<Member> {
        let known = look(&**self.disk)?;
        if let (Some((identity, _)), Some(rejoin)) = (&known, rejoin::read(&**self.disk)?)
            && let Some(member) = self.join_again(&rejoin, identity)?
        {
            return Ok(member);
        }
        match (known, &self.configuration.cluster.join) {
            (None, None) => found(&**self.disk),
            (Some((_, credentials)), None) => again(&**self.disk, credentials),
            (None, Some(wish)) => self.join(wish, None),
            (Some((identity, credentials)), Some(wish)) => {
                if let Some(credentials) = &credentials
                    && is_joined(&**self.disk, credentials, wish)?
                {
                    let (member, cluster) = (identity.incarnation.0, identity.cluster.0);
                    tracing::info!(
                        member,
                        cluster = format!("{cluster:032x}"),
                        "this node is a member already: --join is ignored"
                    );
                    return again(&**self.disk, Some(credentials.clone()));
                }
                if credentials.is_none()
                    && identity.incarnation != FOUNDER
                    && wish.local_data == LocalData::Keep
                {
                    // A member that has lost its key: what is missing is told, and no seat is left behind in silence.
                    return again(&**self.disk, None);
                }
                self.join(wish, Some(&identity))
            }
        }
    }

    /// A node that was quarantined takes another seat. `None` if its old one is not given up yet: then it goes on as it
    /// was, and is quarantined again as soon as it hears of the others.
    fn join_again(&self, rejoin: &Rejoin, former: &Identity) -> anyhow::Result<Option<Member>> {
        for address in &rejoin.members {
            let wish = Join {
                member: address.clone(),
                token: Some(rejoin.token),
                local_data: LocalData::Discard,
            };
            match self.join(&wish, Some(former)) {
                Ok(member) => return Ok(Some(member)),
                Err(error) => tracing::warn!(member = address, "{error:#}"),
            }
        }
        Ok(None)
    }

    /// Joins. What the directory holds stays until there is a seat.
    fn join(&self, wish: &Join, former: Option<&Identity>) -> anyhow::Result<Member> {
        let token = wish
            .token
            .context("--join needs --token: `quorate cluster token` makes one at a member")?;
        if let Some(former) = former {
            self.give_up(former, wish.local_data)?;
        }
        let applicant = Applicant {
            member: wish.member.clone(),
            token,
            name: self.configuration.cluster.name_or_default(),
            address: self.address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_id: self.schema.schema_id,
        };
        let joined = self.runtime.block_on(join(&applicant)).context("this node cannot join")?;
        let Joined { credentials, identity, members } = joined;
        let disk = &**self.disk;
        write_credentials(disk, &credentials)?;
        let rejoin = rejoin::read(disk)?;
        if rejoin.is_none_or(|rejoin| rejoin.token != token) {
            replace_file(disk, JOINED_WITH, digest_of(&token).as_bytes())?;
        }
        erase(disk)?;
        // From here on the directory belongs to the new member.
        identity.write(disk)?;
        rejoin::forget(disk)?;
        let (member, cluster) = (identity.incarnation.0, format!("{:032x}", identity.cluster.0));
        tracing::info!(member, cluster, others = members.len(), "joined; waiting for the state");
        let credentials = Some(credentials);
        Ok(Member { identity, credentials, others: members, rejoin_secret: secret()? })
    }

    /// Exports what the directory holds, if that is to be discarded.
    fn give_up(&self, former: &Identity, local_data: LocalData) -> anyhow::Result<()> {
        let state = match self.local_state(former) {
            Ok(state) => state,
            Err(error) if local_data == LocalData::Discard => {
                tracing::warn!("what is discarded cannot be exported: {error:#}");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Revision(revision) = state.revision;
        if revision == 0 {
            return Ok(());
        }
        let directory = self.configuration.data_dir.display();
        anyhow::ensure!(
            local_data == LocalData::Discard,
            "the data directory {directory} holds a configuration (revision {revision}) that the cluster does not have: \
             with --discard-local-data it is exported to a file and given up, otherwise take an empty directory"
        );
        let file = export(&**self.disk, self.schema, &state)?;
        tracing::warn!(
            revision,
            "the configuration of this node is discarded; it is in {directory}/{file}"
        );
        Ok(())
    }

    /// The state after all that is in the log.
    fn local_state(&self, identity: &Identity) -> anyhow::Result<State> {
        let raft = recover(Arc::clone(self.disk), LogOptions::default())?.raft;
        let state = recovered_state(self.disk, &raft, self.schema, identity)?;
        replay(state, &raft.entries, self.schema)
    }
}

/// Whether the directory belongs to a member of the cluster that the wish is for. A new token, with the word that local
/// data may go, is for one that was removed.
fn is_joined(disk: &dyn Disk, credentials: &Credentials, wish: &Join) -> anyhow::Result<bool> {
    let Some(token) = &wish.token else { return Ok(true) };
    if credentials.authority_fingerprint() != token.authority {
        return Ok(false);
    }
    if wish.local_data == LocalData::Keep {
        return Ok(true);
    }
    let known = match disk.size(JOINED_WITH) {
        Ok(size) => disk.read(JOINED_WITH, 0, usize::try_from(size)?)?,
        Err(DiskError::Missing { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(known == digest_of(token).as_bytes())
}

fn digest_of(token: &JoinToken) -> String {
    fingerprint(token.to_string().as_bytes()).to_string()
}

/// Running as a file that `--initial-config` takes; gives its name.
fn export(disk: &dyn Disk, schema: &Arc<Schema>, state: &State) -> anyhow::Result<String> {
    let mut text = b"<config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">".to_vec();
    text.extend_from_slice(&crate::yang::print::print_all(schema, &state.shared));
    text.extend_from_slice(b"</config>\n");
    let files = disk.list()?;
    let revision = state.revision;
    let mut file = format!("discarded-{revision}.xml");
    let mut number: u64 = 2;
    while files.contains(&file) {
        file = format!("discarded-{revision}-{number}.xml");
        number = number.saturating_add(1);
    }
    replace_file(disk, &file, &text)?;
    Ok(file)
}

fn secret() -> anyhow::Result<[u8; 16]> {
    let wide = u128::from(random::number()?) << 64 | u128::from(random::number()?);
    Ok(wide.to_le_bytes())
}

/// A new cluster of one.
fn found(disk: &dyn Disk) -> anyhow::Result<Member> {
    let wide = || -> anyhow::Result<u128> {
        Ok(u128::from(random::number()?) << 64 | u128::from(random::number()?))
    };
    let identity = Identity {
        cluster: ClusterId(wide()?),
        lineage: Lineage(wide()?),
        incarnation: FOUNDER,
        boot: Boot { counter: 1, nonce: random::number()? },
        tree_seed: wide()?.to_le_bytes(),
    };
    identity.create(disk)?;
    Ok(Member { identity, credentials: None, others: Vec::new(), rejoin_secret: secret()? })
}

/// A new life of the member.
fn again(disk: &dyn Disk, credentials: Option<Credentials>) -> anyhow::Result<Member> {
    let nonce = random::number()?;
    let started = match Identity::start(disk, nonce) {
        // The reserve is what a full disk is started with.
        Err(IdentityError::Disk(error))
            if error.is_no_space() && Reserve::default().release(disk)? =>
        {
            Identity::start(disk, nonce)
        }
        started => started,
    };
    let identity = started?.context("the file identity is gone")?;
    // The secret that the others may know already.
    let remembered = rejoin::read(disk)?.map(|rejoin| rejoin.token.secret);
    let rejoin_secret = remembered.map_or_else(secret, Ok)?;
    Ok(Member { identity, credentials, others: Vec::new(), rejoin_secret })
}
