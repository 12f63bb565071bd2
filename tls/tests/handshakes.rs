//! Handshakes over loopback: what a name gets, what is refused, what goes on.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SanType,
};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use windrose_tls::{
    ClientCa, Fault, HandshakeError, MinVersion, Refusal, Remark, Session, Source, Store, Wanted,
    accept, install,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Files of a test, and the time it believes in.
struct Scene {
    folder: TempDir,
    store: Store,
    wanted: Wanted,
}

/// What a client saw and what the server knows.
type Outcome = (
    Result<Vec<u8>, std::io::Error>,
    Result<Session, HandshakeError>,
);

impl Scene {
    fn new() -> Self {
        install();
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Store::new(),
            wanted: Wanted::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a self-signed pair; returns its certificate in DER.
    fn write(&self, stem: &str, names: &[&str], rsa: bool) -> Vec<u8> {
        self.write_until(stem, names, rsa, SystemTime::now() + DAY * 90)
    }

    fn write_until(&self, stem: &str, names: &[&str], rsa: bool, until: SystemTime) -> Vec<u8> {
        let key = if rsa {
            KeyPair::from_pem(RSA_KEY).unwrap()
        } else {
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
        };
        assert_eq!(rsa, key.algorithm() == &PKCS_RSA_SHA256);
        let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = (SystemTime::now() - DAY * 900).into();
        params.not_after = until.into();
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(self.path(&format!("{stem}.pem")), cert.pem()).unwrap();
        std::fs::write(self.path(&format!("{stem}.key")), key.serialize_pem()).unwrap();
        cert.der().to_vec()
    }

    fn want(&mut self, stem: &str, default: bool) {
        self.wanted.certificates.push(Source::Pair {
            cert: self.path(&format!("{stem}.pem")),
            key: self.path(&format!("{stem}.key")),
            default,
        });
    }

    fn publish(&self) {
        let generation = self.store.prepare(&self.wanted, SystemTime::now());
        self.store.publish(generation.unwrap());
    }

    /// The one fault of what is wanted, as `file: text`.
    fn fault(&self) -> String {
        let errors = self.store.prepare(&self.wanted, SystemTime::now());
        let errors = errors.unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        let text = errors[0].to_string();
        let folder = format!("{}/", self.folder.path().display());
        text.replace(&folder, "")
    }

    /// One handshake of a client of that configuration.
    async fn meet(&self, name: &str, config: &Arc<ClientConfig>, policy: Option<u64>) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = self.store.clone();
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut stream, session) = accept(&store, stream, |_| policy).await?;
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"x")
                .await
                .unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut stream)
                .await
                .unwrap();
            Ok(session)
        });
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::clone(config));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let met = async {
            let mut stream = connector.connect(name, stream).await?;
            let mut text = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut text).await?;
            let chain = stream.get_ref().1.peer_certificates().unwrap();
            Ok(chain[0].to_vec())
        };
        let seen = met.await;
        (seen, serving.await.unwrap())
    }

    async fn shown(&self, name: &str) -> Vec<u8> {
        self.meet(name, &client(), None).await.0.unwrap()
    }
}

/// Believes any certificate.
#[derive(Debug)]
struct Credulous(Vec<SignatureScheme>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

const ALL: [SignatureScheme; 2] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::RSA_PSS_SHA256,
];

fn client() -> Arc<ClientConfig> {
    client_of(
        &ALL,
        &[&rustls::version::TLS13, &rustls::version::TLS12],
        None,
    )
}

fn client_of(
    schemes: &[SignatureScheme],
    versions: &[&'static rustls::SupportedProtocolVersion],
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Arc<ClientConfig> {
    install();
    let verifier = Arc::new(Credulous(schemes.to_vec()));
    let builder = ClientConfig::builder_with_protocol_versions(versions)
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

/// An authority, and a client's chain and key that it signed.
fn authority() -> (Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let cert = params.self_signed(&key).unwrap();
    (cert, Issuer::new(params, key))
}

fn signed(
    issuer: &Issuer<'static, KeyPair>,
) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
    let spiffe = "spiffe://test/web".to_owned().try_into().unwrap();
    params.subject_alt_names.push(SanType::URI(spiffe));
    params
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, "A, \"B\"");
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "web");
    let cert = params.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (vec![cert.der().clone()], key)
}

#[tokio::test]
async fn a_name_gets_its_own_certificate_before_a_wildcard_and_a_wildcard_is_one_label() {
    let mut scene = Scene::new();
    let exact = scene.write("exact", &["www.shop.test"], false);
    let wild = scene.write("wild", &["*.shop.test"], false);
    scene.want("wild", false);
    scene.want("exact", false);
    scene.publish();
    assert_eq!(scene.shown("www.shop.test").await, exact);
    assert_eq!(scene.shown("WWW.Shop.TEST").await, exact);
    assert_eq!(scene.shown("api.shop.test").await, wild);
    for name in ["shop.test", "a.b.shop.test", "other.test", "127.0.0.1"] {
        let (seen, served) = scene.meet(name, &client(), None).await;
        assert_eq!(
            served.unwrap_err().refusal,
            Refusal::NoCertificate,
            "{name}"
        );
        let error = seen.unwrap_err();
        let alert = error.get_ref().unwrap().downcast_ref::<rustls::Error>();
        let unrecognized = rustls::Error::AlertReceived(AlertDescription::UnrecognisedName);
        assert_eq!(alert, Some(&unrecognized), "{name}");
    }
}

#[tokio::test]
async fn the_default_is_for_who_names_nothing_or_nobody_known() {
    let mut scene = Scene::new();
    let fallback = scene.write("fallback", &["fallback.test"], false);
    let shop = scene.write("shop", &["shop.test"], false);
    scene.want("fallback", true);
    scene.want("shop", false);
    scene.publish();
    // To an address no name is sent (RFC 6066 section 3).
    for name in ["127.0.0.1", "other.test"] {
        assert_eq!(scene.shown(name).await, fallback);
    }
    assert_eq!(scene.shown("shop.test").await, shop);
    let (_, session) = scene.meet("other.test", &client(), None).await;
    let session = session.unwrap();
    assert!(session.is_for("other.test") && session.is_for("fallback.test"));
    assert!(!session.is_for("shop.test"));
}

#[tokio::test]
async fn of_two_certificates_a_client_gets_the_one_it_can_verify() {
    let mut scene = Scene::new();
    let rsa = scene.write("rsa", &["shop.test"], true);
    let ecdsa = scene.write("ecdsa", &["shop.test"], false);
    scene.want("rsa", false);
    scene.want("ecdsa", false);
    scene.publish();
    for versions in [&[&rustls::version::TLS13], &[&rustls::version::TLS12]] {
        for (schemes, expected) in [(&ALL[..], &ecdsa), (&ALL[..1], &ecdsa), (&ALL[1..], &rsa)] {
            let client = client_of(schemes, versions, None);
            let (seen, _) = scene.meet("shop.test", &client, None).await;
            assert_eq!(&seen.unwrap(), expected, "{schemes:?} {versions:?}");
        }
    }
}

#[tokio::test]
async fn a_minimum_version_is_kept_and_the_client_told() {
    let mut scene = Scene::new();
    scene.write("shop", &["shop.test"], false);
    scene.want("shop", false);
    scene.publish();
    let old = client_of(&ALL, &[&rustls::version::TLS12], None);
    let (seen, session) = scene.meet("shop.test", &old, None).await;
    seen.unwrap();
    assert!(!session.unwrap().is_tls13());
    scene.wanted.min_version = MinVersion::Tls13;
    scene.publish();
    let (seen, served) = scene.meet("shop.test", &old, None).await;
    seen.unwrap_err();
    assert_eq!(served.unwrap_err().refusal, Refusal::Version);
    let (_, session) = scene.meet("shop.test", &client(), None).await;
    assert!(session.unwrap().is_tls13());
}

#[tokio::test]
async fn sessions_go_on_in_both_versions_and_across_a_new_certificate() {
    let mut scene = Scene::new();
    scene.write("shop", &["shop.test", "other.test"], false);
    scene.want("shop", false);
    scene.publish();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = client_of(&ALL, &[version], None);
        let resumed = async |name| {
            let (seen, session) = scene.meet(name, &client, None).await;
            seen.unwrap();
            session.unwrap().is_resumed()
        };
        assert!(!resumed("shop.test").await);
        assert!(resumed("shop.test").await);
        scene.write("shop", &["shop.test", "other.test"], false);
        scene.publish();
        assert!(resumed("shop.test").await);
        assert!(!resumed("other.test").await, "a ticket is for one name");
    }
}

#[tokio::test]
async fn a_new_pair_is_served_from_the_next_handshake_and_a_bad_one_never() {
    let mut scene = Scene::new();
    let first = scene.write("shop", &["shop.test"], false);
    scene.want("shop", false);
    scene.publish();
    std::fs::write(scene.path("shop.pem"), "-----BEGIN CERTIFICATE-----\nAA").unwrap();
    scene.publish();
    assert_eq!(scene.shown("shop.test").await, first);
    let second = scene.write("shop", &["shop.test"], false);
    scene.publish();
    assert_eq!(scene.shown("shop.test").await, second);
}

#[tokio::test]
async fn a_bad_pair_that_is_in_force_goes_on_and_holds_up_no_renewal() {
    let mut scene = Scene::new();
    let shop = scene.write("shop", &["shop.test"], false);
    std::fs::create_dir(scene.path("tenants")).unwrap();
    scene.write("tenants/a", &["a.test"], false);
    scene.want("shop", false);
    scene
        .wanted
        .certificates
        .push(Source::Folder(scene.path("tenants")));
    scene.publish();
    let renewed = scene.write("tenants/a", &["a.test"], false);
    std::fs::write(scene.path("shop.key"), "no key").unwrap();
    let generation = scene
        .store
        .prepare(&scene.wanted, SystemTime::now())
        .unwrap();
    let [trouble] = &generation.troubles[..] else {
        panic!("{:?}", generation.troubles)
    };
    assert!(trouble.kept && trouble.error.file.ends_with("shop.key"));
    scene.store.publish(generation);
    assert_eq!(scene.shown("shop.test").await, shop);
    assert_eq!(scene.shown("a.test").await, renewed);
}

#[test]
fn what_no_client_gets_is_remarked() {
    let mut scene = Scene::new();
    std::fs::create_dir(scene.path("empty")).unwrap();
    scene
        .wanted
        .certificates
        .push(Source::Folder(scene.path("empty")));
    scene.write("address", &["192.0.2.1"], false);
    scene.want("address", false);
    scene.write("other", &["192.0.2.1"], false);
    scene.want("other", true);
    scene.write("star", &["*"], false);
    scene.want("star", false);
    scene.write("wild", &["*.test"], false);
    scene.want("wild", false);
    let generation = scene
        .store
        .prepare(&scene.wanted, SystemTime::now())
        .unwrap();
    let told: Vec<_> = (generation.remarks.iter())
        .map(|(file, remark)| (file.file_name().unwrap().to_str().unwrap(), *remark))
        .collect();
    assert_eq!(
        told,
        [
            ("empty", Remark::EmptyFolder),
            ("address.pem", Remark::NamesNoHost),
            ("star.pem", Remark::NamesNoHost),
        ]
    );
}

#[test]
fn what_is_wrong_with_a_pair_is_told_with_the_file_and_nothing_of_the_key() {
    let mut scene = Scene::new();
    scene.write("shop", &["shop.test"], false);
    scene.want("shop", false);
    let (pem, key) = (scene.path("shop.pem"), scene.path("shop.key"));
    let good = (std::fs::read(&pem).unwrap(), std::fs::read(&key).unwrap());
    let check = |file: &Path, octets: &[u8], expected: &str| {
        std::fs::write(file, octets).unwrap();
        assert!(scene.fault().starts_with(expected), "{}", scene.fault());
        std::fs::write(&pem, &good.0).unwrap();
        std::fs::write(&key, &good.1).unwrap();
    };
    check(&pem, b"", "shop.pem: holds no certificate");
    check(&pem, &good.1, "shop.pem: holds no certificate");
    check(&key, &good.0, "shop.key: holds no private key");
    let twice = [&good.1[..], &good.1].concat();
    check(&key, &twice, "shop.key: holds more than one private key");
    check(
        &pem,
        &vec![b'x'; (1 << 20) + 1],
        "shop.pem: is larger than 1 MiB",
    );
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    check(
        &key,
        broken.as_bytes(),
        "shop.key: the private key is unusable",
    );
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(
        &pem,
        broken.as_bytes(),
        "shop.pem: the certificate is no valid X.509",
    );
    let sealed =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n\
                 AAAA\n-----END RSA PRIVATE KEY-----\n";
    for sealed in [sealed, older] {
        check(
            &key,
            sealed.as_bytes(),
            "shop.key: the private key is encrypted",
        );
    }
    let other = KeyPair::generate().unwrap().serialize_pem();
    check(
        &key,
        other.as_bytes(),
        "shop.key: the private key is not that of the certificate in",
    );
    std::fs::remove_file(&key).unwrap();
    assert!(scene.fault().starts_with("shop.key: cannot be read"));
    scene.write("shop", &[], false);
    assert!(
        scene
            .fault()
            .starts_with("shop.pem: the certificate names no host")
    );
    scene.write_until("shop", &["shop.test"], false, SystemTime::now() - DAY);
    assert!(
        scene
            .fault()
            .starts_with("shop.pem: the certificate expired at 20")
    );
}

#[test]
fn a_certificate_that_expires_in_force_goes_on_and_stops_no_other_change() {
    let mut scene = Scene::new();
    let end = SystemTime::now() + DAY;
    scene.write_until("shop", &["shop.test"], false, end);
    scene.want("shop", false);
    scene.publish();
    let later = scene.store.prepare(&scene.wanted, end + DAY);
    scene.store.publish(later.unwrap());
    let expiry = &scene.store.expiries()[0];
    assert!(expiry.at <= end);
    assert!(expiry.file.ends_with("shop.pem"));
}

#[tokio::test]
async fn in_a_folder_each_pair_stands_for_itself() {
    let mut scene = Scene::new();
    let a = scene.write("a", &["a.test"], false);
    scene.write("b", &["b.test"], false);
    let combined = [scene.path("b.pem"), scene.path("b.key")]
        .map(|file| std::fs::read_to_string(file).unwrap())
        .concat();
    std::fs::write(scene.path("b.pem"), combined).unwrap();
    std::fs::remove_file(scene.path("b.key")).unwrap();
    std::fs::write(scene.path("README"), "not a certificate").unwrap();
    let folder = Source::Folder(scene.folder.path().to_owned());
    scene.wanted.certificates.push(folder);
    scene.publish();
    assert_eq!(scene.store.count(), 2);
    // One turns bad, one is new and bad, one is new and good.
    std::fs::write(scene.path("a.key"), "").unwrap();
    std::fs::write(scene.path("c.pem"), "").unwrap();
    scene.write("d", &["d.test"], false);
    let generation = scene
        .store
        .prepare(&scene.wanted, SystemTime::now())
        .unwrap();
    let troubles: Vec<_> = generation.troubles.iter().collect();
    assert_eq!(troubles.len(), 2);
    assert!(matches!(troubles[0].error.fault, Fault::NoKey) && troubles[0].kept);
    assert!(!troubles[1].kept);
    scene.store.publish(generation);
    assert_eq!(scene.shown("a.test").await, a);
    scene.shown("b.test").await;
    scene.shown("d.test").await;
}

#[tokio::test]
async fn a_client_shows_a_certificate_of_the_right_authority_where_it_must() {
    let mut scene = Scene::new();
    scene.write("shop", &["shop.test"], false);
    scene.want("shop", false);
    let (ca, issuer) = authority();
    std::fs::write(scene.path("ca.pem"), ca.pem()).unwrap();
    for (policy, required) in [(1, true), (2, false)] {
        let ca = scene.path("ca.pem");
        scene.wanted.client_cas.push(ClientCa {
            policy,
            ca,
            required,
        });
    }
    scene.publish();
    let known = client_of(&ALL, &[&rustls::version::TLS13], Some(signed(&issuer)));
    let strange = Some(signed(&authority().1));
    let strange = client_of(&ALL, &[&rustls::version::TLS13], strange);

    let (seen, served) = scene.meet("shop.test", &known, Some(1)).await;
    seen.unwrap();
    let session = served.unwrap();
    let element = session.client().unwrap().element();
    let (hash, rest) = element.split_once(';').unwrap();
    assert_eq!(hash.len(), "Hash=".len() + 64, "{hash}");
    assert_eq!(
        rest,
        r#"Subject="O=A\\, \\\"B\\\",CN=web";URI=spiffe://test/web;DNS=client.test"#
    );
    let (_, again) = scene.meet("shop.test", &known, Some(1)).await;
    let again = again.unwrap();
    assert!(again.is_resumed());
    assert_eq!(again.client(), session.client());

    let (_, served) = scene.meet("shop.test", &client(), Some(1)).await;
    assert_eq!(
        served.unwrap_err().refusal,
        Refusal::ClientCertificateMissing
    );
    for policy in [1, 2] {
        let (_, served) = scene.meet("shop.test", &strange, Some(policy)).await;
        assert_eq!(served.unwrap_err().refusal, Refusal::ClientCertificate);
    }
    let (seen, served) = scene.meet("shop.test", &client(), Some(2)).await;
    seen.unwrap();
    assert!(served.unwrap().client().is_none());
    let (_, served) = scene.meet("shop.test", &client(), Some(3)).await;
    assert_eq!(served.unwrap_err().refusal, Refusal::NoPolicy);
}

#[tokio::test]
async fn a_ticket_does_not_outlive_the_trust_it_was_given_under() {
    let mut scene = Scene::new();
    scene.write("shop", &["shop.test"], false);
    scene.want("shop", false);
    let (ca, issuer) = authority();
    let file = scene.path("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    let required = true;
    scene.wanted.client_cas.push(ClientCa {
        policy: 1,
        ca: file.clone(),
        required,
    });
    scene.publish();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        std::fs::write(&file, ca.pem()).unwrap();
        scene.publish();
        // A session without a certificate, then the host asks for one.
        let anonymous = client_of(&ALL, &[version], None);
        scene.meet("shop.test", &anonymous, None).await.0.unwrap();
        let (_, served) = scene.meet("shop.test", &anonymous, Some(1)).await;
        assert_eq!(
            served.unwrap_err().refusal,
            Refusal::ClientCertificateMissing
        );
        // A session with one, then its authority is not trusted any more.
        let known = client_of(&ALL, &[version], Some(signed(&issuer)));
        scene.meet("shop.test", &known, Some(1)).await.0.unwrap();
        std::fs::write(&file, authority().0.pem()).unwrap();
        scene.publish();
        let (_, served) = scene.meet("shop.test", &known, Some(1)).await;
        assert_eq!(served.unwrap_err().refusal, Refusal::ClientCertificate);
    }
}

/// A ClientHello without extensions.
fn bare_hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let mut hello = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    hello.extend(body);
    hello
}

#[tokio::test]
async fn an_old_client_is_told_that_it_is_the_version() {
    let mut scene = Scene::new();
    scene.write("shop", &["shop.test"], true);
    scene.want("shop", true);
    scene.publish();
    for (version, alert, expected) in [
        ([3, 2], 70, Refusal::Version),
        ([3, 1], 70, Refusal::Version),
        ([3, 3], 40, Refusal::Parameters),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut client, &bare_hello(version))
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let error = accept(&scene.store, stream, |_| None).await.err().unwrap();
        assert_eq!(error.refusal, expected, "{error}");
        let mut told = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut client, &mut told)
            .await
            .unwrap();
        assert_eq!(told[told.len() - 2..], [2, alert], "{version:?}");
    }
}

#[tokio::test]
async fn what_is_no_tls_is_told_apart_from_who_left() {
    let mut scene = Scene::new();
    scene.write("shop", &["shop.test"], false);
    scene.want("shop", false);
    scene.publish();
    for (octets, expected) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], Refusal::Garbage),
        (b"\x16\x03\x01", Refusal::Closed),
        (b"", Refusal::Closed),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, octets)
            .await
            .unwrap();
        drop(stream);
        let (stream, _) = listener.accept().await.unwrap();
        let error = accept(&scene.store, stream, |_| None).await.err().unwrap();
        assert_eq!(error.refusal, expected, "{error}");
    }
}

#[test]
fn ten_thousand_certificates_are_read_and_found() {
    let mut scene = Scene::new();
    let key = KeyPair::generate().unwrap();
    std::fs::write(scene.path("all.key"), key.serialize_pem()).unwrap();
    for n in 0..10_000 {
        let params = CertificateParams::new(vec![format!("h{n}.test")]).unwrap();
        let cert = params.self_signed(&key).unwrap();
        let file = scene.path(&format!("{n}.pem"));
        std::fs::write(&file, cert.pem()).unwrap();
        let key = scene.path("all.key");
        let default = false;
        scene.wanted.certificates.push(Source::Pair {
            cert: file,
            key,
            default,
        });
    }
    scene.publish();
    assert_eq!(scene.store.count(), 10_000);
    let began = std::time::Instant::now();
    scene.publish();
    println!("read again: {:?}", began.elapsed());
}

/// 2,048 bits, made for this test: RSA keys take seconds to make.
const RSA_KEY: &str = include_str!("rsa.key");
