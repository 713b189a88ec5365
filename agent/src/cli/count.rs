//! What `tillsync count` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ListArgs;

/// What can be done about counts.
#[derive(Debug, Clone, Subcommand)]
pub enum CountAction {
    /// All counts, the latest first.
    List(ListArgs),
    /// Counts that wait for a person's decision.
    Held(ListArgs),
    /// One count with its lines.
    Show {
        /// Its number.
        id: i64,
    },
    /// Take a held count in.
    Approve {
        /// Its number.
        id: i64,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Give a held count up.
    Refuse {
        /// Its number.
        id: i64,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Count now, whatever the schedule says.
    Now {
        /// Name of the `[[count]]`.
        name: String,
        /// Only show what it would do.
        #[arg(long)]
        dry_run: bool,
    },
    /// Somebody has counted these articles just now.
    Set(SetArgs),
}

/// What `count set` takes.
#[derive(Debug, Clone, Args)]
pub struct SetArgs {
    /// Articles with what lies there: `SKU=12`.
    #[arg(value_name = "SKU=QUANTITY")]
    pub articles: Vec<String>,
    /// A file with a line `SKU=QUANTITY` for each article.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Who counted, for the record.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Only show what it would do.
    #[arg(long)]
    pub dry_run: bool,
}
