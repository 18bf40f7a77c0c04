//! One request and its answer; what becomes of failures below HTTP.

use crate::address::Address;
use crate::failure::{Again, Failure, Result, SAID_BYTES, clean};
use crate::json::Json;
use crate::proxy::Proxies;
use crate::tls::Configs;
use crate::tls::connector::{Names, NoAddress, Tls};
use crate::transport::{Class, REQUESTS_MAX};
use std::io::{ErrorKind, Read};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderMap, Method, Request};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Error, Proxy, SendBody, Timeout};

/// All headers of an answer, in bytes.
const HEADERS_BYTES: usize = 64 << 10;
/// Bytes of an error's body that are read.
const ERROR_BYTES: u64 = 16 << 10;
/// Redirects of one request.
const REDIRECTS_MAX: usize = 5;
/// ureq's input buffer, in bytes: larger than all headers, so that their limit is met first.
const INPUT_BYTES: usize = 128 << 10;
/// Its output buffer, in bytes: four records of TLS.
const OUTPUT_BYTES: usize = 64 << 10;

const _: () = assert!(INPUT_BYTES > HEADERS_BYTES);

/// Time limits.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// A look-up, and a connection with its handshake.
    pub connect: Duration,
    /// Between two bytes, and before the first.
    pub idle: Duration,
    /// The first pause before something is tried again.
    pub pause: Duration,
}

/// The body of a request.
pub enum Payload<'a> {
    /// Nothing.
    None,
    /// Bytes, which can be sent again.
    Bytes(&'a [u8]),
    /// So many bytes, once.
    Stream(&'a mut dyn Read, u64),
}

/// An answer, whose body is still to be read.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: ureq::Body,
    /// The address that sent it.
    pub address: Address,
    /// Whether it came from the place that was asked, without a redirect elsewhere.
    pub is_own: bool,
}

impl Reply {
    /// The header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type, without parameters, in lower case.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether a page for people came in place of an answer.
    pub fn is_page(&self) -> bool {
        ["text/html", "application/xhtml+xml"].contains(&self.media_type().as_str())
    }

    /// `Content-Length`.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Reads the rest of the body, of at most so many bytes.
    pub fn read(&mut self, most: u64, what: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.body.as_reader().take(most + 1).read_to_end(&mut bytes);
        read.map_err(|error| broken(error.into(), what, &self.address, None))?;
        if bytes.len() as u64 > most {
            let text = format!("{what}: the answer is longer than {most} bytes");
            return Err(Failure::new(Class::Length, text));
        }
        if self.length().is_some_and(|length| length != bytes.len() as u64) {
            return Err(cut(what, &self.address, "the body ended early"));
        }
        Ok(bytes)
    }

    /// Returns what the server says about an error, in brackets, or an empty text.
    pub fn said(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.body.as_reader().take(ERROR_BYTES).read_to_end(&mut bytes);
        let text = match Json::parse(&bytes) {
            Ok(json) => {
                let first = json.get("errors").and_then(Json::list).and_then(<[Json]>::first);
                let of = |name: &str| {
                    first.and_then(|error| error.text_of(name)).or_else(|| json.text_of(name))
                };
                match (of("code"), of("message").or_else(|| of("details"))) {
                    (Some(code), Some(message)) => format!("{code}: {message}"),
                    (Some(one), None) | (None, Some(one)) => one.to_string(),
                    (None, None) => String::new(),
                }
            }
            Err(_) if self.is_page() => "a web page".to_string(),
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let line = clean(&text, SAID_BYTES);
        if line.is_empty() { line } else { format!(" ({line})") }
    }
}

/// Connections to one host, and to others that it sends us to.
pub struct Exchange {
    tls: (String, Configs),
    proxies: Proxies,
    times: Times,
    /// One for each proxy in use, and for none.
    agents: Mutex<Vec<(Option<String>, Agent)>>,
}

impl Exchange {
    /// For the host of this authority.
    pub fn new(authority: &str, configs: Configs, proxies: Proxies, times: Times) -> Exchange {
        let (tls, agents) = ((authority.to_string(), configs), Mutex::new(Vec::new()));
        Exchange { tls, proxies, times, agents }
    }

    fn agent(&self, proxy: Option<&str>) -> Result<Agent> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, agent)) = agents.iter().find(|(of, _)| of.as_deref() == proxy) {
            return Ok(agent.clone());
        }
        let wrong = |_| Failure::new(Class::Settings, "the environment's proxy is not a valid URL");
        let parsed = proxy.map(Proxy::new).transpose().map_err(wrong)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(parsed)
            .user_agent(concat!("ocinit/", env!("CARGO_PKG_VERSION")))
            .accept_encoding(AutoHeaderValue::None)
            .max_response_header_size(HEADERS_BYTES)
            .input_buffer_size(INPUT_BYTES)
            .output_buffer_size(OUTPUT_BYTES)
            .max_idle_connections(REQUESTS_MAX)
            .max_idle_connections_per_host(REQUESTS_MAX)
            .timeout_resolve(Some(self.times.connect))
            .timeout_connect(Some(self.times.connect))
            .timeout_per_read(Some(self.times.idle))
            .timeout_per_write(Some(self.times.idle))
            .build();
        let (host, configs) = self.tls.clone();
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(Tls { host, configs });
        let agent = Agent::with_parts(config, connector, Names::default());
        agents.push((proxy.map(str::to_string), agent.clone()));
        Ok(agent)
    }

    /// Sends a request and follows redirects. `authorization` goes to the first place alone.
    pub fn send(
        &self,
        what: &str,
        method: &Method,
        start: &Address,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
        payload: &mut Payload<'_>,
    ) -> Result<Reply> {
        let (mut method, mut address, mut is_own) = (method.clone(), start.clone(), true);
        for _ in 0..=REDIRECTS_MAX {
            let shown = authorization.filter(|_| is_own);
            let mut reply = self.once(what, &method, &address, headers, shown, payload)?;
            reply.is_own = is_own;
            if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(reply);
            }
            let wrong = |text: &str| {
                let text = format!("{what}: {} redirects {text}", address.authority);
                Failure::new(Class::Protocol, text).with_status(reply.status)
            };
            let target = reply.header("location").ok_or_else(|| wrong("to nowhere"))?;
            let next = address.join(target).map_err(|text| wrong(&format!("to {text}")))?;
            if address.tls && !next.tls {
                return Err(wrong("from https to http, which is refused"));
            }
            if matches!(payload, Payload::Stream(..)) {
                return Err(wrong("an upload, which cannot be sent twice"));
            }
            if reply.status == 303 && method != Method::HEAD {
                method = Method::GET;
                *payload = Payload::None;
            }
            is_own &= next.is_same_place(start);
            // The connection can be used again if its body was read.
            let _ = reply.body.as_reader().take(ERROR_BYTES).read_to_end(&mut Vec::new());
            address = next;
        }
        // Not the whole address: it may be signed.
        let host = &address.authority;
        let text = format!("{what}: more than {REDIRECTS_MAX} redirects, the last to {host}");
        Err(Failure::new(Class::Protocol, text))
    }

    fn once(
        &self,
        what: &str,
        method: &Method,
        address: &Address,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
        payload: &mut Payload<'_>,
    ) -> Result<Reply> {
        let proxy = self.proxies.of(address)?;
        let agent = self.agent(proxy.as_deref())?;
        let mut request = Request::builder().method(method.clone()).uri(address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let malformed = |_| {
            let text = format!("{what}: a header or the URL has characters that are not allowed");
            Failure::new(Class::Protocol, text)
        };
        let answer = match payload {
            Payload::Stream(reader, length) => {
                let body = SendBody::from_reader(*reader);
                let request = request.header("content-length", *length).body(body);
                agent.run(request.map_err(malformed)?)
            }
            Payload::Bytes(bytes) => agent.run(request.body(*bytes).map_err(malformed)?),
            Payload::None if [Method::GET, Method::HEAD].contains(method) => {
                agent.run(request.body(()).map_err(malformed)?)
            }
            Payload::None => agent.run(request.body(&[][..]).map_err(malformed)?),
        };
        let answer = answer.map_err(|error| broken(error, what, address, proxy.as_deref()))?;
        let (parts, body) = answer.into_parts();
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        Ok(Reply { status, headers, body, address: address.clone(), is_own: true })
    }
}

/// A connection that ended in the middle.
pub fn cut(what: &str, address: &Address, reason: &str) -> Failure {
    let text = format!("{what}: the connection to {} was cut: {reason}", address.authority);
    Failure::new(Class::Cut, text).again(Again::Later)
}

/// Returns the failure for an error below HTTP.
pub fn broken(error: Error, what: &str, address: &Address, proxy: Option<&str>) -> Failure {
    let host = &address.authority;
    let new = |class, text: String| Failure::new(class, format!("{what}: {text}"));
    match error {
        Error::Io(error) => {
            // Errors of TLS are wrapped once or twice.
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if let Some(tls) = inner {
                let no_tls = matches!(tls, rustls::Error::InvalidMessage(_));
                let failure = new(Class::Certificate, crate::tls::explain(tls, address));
                return Failure { no_tls, ..failure };
            }
            let hint = if proxy.is_some() { " (through the environment's proxy)" } else { "" };
            match error.kind() {
                ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::AddrNotAvailable => {
                    new(Class::NoAnswer, format!("nothing answers at {host}: {error}{hint}"))
                }
                ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::NotConnected
                | ErrorKind::BrokenPipe => cut(what, address, &error.to_string()),
                ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                    new(Class::TimedOut, format!("{host} does not answer")).again(Again::Later)
                }
                _ => new(Class::Cut, format!("{host}: {error}")),
            }
        }
        Error::Timeout(Timeout::Resolve) => {
            new(Class::NoHost, format!("no answer of the name servers about {host}"))
        }
        Error::Timeout(Timeout::Connect) => {
            new(Class::NoAnswer, format!("{host} does not answer: no connection within the time"))
        }
        Error::Timeout(_) => {
            let text = format!("not a byte from or to {host} within the time");
            new(Class::TimedOut, text).again(Again::Later)
        }
        Error::ConnectProxyFailed(reason) => {
            new(Class::NoAnswer, format!("the proxy has no connection to {host}: {reason}"))
        }
        Error::LargeResponseHeader(..) => {
            new(Class::Protocol, format!("{host} sends headers of more than 64 KiB"))
        }
        Error::Other(other) => match other.downcast::<NoAddress>() {
            Ok(no_address) => new(Class::NoHost, no_address.to_string()),
            Err(other) => new(Class::Protocol, format!("{host}: {other}")),
        },
        Error::Tls(text) => new(Class::Certificate, format!("{host}: {text}")),
        other => new(Class::Protocol, format!("{host} does not speak HTTP as expected: {other}")),
    }
}
