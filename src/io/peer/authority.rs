//! The cluster's certificate authority, and what it signs.
//!
//! A member's certificate names its incarnation, lineage and cluster as one DNS name, so that the ordinary check of a
//! name is the check of who a member is (PROTOCOL F41). Certificates do not end: a member leaves by the log, and the
//! clock of a device may be anywhere.

use crate::base::ids::{ClusterId, Digest, Incarnation, Lineage};
use crate::replication::state::Authority;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
    SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use sha2::{Digest as _, Sha256};
use std::fmt::Write;

/// Bytes of a public key: a point of P-256, not compressed (SEC 1, 2.3.3).
const PUBLIC_KEY_BYTES: usize = 65;
/// The domain of the names; reserved for private use.
const DOMAIN: &str = "quorate.internal";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("a certificate cannot be made: {0}")]
    Signing(#[from] rcgen::Error),
    #[error("the public key is not one of P-256")]
    PublicKey,
    #[error("the file is damaged: {0}")]
    File(&'static str),
}

/// Who a member is, as its certificate says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberName {
    pub(crate) cluster: ClusterId,
    pub(crate) lineage: Lineage,
    pub(crate) incarnation: Incarnation,
}

/// A member's key and certificate, and the certificate of the authority that signed it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// PKCS #8, DER. Secret.
    key: Vec<u8>,
    /// DER.
    certificate: Vec<u8>,
    /// DER.
    authority: Vec<u8>,
}

/// A new key, without a certificate yet.
pub(crate) struct MemberKey(KeyPair);

/// The public half of a member's key.
struct PublicKey<'a>(&'a [u8]);

impl PublicKeyData for PublicKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// A new authority, for a new cluster. `cluster_name` is for people who look at the certificate.
///
/// # Errors
/// If the operating system has no chance to give.
pub(crate) fn create(cluster_name: &str) -> Result<Authority, AuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = authority_parameters(&key);
    let mut uri = "urn:quorate:cluster:".to_owned();
    for byte in cluster_name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            uri.push(char::from(byte));
        } else {
            // Percent-encoding (RFC 3986, 2.1). Writing to a string does not fail.
            write!(uri, "%{byte:02X}").unwrap_or_default();
        }
    }
    parameters.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
    let certificate = parameters.self_signed(&key)?;
    Ok(Authority { certificate: certificate.der().to_vec(), key: key.serialize_der() })
}

/// The certificate of the member `name` for the key with this public half.
///
/// # Errors
/// If one of the keys is not one of P-256.
pub(crate) fn sign(
    authority: &Authority,
    name: &MemberName,
    public_key: &[u8],
) -> Result<Vec<u8>, AuthorityError> {
    if public_key.len() != PUBLIC_KEY_BYTES || public_key.first() != Some(&4) {
        return Err(AuthorityError::PublicKey);
    }
    let key = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(authority.key.as_slice()),
        &PKCS_ECDSA_P256_SHA256,
    )?;
    let issuer = Issuer::new(authority_parameters(&key), key);
    let mut parameters = without_end();
    parameters
        .distinguished_name
        .push(DnType::CommonName, format!("Quorate member {}", name.incarnation));
    parameters.subject_alt_names = vec![SanType::DnsName(name.dns_name().try_into()?)];
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters.signed_by(&PublicKey(public_key), &issuer)?.der().to_vec())
}

/// The SHA-256 digest of a certificate.
pub(crate) fn fingerprint(certificate: &[u8]) -> Digest {
    Digest(Sha256::digest(certificate).into())
}

/// What an authority with this key says of itself. It follows from the key, so that the certificate need not be read to
/// sign another.
fn authority_parameters(key: &KeyPair) -> CertificateParams {
    let digest = fingerprint(key.public_key_raw()).to_string();
    let mut parameters = without_end();
    let name = format!("Quorate authority {}", digest.get(..16).unwrap_or_default());
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

/// Valid from the beginning of the clock to "no end" (RFC 5280, 4.1.2.5).
fn without_end() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.not_before = date_time_ymd(1970, 1, 1);
    parameters.not_after = date_time_ymd(9999, 12, 31);
    parameters.distinguished_name = DistinguishedName::new();
    parameters
}

impl MemberName {
    /// The same cluster's member `incarnation`.
    pub(crate) fn of(&self, incarnation: Incarnation) -> Self {
        Self { incarnation, ..*self }
    }

    fn dns_name(&self) -> String {
        let Self { cluster, lineage, incarnation } = self;
        format!("m{incarnation}.l{:032x}.c{:032x}.{DOMAIN}", lineage.0, cluster.0)
    }

    /// The name that a certificate is checked for.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.dns_name()).ok()
    }
}

impl MemberKey {
    /// A new key.
    ///
    /// # Errors
    /// If the operating system has no chance to give.
    pub(crate) fn generate() -> Result<Self, AuthorityError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?))
    }

    /// The public half.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key_raw()
    }

    /// The key with its certificate, and that of who signed it.
    pub(crate) fn certified(self, certificate: Vec<u8>, authority: Vec<u8>) -> Credentials {
        Credentials { key: self.0.serialize_der(), certificate, authority }
    }
}

impl Credentials {
    /// A new key that `authority` certifies.
    ///
    /// # Errors
    /// If the operating system has no chance to give, or the authority's key is none.
    pub(crate) fn issue(authority: &Authority, name: &MemberName) -> Result<Self, AuthorityError> {
        let key = MemberKey::generate()?;
        let certificate = sign(authority, name, key.public_key())?;
        Ok(key.certified(certificate, authority.certificate.clone()))
    }

    /// The digest of the authority's certificate.
    pub(crate) fn authority_fingerprint(&self) -> Digest {
        fingerprint(&self.authority)
    }

    /// Whether they are those of the member.
    pub(crate) fn are_of(&self, member: &MemberName) -> bool {
        super::tls::is_of(&CertificateDer::from(self.certificate.as_slice()), member)
    }

    /// As a file: key, certificate, certificate of the authority, in PEM (RFC 7468).
    pub(crate) fn to_pem(&self) -> String {
        let mut text = String::new();
        push_pem(&mut text, "PRIVATE KEY", &self.key);
        push_pem(&mut text, "CERTIFICATE", &self.certificate);
        push_pem(&mut text, "CERTIFICATE", &self.authority);
        text
    }

    /// What `to_pem` wrote.
    ///
    /// # Errors
    /// If it is something else.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, AuthorityError> {
        let mut sections = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            sections.push(section.or(Err(AuthorityError::File("it is no PEM")))?);
        }
        let mut sections = sections.into_iter();
        let mut next = |kind, what| match sections.next() {
            Some((found, bytes)) if found == kind => Ok(bytes),
            Some(_) | None => Err(AuthorityError::File(what)),
        };
        Ok(Self {
            key: next(SectionKind::PrivateKey, "it does not begin with a private key")?,
            certificate: next(SectionKind::Certificate, "its certificate is missing")?,
            authority: next(SectionKind::Certificate, "the authority's certificate is missing")?,
        })
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// The member's certificate, then the authority's, which a node that joins knows by its digest.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from(self.certificate.clone()), self.authority()]
    }

    pub(super) fn authority(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.authority.clone())
    }
}

/// Without the key.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

fn push_pem(text: &mut String, label: &str, der: &[u8]) {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
}

#[cfg(test)]
mod tests {
    use super::{AuthorityError, Credentials, MemberName, create, fingerprint, sign};
    use crate::base::ids::{ClusterId, Incarnation, Lineage};

    const NAME: MemberName = MemberName {
        cluster: ClusterId(1),
        lineage: Lineage(u128::MAX),
        incarnation: Incarnation(3),
    };

    #[test]
    fn credentials_come_back_from_their_file() {
        let authority = create("lab – 1").unwrap();
        let credentials = Credentials::issue(&authority, &NAME).unwrap();
        assert_eq!(credentials.authority_fingerprint(), fingerprint(&authority.certificate));
        let pem = credentials.to_pem();
        assert_eq!(Credentials::from_pem(pem.as_bytes()).unwrap(), credentials);
        assert!(pem.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn a_file_that_is_something_else_is_refused() {
        let authority = create("lab").unwrap();
        let pem = Credentials::issue(&authority, &NAME).unwrap().to_pem();
        let (key, certificates) = pem.split_at(pem.find("-----BEGIN CERT").unwrap());
        let broken = pem.replace("END PRIVATE", "END PUBLIC");
        for text in ["", "garbage", key, certificates, pem.split_at(pem.len() / 2).0, &broken] {
            let error = Credentials::from_pem(text.as_bytes()).unwrap_err();
            assert!(matches!(error, AuthorityError::File(_)), "{error}");
        }
    }

    #[test]
    fn only_keys_of_the_right_kind_are_signed() {
        let authority = create("lab").unwrap();
        for key in [&[][..], &[4; 64], &[2; 65], &[4; 66]] {
            assert!(matches!(sign(&authority, &NAME, key), Err(AuthorityError::PublicKey)));
        }
    }

    #[test]
    fn secrets_are_not_printed_by_chance() {
        let authority = create("lab").unwrap();
        let credentials = Credentials::issue(&authority, &NAME).unwrap();
        assert_eq!(format!("{credentials:?}"), "Credentials { .. }");
    }
}
