//! The snapshot in plain words, for a manager: is the web shop right, and if not, what to do. Pure.

use std::time::Duration;

use sync_core::model::Timestamp;

use super::{LaneState, LaneStatus, SourceState, StatusSnapshot};

/// A source that was not read for this long is mentioned.
const QUIET_SOURCE: Duration = Duration::from_secs(15 * 60);

/// One line for each thing that matters, the most important first.
#[must_use]
pub fn summary(status: &StatusSnapshot) -> String {
    let mut lines = vec![headline(status)];
    if let Some(waiting_for) = status.waiting_for.as_ref().filter(|_| !status.ready) {
        lines.push(format!("It waits for: {waiting_for}."));
    }
    for source in &status.sources {
        if let Some(error) = &source.error {
            lines.push(format!("Source {} cannot be read: {}. {}.", source.name, error.message, sentence(&error.hint)));
        } else if source.state == SourceState::Waiting {
            lines.push(format!("Source {} has nothing to read yet.", source.name));
        } else if let Some(read) = source.last_read_at.filter(|read| status.now.since(*read) > QUIET_SOURCE) {
            lines.push(format!("Source {} was last read {}.", source.name, ago(status.now, read)));
        }
        if source.quarantined > 0 {
            lines.push(format!(
                "{} of source {} could not be understood: see `tillsync quarantine list`.",
                count(source.quarantined, "record"),
                source.name
            ));
        }
    }
    status.lanes.iter().for_each(|lane| lane_lines(status.now, lane, &mut lines));
    super::online::lines(status, &mut lines);
    if !status.clock.trusted {
        let note = status.clock.note.as_deref().unwrap_or("it was wrong at the start");
        lines.push(format!("The clock of this machine cannot be believed: {note}. Sales are recorded all the same."));
    }
    lines.push(activity(status));
    lines.join("\n")
}

fn headline(status: &StatusSnapshot) -> String {
    let waiting: u64 = status.lanes.iter().map(|lane| lane.waiting_lines).fold(0, u64::saturating_add);
    let stuck = status.lanes.iter().any(|lane| lane.state != LaneState::Open);
    let broken = status.sources.iter().any(|source| source.state == SourceState::Error);
    if !status.ready {
        "Sales are not being recorded right now; the POS keeps them, and nothing is lost.".to_owned()
    } else if broken {
        "Somebody has to act: sales are not being read.".to_owned()
    } else if stuck && waiting > 0 {
        format!("The web shop is behind by {}. They are safe here and will be sent.", count(waiting, "sale line"))
    } else if !status.healthy {
        "It works, but something needs a person.".to_owned()
    } else if waiting > 0 {
        format!("All is well; {} on the way to the web shop.", are(waiting, "sale line"))
    } else if stuck {
        "Everything sold is in the web shop, which cannot be reached right now.".to_owned()
    } else {
        "All is well: everything sold is in the web shop.".to_owned()
    }
}

fn lane_lines(now: Timestamp, lane: &LaneStatus, lines: &mut Vec<String>) {
    let reason = lane.reason.as_deref().unwrap_or("no reason was given");
    let next = lane.next_try_at.map_or_else(String::new, |at| format!(" Next try {}.", until(now, at)));
    match lane.state {
        LaneState::Open => {}
        LaneState::BackingOff => lines.push(format!("{} does not answer: {reason}.{next}", lane.name)),
        LaneState::Paused => lines.push(format!("{} refuses us: {reason}.{next}", lane.name)),
    }
    if let Some(oldest) = lane.oldest_waiting_at.filter(|_| lane.state != LaneState::Open) {
        lines.push(format!("The oldest change for {} was recorded {}.", lane.name, ago(now, oldest)));
    }
    if lane.unknown_skus > 0 {
        lines.push(format!(
            "{} does not know {}: create the products there, the changes follow by themselves (`tillsync quarantine list`).",
            lane.name,
            count(lane.unknown_skus, "article")
        ));
    }
    if lane.dead_letters > 0 {
        lines.push(format!(
            "{} will not take {}: see `tillsync outbox list`.",
            lane.name,
            count(lane.dead_letters, "change")
        ));
    }
    if lane.uncertain > 0 {
        lines.push(format!("{} on {} being read back and set right.", are(lane.uncertain, "article"), lane.name));
    }
}

fn activity(status: &StatusSnapshot) -> String {
    let sold = status.sources.iter().filter_map(|source| source.last_sale_at).max();
    let delivered = status.lanes.iter().filter_map(|lane| lane.last_delivered_at).max();
    match (sold, delivered) {
        // Some POS files carry no times.
        (None, _) if status.ledger.transactions > 0 => {
            format!("{} read so far.", count(status.ledger.transactions, "sale"))
        }
        (None, _) => "No sale was read yet.".to_owned(),
        (Some(sold), None) => format!("Last sale {}; nothing was sent yet.", ago(status.now, sold)),
        (Some(sold), Some(delivered)) => {
            format!("Last sale {}, last change sent {}.", ago(status.now, sold), ago(status.now, delivered))
        }
    }
}

/// `just now`, `2 minutes ago`, `3 days ago`.
#[must_use]
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let since = now.since(then);
    if since < Duration::from_secs(2) { "just now".to_owned() } else { format!("{} ago", span(since)) }
}

fn until(now: Timestamp, then: Timestamp) -> String {
    let wait = then.since(now);
    if wait < Duration::from_secs(2) { "now".to_owned() } else { format!("in {}", span(wait)) }
}

fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=119 => count(seconds, "second"),
        seconds @ 120..=7_199 => count(seconds / 60, "minute"),
        seconds @ 7_200..=172_799 => count(seconds / 3_600, "hour"),
        seconds => count(seconds / 86_400, "day"),
    }
}

fn count(number: u64, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

fn are(number: u64, word: &str) -> String {
    format!("{} {}", count(number, word), if number == 1 { "is" } else { "are" })
}

/// First letter large: hints are written in lower case.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::StatusError;
    use super::super::tests::snapshot;
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut StatusSnapshot), expected: &[&str]) {
        let mut status = snapshot();
        change(&mut status);
        assert_eq!(summary(&status).lines().collect::<Vec<_>>(), expected);
    }

    const LAST: &str = "Last sale 2 minutes ago, last change sent 119 seconds ago.";

    #[test]
    fn a_good_day_is_two_lines() {
        check(|_| {}, &["All is well: everything sold is in the web shop.", LAST]);
    }

    #[test]
    fn an_outage_says_what_is_behind_and_that_it_is_safe() {
        check(
            |status| {
                let now = status.now;
                let lane = &mut status.lanes[0];
                lane.state = LaneState::BackingOff;
                lane.reason = Some("connection refused".to_owned());
                lane.waiting_lines = 40;
                lane.next_try_at = Some(now.plus(Duration::from_secs(30)));
                lane.oldest_waiting_at = Some(Timestamp(now.0 - 7_200_000_000));
            },
            &[
                "The web shop is behind by 40 sale lines. They are safe here and will be sent.",
                "shopify does not answer: connection refused. Next try in 30 seconds.",
                "The oldest change for shopify was recorded 2 hours ago.",
                LAST,
            ],
        );
    }

    #[test]
    fn what_needs_a_person_names_the_next_step() {
        check(
            |status| {
                status.healthy = false;
                status.sources[0].state = SourceState::Error;
                status.sources[0].quarantined = 1;
                status.sources[0].error = Some(StatusError {
                    code: "source_denied".to_owned(),
                    message: "no right to read `/srv/pos`".to_owned(),
                    hint: "give the agent's user the right to read".to_owned(),
                });
                status.lanes[0].unknown_skus = 2;
                status.lanes[0].dead_letters = 1;
            },
            &[
                "Somebody has to act: sales are not being read.",
                "Source tills cannot be read: no right to read `/srv/pos`. Give the agent's user the right to read.",
                "1 record of source tills could not be understood: see `tillsync quarantine list`.",
                "shopify does not know 2 articles: create the products there, the changes follow by themselves (`tillsync quarantine list`).",
                "shopify will not take 1 change: see `tillsync outbox list`.",
                LAST,
            ],
        );
    }

    #[test]
    fn sales_without_a_time_count_as_read() {
        let mut status = snapshot();
        for source in &mut status.sources {
            source.last_sale_at = None;
        }
        status.ledger.transactions = 3;
        assert!(summary(&status).contains("3 sales read so far."), "{}", summary(&status));
    }
}
