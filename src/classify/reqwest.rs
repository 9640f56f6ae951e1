//! Errors of reqwest, which has its own type for time-outs. It uses hyper-util's client.

use std::error::Error;

use super::hyper_util;
use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;

pub(super) fn read(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    let client = error.downcast_ref::<reqwest::Error>()?;
    if client.is_connect() {
        let verdict = hyper_util::connect(error);
        Some(if client.is_timeout() {
            verdict.timed_out()
        } else {
            verdict
        })
    } else if client.is_timeout() {
        Some(Class::Transient.timed_out())
    } else if client.is_body() || client.is_builder() || client.is_redirect() || client.is_decode()
    {
        Some(Class::Permanent.into())
    } else {
        None
    }
}
