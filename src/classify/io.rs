//! Errors of the operating system.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;

pub(super) fn read(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    of_io(error.downcast_ref()?)
}

pub(super) fn of_io(error: &io::Error) -> Option<Verdict> {
    match error.kind() {
        // Only connecting and binding fail so.
        ErrorKind::ConnectionRefused | ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => {
            Some(Class::Refused.into())
        }
        // QUIC's streams say `NotConnected` of a connection that was there, and was lost.
        ErrorKind::NotConnected
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown => Some(Class::Transient.into()),
        ErrorKind::TimedOut => Some(Class::Transient.timed_out()),
        _ => None,
    }
}
