//! A node that speaks HTTPS: certificates from files, changed while it runs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{Backend, Files, Node, eventually, stderr, verb};

const HOST: &str = "shop.example.com";

/// Writes a self-signed pair.
fn write(folder: &Path, stem: &str, host: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap();
    std::fs::write(folder.join(format!("{stem}.key")), key.serialize_pem()).unwrap();
    std::fs::write(folder.join(format!("{stem}.crt")), cert.pem()).unwrap();
    cert.der().clone()
}

/// A GET over HTTPS by a client that believes one certificate.
fn get(to: SocketAddr, host: &str, believed: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(believed.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(to)?);
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn files(backend: &Backend, tls: &str) -> Files {
    let files = Files::new(backend.address, backend.address);
    let text = files.text(backend.address, backend.address);
    let text = text.replace("admin:", "https: [\"127.0.0.1:0\"], admin:");
    files.write(&format!("{text}\ntls: {tls}\n"));
    files
}

#[test]
fn certificates_of_files_and_folders_change_while_a_node_serves() {
    let backend = Backend::start("a");
    let files = files(
        &backend,
        "{certificates: [{cert: ./own.crt, key: ./own.key}, {folder: ./more}]}",
    );
    let folder = files.folder.path();
    std::fs::create_dir(folder.join("more")).unwrap();
    let first = write(folder, "own", HOST);
    let node = Node::start(&files.config);
    assert!(get(node.https(), HOST, &first).unwrap().ends_with("a\n"));

    // A key that is not the certificate's is refused by name; the first pair goes on.
    let key = std::fs::read(folder.join("own.key")).unwrap();
    std::fs::write(
        folder.join("own.key"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    node.await_log("own.key: the private key is not that of the certificate");
    assert!(get(node.https(), HOST, &first).is_ok());
    std::fs::write(folder.join("own.key"), key).unwrap();
    node.await_log("configuration taken");

    let second = write(folder, "own", HOST);
    let other = write(&folder.join("more"), "other", "other.example.com");
    eventually("the new ones are served", || {
        get(node.https(), HOST, &second).ok()?;
        // No app has the host; it is told so by its own certificate.
        let text = get(node.https(), "other.example.com", &other).ok()?;
        text.starts_with("HTTP/1.1 404").then_some(())
    });
    get(node.https(), HOST, &first).unwrap_err();

    let (_, metrics) = node.get("/metrics");
    for name in [
        "windrose_tls_certificate_expires_timestamp_seconds{file=",
        "windrose_tls_handshakes_total{version=\"1.3\",resumed=\"false\"}",
        "windrose_tls_handshake_failures_total{reason=\"distrusted\"}",
    ] {
        assert!(metrics.contains(name), "{name} is missing in:\n{metrics}");
    }
    assert!(!node.log().contains("BEGIN"), "no key in the log");
}

#[test]
fn a_pair_that_cannot_be_used_refuses_check_and_start_by_its_file() {
    let backend = Backend::start("a");
    let files = files(
        &backend,
        "{certificates: [{cert: ./own.crt, key: ./own.key}]}",
    );
    let folder = files.folder.path();
    write(folder, "own", HOST);
    std::fs::write(folder.join("own.key"), "").unwrap();
    let config = files.config.to_str().unwrap();
    for args in [&["check", "-c", config], &["run", "-c", config]] {
        let output = verb(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let text = stderr(&output);
        assert!(text.contains("certificates-unusable"), "{text}");
        assert!(text.contains("own.key: holds no private key"), "{text}");
        let line = format!("--> {config}:");
        assert!(text.contains(&line), "the line that names it: {text}");
    }
    // Beside other errors, and without hiding them.
    let text = std::fs::read_to_string(&files.config).unwrap();
    files.write(&text.replace("hosts:", "hoosts:"));
    let text = stderr(&verb(&["check", "-c", config]));
    for code in ["certificates-unusable", "unknown-key"] {
        assert!(text.contains(&format!("error[{code}]")), "{code}: {text}");
    }
}

#[test]
fn check_tells_of_certificates_that_nobody_gets() {
    let backend = Backend::start("a");
    let files = files(
        &backend,
        "{certificates: [{cert: ./own.crt, key: ./own.key}, {folder: ./none}, {folder: ./some}]}",
    );
    let folder = files.folder.path();
    write(folder, "own", "192.0.2.1");
    std::fs::create_dir(folder.join("none")).unwrap();
    std::fs::create_dir(folder.join("some")).unwrap();
    std::fs::write(folder.join("some/bad.crt"), "").unwrap();
    let output = verb(&["check", "-c", files.config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let text = stderr(&output);
    for (code, what) in [
        (
            "certificate-unused",
            "own.crt: the certificate is for no host",
        ),
        ("certificate-unused", "none: the folder has no certificate"),
        ("certificate-left-out", "some/bad.crt: holds no certificate"),
    ] {
        assert!(text.contains(&format!("warning[{code}]")), "{code}: {text}");
        assert!(text.contains(what), "{what}: {text}");
    }
}
