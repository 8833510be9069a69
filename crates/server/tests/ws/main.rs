//! The socket, through a real listener, by a client that speaks the protocol by hand.

#[cfg(test)]
mod support;

#[cfg(test)]
mod calls;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod hello;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod log;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod second_caller;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod unhappy;
