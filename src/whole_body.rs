use bytes::Bytes;

/// Extension with the whole body of a response, for classifiers above the layer that has read it.
#[derive(Clone)]
pub(crate) struct WholeBody(pub(crate) Bytes);
