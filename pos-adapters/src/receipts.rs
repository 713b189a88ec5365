//! The receipt printer's line: captured bytes, receipts, and what they say was sold.
