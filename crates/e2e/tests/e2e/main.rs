//! Two people, a hostile server between them: what must open opens, and nothing else does.

#[cfg(test)]
mod boxes;
#[cfg(test)]
mod emoji;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod phrase;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod vectors;
