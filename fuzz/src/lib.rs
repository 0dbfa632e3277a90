//! The parts of the server that read what strangers send, compiled by themselves: the server's own files, without the models and media libraries that
//! would take most of an hour to build with coverage. Those parts import nothing but `base` and each other: a new import there breaks `make fuzz-smoke`.

#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

#[path = "../../src/base/mod.rs"]
pub mod base;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

#[path = "../../src/config"]
pub mod config {
    mod error;
    mod keys;
    mod layers;
    mod value;

    pub use error::ConfigError;
    pub use layers::Sources;

    pub fn collect(sources: &Sources) -> Result<(), ConfigError> {
        layers::collect(sources).map(drop)
    }
}

#[path = "../../src/decode"]
pub mod decode {
    mod bits;
    mod header;

    pub fn announced_size(codec: crate::base::Codec, data: &[u8]) -> Option<(u32, u32)> {
        header::announced_size(codec, data)
    }
}

#[path = "../../src/ingest"]
pub mod ingest {
    pub mod assemble;
    pub mod ice_servers;
    pub mod offer;

    pub mod mux {
        mod stun;
        mod table;

        use super::offer::IceCredentials;
        use crate::base::MediaTime;

        /// Whether a packet of a stranger gets to a call.
        pub fn is_let_in(packet: &[u8], now: MediaTime) -> bool {
            let mut table = table::Table::default();
            table.name(1, IceCredentials { ufrag: "ours".into(), pwd: "a-password-of-22-chars".into() });
            let from = std::net::SocketAddr::from(([192, 0, 2, 1], 5_000));
            matches!(table.route(from, packet, now), table::Route::To(_))
        }
    }
}

#[path = "../../src/server"]
pub mod server {
    mod parts;

    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::{HeaderValue, header};

    use crate::base::ErrorClass;

    /// Stands in for the server's own, which knows all its errors.
    pub struct HttpError(pub String);

    impl HttpError {
        pub fn new(_: ErrorClass, _: &'static str, message: impl Into<String>) -> Self {
            Self(message.into())
        }
    }

    /// Offer and session out of the body of a request.
    pub fn read_call(kind: &[u8], body: &[u8]) -> Result<(String, Option<String>), HttpError> {
        let mut request = Request::new(Body::from(body.to_vec()));
        if let Ok(kind) = HeaderValue::from_bytes(kind) {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        futures_executor::block_on(parts::read_offer(request))
    }
}
