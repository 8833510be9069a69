//! Two connections in one process, over loopback and real sockets.
#![cfg(test)]

mod audio;
mod close;
mod connect;
mod data;
mod garbage;
mod hostile;
mod restart;
mod security;
mod support;
