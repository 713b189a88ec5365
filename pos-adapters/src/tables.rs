//! Tables in files that are no text with delimiters: fixed width, DBF, workbooks, Access.

pub mod settings;

pub use settings::TableSettings;
