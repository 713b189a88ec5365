//! Retail file standards: documents that hold whole transactions.
