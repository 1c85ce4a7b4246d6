//! The only way that untrusted text leaves: every format has its function here.
