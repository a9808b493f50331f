//! As much of Postgres's protocol 3.0 as it takes to run a statement whose rows nobody wants, as `postgres`, without a password.
//! ("Frontend/Backend Protocol" in its manual: a message is a type byte, a length that counts itself, and the body.)

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

const VERSION_3_0: [u8; 4] = 196_608_u32.to_be_bytes();
/// Nothing that is run here takes longer, unless the server hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// Connects to a server on this machine, runs one statement, and leaves.
///
/// # Errors
/// Nobody listens, the server does not take sessions yet, or it refuses the statement.
pub fn execute(port: u16, database: &str, statement: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    let session = format!("user\0postgres\0database\0{database}\0\0");
    stream.write_all(&message(None, &[&VERSION_3_0, session.as_bytes()].concat()))?;
    until_ready(&mut stream)?;
    stream.write_all(&message(Some(b'Q'), format!("{statement}\0").as_bytes()))?;
    until_ready(&mut stream)?;
    stream.write_all(&message(Some(b'X'), &[]))
}

/// Only the first message of a session has no type.
fn message(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("statements are short");
    kind.into_iter().chain(length.to_be_bytes()).chain(body.iter().copied()).collect()
}

/// Reads until the server waits for the next statement (`Z`), or says no (`E`).
fn until_ready(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let mut body = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
        stream.read_exact(&mut body)?;
        match (kind, body.as_slice()) {
            (b'Z', _) => return Ok(()),
            (b'E', fields) => return Err(io::Error::other(text(fields))),
            (b'R', [0, 0, 0, 0]) => {}
            (b'R', _) => return Err(io::Error::other("the server asks for a password")),
            _ => {}
        }
    }
}

/// The message among the fields of an error: each is a type byte and a text that ends with 0.
fn text(fields: &[u8]) -> String {
    let message = fields.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(message.unwrap_or(b"an error without a message")).into_owned()
}
