//! Receipt templates: what the rows of one till's tickets mean, as data. Pure.
//!
//! A template is a TOML file: how numbers are written, how a ticket ends, and row patterns in the order in which they
//! are tried ([`super::pattern`]). The built-in ones are in `config/receipts`. [`Template`] is what a person wrote,
//! `Compiled` is checked and cannot hold a bad pattern.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sync_core::model::Quantity;

use super::figures::{NumberFormat, PrintedDateOrder};
use super::pattern::{Captures, Field, Pattern, Writing};

/// Largest template file; the built-in ones have some 4 KiB.
const TEMPLATE_BYTES_MAX: usize = 1024 * 1024;
/// Rows of a template, at most.
const ROWS_MAX: usize = 200;
/// Patterns of one row kind, at most.
const PATTERNS_MAX: usize = 40;
/// Highest tax in percent that a template may allow for totals without printed tax; the highest rate in use is 27.
const TAX_MAX_PERCENT: i64 = 30;

/// What the rows of one till's tickets mean.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "receipt template")]
pub struct Template {
    /// Its name, in words of `a-z`, `0-9` and `-`.
    pub name: String,
    /// What prints such tickets.
    #[serde(default)]
    pub about: String,
    /// How a ticket is put together.
    #[serde(default)]
    pub ticket: TicketRules,
    /// How numbers are written.
    #[serde(default)]
    pub numbers: NumberFormat,
    /// What rows look like; the first that fits decides.
    #[serde(rename = "row")]
    pub rows: Vec<RowRule>,
    /// What barcodes and two-dimensional codes say.
    #[serde(default, rename = "code", skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<CodeRule>,
}

/// How a ticket is put together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TicketRules {
    /// What ends a ticket.
    pub ends: TicketEnd,
    /// What stands before each row, e.g. `{date} {time} {_} `; taken off first. May fill number, register, date, time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Order of dates such as `03/04/25`.
    pub date_order: PrintedDateOrder,
    /// How printed taxes relate to the total.
    pub tax: TaxRule,
    /// Highest tax rate in percent that may explain a total above its lines, where the tax is not printed. 0 to 30.
    pub tax_max_percent: u8,
    /// Flags of taxed lines; only these may explain an unprinted tax. Empty: any line may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taxed_flags: Vec<String>,
    /// Whether change is printed; if not, the tender may be above the total.
    pub change_printed: bool,
    /// Whether lines may follow a total (a total is printed, then more is sold).
    pub lines_after_total: bool,
    /// Whether a ticket without a tender is unfinished.
    pub needs_tender: bool,
    /// What is printed when a suspended ticket is recalled.
    pub recall: Recall,
    /// Whether ticket numbers of one register have no gaps.
    pub sequence: bool,
    /// Columns after which printed names are cut, 0 if they are not: such a name may stand for a longer one.
    pub name_columns: u8,
}

impl Default for TicketRules {
    fn default() -> Self {
        Self {
            ends: TicketEnd::Cut,
            prefix: None,
            date_order: PrintedDateOrder::Dmy,
            tax: TaxRule::Included,
            tax_max_percent: 0,
            taxed_flags: Vec::new(),
            change_printed: true,
            lines_after_total: false,
            needs_tender: true,
            recall: Recall::Replayed,
            sequence: true,
            name_columns: 0,
        }
    }
}

/// What ends a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TicketEnd {
    /// The paper is cut: one receipt is one ticket.
    #[default]
    Cut,
    /// A row of kind `end`: a journal on which tickets follow each other.
    Marker,
}

/// How printed taxes relate to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaxRule {
    /// Prices hold the tax: tax rows add nothing.
    #[default]
    Included,
    /// Lines plus tax rows give the total.
    Added,
    /// The total holds a tax that no row tells.
    Unprinted,
}

/// What is printed when a suspended ticket is recalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recall {
    /// All its lines again, before or after the header of the recall.
    #[default]
    Replayed,
    /// Only the header: the suspended lines are taken over.
    Kept,
}

/// What rows of a kind look like.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowRule {
    /// The kind of row.
    pub is: RowKind,
    /// How it looks: `TOTAL {amount}`. Any of these.
    pub patterns: Vec<String>,
    /// Blanks count: parts stand at fixed columns.
    #[serde(default, skip_serializing_if = "is_false")]
    pub columns: bool,
    /// How the sign of its units and amount is found. Default: by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<SignRule>,
    /// Which line a row without amounts of its own is about. Default: the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies: Option<Applies>,
    /// The line moves no stock, by this rule (`deposit`, `fuel`, `lottery`); shown with its count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_stock: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What a code says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeRule {
    /// `ean13`, `code39`, `code128`, `itf`, `qr`, …
    pub kind: String,
    /// Its payload, e.g. `{number}`. May fill number, register, date, time, total.
    pub pattern: String,
}

/// How the sign of units and amount is found. Two tills print the same correction with other signs, so that it is a
/// rule of the template and never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignRule {
    /// A negative amount or quantity means that goods came back. The rule of items, deposits and charges.
    Printed,
    /// Goods come back and money goes out, whatever signs are printed. The rule of returns, voids and discounts.
    Back,
    /// Goods go out, whatever signs are printed.
    Out,
}

/// Which line a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Applies {
    /// The line above.
    Previous,
    /// The line below.
    Next,
}

/// Kinds of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// A line sold: `{name}` `{sku}` `{qty}` `{price}` `{amount}` `{flag}`. Without `{name}` it continues a `name` row.
    Item,
    /// The name of the item whose numbers follow in the next row.
    Name,
    /// Quantity and price of a line: `{qty} @ {price}`; of the line above unless `applies = "next"`.
    Quantity,
    /// A line taken back before the end of its ticket, with its amount; or a mark, about the line that `applies` says.
    Void,
    /// Mark: the next line takes an earlier one back (`applies = "previous"`: the line above is taken back).
    ErrorCorrect,
    /// Goods that came back; or a mark that the line that `applies` says is a return.
    Return,
    /// Money off: `{amount}`.
    Discount,
    /// Deposit or its refund: `{amount}`; moves no stock.
    Deposit,
    /// Service charge, tip, rounding, fee: `{amount}`; moves no stock.
    Charge,
    /// Sum of the lines so far.
    Subtotal,
    /// What is to be paid; the last one printed counts.
    Total,
    /// Tax: `{amount}`.
    Tax,
    /// Payment: `{amount}`.
    Tender,
    /// Money given back: `{amount}`.
    Change,
    /// How many pieces: `{count}`.
    ItemCount,
    /// Ticket number, register, date or time, and nothing else of weight.
    Head,
    /// Who served; dropped.
    Cashier,
    /// Who bought, addresses, telephone numbers, debts; dropped.
    Customer,
    /// Card and authorisation; dropped.
    Card,
    /// Loyalty account and points; dropped.
    Loyalty,
    /// A ticket begins.
    Start,
    /// A ticket has ended.
    End,
    /// Title of a reprint, copy or duplicate.
    Reprint,
    /// Title of a ticket in training mode.
    Training,
    /// Title of a ticket on which all goods come back.
    ReturnTicket,
    /// The ticket is put aside, under `{number}`.
    Suspend,
    /// A ticket that was put aside goes on, under `{number}`.
    Recall,
    /// The whole ticket is taken back.
    VoidTicket,
    /// The drawer was opened without a sale.
    NoSale,
    /// Title of a report without reset.
    XReport,
    /// Title of a report with reset.
    ZReport,
    /// Sales of the period on a Z report: `{amount}`.
    ZTotal,
    /// Tickets of the period on a Z report: `{count}`.
    ZCount,
    /// Title of a card slip.
    CardSlip,
    /// Title of a kitchen order.
    Kitchen,
    /// Title of a bill before payment.
    Proforma,
    /// Title of a gift receipt.
    Gift,
    /// Title of a quote.
    Quote,
    /// Money put into the drawer.
    PaidIn,
    /// Money taken out of the drawer.
    PaidOut,
    /// Shop name, thanks, rules, adverts: nothing.
    Ignore,
}

impl RowKind {
    /// Rows that are people's business and are not kept.
    pub(super) const fn is_private(self) -> bool {
        matches!(self, Self::Cashier | Self::Customer | Self::Card | Self::Loyalty)
    }

    const fn default_sign(self) -> SignRule {
        if matches!(self, Self::Void | Self::Return | Self::Discount) { SignRule::Back } else { SignRule::Printed }
    }

    /// Fields without which a row of the kind says nothing.
    fn needs(self) -> Option<Field> {
        const SUMS: [RowKind; 6] =
            [RowKind::Discount, RowKind::Subtotal, RowKind::Total, RowKind::Tax, RowKind::Change, RowKind::ZTotal];
        const NEEDS: [(RowKind, Field); 4] = [
            (RowKind::Name, Field::Name),
            (RowKind::Quantity, Field::Quantity),
            (RowKind::ItemCount, Field::Count),
            (RowKind::ZCount, Field::Count),
        ];
        let amount = SUMS.contains(&self).then_some(Field::Amount);
        amount.or_else(|| NEEDS.iter().find(|(kind, _)| *kind == self).map(|(_, field)| *field))
    }
}

/// A fault of a template, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// E.g. `row 3`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A checked template.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) template: Template,
    prefix: Option<Pattern>,
    rows: Vec<(Pattern, usize)>,
    codes: Vec<(String, Pattern)>,
}

/// Whether a meaning makes sense where its row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// It does not; the row may mean something else.
    No,
    /// It does not, and what the row would mean otherwise would be wrong.
    Never,
}

/// A row as understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) kind: RowKind,
    pub(super) sign: SignRule,
    pub(super) applies: Applies,
    pub(super) no_stock: Option<String>,
    pub(super) captures: Captures,
}

impl Template {
    /// Reads a template file.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("is larger than {TEMPLATE_BYTES_MAX} bytes: no template"));
        }
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// As a template file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// All that is wrong with it; empty if it can be used.
    #[must_use]
    pub fn faults(&self) -> Vec<TemplateFault> {
        self.compile().err().unwrap_or_default()
    }

    pub(super) fn compile(&self) -> Result<Arc<Compiled>, Vec<TemplateFault>> {
        let mut faults = Vec::new();
        let mut fault = |place: String, message: String| faults.push(TemplateFault { place, message });
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(word) {
            fault("name".to_owned(), format!("`{}` is not made of a-z, 0-9 and -", self.name));
        }
        if self.rows.len() > ROWS_MAX || self.rows.iter().any(|row| row.patterns.len() > PATTERNS_MAX) {
            fault("row".to_owned(), format!("at most {ROWS_MAX} rows with {PATTERNS_MAX} patterns each"));
        }
        if i64::from(self.ticket.tax_max_percent) > TAX_MAX_PERCENT {
            fault("ticket.tax_max_percent".to_owned(), format!("is above {TAX_MAX_PERCENT}"));
        }
        if self.numbers.decimals > 4 {
            fault("numbers.decimals".to_owned(), "is above 4".to_owned());
        }
        let prefix = self.ticket.prefix.as_deref().and_then(|prefix| match Pattern::parse(prefix, true) {
            Ok(pattern) => Some(pattern.into_prefix()),
            Err(error) => {
                fault("ticket.prefix".to_owned(), error.to_string());
                None
            }
        });
        let mut rows = Vec::new();
        for (index, rule) in self.rows.iter().enumerate().take(ROWS_MAX) {
            let place = format!("row {} ({})", index.saturating_add(1), kind_name(rule.is));
            if rule.patterns.is_empty() {
                fault(place.clone(), "has no pattern".to_owned());
            }
            for pattern in rule.patterns.iter().take(PATTERNS_MAX) {
                match Pattern::parse(pattern, rule.columns) {
                    Ok(parsed) => {
                        if let Some(message) = lacks(rule, &parsed) {
                            fault(place.clone(), format!("`{pattern}` {message}"));
                        }
                        rows.push((parsed, index));
                    }
                    Err(error) => fault(place.clone(), error.to_string()),
                }
            }
        }
        let mut codes = Vec::new();
        for (index, rule) in self.codes.iter().enumerate() {
            match Pattern::parse(&rule.pattern, false) {
                Ok(pattern) => codes.push((rule.kind.clone(), pattern)),
                Err(error) => fault(format!("code {}", index.saturating_add(1)), error.to_string()),
            }
        }
        let has = |kinds: &[RowKind]| self.rows.iter().any(|row| kinds.contains(&row.is));
        if !has(&[RowKind::Item]) || !has(&[RowKind::Total]) {
            fault("row".to_owned(), "there must be rows of the kinds `item` and `total`".to_owned());
        }
        if self.ticket.ends == TicketEnd::Marker && !has(&[RowKind::End]) {
            fault("row".to_owned(), "`ticket.ends = \"marker\"` needs a row of the kind `end`".to_owned());
        }
        if faults.is_empty() {
            Ok(Arc::new(Compiled { template: self.clone(), prefix, rows, codes }))
        } else {
            Err(faults)
        }
    }
}

fn lacks(rule: &RowRule, pattern: &Pattern) -> Option<String> {
    let fields = pattern.fields();
    let needed = rule.is.needs();
    if needed.is_some_and(|field| !has_field(&fields, field)) {
        return Some(format!("lacks the field that a `{}` row is about", kind_name(rule.is)));
    }
    let priced =
        fields.contains(&Field::Amount) || (fields.contains(&Field::Price) && has_field(&fields, Field::Quantity));
    (rule.is == RowKind::Item && !priced).then(|| "needs `{amount}`, or `{qty}` and `{price}`".to_owned())
}

fn has_field(fields: &[Field], wanted: Field) -> bool {
    fields.contains(&wanted)
        || (wanted == Field::Quantity && fields.contains(&Field::Weight))
        || (wanted == Field::Amount && fields.contains(&Field::Total))
}

/// The word for a kind in a template file.
pub(super) fn kind_name(kind: RowKind) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Compiled {
    pub(super) fn ticket(&self) -> &TicketRules {
        &self.template.ticket
    }

    fn writing(&self) -> Writing<'_> {
        Writing { numbers: &self.template.numbers, dates: self.template.ticket.date_order }
    }

    /// Takes the prefix off a row, with what it says.
    pub(super) fn strip<'a>(&self, row: &'a [char]) -> (Captures, &'a [char]) {
        match self.prefix.as_ref().and_then(|prefix| prefix.read(row, self.writing())) {
            Some((length, captures)) => (captures, row.get(length..).unwrap_or_default()),
            None => (Captures::default(), row),
        }
    }

    /// What a row (without its prefix) means: the first rule that it looks like and that `fits` lets pass.
    pub(super) fn meaning(&self, row: &[char], fits: &dyn Fn(&Meaning) -> Fit) -> Option<Meaning> {
        for (pattern, index) in &self.rows {
            let Some(rule) = self.template.rows.get(*index) else { continue };
            let Some((_, captures)) = pattern.read(row, self.writing()) else { continue };
            let meaning = Meaning {
                kind: rule.is,
                sign: rule.sign.unwrap_or(rule.is.default_sign()),
                applies: rule.applies.unwrap_or(if rule.is == RowKind::Quantity {
                    Applies::Previous
                } else {
                    Applies::Next
                }),
                no_stock: rule.no_stock.clone(),
                captures,
            };
            match fits(&meaning) {
                Fit::Yes => return Some(meaning),
                Fit::No => {}
                Fit::Never => return None,
            }
        }
        None
    }

    /// What a code says.
    pub(super) fn code(&self, kind: &str, payload: &str) -> Option<Captures> {
        let row: Vec<char> = payload.chars().collect();
        self.codes
            .iter()
            .filter(|(wanted, _)| wanted == kind)
            .find_map(|(_, pattern)| pattern.read(&row, self.writing()).map(|(_, captures)| captures))
    }

    /// The highest unprinted tax on `taxed`, as an amount.
    pub(super) fn tax_max(&self, taxed: Quantity, percent: Quantity) -> Quantity {
        let product = i128::from(taxed.micros()).saturating_mul(i128::from(percent.micros())) / 100_000_000;
        Quantity::from_micros(i64::try_from(product).unwrap_or(i64::MAX))
    }
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../config/receipts/", $name, ".toml")))),*];
    };
}

built_in!(
    "columns-name-qty-amount",
    "escpos-php",
    "name-then-quantity",
    "ncr-40",
    "receiptline",
    "unicenta",
    "verifone-journal",
);

/// Names of the built-in templates, sorted.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// A built-in template as its file, and read.
#[must_use]
pub fn built_in(name: &str) -> Option<(&'static str, Template)> {
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    Template::from_toml(text).ok().map(|template| (*text, template))
}

/// The template that settings name: a built-in one, or a file.
pub(super) fn find(wanted: &str, read: &dyn Fn(&Path) -> Result<String, String>) -> Result<Template, String> {
    if let Some((_, template)) = built_in(wanted) {
        return Ok(template);
    }
    let known = || built_in_names().collect::<Vec<_>>().join(", ");
    if wanted.is_empty() {
        return Err(format!("is missing: one of {}, or a file that `tillsync receipts learn` wrote", known()));
    }
    if !wanted.contains(['.', '/', '\\']) {
        return Err(format!("`{wanted}` is neither a file nor one of {}", known()));
    }
    let text = read(Path::new(wanted)).map_err(|error| format!("`{wanted}`: {error}"))?;
    Template::from_toml(&text).map_err(|error| format!("`{wanted}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_templates_are_without_fault() {
        for (name, text) in BUILT_IN {
            let template = Template::from_toml(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(template.name, *name);
            assert_eq!(template.faults(), Vec::new(), "{name}");
            assert_eq!(Template::from_toml(&template.to_toml()), Ok(template));
        }
        assert!(BUILT_IN.is_sorted());
    }

    #[test]
    fn all_faults_of_a_template_are_told_at_once() {
        let text = r#"
            name = "Bad name"
            [ticket]
            ends = "marker"
            tax_max_percent = 99
            [[row]]
            is = "item"
            patterns = ["{name}", "{nme} {amount}"]
            [[row]]
            is = "quantity"
            patterns = []
        "#;
        let faults = Template::from_toml(text).unwrap().faults();
        let told: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.place, fault.message)).collect();
        for word in ["name: ", "tax_max_percent", "needs `{amount}`", "none of", "no pattern", "`total`", "`end`"] {
            assert!(told.iter().any(|fault| fault.contains(word)), "{word}: {told:#?}");
        }
        assert!(Template::from_toml("name = \"a\"\ncolour = 1\nrow = []").is_err());
    }
}
