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
        // Only connecting and binding fail in this way.
        ErrorKind::ConnectionRefused | ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => {
            Some(Class::Refused.into())
        }
        // QUIC streams report a lost connection as `NotConnected`.
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
