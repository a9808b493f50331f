//! Three brokers that are one cluster.

use std::{io, thread};

use super::{Kafka, binaries, wire};
use crate::{Missing, launch};

/// Three brokers on free ports of 127.0.0.1, each of which is a controller, too: two must be there for anything to be done.
#[derive(Debug)]
pub struct Cluster {
    /// They are numbered from 1.
    pub brokers: [Kafka; 3],
}

impl Cluster {
    /// Makes it and starts it: about ten seconds.
    ///
    /// # Errors
    /// There is no Kafka, or no Java.
    ///
    /// # Panics
    /// It does not start.
    pub fn start() -> Result<Self, &'static Missing> {
        let binaries = binaries::find()?;
        Ok(Self::make(binaries).unwrap_or_else(|e| panic!("Kafka of {} does not start: {e}", binaries.libs.display())))
    }

    fn make(binaries: &'static binaries::Binaries) -> io::Result<Self> {
        let mut brokers = [Kafka::new(binaries)?, Kafka::new(binaries)?, Kafka::new(binaries)?];
        let cluster = brokers[0].cluster.clone();
        let voters = brokers.each_ref().map(|broker| broker.controller_port).into_iter().zip(1..);
        let voters = voters.map(|(port, node)| format!("{node}@127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
        for (broker, node) in brokers.iter_mut().zip(1..) {
            broker.cluster.clone_from(&cluster);
            broker.voters.clone_from(&voters);
            (broker.node, broker.copies) = (node, 3);
            broker.configure((broker.port, broker.controller_port))?;
        }
        each(&mut brokers, Kafka::format)?;
        // None of them is up before another one is.
        each(&mut brokers, Kafka::launch_again)?;
        launch::within_limit(|_| {
            let all = brokers.iter().all(|broker| wire::brokers(broker.port, &cluster).is_ok_and(|brokers| brokers == 3));
            if all { Ok(()) } else { Err(io::ErrorKind::ResourceBusy.into()) }
        })?;
        Ok(Self { brokers })
    }

    /// Where clients find it.
    pub fn bootstrap(&self) -> String {
        self.brokers.each_ref().map(Kafka::bootstrap).join(",")
    }
}

fn each(brokers: &mut [Kafka; 3], act: impl Fn(&mut Kafka) -> io::Result<()> + Sync) -> io::Result<()> {
    thread::scope(|scope| {
        let act = &act;
        let acting = brokers.each_mut().map(|broker| scope.spawn(move || act(broker)));
        acting.into_iter().try_for_each(|acting| acting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
