//! A directory of a test's own.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// An empty one; no two tests use the same name.
    pub(crate) fn new(name: &str) -> Self {
        // The folder is the whole workspace's.
        let name = format!("download_{name}");
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
            Ok(()) | Err(_) => fs::create_dir(&path).unwrap(),
        }
        Self { path }
    }

    /// One with a file that is there before.
    pub(crate) fn with_old_file(name: &str) -> Self {
        let directory = Self::new(name);
        fs::write(directory.path("file"), "old").unwrap();
        directory
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    /// Asserts that `file` is all that there is, with this content.
    pub(crate) fn has_only(&self, content: &[u8]) {
        assert_eq!(self.names(), ["file"]);
        assert!(fs::read(self.path("file")).unwrap() == content);
    }

    pub(crate) fn has_only_the_old_file(&self) {
        self.has_only(b"old");
    }
}
