//! Stands between a log and its server, and cuts a connection at the worst moment.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// When a connection is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cut {
    Never,
    /// What the client says next never arrives.
    Question,
    /// What the client says next is done, but it is never told.
    Answer,
    /// The next commit never arrives.
    Commit,
    /// The next commit is done, but the client is never told.
    AnswerToCommit,
    /// What the server says next is swallowed.
    Now,
}

const ALL: [Cut; 6] = [Cut::Never, Cut::Question, Cut::Answer, Cut::Commit, Cut::AnswerToCommit, Cut::Now];

/// One for each test.
pub struct Proxy {
    pub url: String,
    next: Arc<AtomicU8>,
}

impl Proxy {
    /// Before the server of a URL of the form `postgres://USER@HOST:PORT/DATABASE`.
    pub async fn start(url: &str) -> Self {
        let (user, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{database}", listener.local_addr().unwrap());
        let (server, next) = (server.to_owned(), Arc::new(AtomicU8::new(Cut::Never as u8)));
        let proxy = Self { url, next: next.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, next.clone()));
            }
        });
        proxy
    }

    pub fn cut(&self, when: Cut) {
        self.next.store(when as u8, SeqCst);
    }

    pub fn has_cut(&self) -> bool {
        self.next.load(SeqCst) == Cut::Never as u8
    }
}

/// Until one of them has enough, or the connection is cut: then both lose it.
async fn carry(client: TcpStream, server: TcpStream, next: Arc<AtomicU8>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mine = AtomicU8::new(Cut::Never as u8);
    tokio::select! {
        _ = questions(from_client, to_server, &next, &mine) => {}
        _ = answers(from_server, to_client, &mine) => {}
    }
}

fn at(when: &AtomicU8) -> Cut {
    ALL[usize::from(when.load(SeqCst))]
}

async fn questions(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, next: &AtomicU8, mine: &AtomicU8) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let said = client.read(&mut buffer).await?;
        let is_commit = buffer[..said].windows(6).any(|word| word == b"COMMIT");
        let (cut, swallow) = match at(next) {
            Cut::Question => (true, true),
            Cut::Answer => (true, false),
            Cut::Commit => (is_commit, true),
            Cut::AnswerToCommit => (is_commit, false),
            Cut::Never | Cut::Now => (false, false),
        };
        if cut {
            next.store(Cut::Never as u8, SeqCst);
            mine.store(Cut::Now as u8, SeqCst);
        }
        if said == 0 || cut && swallow {
            return Ok(());
        }
        server.write_all(&buffer[..said]).await?;
    }
}

async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, mine: &AtomicU8) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let said = server.read(&mut buffer).await?;
        if said == 0 || at(mine) == Cut::Now {
            return Ok(());
        }
        client.write_all(&buffer[..said]).await?;
    }
}
