//! Two connections in one process, over loopback and real sockets.

#[cfg(test)]
mod audio;
#[cfg(test)]
mod bad_peer;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod close;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod data;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod rate;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod security;
#[cfg(test)]
mod support;
#[cfg(test)]
mod video;
