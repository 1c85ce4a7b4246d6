//! The pagewarden binary.

fn main() {}
