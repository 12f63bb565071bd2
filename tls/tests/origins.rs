//! Handshakes with endpoints over loopback: whom we trust, under which name, what we show.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use windrose_tls::{
    Handshake, Inside, MinVersion, OriginFault, Store, ToEndpoints, Wanted, install,
};

const DAY: Duration = Duration::from_secs(86_400);
const NAME: &str = "backend.test";

/// Authorities and endpoints of a test.
struct Scene {
    folder: TempDir,
    store: Store,
}

/// What an endpoint saw of one connection.
#[derive(Debug, PartialEq)]
struct Seen {
    name: Option<String>,
    alpn: Option<Vec<u8>>,
    certificate: bool,
}

/// An authority with its key.
struct Authority {
    cert: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Scene {
    fn new() -> Self {
        install();
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Store::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn authority(&self, file: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(self.path(file), cert.pem()).unwrap();
        Authority {
            cert: cert.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn wanted(&self) -> ToEndpoints {
        ToEndpoints {
            policy: 7,
            server_name: NAME.to_owned(),
            names: Vec::new(),
            ca: Some(self.path("ca.pem")),
            verified: true,
            identity: None,
            min_version: MinVersion::default(),
            inside: Inside::Http1,
        }
    }

    fn publish(&self, wanted: Vec<ToEndpoints>) {
        let wanted = Wanted {
            to_endpoints: wanted,
            ..Wanted::default()
        };
        let generation = self.store.prepare(&wanted, SystemTime::now()).unwrap();
        self.store.publish(generation);
    }

    /// The one fault of what is wanted, as `file: text`.
    fn fault(&self, wanted: ToEndpoints) -> String {
        let wanted = Wanted {
            to_endpoints: vec![wanted],
            ..Wanted::default()
        };
        let errors = self.store.prepare(&wanted, SystemTime::now()).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        let folder = format!("{}/", self.folder.path().display());
        errors[0].to_string().replace(&folder, "")
    }

    /// One connection under policy 7: how it went, and what the endpoint saw.
    async fn meet(
        &self,
        config: &Arc<ServerConfig>,
    ) -> (Result<Handshake, OriginFault>, Option<Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::clone(config));
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.ok()?;
            let connection = stream.get_ref().1;
            let seen = Seen {
                name: connection.server_name().map(str::to_owned),
                alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
                certificate: connection.peer_certificates().is_some(),
            };
            stream.write_all(b"x").await.ok()?;
            stream.shutdown().await.ok()?;
            Some(seen)
        });
        let stream = TcpStream::connect(address).await.unwrap();
        let met = async {
            let origin = self.store.origin(7)?;
            let (mut stream, handshake) = origin.connect(stream).await?;
            // Tickets come with the first octets.
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await?;
            Ok::<_, windrose_tls::OriginError>(handshake)
        };
        let met = met.await.map_err(|error| error.fault);
        (met, serving.await.unwrap())
    }

    async fn fails(&self, config: &Arc<ServerConfig>) -> OriginFault {
        self.meet(config).await.0.unwrap_err()
    }
}

impl Authority {
    fn sign(&self, names: &[&str], until: SystemTime) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = (SystemTime::now() - DAY * 10).into();
        params.not_after = until.into();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// An endpoint with a certificate for these names; `asks`: it wants one of clients.
    fn endpoint(&self, names: &[&str], until: SystemTime, asks: bool) -> Arc<ServerConfig> {
        let (cert, key) = self.sign(names, until);
        let builder = ServerConfig::builder();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.cert.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder(roots.into()).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn later() -> SystemTime {
    SystemTime::now() + DAY * 90
}

#[tokio::test]
async fn an_endpoint_is_asked_for_its_name_and_sessions_are_resumed() {
    let scene = Scene::new();
    let endpoint = scene.authority("ca.pem").endpoint(&[NAME], later(), false);
    scene.publish(vec![scene.wanted()]);
    let (first, seen) = scene.meet(&endpoint).await;
    assert_eq!(
        seen.unwrap(),
        Seen {
            name: Some(NAME.to_owned()),
            alpn: Some(b"http/1.1".to_vec()),
            certificate: false,
        }
    );
    let first = first.unwrap();
    assert!(first.tls13 && !first.resumed);
    assert!(scene.meet(&endpoint).await.0.unwrap().resumed);
    // A reload that changes nothing loses no session.
    scene.publish(vec![scene.wanted()]);
    assert!(scene.meet(&endpoint).await.0.unwrap().resumed);
    let ends = scene.store.origin(7).unwrap().seen_to_end().unwrap();
    assert!(ends > later() - DAY && ends <= later());
}

#[tokio::test]
async fn what_is_not_trusted_gets_no_connection() {
    let scene = Scene::new();
    let authority = scene.authority("ca.pem");
    let stranger = scene.authority("stranger.pem");
    scene.publish(vec![scene.wanted()]);
    let other = authority.endpoint(&["other.test", "192.0.2.1"], later(), false);
    assert_eq!(scene.fails(&other).await, OriginFault::Name);
    let foreign = stranger.endpoint(&[NAME], later(), false);
    assert_eq!(scene.fails(&foreign).await, OriginFault::Untrusted);
    let old = authority.endpoint(&[NAME], SystemTime::now() - DAY, false);
    assert_eq!(scene.fails(&old).await, OriginFault::Expired);
    let unwanted = ToEndpoints {
        verified: false,
        ca: None,
        ..scene.wanted()
    };
    scene.publish(vec![unwanted]);
    for endpoint in [other, foreign, old] {
        assert!(scene.meet(&endpoint).await.0.is_ok());
    }
}

#[tokio::test]
async fn one_of_several_names_is_enough_and_takes_the_place_of_the_one_that_is_sent() {
    let scene = Scene::new();
    let authority = scene.authority("ca.pem");
    let wanted = ToEndpoints {
        names: vec!["a.test".to_owned(), "b.test".to_owned()],
        inside: Inside::Octets,
        ..scene.wanted()
    };
    scene.publish(vec![wanted]);
    let (met, seen) = scene
        .meet(&authority.endpoint(&["b.test"], later(), false))
        .await;
    assert!(met.is_ok());
    let seen = seen.unwrap();
    assert_eq!((seen.name.as_deref(), seen.alpn), (Some(NAME), None));
    let by_sent_name = authority.endpoint(&[NAME], later(), false);
    assert_eq!(scene.fails(&by_sent_name).await, OriginFault::Name);
}

#[tokio::test]
async fn who_does_not_choose_http_2_is_not_spoken_to_where_it_is_wanted() {
    let scene = Scene::new();
    let authority = scene.authority("ca.pem");
    let wanted = ToEndpoints {
        inside: Inside::Http2,
        ..scene.wanted()
    };
    scene.publish(vec![wanted]);
    let speaks = authority.endpoint(&[NAME], later(), false);
    let seen = scene.meet(&speaks).await.1.unwrap();
    assert_eq!(seen.alpn.as_deref(), Some(&b"h2"[..]));
    let with = |protocols: &[&[u8]]| {
        let mut config = ServerConfig::clone(&speaks);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    };
    assert_eq!(scene.fails(&with(&[])).await, OriginFault::Protocol);
    let older = with(&[b"http/1.1"]);
    assert_eq!(scene.fails(&older).await, OriginFault::Protocol);
}

#[tokio::test]
async fn an_address_is_not_sent_and_is_verified_all_the_same() {
    let scene = Scene::new();
    let authority = scene.authority("ca.pem");
    let wanted = ToEndpoints {
        server_name: "127.0.0.1".to_owned(),
        ..scene.wanted()
    };
    scene.publish(vec![wanted]);
    let (met, seen) = scene
        .meet(&authority.endpoint(&["127.0.0.1"], later(), false))
        .await;
    assert!(met.is_ok());
    assert_eq!(seen.unwrap().name, None);
    let named = authority.endpoint(&[NAME], later(), false);
    assert_eq!(scene.fails(&named).await, OriginFault::Name);
}

#[tokio::test]
async fn endpoints_that_ask_are_shown_a_certificate() {
    let scene = Scene::new();
    let authority = scene.authority("ca.pem");
    let (cert, key) = authority.sign(&["client.test"], later());
    std::fs::write(scene.path("own.pem"), cert.pem()).unwrap();
    std::fs::write(scene.path("own.key"), key.serialize_pem()).unwrap();
    let wanted = ToEndpoints {
        identity: Some((scene.path("own.pem"), scene.path("own.key"))),
        ..scene.wanted()
    };
    let asking = authority.endpoint(&[NAME], later(), true);
    scene.publish(vec![scene.wanted()]);
    assert_eq!(scene.fails(&asking).await, OriginFault::ClientCertificate);
    scene.publish(vec![wanted]);
    assert!(scene.meet(&asking).await.1.unwrap().certificate);
    let ends: Vec<_> = scene.store.expiries().into_iter().map(|e| e.file).collect();
    assert_eq!(ends, [scene.path("own.pem")]);
}

#[tokio::test]
async fn a_changed_file_holds_from_the_next_handshake_on() {
    let scene = Scene::new();
    let first = scene.authority("ca.pem").endpoint(&[NAME], later(), false);
    scene.publish(vec![scene.wanted()]);
    assert!(scene.meet(&first).await.0.is_ok());
    let second = scene.authority("ca.pem").endpoint(&[NAME], later(), false);
    scene.publish(vec![scene.wanted()]);
    assert!(scene.meet(&second).await.0.is_ok());
    // Not even by a session of before.
    assert_eq!(scene.fails(&first).await, OriginFault::Untrusted);
    // Who still reads the Table of before finds its policy once more.
    scene.publish(Vec::new());
    assert!(scene.meet(&second).await.0.is_ok());
    scene.publish(Vec::new());
    assert_eq!(scene.fails(&second).await, OriginFault::NoPolicy);
}

#[tokio::test]
async fn what_is_no_tls_and_who_closes_are_told_apart() {
    let scene = Scene::new();
    scene.authority("ca.pem");
    scene.publish(vec![scene.wanted()]);
    for (says, fault) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            OriginFault::Garbage,
        ),
        (b"", OriginFault::Closed),
        (&[21, 3, 3, 0, 2, 2, 40], OriginFault::Version),
        (&[21, 3, 3, 0, 2, 2, 112], OriginFault::Alert),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 64];
            stream.read_exact(&mut hello).await.unwrap();
            stream.write_all(says).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
        let stream = TcpStream::connect(address).await.unwrap();
        let met = scene.store.origin(7).unwrap().connect(stream).await;
        assert_eq!(met.unwrap_err().fault, fault, "{says:?}");
        serving.await.unwrap();
    }
}

#[test]
fn files_that_cannot_be_used_are_refused_by_name() {
    let scene = Scene::new();
    let authority = scene.authority("ca.pem");
    let no_ca = ToEndpoints {
        ca: Some(scene.path("none.pem")),
        ..scene.wanted()
    };
    assert!(scene.fault(no_ca).starts_with("none.pem: cannot be read"));
    std::fs::write(scene.path("empty.pem"), "nothing").unwrap();
    let empty = ToEndpoints {
        ca: Some(scene.path("empty.pem")),
        ..scene.wanted()
    };
    assert!(
        scene
            .fault(empty)
            .starts_with("empty.pem: holds no certificate")
    );
    let (cert, _) = authority.sign(&["client.test"], later());
    std::fs::write(scene.path("own.pem"), cert.pem()).unwrap();
    let other = KeyPair::generate().unwrap();
    std::fs::write(scene.path("own.key"), other.serialize_pem()).unwrap();
    let mismatch = ToEndpoints {
        identity: Some((scene.path("own.pem"), scene.path("own.key"))),
        ..scene.wanted()
    };
    assert!(
        scene
            .fault(mismatch)
            .starts_with("own.key: the private key is not that")
    );
    let nameless = ToEndpoints {
        server_name: String::new(),
        ..scene.wanted()
    };
    assert_eq!(
        scene.fault(nameless),
        "upstream.tls: \"\" is neither a host name nor an address"
    );
}
