//! A file that is renamed to its final name when it is complete.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::io::AsyncWriteExt;

use crate::failure::{Failure, WriteError};

/// How many partial files of one target there can be, of running downloads or of killed ones.
const PLACES: u32 = 1000;

/// A file that is being written. Dropping it removes the file.
pub(crate) struct PartialFile {
    content: tokio::fs::File,
    place: Place,
    target: PathBuf,
}

/// The temporary path of the file. Dropping it removes the file, unless it is kept.
struct Place {
    path: PathBuf,
    is_kept: bool,
}

impl PartialFile {
    /// Creates a new file beside `target`, which stays as it is.
    pub(crate) fn create(target: &Path) -> Result<Self, Failure> {
        let (path, content) = create(target).map_err(|error| write_error(target, error))?;
        Ok(Self {
            content: tokio::fs::File::from_std(content),
            place: Place {
                path,
                is_kept: false,
            },
            target: target.to_owned(),
        })
    }

    pub(crate) async fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        let written = self.content.write_all(data).await;
        written.map_err(|error| write_error(&self.place.path, error))
    }

    /// Writes the file to the disk, and renames it to the target.
    pub(crate) async fn keep(mut self) -> Result<(), Failure> {
        let synced = match self.content.flush().await {
            Ok(()) => self.content.sync_all().await,
            failed => failed,
        };
        synced.map_err(|error| write_error(&self.place.path, error))?;
        // Nothing is awaited from here on, so a cancelled download leaves either the complete file or none.
        let renamed = fs::rename(&self.place.path, &self.target);
        renamed.map_err(|error| write_error(&self.target, error))?;
        self.place.is_kept = true;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            // An error cannot be handled here.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create(target: &Path) -> io::Result<(PathBuf, fs::File)> {
    let Some(name) = target.file_name() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it has no name"));
    };
    // A rename would also replace a device, and would fail for a directory, but only after the download.
    match fs::symlink_metadata(target) {
        Ok(existing) if !existing.is_file() => {
            let error = "it exists, and is not a regular file";
            return Err(io::Error::new(ErrorKind::AlreadyExists, error));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for number in 0..PLACES {
        let path = target.with_file_name(partial_name(name.to_owned(), number));
        match fs::File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let error = "there are too many partial files of its name";
    Err(io::Error::new(ErrorKind::AlreadyExists, error))
}

/// `name.part`, `name.1.part`, `name.2.part`, ..
fn partial_name(mut name: OsString, number: u32) -> OsString {
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name.push(".part");
    name
}

fn write_error(path: &Path, error: io::Error) -> Failure {
    let path = path.to_owned();
    Failure::Write(WriteError { path, error })
}
