//! The `[articles]` table as written in the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sync_core::article::restricted::{self, LAYOUTS_MAX, Layout};
use sync_core::article::{Rules, Unknown};

use crate::file::SettingFault;

/// The store's articles: which SKU a code of the till means, packs, kits, and lines that move no stock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArticleSettings {
    /// A CSV file with a header. Columns: `sku` (required), `barcode`, `pack` (units of stock for one sold: `6`, `1/12`),
    /// `kit` (`SKU=2; SKU=1/2`), `non_stock` (name of a rule), `price` (of one unit). Several rows of one SKU give it
    /// several barcodes. It is read again when it changes.
    pub table: String,
    /// What is done with a code that is not in the table: `keep` takes it for a SKU as it is, `refuse` sets the
    /// transaction aside.
    #[serde(default)]
    pub unknown: UnknownWord,
    /// Layouts of codes that hold a weight or a price: `us`, `ca`, `gb`, or patterns such as `21IIIIIWWWWWC` (I article,
    /// W weight in grams, P price in hundredths, N count, V price verifier, C check digit).
    #[serde(default)]
    pub codes: Vec<String>,
    /// Where a line says one piece, take the weight, count or price from its code.
    #[serde(default)]
    pub quantity_from_code: bool,
    /// Names of the sources that it is for. Default: all.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Names of the sources whose POS takes kits apart itself (a stock diary, an inventory table).
    #[serde(default)]
    pub kits_taken_apart_by: Vec<String>,
}

/// See [`ArticleSettings::unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownWord {
    /// It is taken for a SKU as it is.
    #[default]
    Keep,
    /// The transaction is set aside.
    Refuse,
}

impl ArticleSettings {
    /// Whether a source is read through the table.
    #[must_use]
    pub fn is_for(&self, source: &str) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|name| name == source)
    }

    /// How codes are read.
    ///
    /// # Errors
    /// Every layout that is none.
    pub fn rules(&self) -> Result<Rules, Vec<SettingFault>> {
        let mut faults = Vec::new();
        let mut layouts: Vec<Layout> = Vec::new();
        for (at, written) in self.codes.iter().enumerate() {
            let found = restricted::of_country(written).or_else(|| Layout::parse(written).map(|layout| vec![layout]));
            match found {
                Some(mut found) => layouts.append(&mut found),
                None => faults.push(SettingFault {
                    key: format!("codes[{at}]"),
                    message: format!(
                        "`{written}` is neither `us`, `ca` or `gb` nor a pattern of 8, 12 or 13 letters such as `21IIIIIWWWWWC`"
                    ),
                }),
            }
        }
        if layouts.len() > LAYOUTS_MAX {
            faults.push(SettingFault { key: "codes".to_owned(), message: format!("at most {LAYOUTS_MAX} layouts") });
        }
        if self.table.trim().is_empty() {
            faults.push(SettingFault { key: "table".to_owned(), message: "names no file".to_owned() });
        }
        let unknown = match self.unknown {
            UnknownWord::Keep => Unknown::Keep,
            UnknownWord::Refuse => Unknown::Refuse,
        };
        if faults.is_empty() {
            Ok(Rules { unknown, layouts, quantity_from_code: self.quantity_from_code })
        } else {
            Err(faults)
        }
    }
}
