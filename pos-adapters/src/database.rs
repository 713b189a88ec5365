//! Sales that a POS keeps in a database.
