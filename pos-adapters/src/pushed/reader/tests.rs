//! From the inbox to chunks: who is answered when, and what a repeat does.

use super::super::door::Door;
use super::super::door::tests::{SIGNED, plan, signed};
use super::*;

const NOW: Timestamp = Timestamp(1_795_428_000_000_000);

struct Post {
    source: PushedSource,
    door: Door,
    inbox: Arc<Inbox>,
}

impl Post {
    fn new() -> Self {
        let source = PushedSource::new(plan(SIGNED));
        let inbox = source.inbox().unwrap();
        Self { door: Door::new(Arc::clone(inbox.plan())), source, inbox }
    }

    fn post(&self, id: &str, body: &str) -> oneshot::Receiver<Told> {
        let admitted = self.door.admit("till-1", &signed(id, body.as_bytes()), body.as_bytes(), NOW).unwrap();
        self.inbox.put(admitted.delivery).unwrap();
        admitted.told
    }

    fn chunk(&mut self) -> Chunk {
        match self.source.poll(&[], NOW).unwrap() {
            Poll::Chunk(chunk) => chunk,
            Poll::Quiet { .. } => panic!("nothing was there"),
        }
    }
}

fn ticket(number: u32, quantity: u32, revision: u32) -> String {
    format!(r#"{{"transaction":{number},"revision":{revision},"lines":[{{"sku":"A","quantity":{quantity}}}]}}"#)
}

#[test]
fn the_answer_comes_after_the_commit_and_not_before() {
    let mut post = Post::new();
    let mut told = post.post("m-1", &ticket(1, 1, 1));
    let chunk = post.chunk();
    assert!(told.try_recv().is_err());
    chunk.stored.unwrap().stored();
    assert_eq!(told.try_recv(), Ok(Told::Stored { repeated: false }));
}

#[test]
fn a_chunk_that_is_dropped_tells_nobody_that_it_is_stored() {
    let mut post = Post::new();
    let mut told = post.post("m-1", &ticket(1, 1, 1));
    drop(post.chunk());
    assert_eq!(told.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    // The cursors in the database know nothing of it: the repeat is stored.
    post.source.resume(Vec::new());
    let mut again = post.post("m-1", &ticket(1, 1, 1));
    let chunk = post.chunk();
    assert_eq!(chunk.transactions.len(), 1);
    chunk.stored.unwrap().stored();
    assert_eq!(again.try_recv(), Ok(Told::Stored { repeated: false }));
}

#[test]
fn a_repeat_changes_nothing_and_waits_for_what_it_repeats() {
    let mut post = Post::new();
    let _first = post.post("m-1", &ticket(1, 1, 1));
    let chunk = post.chunk();
    let mut repeat = post.post("m-1", &ticket(1, 1, 1));
    let second = post.chunk();
    assert!(second.transactions.is_empty() && second.cursors.is_empty());
    drop(chunk);
    drop(second);
    assert_eq!(repeat.try_recv(), Err(oneshot::error::TryRecvError::Closed));
}

#[test]
fn an_id_used_for_another_body_is_told_so() {
    let mut post = Post::new();
    let _first = post.post("m-1", &ticket(1, 1, 1));
    let mut other = post.post("m-1", &ticket(2, 1, 1));
    let chunk = post.chunk();
    assert_eq!(chunk.transactions.len(), 1);
    assert_eq!(other.try_recv(), Ok(Told::Conflict));
}

#[test]
fn old_news_of_a_ticket_does_not_overwrite_new() {
    let mut post = Post::new();
    let mut waiting = [post.post("m-2", &ticket(1, 3, 2)), post.post("m-1", &ticket(1, 1, 1))];
    let chunk = post.chunk();
    assert_eq!(chunk.transactions.len(), 1);
    assert_eq!(chunk.ignored, [("old revision of a ticket".to_owned(), 1)]);
    chunk.stored.unwrap().stored();
    assert!(waiting.iter_mut().all(|told| told.try_recv() == Ok(Told::Stored { repeated: false })));
}

#[test]
fn who_does_not_wait_any_more_is_not_stored() {
    let mut post = Post::new();
    drop(post.post("m-1", &ticket(1, 1, 1)));
    assert!(matches!(post.source.poll(&[], NOW).unwrap(), Poll::Quiet { .. }));
    assert_eq!(post.source.backlog_bytes(), Some(0));
}

#[test]
fn the_inbox_is_bounded() {
    let post = Post::new();
    let mut waiting = Vec::new();
    let full = (0..1000).find(|number| {
        let body = ticket(*number, 1, 1);
        let admitted =
            post.door.admit("till-1", &signed(&number.to_string(), body.as_bytes()), body.as_bytes(), NOW).unwrap();
        waiting.push(admitted.told);
        post.inbox.put(admitted.delivery).is_err()
    });
    assert_eq!(full, Some(64));
}

#[test]
fn a_listener_that_is_not_there_is_a_fault_of_the_source() {
    let mut post = Post::new();
    post.inbox.listening(Some("the port is taken".to_owned()));
    assert_eq!(post.source.poll(&[], NOW).unwrap_err().code(), "source-listener-unavailable");
    post.inbox.listening(None);
    assert!(post.source.poll(&[], NOW).is_ok());
}
