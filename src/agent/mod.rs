//! The one decision maker: `step(now, event)`, then `take_effects()`. No clock, no chance, no socket, no file.

pub(crate) mod event;
