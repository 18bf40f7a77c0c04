//! Credential helpers: `docker-credential-NAME get`, the server on standard input.

use crate::credentials::Credentials;
use crate::json::Json;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The time that one may take.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Its answer, in bytes.
const ANSWER_BYTES: u64 = 1 << 20;

/// Returns the credentials that a helper has for a server, or `None` if it has none.
pub fn ask(name: &str, server: &str) -> Result<Option<Credentials>, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err("the name of a credential helper is not valid".to_string());
    }
    let program = format!("docker-credential-{name}");
    let (is_success, output) = run(&program, server)?;
    if !is_success {
        // By the protocol the reason stands on standard output.
        let said = String::from_utf8_lossy(&output);
        if said.contains("credentials not found") {
            return Ok(None);
        }
        let said = crate::failure::clean(&said, crate::failure::SAID_BYTES);
        return Err(format!("{program} failed: {said}"));
    }
    let wrong = |what: &str| format!("{program} answered no credentials: {what}");
    let answer = Json::parse(&output).map_err(wrong)?;
    match (answer.text_of("Username"), answer.text_of("Secret")) {
        (Some("<token>"), Some(secret)) => Ok(Some(Credentials::Identity(secret.to_string()))),
        (Some(user), Some(secret)) => {
            Ok(Some(Credentials::Password(user.to_string(), secret.to_string())))
        }
        (None, None) => Ok(None),
        _ => Err(wrong("Username or Secret is missing")),
    }
}

/// Returns whether the program succeeded, and its output.
fn run(program: &str, server: &str) -> Result<(bool, Vec<u8>), String> {
    let mut child = Command::new(program)
        .arg("get")
        // The loader's variables are not for it.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!(
                "the credential helper {program} is not on PATH: install it, or remove it from \
                 the file"
            ),
            _ => format!("{program}: {error}"),
        })?;
    if let Some(mut input) = child.stdin.take() {
        // One that reads nothing is no error.
        let _ = input.write_all(format!("{server}\n").as_bytes());
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let result = output.take(ANSWER_BYTES).read_to_end(&mut bytes).map(|_| bytes);
            let _ = sender.send(result);
        });
    }
    let output = match receiver.recv_timeout(TIME_MAX) {
        Ok(result) => result.map_err(|error| format!("{program}: {error}"))?,
        Err(_) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{program} did not answer within 10 s"));
        }
    };
    let status = child.wait().map_err(|error| format!("{program}: {error}"))?;
    Ok((status.success(), output))
}
