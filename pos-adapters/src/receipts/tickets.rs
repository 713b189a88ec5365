//! Receipts in, transactions out: the state machine between printed rows and the ledger. Pure.
//!
//! ```text
//! Receipt -> rows (template: what kind of row) -> draft (items stay provisional) -> end of ticket AND tender
//!         -> ladder (control sums) -> names (SKUs) -> TicketEvent
//! ```
//! Nothing moves stock before its ticket ended and its sums hold; everything else is an event too (invariant 7). The
//! state between two receipts is small, holds no personal data, and is saved with the cursor.

use std::path::Path;

use jiff::tz::TimeZone;
use sync_core::model::{Timestamp, Transaction};

use super::reading::TicketSettings;
use super::receipt::Receipt;
use crate::Quarantined;
use crate::file::SettingFault;

/// What a receipt brought. A reader puts these into its chunk: transactions, quarantined, ignored (rule, count).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketEvent {
    /// A finished ticket whose sums hold.
    Transaction {
        /// With `Extent::Whole`.
        transaction: Box<Transaction>,
        /// Which sums showed it.
        proof: Proof,
    },
    /// A ticket or a line that cannot be trusted or has no SKU; a gap in the numbers; a Z report that does not agree.
    Quarantined(Quarantined),
    /// Rows or tickets that move nothing by a named rule (`reprint`, `no-sale`, `x-report`, `training`, …).
    Ignored {
        /// The rule.
        rule: &'static str,
        /// How many records.
        records: u64,
    },
}

/// Why a ticket was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How lines and total agree.
    pub balance: Balance,
    /// Control sums that were there and held, in the order of the ladder.
    pub held: Vec<&'static str>,
    /// The ticket was suspended and recalled.
    pub recalled: bool,
}

/// How lines and total agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Lines and printed taxes give the total.
    Exact,
    /// The total is above the lines by what an unprinted tax may be.
    WithTax,
    /// There was nothing to compare; taken by setting.
    Unchecked,
}

/// Checked settings of a [`TicketReader`]; shared by its clones.
#[derive(Debug, Clone)]
pub struct TicketPlan {}

impl TicketPlan {
    pub(super) fn from_settings(
        settings: &TicketSettings,
        zone: TimeZone,
        read: &dyn Fn(&Path) -> Result<String, String>,
    ) -> Result<Self, Vec<SettingFault>>;
}

/// Reads the tickets of one printer's line.
#[derive(Debug, Clone)]
pub struct TicketReader {}

impl TicketReader {
    /// A reader that has seen nothing.
    pub fn new(plan: TicketPlan) -> Self;

    /// Goes on from a saved [`TicketReader::state`]; a state that cannot be read starts anew.
    pub fn resumed(plan: TicketPlan, state: &str) -> Self;

    /// The state to save with the cursor: a line of JSON.
    pub fn state(&self) -> String;

    /// Takes the next receipt (or part of a journal). `at` names where it is, as a person would look it up
    /// (`front-2026-03-01.bin byte 8192`); `arrived` is when its bytes came, from the capture.
    pub fn receipt(&mut self, receipt: &Receipt, at: &str, arrived: Timestamp) -> Vec<TicketEvent>;

    /// Whether a ticket is open: a cursor may stand here all the same, since the state holds it.
    pub fn is_mid_ticket(&self) -> bool;
}
