//! Tokens: from the realm that a challenge names.

use crate::address::{Address, encode};
use crate::credentials::{Credentials, basic};
use crate::exchange::{Exchange, Payload};
use crate::failure::{Again, Failure, Result};
use crate::json::Json;
use crate::transport::Class;
use std::time::{Duration, Instant};
use ureq::http::Method;

/// An answer with a token, in bytes.
const ANSWER_BYTES: u64 = 1 << 20;
/// The life of a token in seconds if its answer gives none, or less (specification).
const LIFE_LEAST: u64 = 60;
/// A token is renewed so many seconds before its end.
const MARGIN: Duration = Duration::from_secs(10);

/// A token for some scopes.
pub struct Token {
    /// `repository:NAME:pull`, or several.
    pub scopes: Vec<String>,
    /// The word behind "Bearer".
    pub value: String,
    until: Instant,
}

impl Token {
    /// Whether it can still be used.
    pub fn is_fresh(&self) -> bool {
        Instant::now() + MARGIN < self.until
    }
}

/// Fetches a token for these scopes. `is_tls`: the registry has TLS, so the realm must.
pub fn fetch(
    exchange: &Exchange,
    registry: &Address,
    realm: &str,
    service: Option<&str>,
    scopes: &[String],
    credentials: &Credentials,
) -> Result<Token> {
    let name = &registry.authority;
    let wrong = |text: String| Failure::new(Class::Protocol, format!("{name}: {text}"));
    let realm =
        Address::parse(realm).map_err(|text| wrong(format!("it names as its realm {text}")))?;
    if registry.tls && !realm.tls {
        return Err(wrong(format!("its realm {realm} has no TLS, which is refused")));
    }
    let what = format!("a token for {name} from {}", realm.authority);
    let asked = Instant::now();
    let mut form = String::new();
    let (mut authorization, mut address) = (None, realm);
    let mut add = |key: &str, value: &str| {
        if matches!(credentials, Credentials::Identity(_)) {
            form.push_str(&format!("&{key}={}", encode(value)));
        } else {
            address = address.clone().with_parameter(key, value);
        }
    };
    if let Some(service) = service {
        add("service", service);
    }
    // By POST all scopes are one value.
    match credentials {
        Credentials::Identity(_) => add("scope", &scopes.join(" ")),
        _ => scopes.iter().for_each(|scope| add("scope", scope)),
    }
    if let Credentials::Password(user, password) = credentials {
        add("account", user);
        authorization = Some(basic(user, password));
    }
    let mut headers = vec![("accept", "application/json")];
    let mut payload = Payload::None;
    let mut method = Method::GET;
    let body;
    if let Credentials::Identity(token) = credentials {
        let token = encode(token);
        body = format!("grant_type=refresh_token&client_id=ocinit&refresh_token={token}{form}");
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        (method, payload) = (Method::POST, Payload::Bytes(body.as_bytes()));
    }
    let mut reply = exchange.send(
        &what,
        &method,
        &address,
        &headers,
        authorization.as_deref(),
        &mut payload,
    )?;
    match reply.status {
        200 => {}
        429 | 500 | 502..=504 => {
            let said = reply.said();
            let text = format!("{what}: it answers {}{said}", reply.status);
            let class = if reply.status == 429 { Class::TooMany } else { Class::Server };
            return Err(Failure::new(class, text).with_status(reply.status).again(Again::Later));
        }
        status => return Err(refused(&what, status, &reply.said(), credentials)),
    }
    if reply.is_page() {
        let text = format!("{what}: a web page came instead (a login page, a captive portal?)");
        return Err(Failure::new(Class::Protocol, text));
    }
    let bytes = reply.read(ANSWER_BYTES, &what)?;
    let json = Json::parse(&bytes).map_err(|error| {
        Failure::new(Class::Protocol, format!("{what}: the answer is not JSON: {error}"))
    })?;
    let value =
        json.text_of("token").or_else(|| json.text_of("access_token")).ok_or_else(|| {
            Failure::new(Class::Protocol, format!("{what}: the answer has no token in it"))
        })?;
    if !value.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        return Err(Failure::new(Class::Protocol, format!("{what}: the token is not one word")));
    }
    // A day is more than any has, and keeps the sum in range.
    let life = json.number_of("expires_in").unwrap_or(0).clamp(LIFE_LEAST, 86_400);
    let until = asked + Duration::from_secs(life);
    Ok(Token { scopes: scopes.to_vec(), value: value.to_string(), until })
}

fn refused(what: &str, status: u16, said: &str, credentials: &Credentials) -> Failure {
    let text = match (status, credentials) {
        (401 | 403, Credentials::Anonymous) => {
            format!("{what}: not given without credentials{said}: log in, or name --authfile")
        }
        (400 | 401 | 403, Credentials::Identity(_)) => {
            format!("{what}: the identity token is not taken, or has expired{said}: log in again")
        }
        (401 | 403, _) => format!("{what}: user or password is wrong, or has no right{said}"),
        _ => format!("{what}: it answers {status}{said}"),
    };
    let class = if matches!(status, 400 | 401 | 403) { Class::NotAllowed } else { Class::Protocol };
    Failure::new(class, text).with_status(status)
}
