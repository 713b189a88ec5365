//! Writes the smallest file in Access's Jet 4 format (`.mdb`) that a reader takes: a header, the catalogue, one table of
//! made-up sales. After the description of the format in mdbtools' `HACKING.md`.

const PAGE: usize = 4096;
/// Pages by number.
const CATALOGUE: u32 = 2;
const CATALOGUE_ROWS: u32 = 3;
const MAPS: u32 = 4;
const SALES: u32 = 5;
const SALES_ROWS: u32 = 6;

/// Column types.
const INT: u8 = 0x03;
const LONG: u8 = 0x04;
const MONEY: u8 = 0x05;
const TEXT: u8 = 0x0A;
const OLE: u8 = 0x0B;

/// Object type of a table in the catalogue.
const TABLE: i16 = 1;

/// The key of the header, the same in every file.
const HEADER_KEY: [u8; 4] = [0xC7, 0xDA, 0x39, 0x6B];

struct Column {
    name: &'static str,
    kind: u8,
    bytes: u16,
    /// Place among the columns of fixed size; `None` for those that vary.
    fixed_at: Option<u16>,
}

const fn fixed(name: &'static str, kind: u8, bytes: u16, at: u16) -> Column {
    Column { name, kind, bytes, fixed_at: Some(at) }
}

const fn varying(name: &'static str, kind: u8) -> Column {
    Column { name, kind, bytes: 255, fixed_at: None }
}

/// A file with the table `Sales`: id, article, price in ten-thousandths.
pub(super) fn shop(sales: &[(i32, &str, i64)]) -> Vec<u8> {
    let catalogue = [
        fixed("Id", LONG, 4, 0),
        varying("Name", TEXT),
        fixed("Type", INT, 2, 4),
        fixed("Flags", LONG, 4, 6),
        varying("LvProp", OLE),
    ];
    let table = [fixed("Id", LONG, 4, 0), varying("Article", TEXT), fixed("Price", MONEY, 8, 4)];
    let entry = [&SALES.to_le_bytes()[..], &TABLE.to_le_bytes(), &0_u32.to_le_bytes()].concat();
    let entries = [row(5, &entry, &[Some(wide("Sales")), None], 0b0_1111)];
    let rows: Vec<Vec<u8>> = sales
        .iter()
        .map(|(id, article, price)| {
            row(3, &[&id.to_le_bytes()[..], &price.to_le_bytes()].concat(), &[Some(wide(article))], 0b111)
        })
        .collect();
    let maps = [map(CATALOGUE_ROWS), map(0), map(SALES_ROWS), map(0)];
    [
        header(),
        page(0x01),
        definition(&catalogue, 1, 0),
        data(CATALOGUE, &entries),
        data(0, &maps),
        definition(&table, rows.len(), 2),
        data(SALES, &rows),
    ]
    .concat()
}

fn page(kind: u8) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[0] = kind;
    page[1] = 1;
    page
}

fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    page[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Jet 4, Windows-1252, no page encrypted.
fn header() -> Vec<u8> {
    let mut page = page(0);
    put(&mut page, 4, b"Standard Jet DB\0");
    put(&mut page, 0x14, &1_u32.to_le_bytes());
    put(&mut page, 0x3C, &1252_u16.to_le_bytes());
    rc4(&HEADER_KEY, &mut page[0x18..0x18 + 128]);
    page
}

fn rc4(key: &[u8], bytes: &mut [u8]) {
    let mut state: Vec<u8> = (0..=255).collect();
    let mut j = 0_u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
        state.swap(i, j.into());
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    for byte in bytes {
        i = i.wrapping_add(1);
        j = j.wrapping_add(state[usize::from(i)]);
        state.swap(i.into(), j.into());
        *byte ^= state[usize::from(state[usize::from(i)].wrapping_add(state[usize::from(j)]))];
    }
}

/// A table's definition; its usage maps are the rows from `map` on of the page of maps.
fn definition(columns: &[Column], rows: usize, map: u8) -> Vec<u8> {
    let mut page = page(0x02);
    let count = u16::try_from(columns.len()).unwrap();
    let varying = u16::try_from(columns.iter().filter(|column| column.fixed_at.is_none()).count()).unwrap();
    put(&mut page, 16, &u32::try_from(rows).unwrap().to_le_bytes());
    page[40] = 0x4E;
    put(&mut page, 41, &count.to_le_bytes());
    put(&mut page, 43, &varying.to_le_bytes());
    put(&mut page, 45, &count.to_le_bytes());
    let place = |row: u8| (MAPS << 8 | u32::from(row)).to_le_bytes();
    put(&mut page, 55, &place(map));
    put(&mut page, 59, &place(map + 1));
    let mut at = 63;
    let mut varied = 0_u16;
    for (number, column) in columns.iter().enumerate() {
        let number = u16::try_from(number).unwrap().to_le_bytes();
        page[at] = column.kind;
        put(&mut page, at + 5, &number);
        put(&mut page, at + 7, &varied.to_le_bytes());
        put(&mut page, at + 9, &number);
        page[at + 15] = if column.fixed_at.is_some() { 0x03 } else { 0x02 };
        put(&mut page, at + 21, &column.fixed_at.unwrap_or(0).to_le_bytes());
        put(&mut page, at + 23, &column.bytes.to_le_bytes());
        varied += u16::from(column.fixed_at.is_none());
        at += 25;
    }
    for column in columns {
        let name = wide(column.name);
        put(&mut page, at, &u16::try_from(name.len()).unwrap().to_le_bytes());
        put(&mut page, at + 2, &name);
        at += 2 + name.len();
    }
    page
}

/// Rows from the end of the page backwards, their places at its start.
fn data(owner: u32, rows: &[Vec<u8>]) -> Vec<u8> {
    let mut page = page(0x01);
    put(&mut page, 4, &owner.to_le_bytes());
    put(&mut page, 12, &u16::try_from(rows.len()).unwrap().to_le_bytes());
    let mut end = PAGE;
    for (at, row) in rows.iter().enumerate() {
        end -= row.len();
        put(&mut page, end, row);
        put(&mut page, 14 + 2 * at, &u16::try_from(end).unwrap().to_le_bytes());
    }
    let free = u16::try_from(end - 14 - 2 * rows.len()).unwrap();
    put(&mut page, 2, &free.to_le_bytes());
    page
}

/// Number of columns, fixed values, varying values, where they end and begin (backwards), how many, which are there.
fn row(columns: u16, fixed: &[u8], varying: &[Option<Vec<u8>>], present: u8) -> Vec<u8> {
    let mut row = columns.to_le_bytes().to_vec();
    row.extend(fixed);
    let mut places = Vec::new();
    for value in varying {
        places.push(u16::try_from(row.len()).unwrap());
        row.extend(value.iter().flatten());
    }
    places.push(u16::try_from(row.len()).unwrap());
    for place in places.iter().rev() {
        row.extend(place.to_le_bytes());
    }
    row.extend(u16::try_from(varying.len()).unwrap().to_le_bytes());
    row.push(present);
    row
}

/// A usage map of the first pages, with one of them set; page 0 stands for none.
fn map(used: u32) -> Vec<u8> {
    let mut map = vec![0; 69];
    if used > 0 {
        map[5 + usize::try_from(used / 8).unwrap()] = 1 << (used % 8);
    }
    map
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
