//! The REST part, through the real router: what a person's device asks for, what it gets, and what bad input gets.

#[cfg(test)]
mod consequences;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod input;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod people;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod world;
