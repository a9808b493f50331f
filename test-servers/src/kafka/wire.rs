//! As much of Kafka's protocol as it takes to learn whether a broker is up.
//! ("Protocol Guide" in its documentation: a message is a length, a header and a body; numbers are big-endian.)

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// A broker that is up answers at once.
const LIMIT: Duration = Duration::from_secs(5);

/// Key and version of a request that has the cluster's id in its answer and is understood by every Kafka since 1.0.
const METADATA: [i16; 2] = [3, 5];
const NO_CLIENT_ID: i16 = -1;
/// In the answer: its number, and how long we were slowed down.
const BEFORE_BROKERS: usize = 8;

/// How many brokers the one on this port counts as alive; none, if it is of another cluster.
///
/// # Errors
/// Nobody listens, or does not answer.
pub fn brokers(port: u16, cluster: &str) -> io::Result<u32> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(&request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    let alive = answer.get(BEFORE_BROKERS..BEFORE_BROKERS + 4).and_then(|brokers| Some(u32::from_be_bytes(brokers.try_into().ok()?)));
    let is_ours = answer.windows(cluster.len()).any(|bytes| bytes == cluster.as_bytes());
    Ok(alive.filter(|_| is_ours).unwrap_or_default())
}

/// For the metadata of no topics; its number is 0.
fn request() -> Vec<u8> {
    let [key, version] = METADATA.map(i16::to_be_bytes);
    let (number, topics, make_topics) = ([0; 4], [0; 4], [0]);
    let message = [&key[..], &version, &number, &NO_CLIENT_ID.to_be_bytes(), &topics, &make_topics].concat();
    let length = u32::try_from(message.len()).expect("it is short");
    [&length.to_be_bytes(), message.as_slice()].concat()
}
