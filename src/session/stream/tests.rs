use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::session::ports::{Outgoing, Room, port};
use crate::wire::{At, WireError};

fn event(body: ServerBody) -> ServerEvent {
    ServerEvent { event_id: "event_x".into(), server_event_seq: None, body }
}

fn delta(text: &str) -> ServerEvent {
    let at = At { response_id: "r".into(), item_id: "i".into(), output_index: 0, content_index: 0 };
    event(ServerBody::TextDelta { at, delta: text.into() })
}

/// A client as `@sightline/client` is one: it takes what is newer than all it has, and nothing twice.
#[derive(Default)]
struct Client {
    last: u64,
    words: String,
}

/// Everything that waits for a client, taken up to `most` messages; then the line breaks.
async fn read(reader: &mut crate::session::ClientPort, most: usize, client: &mut Client) {
    for _ in 0..most {
        let next = tokio::time::timeout(std::time::Duration::ZERO, reader.next()).await;
        let Ok(Outgoing::Event(text)) = next else { return };
        let v: serde_json::Value = serde_json::from_str(&text).unwrap();
        let Some(seq) = v["server_event_seq"].as_u64() else { continue };
        assert!(seq > client.last, "{seq} after {}: twice, or out of order", client.last);
        client.last = seq;
        client.words.push_str(v["delta"].as_str().unwrap_or_default());
    }
}

#[derive(Debug, Clone)]
enum Happens {
    Says(String),
    Reads(usize),
    Breaks,
    Returns,
    Acks,
}

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        6 => "[a-z]{1,4}".prop_map(Happens::Says),
        3 => (0_usize..6).prop_map(Happens::Reads),
        1 => Just(Happens::Breaks),
        2 => Just(Happens::Returns),
        1 => Just(Happens::Acks),
    ];
    prop::collection::vec(one, 0..120)
}

fn a_port(id: u64) -> (Port, crate::session::ClientPort, tokio::sync::mpsc::Receiver<crate::session::actor::Msg>) {
    let (to_session, inbox) = tokio::sync::mpsc::channel(8);
    let (trace, _) = crate::session::trace::tests::trace();
    let (ours, theirs) = port(id, to_session, true, vec![Extension::Resume], Arc::default(), Room::default(), trace);
    (ours, theirs, inbox)
}

/// How many letters of what was said are kept.
fn kept(stream: &Stream) -> usize {
    let letters = |event: &ServerEvent| match &event.body {
        ServerBody::TextDelta { delta, .. } => delta.len(),
        _ => 0,
    };
    stream.journal.iter().flat_map(|j| &j.events).map(|(event, _)| letters(event)).sum()
}

proptest! {
    /// Whatever breaks and comes back: each event once, in order; and where some are lost, the client is told.
    #[test]
    fn a_client_that_comes_back_gets_each_event_once_in_order_or_is_told(all in happenings(), max in 1_usize..40) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut stream = Stream { journal: Some(Journal::bounded(max, 1 << 20, 0)), ..Stream::default() };
            let (mut client, mut said) = (Client::default(), String::new());
            let (ours, theirs, mut inbox) = a_port(1);
            stream.attach(ours, Vec::new());
            let (mut line, mut next) = (Some(theirs), 2);
            for what in all.into_iter().chain([Happens::Returns, Happens::Reads(1_000)]) {
                match what {
                    Happens::Says(text) => {
                        said.push_str(&text);
                        stream.send(delta(&text), None);
                    }
                    Happens::Reads(most) => if let Some(line) = &mut line { read(line, most, &mut client).await },
                    Happens::Breaks => {
                        line = None;
                        stream.leave(next - 1);
                    }
                    Happens::Acks => prop_assert!(stream.ack(client.last)),
                    Happens::Returns => {
                        stream.close_holder(event(ServerBody::Replaced {}));
                        let (ours, theirs, new_inbox) = a_port(next);
                        if stream.gap(client.last).is_some() {
                            // It asks anew what there is: up to what it is sent now it knows everything.
                            client.last = stream.newest() - stream.missed(client.last).0 as u64;
                            client.words = said[..said.len() - kept(&stream)].to_owned();
                        }
                        stream.come_back(ours, Vec::new(), client.last);
                        (line, inbox, next) = (Some(theirs), new_inbox, next + 1);
                    }
                }
            }
            drop(inbox);
            prop_assert_eq!(client.words, said);
            prop_assert_eq!(client.last, stream.newest());
            Ok(())
        })?;
    }

    /// Bounds hold whatever is sent, and numbers have no gaps.
    #[test]
    fn a_journal_keeps_its_bounds(sizes in prop::collection::vec(1_usize..400, 1..200), acks in prop::collection::vec(0_u64..220, 0..6)) {
        let mut journal = Journal::bounded(20, 6_000, 7);
        for (i, size) in sizes.iter().enumerate() {
            let numbered = journal.push(delta(&"x".repeat(*size)));
            prop_assert_eq!(numbered.server_event_seq, Some(8 + i as u64));
            prop_assert!(journal.events.len() <= 20 && journal.bytes <= 6_000);
        }
        for ack in acks {
            prop_assert_eq!(journal.ack(ack), ack <= journal.newest());
            let numbers: Vec<_> = journal.events.iter().map(|(e, _)| e.server_event_seq.unwrap()).collect();
            prop_assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1));
            prop_assert!(numbers.first().is_none_or(|first| *first > ack));
            prop_assert_eq!(journal.bytes, journal.events.iter().map(|(_, w)| w).sum::<usize>());
        }
    }
}

#[test]
fn a_gap_is_told_with_what_is_known_of_it() {
    let mut journal = Journal::bounded(3, 1 << 20, 0);
    for _ in 0..10 {
        journal.push(delta("a"));
    }
    let kept = |seq: u64| journal.since(seq).0.count();
    assert_eq!((journal.since(7).1, kept(7)), (None, 3));
    assert_eq!((journal.since(9).1, kept(9)), (None, 1));
    assert_eq!((journal.since(10).1, kept(10)), (None, 0));
    assert_eq!((journal.since(4).1, kept(4)), (Some(Gap { missed: Some(3) }), 3));
    assert_eq!((journal.since(11).1, kept(11)), (Some(Gap { missed: None }), 0));
    assert_eq!((journal.since(u64::MAX).1, kept(u64::MAX)), (Some(Gap { missed: None }), 0));
}

#[test]
fn what_is_worth_nothing_late_and_anothers_mistake_are_not_kept() {
    let mut stream = Stream::default();
    stream.keep();
    let (ours, _theirs, _inbox) = a_port(1);
    stream.attach(ours, Vec::new());
    stream.send(event(ServerBody::AudioLevel { dbfs: -20.0, speaking: false }), None);
    stream.send(event(ServerBody::Error { error: WireError::invalid("x", "of another client") }), Some(2));
    assert_eq!(stream.newest(), 0);
    stream.leave(1);
    stream.send(event(ServerBody::Error { error: WireError::invalid("x", "of the holder, who is away") }), Some(1));
    stream.send(event(ServerBody::AudioCleared {}), None);
    assert_eq!((stream.newest(), stream.missed(0).0), (2, 2));
    assert!(!stream.ack(3), "there is no third event");
    assert!(stream.ack(2) && stream.missed(2).0 == 0);
}
