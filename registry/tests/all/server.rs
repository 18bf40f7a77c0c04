//! A server that says what its test wants: http, or https with a certificate of the test.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of requests before it.
    pub number: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Answers one request. Returns whether the connection goes on.
type Handler = dyn Fn(&Seen, &mut dyn Stream) -> bool + Send + Sync;

pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub fn http(
        handler: impl Fn(&Seen, &mut dyn Stream) -> bool + Send + Sync + 'static,
    ) -> Server {
        Server::new(None, Arc::new(handler))
    }

    /// With `NAME.crt` and `NAME.key` of a directory. `client`: the CA that clients must have.
    pub fn https(
        directory: &Path,
        name: &str,
        client: Option<&str>,
        handler: impl Fn(&Seen, &mut dyn Stream) -> bool + Send + Sync + 'static,
    ) -> Server {
        let certificates = |name: &str| -> Vec<CertificateDer<'static>> {
            let bytes = std::fs::read(directory.join(format!("{name}.crt"))).unwrap();
            CertificateDer::pem_slice_iter(&bytes).map(Result::unwrap).collect()
        };
        let key = PrivateKeyDer::from_pem_file(directory.join(format!("{name}.key"))).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match client {
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(authority));
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            None => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(certificates(name), key).unwrap();
        Server::new(Some(Arc::new(config)), Arc::new(handler))
    }

    fn new(tls: Option<Arc<ServerConfig>>, handler: Arc<Handler>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (tls, handler, all) = (tls.clone(), handler.clone(), all.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                    serve(stream, tls, &*handler, &all);
                });
            }
        });
        Server { port, seen }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    handler: &Handler,
    all: &Mutex<Vec<Seen>>,
) {
    let mut stream: Box<dyn Stream> = match tls {
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
        None => Box::new(stream),
    };
    while let Some(mut seen) = request(&mut *stream) {
        {
            let mut all = all.lock().unwrap();
            seen.number = all.len();
            all.push(seen.clone());
        }
        if !handler(&seen, &mut *stream) {
            let _ = stream.flush();
            return;
        }
    }
}

fn request(stream: &mut dyn Stream) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
        // A handshake of TLS, as servers of http answer it.
        if head == [0x16] {
            raw(stream, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            return None;
        }
    }
    let text = String::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_string(), words.next()?.to_string());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    let mut seen = Seen { method, path, headers, body: Vec::new(), number: 0 };
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    seen.body = vec![0; length];
    stream.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

/// Sends an answer with its length. Returns true: the connection goes on.
pub fn reply(stream: &mut dyn Stream, status: u16, headers: &[&str], body: &[u8]) -> bool {
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_ok()
}

/// Sends text as it is. Returns false: the connection ends.
pub fn raw(stream: &mut dyn Stream, text: impl AsRef<[u8]>) -> bool {
    let _ = stream.write_all(text.as_ref());
    false
}

pub const MANIFEST_TYPE: &str = "Content-Type: application/vnd.oci.image.manifest.v1+json";

/// A manifest.
pub fn manifest(stream: &mut dyn Stream) -> bool {
    reply(stream, 200, &[MANIFEST_TYPE, "Docker-Content-Digest: sha256:1"], b"{}")
}
