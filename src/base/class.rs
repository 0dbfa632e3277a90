//! The few kinds of failure that an edge (HTTP, WebSocket, command line) tells apart.

/// What sort of failure this is. Only `server/error.rs` turns it into a status code and only `cli` into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The caller sent something wrong and can mend it.
    Invalid,
    /// The caller may not do this; another key might.
    Forbidden,
    /// The caller named something that is not there.
    NotFound,
    /// The caller sent more than a declared limit allows.
    TooLarge,
    /// Nothing here speaks the format, codec or protocol asked for.
    Unsupported,
    /// A declared capacity is used up; trying again later can succeed.
    Capacity,
    /// Something the server needs is missing or broken (weights, plugin, port).
    Unavailable,
    /// A defect of ours.
    Internal,
}
