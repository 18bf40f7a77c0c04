//! # ocinit-registry: ocinit's transport helper
//!
//! ocinit starts it with one end of a socket, and asks it for manifests and blobs by name; the
//! protocol is drawn in `src/codec/transport.rs`. It speaks TLS and HTTP to registries, and knows
//! nothing of images: it verifies lengths, ocinit verifies digests.
//!
//! ```text
//!  main -> control (the channel; a thread for each request)
//!             |
//!        pull, push (what is asked, in which order)
//!             |
//!          registry (a host: its credentials, tokens, redirects)
//!          |     |  \
//!       token    |   exchange (one request and its answer; failures)
//!          |     |    |
//!   challenge credentials tls, proxy, address
//! ```
//!
//! 1. Credentials and certificates are read before the first connection, and never afterwards:
//!    [`confine`] drops the rights to do so.
//! 2. Credentials go to the registry itself and to the realm that it names, never on a redirect to
//!    another scheme, host or port.
//! 3. Nothing that a server says is kept without a limit; an error is one line.
//! 4. `unsafe` stands in [`sys`] alone.

pub mod address;
pub mod challenge;
pub mod confine;
pub mod control;
pub mod credentials;
pub mod exchange;
pub mod failure;
pub mod helper;
pub mod json;
pub mod proxy;
pub mod pull;
pub mod push;
pub mod registry;
pub mod retry;
pub mod settings;
pub mod sys;
pub mod time;
pub mod tls;
pub mod token;
#[path = "../../src/codec/transport.rs"]
pub mod transport;
