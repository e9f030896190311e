//! What is done to a RabbitMQ broker goes in; what those who talk through it notice comes out.

mod anybody;
mod beside;
mod broker_itself;
mod bundles;
mod by_hand;
mod cable;
mod callbacks;
mod desk;
mod faults;
mod knocks;
mod large;
mod limits;
mod processes;
mod python;
mod raw;
mod returns;
mod servers;
mod strangers;
mod successors;
mod support;
mod tls;
