use bytes::Bytes;

/// The whole body of a response: an extension, for the classifiers above the layer that has read it.
#[derive(Clone)]
pub(crate) struct WholeBody(pub(crate) Bytes);
