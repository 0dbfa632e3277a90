//! What it costs to understand how a question is meant in time.

fn main() {}
