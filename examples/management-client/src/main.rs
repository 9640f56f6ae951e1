//! Creates and deletes items at a management service that performs the operations and then loses
//! the responses: `cargo run -p management-client`.
//!
//! The service is a part of this program and listens on 127.0.0.1. A client sends it the same
//! requests twice, each time with the same faults and with empty collections: first with a retry
//! alone, then with a [`VerifyLayer`] below the retry. That layer checks whether an item exists
//! before it is created or deleted again, as the third of Microsoft's retry guidelines recommends.
//! The program prints the requests that the service received, with times of the service's clock,
//! and below them the response that the caller got. It takes about a second.
//!
//! Exit status: 0 if the retry alone causes the expected damage, and the verification prevents all
//! of it; else 1.
//!
//! [`VerifyLayer`]: tower_http_retry::VerifyLayer

use std::borrow::Borrow;
use std::io::{self, Write};
use std::process::ExitCode;

use bytes::Bytes;
use http::{Method, Response, StatusCode, Uri};
use tower::ServiceExt;
use tower_http_retry::BoxError;
use tower_http_retry::verify::Verified;

mod client;
mod collection;
mod service;

use client::{Client, Operation};
use service::{Fault, ManagementService, RELYING_PARTIES, RULES};

/// One request, with its faults and the expected result.
struct Case {
    operation: Operation,
    /// The faults of the first attempts, in order. Later attempts have none.
    faults: &'static [Fault],
    /// The status that the caller gets if the operation is repeated without verification.
    blindly: StatusCode,
    /// The result of the verification. `None` if the caller gets the response to the operation itself.
    verified: Option<Verified>,
}

/// Each operation should be done once, and reported as a success.
const PLAN: [Case; 6] = [
    // A first attempt is not verified.
    Case {
        operation: Operation::new(Method::PUT, RELYING_PARTIES, "legacy"),
        faults: &[],
        blindly: StatusCode::CREATED,
        verified: None,
    },
    Case {
        operation: Operation::new(Method::POST, RELYING_PARTIES, "payroll"),
        faults: &[Fault::DoneThenKilled],
        blindly: StatusCode::CONFLICT,
        verified: Some(Verified::Created),
    },
    // The worst case without verification: a second item is created, and no error is reported.
    Case {
        operation: Operation::new(Method::POST, RULES, "allow-finance"),
        faults: &[Fault::DoneThenKilled],
        blindly: StatusCode::CREATED,
        verified: Some(Verified::Created),
    },
    Case {
        operation: Operation::new(Method::PUT, RELYING_PARTIES, "billing"),
        faults: &[Fault::DoneThenFailed],
        blindly: StatusCode::CONFLICT,
        verified: Some(Verified::Created),
    },
    // The first attempt was not done: the verification must not prevent the second.
    Case {
        operation: Operation::new(Method::POST, RULES, "deny-guests"),
        faults: &[Fault::NotDone],
        blindly: StatusCode::CREATED,
        verified: None,
    },
    Case {
        operation: Operation::new(Method::DELETE, RELYING_PARTIES, "legacy"),
        faults: &[Fault::NotDone, Fault::DoneThenKilled],
        blindly: StatusCode::NOT_FOUND,
        verified: Some(Verified::Deleted),
    },
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the error cannot be reported.
            let _ = writeln!(io::stderr(), "management-client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    say("Without VerifyLayer:");
    let blind = Run::start(client::with_retries(None)).await?;
    blind.go_through(|case| (case.blindly, None)).await?;
    blind.expect_items(RELYING_PARTIES, &["billing", "payroll"])?;
    blind.expect_items(RULES, &["allow-finance", "allow-finance", "deny-guests"])?;

    say("\nWith VerifyLayer:");
    let verified = Run::start(client::with_retries(Some(client::verification()))).await?;
    verified
        .go_through(|case| (case.operation.success(), case.verified))
        .await?;
    verified.expect_items(RELYING_PARTIES, &["billing", "payroll"])?;
    verified.expect_items(RULES, &["allow-finance", "deny-guests"])
}

/// A client with its own service.
struct Run {
    service: ManagementService,
    uri: Uri,
    client: Client,
}

/// The response that the caller should get.
type Answer = (StatusCode, Option<Verified>);

impl Run {
    async fn start(client: Client) -> Result<Self, BoxError> {
        let service = ManagementService::new();
        let uri = service.listen().await?;
        Ok(Self {
            service,
            uri,
            client,
        })
    }

    /// Sends each request of the plan, and checks its response.
    async fn go_through(&self, expected: impl Fn(&Case) -> Answer) -> Result<(), BoxError> {
        let mut failures = 0;
        for case in &PLAN {
            let response = self.send(case).await?;
            expect(case, &response, expected(case))?;
            if !response.status().is_success() {
                failures += 1;
            }
        }
        let count = PLAN.len();
        say(&format!(
            "\n  The caller is told that {failures} of {count} failed."
        ));
        Ok(())
    }

    /// Sends one request, and prints what the service received and what the caller got.
    async fn send(&self, case: &Case) -> Result<Response<Bytes>, BoxError> {
        let operation = &case.operation;
        say(&format!("\n  {operation}"));
        self.service.plan(case.faults);
        let request = operation.request(&self.uri)?;
        let outcome = self.client.clone().oneshot(request).await;
        for seen in self.service.take_seen() {
            say(&format!("    {seen}"));
        }
        let response = outcome.map_err(|error| format!("{operation}: {error}"))?;
        let told = told(&response);
        say(&format!("    the caller gets {told}"));
        Ok(response)
    }

    /// Checks which items the service has.
    fn expect_items(&self, collection: &str, expected: &[&str]) -> Result<(), BoxError> {
        let names = self.service.names(collection);
        let items = list(collection, &names);
        say(&format!("  The service has {items}."));
        match names == expected {
            true => Ok(()),
            false => {
                let items = list(collection, expected);
                Err(format!("expected: the service has {items}").into())
            }
        }
    }
}

fn list<N: Borrow<str>>(collection: &str, names: &[N]) -> String {
    format!("{} in {collection}: {}", names.len(), names.join(", "))
}

/// The response as text.
fn told(response: &Response<Bytes>) -> String {
    let verified = match response.extensions().get::<Verified>() {
        Some(verified) => format!(", Verified::{verified:?}"),
        None => String::new(),
    };
    let body = String::from_utf8_lossy(response.body());
    let status = response.status();
    format!("{status}{verified} {body}").trim_end().to_owned()
}

fn expect(
    case: &Case,
    response: &Response<Bytes>,
    (status, verified): Answer,
) -> Result<(), BoxError> {
    let found = response.extensions().get::<Verified>().copied();
    if (response.status(), found) == (status, verified) {
        return Ok(());
    }
    let operation = &case.operation;
    let verified = match verified {
        Some(verified) => format!("Verified::{verified:?}"),
        None => "no Verified".to_owned(),
    };
    Err(format!("expected: {operation} is answered {status}, with {verified}").into())
}

/// Prints a line. Does not panic if the reader has closed the pipe, as `head` does.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
