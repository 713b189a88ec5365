//! What goes wrong between a source and the agent, named so that a person can act on it.

use std::path::PathBuf;

use thiserror::Error;

/// The error of a driver or of the system below ours.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

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
    /// The database does not answer, or does not let us in.
    #[error("source `{source_name}` cannot reach the database at {address}")]
    DatabaseUnreachable {
        /// Name of the `[[source]]`.
        source_name: String,
        /// Host and database, or the file; never with a password.
        address: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The database answers and refuses a query, or its tables are not as the profile expects.
    #[error("source `{source_name}` cannot {step}")]
    DatabaseRefused {
        /// Name of the `[[source]]`.
        source_name: String,
        /// What was tried, as `read sales from table TICKETLINES`.
        step: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// A serial port or printer is not there, or was unplugged.
    #[error("source `{source_name}` cannot use `{device}`")]
    DeviceUnreachable {
        /// Name of the `[[source]]`.
        source_name: String,
        /// Port or address.
        device: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// Bytes arrive on a serial line, and they are noise: a wrong rate, parity or wire.
    #[error("source `{source_name}` cannot read its line")]
    LineUnreadable {
        /// Name of the `[[source]]`.
        source_name: String,
        /// What was heard, and what to try.
        #[source]
        cause: Cause,
    },
    /// The address that others connect to cannot be listened on.
    #[error("source `{source_name}` cannot listen on {address}")]
    ListenerUnavailable {
        /// Name of the `[[source]]`.
        source_name: String,
        /// Address and port.
        address: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// A file of the source's own (raw bytes of a printer's line) cannot be written or read.
    #[error("source `{source_name}` cannot use its own file `{}`", path.display())]
    OwnFile {
        /// Name of the `[[source]]`.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The article table cannot be read: reading waits, so that nothing is booked under a wrong article.
    #[error("source `{source_name}` cannot read the article table `{}`", path.display())]
    ArticleTable {
        /// Name of the `[[source]]`.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Cause,
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
            Self::DatabaseUnreachable { .. } => "source-database-unreachable",
            Self::DatabaseRefused { .. } => "source-database-refused",
            Self::DeviceUnreachable { .. } => "source-device-unreachable",
            Self::LineUnreadable { .. } => "source-line-unreadable",
            Self::ListenerUnavailable { .. } => "source-listener-unavailable",
            Self::OwnFile { .. } => "source-own-file",
            Self::ArticleTable { .. } => "source-article-table",
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
            Self::DatabaseUnreachable { .. } => {
                "check that the POS's database runs, and the address, login and password; it is tried again by itself"
            }
            Self::DatabaseRefused { .. } => {
                "run `tillsync check --online`: it names missing tables, columns and rights; run the grants script of the profile"
            }
            Self::DeviceUnreachable { .. } => {
                "check the cable and the name of the port (`tillsync ports` lists them); it is opened again by itself"
            }
            Self::LineUnreadable { .. } => {
                "let the till print, run `tillsync ports --listen`, and set `baud` and `framing` to what it names"
            }
            Self::ListenerUnavailable { .. } => {
                "another program has the port, or the address is not of this machine: change `listen`"
            }
            Self::OwnFile { .. } => "check the rights and the free space of the state folder",
            Self::ArticleTable { .. } => {
                "put the file named in [articles] back, with a column `sku`; reading goes on by itself"
            }
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
