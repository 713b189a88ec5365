//! Bytes of the TDS token stream (MS-TDS 2.2.7) and of values (2.2.5).

/// Latin1_General_CI_AS: locale 1033, sort order 52.
pub(crate) const LATIN: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];
/// Cyrillic_General_CI_AS: locale 1049, whose bytes are Windows-1251.
pub(crate) const CYRILLIC: [u8; 5] = [0x19, 0x04, 0xD0, 0x00, 0x00];

const NULL: u8 = 0x1F;
const INT: u8 = 0x38;
const BIGINT: u8 = 0x7F;
const FLOAT: u8 = 0x3E;
const BIT: u8 = 0x32;
const MONEY: u8 = 0x3C;
const DATETIME: u8 = 0x3D;
const INTN: u8 = 0x26;
const BITN: u8 = 0x68;
const FLTN: u8 = 0x6D;
const MONEYN: u8 = 0x6E;
const DATETIMN: u8 = 0x6F;
const DECIMALN: u8 = 0x6A;
const VARCHAR: u8 = 0xA7;
const NVARCHAR: u8 = 0xE7;
const NCHAR: u8 = 0xEF;
const VARBINARY: u8 = 0xA5;
const BINARY: u8 = 0xAD;
const DATEN: u8 = 0x28;
const DATETIME2N: u8 = 0x2A;
const DATETIMEOFFSETN: u8 = 0x2B;
const GUID: u8 = 0x24;

/// A column: its name and its TYPE_INFO.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: String,
    info: Vec<u8>,
    length: Length,
}

/// How the length of a value is written in front of it.
#[derive(Debug, Clone, Copy)]
enum Length {
    Fixed,
    Byte,
    Short,
}

impl Column {
    fn new(name: &str, info: &[u8], length: Length) -> Self {
        Self { name: name.to_owned(), info: info.to_vec(), length }
    }

    /// `INT NOT NULL`.
    pub(crate) fn int(name: &str) -> Self {
        Self::new(name, &[INT], Length::Fixed)
    }

    pub(crate) fn bigint(name: &str) -> Self {
        Self::new(name, &[BIGINT], Length::Fixed)
    }

    pub(crate) fn float(name: &str) -> Self {
        Self::new(name, &[FLOAT], Length::Fixed)
    }

    pub(crate) fn bit(name: &str) -> Self {
        Self::new(name, &[BIT], Length::Fixed)
    }

    pub(crate) fn money(name: &str) -> Self {
        Self::new(name, &[MONEY], Length::Fixed)
    }

    pub(crate) fn datetime(name: &str) -> Self {
        Self::new(name, &[DATETIME], Length::Fixed)
    }

    /// A nullable number: `INT` (4), `BIGINT` (8), `SMALLINT` (2), `TINYINT` (1).
    pub(crate) fn intn(name: &str, bytes: u8) -> Self {
        Self::new(name, &[INTN, bytes], Length::Byte)
    }

    pub(crate) fn bitn(name: &str) -> Self {
        Self::new(name, &[BITN, 1], Length::Byte)
    }

    pub(crate) fn floatn(name: &str) -> Self {
        Self::new(name, &[FLTN, 8], Length::Byte)
    }

    pub(crate) fn moneyn(name: &str) -> Self {
        Self::new(name, &[MONEYN, 8], Length::Byte)
    }

    pub(crate) fn datetimen(name: &str, bytes: u8) -> Self {
        Self::new(name, &[DATETIMN, bytes], Length::Byte)
    }

    pub(crate) fn decimal(name: &str, precision: u8, scale: u8) -> Self {
        Self::new(name, &[DECIMALN, 17, precision, scale], Length::Byte)
    }

    pub(crate) fn varchar(name: &str, collation: [u8; 5]) -> Self {
        Self::new(name, &[&[VARCHAR, 0x40, 0x1F][..], &collation].concat(), Length::Short)
    }

    pub(crate) fn nvarchar(name: &str) -> Self {
        Self::new(name, &[&[NVARCHAR, 0x40, 0x1F][..], &LATIN].concat(), Length::Short)
    }

    pub(crate) fn nchar(name: &str) -> Self {
        Self::new(name, &[&[NCHAR, 0x40, 0x00][..], &LATIN].concat(), Length::Short)
    }

    pub(crate) fn varbinary(name: &str) -> Self {
        Self::new(name, &[VARBINARY, 0x40, 0x1F], Length::Short)
    }

    /// `ROWVERSION` is a `BINARY(8)` on the wire.
    pub(crate) fn rowversion(name: &str) -> Self {
        Self::new(name, &[BINARY, 8, 0], Length::Short)
    }

    pub(crate) fn date(name: &str) -> Self {
        Self::new(name, &[DATEN], Length::Byte)
    }

    pub(crate) fn datetime2(name: &str, scale: u8) -> Self {
        Self::new(name, &[DATETIME2N, scale], Length::Byte)
    }

    pub(crate) fn datetimeoffset(name: &str, scale: u8) -> Self {
        Self::new(name, &[DATETIMEOFFSETN, scale], Length::Byte)
    }

    pub(crate) fn guid(name: &str) -> Self {
        Self::new(name, &[GUID, 16], Length::Byte)
    }

    fn write(&self, cell: Option<&Vec<u8>>, to: &mut Vec<u8>) {
        match (self.length, cell) {
            (Length::Fixed, Some(bytes)) => to.extend(bytes),
            (Length::Byte, Some(bytes)) => {
                to.push(u8::try_from(bytes.len()).unwrap());
                to.extend(bytes);
            }
            (Length::Short, Some(bytes)) => {
                to.extend(u16::try_from(bytes.len()).unwrap().to_le_bytes());
                to.extend(bytes);
            }
            (Length::Byte, None) => to.push(0),
            (Length::Short, None) => to.extend([0xFF, 0xFF]),
            (Length::Fixed, None) => panic!("column `{}` cannot be null", self.name),
        }
    }
}

/// UTF-16 as on the wire.
pub(crate) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// `DECIMAL`: a sign and the digits without their point.
pub(crate) fn decimal(unscaled: i128) -> Vec<u8> {
    let mut bytes = vec![u8::from(unscaled >= 0)];
    bytes.extend(&unscaled.unsigned_abs().to_le_bytes()[..16]);
    bytes
}

/// `MONEY`: ten-thousandths, the upper half first.
pub(crate) fn money(ten_thousandths: i64) -> Vec<u8> {
    let bytes = ten_thousandths.to_le_bytes();
    [&bytes[4..], &bytes[..4]].concat()
}

/// `DATETIME`: days since 1900 and 1/300 s.
pub(crate) fn datetime(days: i32, ticks: u32) -> Vec<u8> {
    [days.to_le_bytes(), ticks.to_le_bytes()].concat()
}

/// `DATETIME2`: increments in 3 to 5 bytes by scale, days since year one in three.
pub(crate) fn datetime2(days: u32, increments: u64, scale: u8) -> Vec<u8> {
    let width = match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    };
    [&increments.to_le_bytes()[..width], &days.to_le_bytes()[..3]].concat()
}

/// An answer in the making.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Vec<u8>);

impl Tokens {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn sized(mut self, token: u8, body: &[u8]) -> Self {
        self.0.push(token);
        self.0.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
        self.0.extend(body);
        self
    }

    /// ENVCHANGE of the database and of the packet size, INFO, LOGINACK.
    pub(crate) fn logged_in(self, database: &str) -> Self {
        let change = [vec![1], short_text(database), short_text("master")].concat();
        let size = [vec![4], short_text("4096"), short_text("4096")].concat();
        let version = 0x730B_0003_u32.to_be_bytes();
        let ack = [vec![1], version.to_vec(), short_text("Microsoft SQL Server"), vec![10, 50, 6, 64]].concat();
        self.sized(0xE3, &change).sized(0xE3, &size).info("Changed database context.").sized(0xAD, &ack)
    }

    pub(crate) fn begun(self) -> Self {
        self.sized(0xE3, &[8, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0])
    }

    pub(crate) fn rolled_back(self) -> Self {
        self.sized(0xE3, &[10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8])
    }

    pub(crate) fn info(self, text: &str) -> Self {
        let body = message(5701, 10, text);
        self.sized(0xAB, &body)
    }

    pub(crate) fn error(self, number: u32, text: &str) -> Self {
        let body = message(number, 14, text);
        self.sized(0xAA, &body)
    }

    pub(crate) fn rows(mut self, columns: &[Column], rows: &[Vec<Option<Vec<u8>>>], bitmap: bool) -> Self {
        self.0.push(0x81);
        self.0.extend(u16::try_from(columns.len()).unwrap().to_le_bytes());
        for column in columns {
            self.0.extend(0_u32.to_le_bytes());
            self.0.extend(1_u16.to_le_bytes());
            self.0.extend(&column.info);
            self.0.extend(short_text(&column.name));
        }
        for row in rows {
            assert_eq!(row.len(), columns.len());
            self.0.push(if bitmap { 0xD2 } else { 0xD1 });
            if bitmap {
                let mut nulls = vec![0_u8; columns.len().div_ceil(8)];
                for (at, _) in row.iter().enumerate().filter(|(_, cell)| cell.is_none()) {
                    nulls[at / 8] |= 1 << (at % 8);
                }
                self.0.extend(nulls);
            }
            for (column, cell) in columns.iter().zip(row) {
                if !bitmap || cell.is_some() {
                    column.write(cell.as_ref(), &mut self.0);
                }
            }
        }
        self
    }

    pub(crate) fn done(self, rows: usize) -> Self {
        self.end(0x10, rows)
    }

    pub(crate) fn done_with_error(self) -> Self {
        self.end(0x02, 0)
    }

    pub(crate) fn attention_done(self) -> Self {
        self.end(0x20, 0)
    }

    fn end(mut self, status: u16, rows: usize) -> Self {
        self.0.push(0xFD);
        self.0.extend(status.to_le_bytes());
        self.0.extend(0xC1_u16.to_le_bytes());
        self.0.extend(u64::try_from(rows).unwrap().to_le_bytes());
        self
    }
}

fn short_text(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.encode_utf16().count()).unwrap()];
    bytes.extend(wide(text));
    bytes
}

fn message(number: u32, class: u8, text: &str) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend([1, class]);
    bytes.extend(u16::try_from(text.encode_utf16().count()).unwrap().to_le_bytes());
    bytes.extend(wide(text));
    bytes.extend(short_text("STANDIN"));
    bytes.extend(short_text(""));
    bytes.extend(1_u32.to_le_bytes());
    bytes
}

/// One parameter of a call: its TYPE_INFO and value, as `type:value`.
pub(crate) fn read_value(rest: &mut &[u8]) -> String {
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at(count);
        *rest = left;
        taken.to_vec()
    };
    let kind = take(1)[0];
    match kind {
        NULL => "null".to_owned(),
        INTN => {
            take(1);
            let length = usize::from(take(1)[0]);
            let mut bytes = take(length);
            bytes.resize(8, 0);
            if length == 0 {
                "int:null".to_owned()
            } else {
                format!("int:{}", i64::from_le_bytes(bytes.try_into().unwrap()))
            }
        }
        NVARCHAR => {
            let longest = take(2);
            take(5);
            if longest == [0xFF, 0xFF] {
                return long_text(&mut take);
            }
            let length = u16::from_le_bytes(take(2).try_into().unwrap());
            if length == u16::MAX {
                "nvarchar:null".to_owned()
            } else {
                format!("nvarchar:{}", narrow(&take(length.into())))
            }
        }
        VARBINARY => {
            take(2);
            let length = u16::from_le_bytes(take(2).try_into().unwrap());
            format!("varbinary:{:02x?}", take(length.into()))
        }
        other => panic!("a parameter of type {other:#x} is not expected"),
    }
}

/// Partially length-prefixed: 8 bytes of total length, then chunks, then an empty one.
fn long_text(take: &mut impl FnMut(usize) -> Vec<u8>) -> String {
    if take(8) == [0xFF; 8] {
        return "nvarchar:null".to_owned();
    }
    let mut bytes = Vec::new();
    loop {
        let length = u32::from_le_bytes(take(4).try_into().unwrap());
        if length == 0 {
            return format!("nvarchar:{}", narrow(&bytes));
        }
        bytes.extend(take(usize::try_from(length).unwrap()));
    }
}

fn narrow(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}
