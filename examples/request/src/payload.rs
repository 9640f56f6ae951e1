//! Request bodies: in memory, or read chunk by chunk as they are sent.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};

/// The most that is read from a stream at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// The source of the request bodies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Payload {
    Data(Bytes),
    File(PathBuf),
    StandardInput,
}

/// The body of one request.
pub(crate) enum RequestBody {
    Data(Bytes),
    Stream(Stream),
}

/// A body that is read from a file or a pipe while it is sent.
pub(crate) struct Stream {
    source: Box<dyn AsyncRead + Send + Unpin>,
    /// The number of remaining bytes, if the length is known.
    remaining: Option<u64>,
    buffer: Box<[u8]>,
}

impl Payload {
    /// Parses the value of `--data-binary`. Checks here whether a file can be read, so that the error
    /// message names the argument.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            None => Ok(Self::Data(text.to_owned().into())),
            Some("-") => Ok(Self::StandardInput),
            Some(path) => {
                try_to_read(Path::new(path)).map_err(|error| format!("cannot read it: {error}"))?;
                Ok(Self::File(path.into()))
            }
        }
    }

    /// Opens the body of one request.
    pub(crate) async fn open(&self) -> io::Result<RequestBody> {
        Ok(match self {
            Self::Data(data) => RequestBody::Data(data.clone()),
            Self::StandardInput => RequestBody::Stream(Stream::new(tokio::io::stdin(), None)),
            Self::File(path) => {
                let file = tokio::fs::File::open(path).await?;
                let metadata = file.metadata().await?;
                // A pipe or a device has no length.
                let length = metadata.is_file().then_some(metadata.len());
                RequestBody::Stream(Stream::new(file, length))
            }
        })
    }
}

/// An empty body.
impl Default for Payload {
    fn default() -> Self {
        Self::Data(Bytes::new())
    }
}

fn try_to_read(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Opening a pipe may block, and closing it again may end the process that writes to it.
    if metadata.is_file() {
        File::open(path)?;
    }
    Ok(())
}

impl Stream {
    fn new(source: impl AsyncRead + Send + Unpin + 'static, length: Option<u64>) -> Self {
        Self {
            source: Box::new(source),
            remaining: length,
            buffer: vec![0; CHUNK].into(),
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        // If the file has grown, only the announced length is sent.
        let most = self.remaining.map_or(CHUNK, |remaining| {
            usize::try_from(remaining).map_or(CHUNK, |remaining| remaining.min(CHUNK))
        });
        if most == 0 {
            return Poll::Ready(None);
        }
        let mut buffer = ReadBuf::new(&mut self.buffer[..most]);
        ready!(Pin::new(&mut self.source).poll_read(cx, &mut buffer))?;
        let chunk = Bytes::copy_from_slice(buffer.filled());
        match &mut self.remaining {
            Some(_) if chunk.is_empty() => {
                let shrunk = "the file has become shorter while it was sent";
                return Poll::Ready(Some(Err(io::Error::other(shrunk))));
            }
            Some(remaining) => *remaining -= chunk.len() as u64,
            None if chunk.is_empty() => return Poll::Ready(None),
            None => {}
        }
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = match self.get_mut() {
            Self::Data(data) if data.is_empty() => None,
            Self::Data(data) => Some(Ok(std::mem::take(data))),
            Self::Stream(stream) => ready!(stream.poll_chunk(cx)),
        };
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    /// Exact for a file, so that the request has a `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        let length = match self {
            Self::Data(data) => Some(data.len() as u64),
            Self::Stream(stream) => stream.remaining,
        };
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
