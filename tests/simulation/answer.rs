//! The answer of a server to one attempt.

use std::time::Duration;

use fastrand::Rng;
use h2::Reason;
use http::response::Builder;

use super::payload::Shape;
use super::plan::{Protocol, millis};

#[derive(Clone, Debug)]
pub struct Answer {
    /// How much of the request body is read before the response.
    pub reads: Reads,
    /// How long the server waits before the response, after it has acted.
    pub thinks: Duration,
    pub does: Does,
    pub hint: Option<(Form, Duration)>,
    pub body: Shape,
    /// Where a download ends early, if it does.
    pub cut: Option<Cut>,
    pub pace: Pace,
}

#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// How many thousandths of the body are sent.
    pub after: u64,
    pub how: How,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As if the body were complete.
    Short,
    /// Its source fails, which closes the connection or resets the stream.
    Breaks,
    /// Its stream is reset with this reason.
    Reset(Reason),
}

impl How {
    /// Whether hyper takes it for the end of the body, unless a length shows that it is not.
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Short | Self::Reset(Reason::NO_ERROR))
    }
}

/// How fast a download is sent.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pieces: u64,
    /// The pause before each piece.
    pub pause: Duration,
}

#[derive(Clone, Copy, Debug)]
pub enum Reads {
    All,
    Some(usize),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    Answer(u16),
    /// Never answers.
    Hang,
    /// Closes the connection, or resets the stream.
    Abort,
    /// Resets the stream with `REFUSED_STREAM`.
    Refuse,
    /// Redirects the client to the other server.
    Redirect,
}

/// The header that contains the hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Milliseconds,
    AzureMilliseconds,
    Seconds,
    Date,
}

impl Answer {
    pub fn draw(random: &mut Rng, protocol: Protocol) -> Self {
        let does = Does::draw(random, protocol);
        let reads = match random.u8(..8) {
            0 => Reads::Nothing,
            1 => Reads::Some(random.usize(1..20_000)),
            _ => Reads::All,
        };
        let thinks = if random.u8(..6) == 0 { 0..=600 } else { 0..=20 };
        let hint = match does {
            Does::Answer(429 | 500..) => random.u8(..3) == 0,
            // The hint counts if the response breaks.
            Does::Answer(200) => random.u8(..6) == 0,
            _ => false,
        };
        let hint = hint.then(|| Form::draw(random));
        Self {
            reads,
            thinks: millis(random, thinks),
            does,
            hint,
            body: Shape::draw(random),
            cut: Cut::draw(random, protocol),
            pace: Pace {
                pieces: random.u64(1..=8),
                pause: millis(random, 0..=50),
            },
        }
    }

    pub fn is_status(&self) -> bool {
        matches!(self.does, Does::Answer(_))
    }

    /// Whether the server acts on the request.
    pub fn acts(&self) -> bool {
        !matches!(self.does, Does::Answer(429) | Does::Refuse)
    }
}

impl Does {
    fn draw(random: &mut Rng, protocol: Protocol) -> Self {
        match random.u8(..20) {
            0 => Self::Hang,
            1 => Self::Abort,
            2 if protocol == Protocol::Http2 => Self::Refuse,
            3..=6 => Self::Answer([500, 502, 503, 504][random.usize(..4)]),
            7..=9 => Self::Answer(429),
            10 => Self::Answer(400),
            _ => Self::Answer(200),
        }
    }
}

impl Cut {
    fn draw(random: &mut Rng, protocol: Protocol) -> Option<Self> {
        let reasons = [
            Reason::NO_ERROR,
            Reason::CANCEL,
            Reason::REFUSED_STREAM,
            Reason::ENHANCE_YOUR_CALM,
        ];
        let reason = reasons[random.usize(..reasons.len())];
        let after = match random.u8(..8) {
            0 => 0,
            1 => 1_000,
            _ => random.u64(..1_000),
        };
        let how = match random.u8(..4) {
            0 => How::Short,
            1 | 2 if protocol == Protocol::Http2 => How::Reset(reason),
            _ => How::Breaks,
        };
        (random.u8(..3) > 0).then_some(Self { after, how })
    }
}

impl Pace {
    /// Returns the size of each piece of a body of this many bytes.
    pub fn piece(self, bytes: u64) -> u64 {
        bytes.div_ceil(self.pieces)
    }
}

impl Form {
    fn draw(random: &mut Rng) -> (Self, Duration) {
        let second = Duration::from_secs(1);
        match random.u8(..8) {
            0 => (Self::Seconds, second),
            1 => (Self::Date, second),
            2 => (Self::AzureMilliseconds, millis(random, 1..=400)),
            _ => (Self::Milliseconds, millis(random, 1..=400)),
        }
    }

    pub fn write(self, hint: Duration, response: Builder) -> Builder {
        let (seconds, millis) = (hint.as_secs(), hint.as_millis().to_string());
        match self {
            Self::Milliseconds => response.header("retry-after-ms", millis),
            Self::AzureMilliseconds => response.header("x-ms-retry-after-ms", millis),
            Self::Seconds => response.header("retry-after", seconds),
            Self::Date => response
                .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
                .header(
                    "retry-after",
                    format!("Sun, 06 Nov 1994 08:49:{} GMT", 37 + seconds),
                ),
        }
    }
}
