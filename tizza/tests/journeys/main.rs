//! End to end: the built program, started as its users start it, spoken to as its clients speak to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod cards;
mod changing;
mod client;
mod composed;
mod crashes;
mod deployment;
mod distributed;
mod forms;
mod home;
mod interrupted;
mod kafka_access;
mod looking;
mod metrics;
mod moving;
mod next;
mod operations;
mod outages;
mod parking;
mod postgres_tls;
mod process;
mod reading;
mod rejections;
mod repeats;
mod restoring;
mod roles;
mod sealing;
mod server;
mod staff;
mod starting;
mod starting_postgres;
mod stories;
mod three_brokers;
mod topic;
mod tour;
mod tracing;
mod upgrading;
