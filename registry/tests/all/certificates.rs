//! Certificates that fit, and those that do not. openssl makes them.

use crate::driver::{Helper, Said, Start, Temporary};
use crate::server::{Server, manifest, reply};
use ocinit_registry::transport::{Class, Setting};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

const MAKE: &str = r#"
set -eu
new() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
request() { new "$1"; openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"; }
# name, subject alternative name
sign() {
    request "$1"
    printf 'subjectAltName=%s\n' "$2" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.crt"
}
# name, words: valid in January 2020
old() {
    name=$1; shift
    request "$name"
    openssl ca -batch -notext -config ca.conf -in "$name.csr" -out "$name.crt" -startdate 20200101000000Z -enddate 20200201000000Z "$@"
}
cat > ca.conf <<END
[ca]
default_ca=default
[default]
database=index.txt
new_certs_dir=.
rand_serial=yes
default_md=sha256
unique_subject=no
policy=policy
x509_extensions=server
[policy]
commonName=supplied
[server]
subjectAltName=IP:127.0.0.1
[itself]
subjectAltName=IP:127.0.0.1
basicConstraints=critical,CA:TRUE
END
: > index.txt
new ca
openssl req -x509 -key ca.key -subj /CN=ca -days 30 -out ca.crt
sign server IP:127.0.0.1,DNS:localhost,DNS:registry.test
sign other DNS:elsewhere.example
sign client DNS:client
old late -cert ca.crt -keyfile ca.key
# As docker's documentation makes one.
new self
openssl req -x509 -key self.key -subj /CN=self -days 30 -addext subjectAltName=IP:127.0.0.1,DNS:localhost -out self.crt
old stale -selfsign -keyfile stale.key -extensions itself
mkdir cas itselves pairs lone empty
cp ca.crt cas/
cp self.crt stale.crt itselves/
cp ca.crt pairs/ca.crt
cp client.crt pairs/client.cert
cp client.key pairs/client.key
cp client.key lone/client.key
"#;

/// The directory with all certificates.
pub fn directory() -> &'static Path {
    static MADE: OnceLock<Temporary> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let directory = Temporary::new();
        let output =
            Command::new("sh").args(["-c", MAKE]).current_dir(&directory.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        directory
    });
    &made.0
}

/// Asks a server with this certificate for a manifest, trusting this directory.
fn ask(name: &str, trusted: &str) -> Result<(), (Class, String)> {
    ask_client(name, None, trusted)
}

fn ask_client(name: &str, client: Option<&str>, trusted: &str) -> Result<(), (Class, String)> {
    let server = Server::https(directory(), name, client, |_, stream| manifest(stream));
    let directory = directory().join(trusted);
    let mut helper = Helper::to(&server.host(), &[(Setting::CertDir, &directory)]);
    let outcome = helper.manifest("1");
    match outcome.last() {
        Said::Done(_) => Ok(()),
        _ => Err((outcome.failed().0, outcome.failed().1.to_string())),
    }
}

#[track_caller]
fn expect(result: Result<(), (Class, String)>, words: &str) {
    let (class, text) = result.unwrap_err();
    assert!(class == Class::Certificate && text.contains(words), "{class:?} {text}");
}

#[test]
fn a_ca_of_ones_own_is_trusted_and_no_other() {
    assert_eq!(ask("server", "cas"), Ok(()));
    expect(ask("server", "empty"), "--cert-dir");
    expect(ask("server", "itselves"), "signed by none that this machine trusts");
}

#[test]
fn a_certificate_that_is_its_own_root_is_trusted_as_it_is_until_it_expires() {
    assert_eq!(ask("self", "itselves"), Ok(()));
    expect(ask("self", "cas"), "is its own CA, which this machine does not trust");
    expect(ask("stale", "itselves"), "has expired");
}

#[test]
fn a_wrong_name_and_an_old_certificate_are_told_apart() {
    expect(ask("other", "cas"), "not for the name 127.0.0.1");
    expect(ask("late", "cas"), "has expired");
}

#[test]
fn a_pair_is_shown_to_the_host_that_wants_it() {
    assert_eq!(ask_client("server", Some("ca"), "pairs"), Ok(()));
    expect(ask_client("server", Some("ca"), "cas"), "client certificate");
}

#[test]
fn a_pair_is_not_shown_after_a_redirect() {
    let other = Server::https(directory(), "server", Some("ca"), |_, stream| manifest(stream));
    let location = format!("Location: https://{}/", other.host());
    let server = Server::https(directory(), "server", Some("ca"), move |_, stream| {
        reply(stream, 307, &[&location], b"")
    });
    let mut helper = Helper::to(&server.host(), &[(Setting::CertDir, &directory().join("pairs"))]);
    assert_eq!(helper.manifest("1").failed().0, Class::Certificate);
    assert_eq!((server.seen().len(), other.seen().len()), (1, 0));
}

#[test]
fn a_directory_of_the_hosts_name_is_found() {
    let server = Server::https(directory(), "server", None, |_, stream| manifest(stream));
    let start = Start::new();
    let name = format!(".config/containers/certs.d/{}/ca.crt", server.host());
    start.home.write(&name, std::fs::read(directory().join("ca.crt")).unwrap());
    let mut helper = start.go();
    helper.start(&server.host(), "team/x", &[]);
    helper.manifest("1").done();
}

#[test]
fn a_lone_key_is_an_error_that_names_it() {
    let mut helper = Start::new().go();
    let lone = directory().join("lone");
    let said = helper.try_start("localhost:1", "x", &[], &[(Setting::CertDir, &lone)]);
    let Said::Failed { class: Class::Settings, text, .. } = said else { panic!("{said:?}") };
    assert!(text.contains("client.key: its client certificate"), "{text}");
}

#[test]
fn the_environment_names_roots_and_a_missing_file_of_them_is_an_error() {
    let server = Server::https(directory(), "server", None, |_, stream| manifest(stream));
    let file = directory().join("ca.crt");
    let mut helper = Start::new().variable("SSL_CERT_FILE", file.to_str().unwrap()).go();
    helper.start(&server.host(), "team/x", &[]);
    helper.manifest("1").done();
    // A list of directories, which have more than certificates.
    let list = format!("/etc/ssl/certs:{}", directory().join("cas").display());
    let mut helper = Start::new().variable("SSL_CERT_DIR", list).go();
    helper.start(&server.host(), "team/x", &[]);
    helper.manifest("1").done();
    let mut helper = Start::new().variable("SSL_CERT_FILE", "/nowhere/ca.crt").go();
    let said = helper.try_start("localhost:1", "x", &[], &[]);
    let Said::Failed { class: Class::Settings, text, .. } = said else { panic!("{said:?}") };
    assert!(text.contains("/nowhere/ca.crt"), "{text}");
}

#[test]
fn a_server_without_tls_needs_leave_and_a_bad_certificate_too() {
    let plain = Server::http(|_, stream| manifest(stream));
    let mut helper = Helper::to(&plain.host(), &[]);
    let outcome = helper.manifest("1");
    let (class, text) = outcome.failed();
    assert!(class == Class::Certificate && text.contains("--tls-verify=false"), "{text}");
    let mut helper = Helper::plain(&plain.host());
    helper.manifest("1").done();
    let old = Server::https(directory(), "stale", None, |_, stream| manifest(stream));
    let mut helper = Helper::plain(&old.host());
    helper.manifest("1").done();
    assert_eq!(old.seen().len(), 1);
}
