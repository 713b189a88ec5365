//! What goes wrong between a source and the agent, named so that a person can act on it.

use std::path::PathBuf;

use thiserror::Error;

/// A source could not be read now. It stays usable: the next poll tries again, and nothing was skipped.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The folder, share or drive is not there.
    #[error("source `{source_name}` cannot reach folder `{}`", folder.display())]
    FolderUnreachable {
        /// Name of the `[[source]]`.
        source_name: String,
        /// What was looked for.
        folder: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Another program holds the file or a part of it.
    #[error("source `{source_name}` finds `{}` in use by another program at byte {offset}", path.display())]
    FileInUse {
        /// Name of the `[[source]]`.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// Where reading would go on.
        offset: u64,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The file is there and cannot be read.
    #[error("source `{source_name}` cannot read `{}` at byte {offset}", path.display())]
    FileUnreadable {
        /// Name of the `[[source]]`.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// Where reading would go on.
        offset: u64,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// More files than one source is made for.
    #[error("source `{source_name}` finds more than {files_max} files in `{}`", folder.display())]
    TooManyFiles {
        /// Name of the `[[source]]`.
        source_name: String,
        /// Where they are.
        folder: PathBuf,
        /// The limit.
        files_max: usize,
    },
}

impl SourceError {
    /// Stable name of the fault, for status, alerts and the documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FolderUnreachable { .. } => "source-folder-unreachable",
            Self::FileInUse { .. } => "source-file-in-use",
            Self::FileUnreadable { .. } => "source-file-unreadable",
            Self::TooManyFiles { .. } => "source-too-many-files",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::FolderUnreachable { .. } => {
                "check that the folder exists and the share is connected for the account that runs the agent; it is tried again by itself"
            }
            Self::FileInUse { .. } => {
                "nothing to do if it goes away by itself; otherwise let the POS write to a file that it does not lock"
            }
            Self::FileUnreadable { .. } => "give the account that runs the agent the right to read the file",
            Self::TooManyFiles { .. } => "move old files out of the folder, or narrow the path of the source",
        }
    }

    /// From the error of a file operation. Windows: 32 is a sharing violation, 33 a lock violation.
    pub(crate) fn reading(source_name: &str, path: PathBuf, offset: u64, cause: std::io::Error) -> Self {
        let source_name = source_name.to_owned();
        let locked = cfg!(windows) && matches!(cause.raw_os_error(), Some(32 | 33));
        if locked || cause.kind() == std::io::ErrorKind::ResourceBusy {
            Self::FileInUse { source_name, path, offset, cause }
        } else {
            Self::FileUnreadable { source_name, path, offset, cause }
        }
    }
}
