use http::StatusCode;

use crate::bench::runtime;
use crate::case::Requests;
use crate::client::{Answer, Client, Visit};
use crate::payload::Payload;

/// Sends `count` requests, one after another.
pub struct Sequence {
    pub requests: Requests,
    pub count: u32,
}

impl<B: Payload> Visit<B> for Sequence {
    type Output = ();

    fn visit<C: Client<B>>(self, mut client: C) {
        runtime().block_on(async move { send(&mut client, &self.requests, self.count).await });
    }
}

pub async fn send<B: Payload, C: Client<B>>(client: &mut C, requests: &Requests, count: u32) {
    for _ in 0..count {
        let answer = client.send(requests.make()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.read().await;
    }
}
