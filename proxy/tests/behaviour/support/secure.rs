//! Certificates of a test, and clients that speak TLS and believe them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use windrose_tls::{ClientCa, Inside, MinVersion, Source, Store, ToEndpoints, Wanted};

use super::client::Client;

/// The policy of [`Pki::store`] for required and for optional certificates of clients.
pub const REQUIRED: u64 = 1;
pub const OPTIONAL: u64 = 2;
/// The policy of [`Pki::store`] for endpoints that are `backend.test` and speak HTTP; the next number
/// is the same without HTTP, the one behind it with HTTP/2.
pub const ORIGIN: u64 = 3;

/// An authority that everybody in a test believes, and what it signed.
pub struct Pki {
    folder: TempDir,
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    pub fn new() -> Self {
        windrose_tls::install();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), cert.pem()).unwrap();
        Self {
            root: cert.der().clone(),
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    fn sign(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "x");
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A store with one certificate for all these names.
    pub fn store(&self, names: &[&str]) -> Store {
        let store = Store::new();
        self.serve(&store, names);
        store
    }

    /// Puts a new certificate in force.
    pub fn serve(&self, store: &Store, names: &[&str]) {
        let (cert, key) = self.sign(names);
        let file = |name: &str| -> PathBuf { self.folder.path().join(name) };
        std::fs::write(file("a.pem"), cert.pem()).unwrap();
        std::fs::write(file("a.key"), key.serialize_pem()).unwrap();
        let ca = |policy, required| ClientCa {
            policy,
            ca: file("ca.crt"),
            required,
        };
        let origin = |policy, inside| ToEndpoints {
            policy,
            server_name: "backend.test".to_owned(),
            names: Vec::new(),
            ca: Some(file("ca.crt")),
            verified: true,
            identity: None,
            min_version: MinVersion::default(),
            inside,
        };
        let wanted = Wanted {
            certificates: vec![Source::Pair {
                cert: file("a.pem"),
                key: file("a.key"),
                default: false,
            }],
            client_cas: vec![ca(REQUIRED, true), ca(OPTIONAL, false)],
            http2: true,
            to_endpoints: vec![
                origin(ORIGIN, Inside::Http1),
                origin(ORIGIN + 1, Inside::Octets),
                origin(ORIGIN + 2, Inside::Http2),
            ],
            ..Wanted::default()
        };
        store.publish(store.prepare(&wanted, SystemTime::now()).unwrap());
    }

    /// Settings of an endpoint with a certificate for these names.
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let (cert, key) = self.sign(names);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder().with_no_client_auth();
        let config = builder.with_single_cert(vec![cert.der().clone()], key);
        Arc::new(config.unwrap())
    }

    /// A client's settings; `identity`: it shows a certificate. `alpn`: what it offers.
    pub fn client(&self, identity: bool, alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = if identity {
            let (cert, key) = self.sign(&["client.test"]);
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let chain = vec![cert.der().clone()];
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// A TLS connection to a host at an address.
pub async fn connect(
    address: SocketAddr,
    host: &str,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
}

/// TLS for a host over a connection that stands.
pub async fn over(
    stream: TcpStream,
    host: &str,
    config: &Arc<ClientConfig>,
) -> TlsStream<TcpStream> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::clone(config));
    connector.connect(name, stream).await.unwrap()
}

/// An HTTP/1.1 client over one.
pub async fn client(
    address: SocketAddr,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Client<TlsStream<TcpStream>> {
    Client::over(connect(address, host, config).await.unwrap())
}
