//! Pieces of print at their dots, made one row of text at its columns. Pure.

use super::receipt::PrintedRow;

/// Furthest column of a row; what is placed beyond stands there.
const COLUMNS_MAX: u32 = 512;

/// A run of characters printed with one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// First dot, and the dot after the last.
    pub(super) x: (u32, u32),
    pub(super) text: String,
    /// Dots from one character of the font to the next, at single width.
    pub(super) cell: u32,
    pub(super) bold: bool,
    pub(super) large: bool,
    /// Where it is in the stream.
    pub(super) at: u64,
}

/// How a row stands between its margins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Alignment {
    #[default]
    Left,
    Center,
    Right,
}

/// The row that the pieces make, whatever the order in which they were sent. `width` is the room in dots that
/// centred rows are centred in.
pub(super) fn row(pieces: &mut Vec<Piece>, alignment: Alignment, width: u32) -> PrintedRow {
    let mut made =
        PrintedRow { at: pieces.iter().map(|piece| piece.at).min().unwrap_or_default(), ..PrintedRow::default() };
    if pieces.is_empty() {
        return made;
    }
    pieces.sort_by_key(|piece| piece.x.0);
    // Printed twice at the same place to look bold.
    pieces.dedup_by(|second, first| {
        let struck_twice = second.x == first.x && second.text == first.text;
        first.bold |= struck_twice;
        struck_twice
    });
    let cell = pieces.iter().map(|piece| piece.cell).min().unwrap_or(1).max(1);
    let extent = pieces.iter().map(|piece| piece.x.1).max().unwrap_or_default();
    let free = width.saturating_sub(extent);
    let shift = match alignment {
        Alignment::Left => 0,
        Alignment::Center => free.div_ceil(2),
        Alignment::Right => free,
    };
    let mut columns: u32 = 0;
    let mut end = 0;
    for piece in pieces.iter() {
        let (x, piece_end) = (piece.x.0.saturating_add(shift), piece.x.1.saturating_add(shift));
        let touches = columns > 0 && x == end;
        if !touches {
            // Rounded: a shift by a few dots is for looks.
            let column = x.saturating_add(cell.div_euclid(2)).div_euclid(cell).min(COLUMNS_MAX);
            let gap = column.saturating_sub(columns).max(u32::from(columns > 0));
            made.text.extend((0..gap).map(|_| ' '));
            columns = columns.saturating_add(gap);
        }
        made.text.push_str(&piece.text);
        columns = columns.saturating_add(u32::try_from(piece.text.chars().count()).unwrap_or(u32::MAX));
        end = end.max(piece_end);
        let inked = !piece.text.trim().is_empty();
        made.bold |= piece.bold && inked;
        made.large |= piece.large && inked;
    }
    made.text.truncate(made.text.trim_end().len());
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_do_not_touch_are_apart() {
        check(&[(0, 7, "CHIDORI"), (348, 1, "2"), (432, 6, "172.80")], "CHIDORI                      2      172.80");
        // A wide character covers two columns; what follows too close is still apart.
        check(&[(0, 1, "A"), (13, 1, "B")], "A B");
    }

    #[test]
    fn pieces_that_touch_are_one_word() {
        check(&[(0, 2, "TO"), (24, 3, "TAL")], "TOTAL");
    }

    #[test]
    fn the_order_of_sending_does_not_matter() {
        check(&[(36, 1, "|"), (0, 1, "|"), (12, 1, "x")], "|x |");
    }

    #[test]
    fn what_is_struck_twice_is_bold() {
        let mut pieces = vec![piece(0, 5, "TOTAL"), piece(0, 5, "TOTAL")];
        let row = row(&mut pieces, Alignment::Left, 0);
        assert_eq!((row.text.as_str(), row.bold), ("TOTAL", true));
    }

    #[test]
    fn centred_rows_stand_in_the_middle() {
        let mut pieces = vec![piece(0, 4, "SHOP")];
        assert_eq!(row(&mut pieces, Alignment::Center, 120).text, "   SHOP");
        assert_eq!(row(&mut pieces, Alignment::Right, 120).text, "      SHOP");
    }

    fn check(pieces: &[(u32, u32, &str)], expected: &str) {
        let mut pieces: Vec<Piece> = pieces.iter().map(|(x, chars, text)| piece(*x, *chars, text)).collect();
        assert_eq!(row(&mut pieces, Alignment::Left, 0).text, expected);
    }

    fn piece(x: u32, chars: u32, text: &str) -> Piece {
        Piece { x: (x, x + 12 * chars), text: text.to_owned(), cell: 12, bold: false, large: false, at: 0 }
    }
}
