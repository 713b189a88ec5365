//! A stand-in for SQL Server that speaks enough of TDS 7.3 (MS-TDS) to be read by a real client.
//!
//! It is no database: a test says what each statement is answered. It shows how our side reads values, errors and broken
//! answers; it cannot show what a real server does with our statements.

#![expect(clippy::unwrap_in_result, reason = "a stand-in that is spoken to wrongly stops")]

pub(crate) mod tokens;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use self::tokens::{Column, Tokens};

const BATCH: u8 = 0x01;
const RPC: u8 = 0x03;
const ANSWER: u8 = 0x04;
const ATTENTION: u8 = 0x06;
const LOGIN: u8 = 0x10;
const PRELOGIN: u8 = 0x12;
const END_OF_MESSAGE: u8 = 1;
/// Payload of one packet of ours; small, so that rows are split over packets.
const PACKET_PAYLOAD: usize = 504;
const ENCRYPTION_NOT_SUPPORTED: u8 = 2;

/// What a statement is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    /// It ran, and there is nothing to show.
    Done,
    Rows(Vec<Column>, Vec<Vec<Option<Vec<u8>>>>),
    /// The same as `NBCROW`: a bitmap says which cells are null.
    RowsWithBitmap(Vec<Column>, Vec<Vec<Option<Vec<u8>>>>),
    /// Number and text, as in `sys.messages`.
    Error(u32, &'static str),
    /// An error after rows.
    RowsThenError(Vec<Column>, Vec<Vec<Option<Vec<u8>>>>, u32, &'static str),
    /// The connection ends after so many bytes of the answer.
    CutAfter(usize, Box<Reply>),
    Slow(Duration, Box<Reply>),
}

/// What a client said when it logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) program: String,
    pub(crate) database: String,
    pub(crate) read_only_intent: bool,
}

/// What arrived: the text of a statement and its parameters as `type:value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<String>,
}

type Script = Arc<dyn Fn(&Statement) -> Reply + Send + Sync>;

/// A server on a port of its own.
pub(crate) struct Standin {
    pub(crate) address: SocketAddr,
    logins: Arc<Mutex<Vec<Login>>>,
    statements: Arc<Mutex<Vec<Statement>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Standin {
    /// Logs in whoever knows the password `made-up`, and answers as the script says.
    pub(crate) fn start(script: impl Fn(&Statement) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let standin = Self {
            address: listener.local_addr().unwrap(),
            logins: Arc::default(),
            statements: Arc::default(),
            open: Arc::default(),
        };
        let script: Script = Arc::new(script);
        let (logins, statements, open) =
            (Arc::clone(&standin.logins), Arc::clone(&standin.statements), Arc::clone(&standin.open));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let (script, logins, statements) = (Arc::clone(&script), Arc::clone(&logins), Arc::clone(&statements));
                thread::spawn(move || drop(serve(stream, &script, &logins, &statements)));
            }
        });
        standin
    }

    pub(crate) fn logins(&self) -> Vec<Login> {
        self.logins.lock().unwrap().clone()
    }

    pub(crate) fn statements(&self) -> Vec<Statement> {
        self.statements.lock().unwrap().clone()
    }

    /// Ends every connection, as a server that is started anew.
    pub(crate) fn restart(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn serve(
    mut stream: TcpStream,
    script: &Script,
    logins: &Mutex<Vec<Login>>,
    statements: &Mutex<Vec<Statement>>,
) -> io::Result<()> {
    let mut open = false;
    loop {
        let (kind, body) = read_message(&mut stream)?;
        match kind {
            PRELOGIN => send(&mut stream, &prelogin())?,
            LOGIN => {
                let login = read_login(&body);
                let known = login.password == "made-up";
                logins.lock().unwrap().push(login.clone());
                if known {
                    send(&mut stream, &Tokens::new().logged_in(&login.database).done(0).bytes())?;
                } else {
                    let refused = format!("Login failed for user '{}'.", login.user);
                    send(&mut stream, &Tokens::new().error(18_456, &refused).done_with_error().bytes())?;
                    return stream.shutdown(Shutdown::Both);
                }
            }
            BATCH | RPC => {
                let statement = if kind == BATCH { read_batch(&body) } else { read_rpc(&body) };
                statements.lock().unwrap().push(statement.clone());
                let mut tokens = Tokens::new();
                if statement.sql.contains("BEGIN TRANSACTION") {
                    open = true;
                    tokens = tokens.begun();
                }
                if statement.sql.contains("ROLLBACK TRANSACTION") && std::mem::take(&mut open) {
                    tokens = tokens.rolled_back();
                }
                if !answer(&mut stream, tokens, script(&statement))? {
                    return stream.shutdown(Shutdown::Both);
                }
            }
            ATTENTION => send(&mut stream, &Tokens::new().attention_done().bytes())?,
            other => return Err(io::Error::other(format!("packet of kind {other}"))),
        }
    }
}

/// False if the connection ends with it.
fn answer(stream: &mut TcpStream, tokens: Tokens, reply: Reply) -> io::Result<bool> {
    match reply {
        Reply::Slow(wait, then) => {
            thread::park_timeout(wait);
            answer(stream, tokens, *then)
        }
        Reply::CutAfter(count, then) => {
            let bytes = write(tokens, *then);
            send_open(stream, &bytes[..count.min(bytes.len())])?;
            Ok(false)
        }
        whole @ (Reply::Done
        | Reply::Rows(..)
        | Reply::RowsWithBitmap(..)
        | Reply::Error(..)
        | Reply::RowsThenError(..)) => {
            send(stream, &write(tokens, whole))?;
            Ok(true)
        }
    }
}

fn write(tokens: Tokens, reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Done | Reply::Slow(..) | Reply::CutAfter(..) => tokens.done(0).bytes(),
        Reply::Rows(columns, rows) => tokens.rows(&columns, &rows, false).done(rows.len()).bytes(),
        Reply::RowsWithBitmap(columns, rows) => {
            tokens.info("five rows, says an information").rows(&columns, &rows, true).done(rows.len()).bytes()
        }
        Reply::Error(number, text) => tokens.error(number, text).done_with_error().bytes(),
        Reply::RowsThenError(columns, rows, number, text) => {
            tokens.rows(&columns, &rows, false).error(number, text).done_with_error().bytes()
        }
    }
}

/// MS-TDS 2.2.3: packets of one message, the last one marked.
fn read_message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let mut payload = vec![0; length - header.len()];
        stream.read_exact(&mut payload)?;
        body.extend(payload);
        if header[1] & END_OF_MESSAGE != 0 {
            return Ok((header[0], body));
        }
    }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let packets = bytes.len().div_ceil(PACKET_PAYLOAD).max(1);
    for (at, payload) in bytes.chunks(PACKET_PAYLOAD).enumerate() {
        packet(stream, payload, at + 1 == packets)?;
    }
    Ok(())
}

/// A message whose end never comes.
fn send_open(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(PACKET_PAYLOAD).try_for_each(|payload| packet(stream, payload, false))
}

fn packet(stream: &mut TcpStream, payload: &[u8], last: bool) -> io::Result<()> {
    let length = u16::try_from(payload.len() + 8).unwrap().to_be_bytes();
    let mut bytes = vec![ANSWER, u8::from(last), length[0], length[1], 0, 51, 1, 0];
    bytes.extend(payload);
    stream.write_all(&bytes)
}

/// MS-TDS 2.2.6.5: our version, and that we have no encryption.
fn prelogin() -> Vec<u8> {
    let mut bytes = vec![0x00, 0, 16, 0, 6, 0x01, 0, 22, 0, 1, 0x02, 0, 23, 0, 1, 0xFF];
    bytes.extend([10, 50, 0x06, 0x40, 0, 0]);
    bytes.push(ENCRYPTION_NOT_SUPPORTED);
    bytes.push(0);
    bytes
}

/// MS-TDS 2.2.6.4: offsets and lengths of texts follow 36 bytes of fixed fields.
fn read_login(body: &[u8]) -> Login {
    let pair = |at: usize| {
        let offset = usize::from(u16::from_le_bytes([body[at], body[at + 1]]));
        let count = usize::from(u16::from_le_bytes([body[at + 2], body[at + 3]])) * 2;
        body[offset..offset + count].to_vec()
    };
    let hidden: Vec<u8> = pair(44).iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
    Login {
        user: utf16(&pair(40)),
        password: utf16(&hidden),
        program: utf16(&pair(48)),
        database: utf16(&pair(68)),
        read_only_intent: body[26] & 0x20 != 0,
    }
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}

/// Skips ALL_HEADERS (2.2.5.3), whose first four bytes are its length.
fn without_headers(body: &[u8]) -> &[u8] {
    let length = u32::from_le_bytes([body[0], body[1], body[2], body[3]]);
    &body[usize::try_from(length).unwrap()..]
}

fn read_batch(body: &[u8]) -> Statement {
    Statement { sql: utf16(without_headers(body)), parameters: Vec::new() }
}

/// `sp_executesql`: the statement, the declaration of its parameters, the parameters (2.2.6.6).
fn read_rpc(body: &[u8]) -> Statement {
    let mut rest = without_headers(body);
    assert_eq!(rest[..4], [0xFF, 0xFF, 10, 0], "only sp_executesql is expected");
    rest = &rest[6..];
    let mut values = Vec::new();
    while !rest.is_empty() {
        let name = usize::from(rest[0]) * 2;
        rest = &rest[1 + name + 1..];
        values.push(tokens::read_value(&mut rest));
    }
    let text = |value: &String| value.strip_prefix("nvarchar:").unwrap_or(value).to_owned();
    Statement { sql: text(&values[0]), parameters: values.split_off(values.len().min(2)) }
}
