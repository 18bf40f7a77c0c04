//! Debian's docker-registry with TLS: open, with passwords (htpasswd), with tokens. skopeo reads
//! what was written, and writes what is read.

use crate::certificates::directory;
use crate::driver::{Helper, Outcome, Said, Start, Temporary, bytes};
use crate::server::{Server, reply};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ocinit_registry::transport::{Class, Request, Setting};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry that runs, and its files.
pub struct Registry {
    child: Child,
    pub host: String,
    pub files: Temporary,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one with these further lines of its configuration.
pub fn registry(files: Temporary, auth: &str) -> Registry {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (root, certificates) = (files.0.display(), directory().display());
    let config = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\n\
         http:\n  addr: 127.0.0.1:{port}\n  secret: x\n  tls: {{certificate: {certificates}/server.crt, key: {certificates}/server.key}}\n{auth}"
    );
    let config = files.write("config.yml", config);
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("docker-registry: apt-get install docker-registry");
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Registry { child, host: format!("localhost:{port}"), files }
}

pub fn sha256(content: &[u8]) -> String {
    let files = Temporary::new();
    let path = files.write("content", content);
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    format!("sha256:{}", &String::from_utf8(output.stdout).unwrap()[..64])
}

fn leak(text: String) -> &'static [u8] {
    text.leak().as_bytes()
}

pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn skopeo(words: &[&str]) -> String {
    run(Command::new("skopeo").args(words))
}

/// The repository that a helper was started for.
const REPOSITORY: &[u8] = b"team/x";

fn blob(helper: &mut Helper, digest: &str, length: u64) -> Outcome {
    let digest = leak(digest.to_string());
    let (id, pipe) = helper.open(|id| Request::Blob {
        id,
        host: 0,
        repository: REPOSITORY,
        digest,
        offset: 0,
        length,
    });
    helper.outcome(id, pipe)
}

fn has(helper: &mut Helper, digest: &str) -> Said {
    let id = helper.id();
    let digest = leak(digest.to_string());
    helper.send(&Request::Has { id, host: 0, repository: REPOSITORY, digest }, None);
    helper.answer(id)
}

fn upload(helper: &mut Helper, content: &[u8], from: &'static str) -> Said {
    let (digest, length) = (leak(sha256(content)), content.len() as u64);
    let mount_from = from.as_bytes();
    helper.write(content, |id| Request::Upload {
        id,
        host: 0,
        repository: REPOSITORY,
        digest,
        length,
        mount_from,
    })
}

/// An image's config, layer and manifest.
fn image() -> [Vec<u8>; 3] {
    image_of(bytes(3 << 20))
}

/// An image of one layer with this tar.
pub fn image_of(content: Vec<u8>) -> [Vec<u8>; 3] {
    let files = Temporary::new();
    let diff = sha256(&content);
    let file = files.write("layer", content);
    // skopeo compresses a layer that is not.
    run(Command::new("gzip").arg("-n").arg(&file));
    let layer = std::fs::read(file.with_extension("gz")).unwrap();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{diff}"]}}}}"#
    );
    let config = config.into_bytes();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{}}}]}}"#,
        sha256(&config),
        config.len(),
        sha256(&layer),
        layer.len()
    );
    [config, layer, manifest.into_bytes()]
}

fn push(helper: &mut Helper, [config, layer, manifest]: &[Vec<u8>; 3]) {
    for content in [config, layer] {
        let digest = sha256(content);
        let missing = has(helper, &digest);
        assert!(matches!(missing, Said::Failed { class: Class::NotThere, .. }), "{missing:?}");
        assert_eq!(upload(helper, content, ""), Said::Done(content.len() as u64));
        assert_eq!(has(helper, &digest), Said::Done(content.len() as u64));
    }
    let said = helper.write(manifest, |id| Request::Put {
        id,
        host: 0,
        repository: REPOSITORY,
        reference: b"one",
        length: manifest.len() as u64,
        media_type: MANIFEST.as_bytes(),
    });
    assert_eq!(said, Said::Done(manifest.len() as u64));
}

fn tags(helper: &mut Helper) -> Outcome {
    let (id, pipe) = helper.open(|id| Request::Tags { id, host: 0, repository: REPOSITORY });
    helper.outcome(id, pipe)
}

/// Pushes an image and reads it again, by us and by skopeo, with these credentials.
fn there_and_back(registry: &Registry, auth: Option<&Path>) {
    let cas = directory().join("cas");
    let mut settings = vec![(Setting::CertDir, cas.as_path())];
    settings.extend(auth.map(|file| (Setting::AuthFile, file)));
    let mut helper = Helper::to(&registry.host, &settings);
    let image = image();
    push(&mut helper, &image);
    let [config, layer, manifest] = &image;
    for reference in ["one", sha256(manifest).leak()] {
        let outcome = helper.manifest(reference);
        assert_eq!(outcome.done(), manifest);
        let Said::Begun { media_type, digest, .. } = &outcome.answers[0] else { panic!() };
        assert_eq!((media_type.as_str(), digest), (MANIFEST, &sha256(manifest)));
    }
    for content in [config, layer] {
        assert_eq!(blob(&mut helper, &sha256(content), content.len() as u64).done(), content);
    }
    assert_eq!(tags(&mut helper).done(), b"one\n");
    // skopeo reads it, and gets the same digest.
    let (cas, name) = (cas.to_str().unwrap(), format!("docker://{}/team/x:one", registry.host));
    let mut words = vec!["inspect", "--cert-dir", cas, "--format", "{{.Digest}}", &name];
    if let Some(file) = auth {
        words.extend(["--authfile", file.to_str().unwrap()]);
    }
    assert_eq!(skopeo(&words).trim(), sha256(manifest));
    let layout = format!("oci:{}:one", registry.files.0.join("layout").display());
    let mut words = vec!["copy", "-q", "--src-cert-dir", cas, &name, &layout];
    if let Some(file) = auth {
        words.extend(["--src-authfile", file.to_str().unwrap()]);
    }
    skopeo(&words);
    let blobs = registry.files.0.join("layout/blobs/sha256");
    for content in &image {
        let digest = sha256(content);
        assert_eq!(&std::fs::read(blobs.join(&digest[7..])).unwrap(), content);
    }
}

#[test]
fn an_open_registry_with_tls() {
    let registry = registry(Temporary::new(), "");
    there_and_back(&registry, None);
    let cas = directory().join("cas");
    let mut helper = Helper::to(&registry.host, &[(Setting::CertDir, &cas)]);
    let outcome = helper.manifest("two");
    let (class, text) = outcome.failed();
    assert!(class == Class::NotThere && text.contains("MANIFEST_UNKNOWN"), "{text}");
    // A blob that another repository has is mounted.
    let mut helper = Start::new().go();
    helper.start(&registry.host, "other/y", &[(Setting::CertDir, &cas)]);
    let [_, layer, _] = image();
    let (digest, length) = (leak(sha256(&layer)), layer.len() as u64);
    let mut mount = |mount_from: &'static [u8]| {
        helper.write(&layer, |id| Request::Upload {
            id,
            host: 0,
            repository: b"other/y",
            digest,
            length,
            mount_from,
        })
    };
    assert_eq!(mount(b"team/x"), Said::Mounted);
    assert_eq!(mount(b"team/none"), Said::Done(layer.len() as u64));
    // An upload of another digest is refused.
    let wrong = helper.write(&bytes(1000), |id| Request::Upload {
        id,
        host: 0,
        repository: b"other/y",
        digest,
        length: 1000,
        mount_from: b"",
    });
    let Said::Failed { class: Class::Protocol, text, .. } = wrong else { panic!("{wrong:?}") };
    assert!(text.contains("DIGEST_INVALID"), "{text}");
}

#[test]
fn a_registry_with_passwords() {
    let files = Temporary::new();
    let line = run(Command::new("htpasswd").args(["-nbB", "me", "sec:ret"]));
    let file = files.write("htpasswd", line);
    let auth = format!("auth: {{htpasswd: {{realm: x, path: {}}}}}\n", file.display());
    let registry = registry(files, &auth);
    let entry = STANDARD.encode("me:sec:ret");
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"{entry}"}}}}}}"#, registry.host);
    let file = registry.files.write("auth.json", text);
    there_and_back(&registry, Some(&file));
    let cas = directory().join("cas");
    let wrong = registry.files.write("line", "me:wrong\n");
    for settings in [
        vec![(Setting::CertDir, cas.as_path())],
        vec![(Setting::CertDir, cas.as_path()), (Setting::CredsFile, &wrong)],
    ] {
        let mut helper = Helper::to(&registry.host, &settings);
        for outcome in [helper.manifest("one"), tags(&mut helper)] {
            let (class, text) = outcome.failed();
            assert!(class == Class::NotAllowed && text.contains("UNAUTHORIZED"), "{text}");
        }
        let said = has(&mut helper, &sha256(b""));
        assert!(matches!(said, Said::Failed { class: Class::NotAllowed, .. }), "{said:?}");
    }
}

/// Signs a token for the scope of a query, as registries want it (JWT, RS256, `x5c`).
fn sign(keys: &Path, path: &str) -> String {
    let scope = path.split("scope=repository%3A").nth(1).unwrap_or_default();
    let scope = scope.split('&').next().unwrap().replace("%2F", "/").replace("%2C", ",");
    let (name, actions) = scope.split_once("%3A").unwrap_or((&scope, ""));
    let actions: Vec<String> = actions.split(',').map(|action| format!("\"{action}\"")).collect();
    let certificate = std::fs::read_to_string(keys.join("token.crt")).unwrap();
    let der: String = certificate.lines().filter(|line| !line.starts_with("--")).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let header = format!(r#"{{"typ":"JWT","alg":"RS256","x5c":["{der}"]}}"#);
    let claims = format!(
        r#"{{"iss":"issuer","sub":"me","aud":"svc","exp":{},"nbf":{},"iat":{now},"jti":"1","access":[{{"type":"repository","name":"{name}","actions":[{}]}}]}}"#,
        now + 300,
        now - 10,
        actions.join(",")
    );
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let files = Temporary::new();
    let file = files.write("text", &text);
    let key = keys.join("token.key");
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .args([&key, &file])
        .output()
        .unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(output.stdout))
}

#[test]
fn a_registry_with_tokens() {
    let files = Temporary::new();
    run(Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=token", "-days", "9"])
        .args(["-keyout", "token.key", "-out", "token.crt"])
        .current_dir(&files.0));
    let keys = files.0.clone();
    let realm = Server::https(directory(), "server", None, move |seen, stream| {
        if seen.header("authorization") != Some("Basic bWU6c2VjcmV0") {
            return reply(
                stream,
                401,
                &[],
                b"{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"no\"}]}",
            );
        }
        let body = format!(r#"{{"token":"{}","expires_in":300}}"#, sign(&keys, &seen.path));
        reply(stream, 200, &["Content-Type: application/json"], body.as_bytes())
    });
    let auth = format!(
        "auth: {{token: {{realm: \"https://localhost:{}/token\", service: svc, issuer: issuer, rootcertbundle: {}/token.crt}}}}\n",
        realm.port,
        files.0.display()
    );
    let registry = registry(files, &auth);
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"bWU6c2VjcmV0"}}}}}}"#, registry.host);
    let file = registry.files.write("auth.json", text);
    there_and_back(&registry, Some(&file));
    let ours: Vec<String> = realm
        .seen()
        .iter()
        .filter(|seen| seen.header("user-agent").unwrap().starts_with("ocinit"))
        .map(|seen| seen.path.clone())
        .collect();
    // One for each scope: to write, to read.
    assert_eq!(ours.len(), 2, "{ours:?}");
    let cas = directory().join("cas");
    let mut helper = Helper::to(&registry.host, &[(Setting::CertDir, &cas)]);
    let outcome = helper.manifest("one");
    let (class, text) = outcome.failed();
    assert!(class == Class::NotAllowed && text.contains("not given without credentials"), "{text}");
}
