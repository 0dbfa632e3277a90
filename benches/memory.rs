//! Insert, merge and recall at several sizes: the cost against the size is the point.

fn main() {}
