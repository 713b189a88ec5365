//! What is said of bytes that were heard.

use super::super::port::MemoryPort;
use super::*;

const TICKET: &[u8] =
    b"\x1b@Corner Shop\n17 Example Street\n\nCoffee        2.50\nMilk 1l       1.19\nTOTAL         3.69\n\
    CASH          5.00\nCHANGE        1.31\nTicket 000123  Till 1\nThank you, see you again soon\n\x1dV\x00";
const SHORT: Duration = Duration::from_millis(600);

#[test]
fn silence_is_told_as_silence() {
    let (_pos, mut ours) = MemoryPort::pair();
    let heard = listen_at(&mut ours, Framing::plain(9600), Duration::from_millis(60), &Stop::default()).unwrap();
    assert!(heard.to_string().starts_with("silence at 9600 8N1"), "{heard}");
}

#[test]
fn a_ticket_names_its_language() {
    let (mut pos, mut ours) = MemoryPort::pair();
    pos.say(TICKET).unwrap();
    let heard = listen_at(&mut ours, Framing::plain(19_200), SHORT, &Stop::default()).unwrap();
    assert_eq!(heard.to_string(), "ESC/POS at 19200 8N1");
    assert!(heard.is_readable());
}

#[test]
fn noise_makes_it_try_other_rates_until_it_can_read() {
    let (mut pos, mut ours) = MemoryPort::pair();
    let listening = std::thread::spawn(move || {
        let heard = listen_at(&mut ours, Framing::plain(9600), Duration::from_secs(10), &Stop::default()).unwrap();
        heard.to_string()
    });
    // The till sends at 38400: at any other rate each byte has a framing error.
    while !listening.is_finished() {
        match pos.framing() {
            Some(framing) if framing.baud == 38_400 => {
                let _taken = pos.say(TICKET).unwrap();
            }
            Some(_) | None => pos.say_damaged(&noise(64)),
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert_eq!(listening.join().unwrap(), "ESC/POS at 38400 8N1");
}

#[test]
fn a_listening_line_without_a_rate_finds_it_and_a_fixed_one_says_what_is_wrong() {
    let health = Health::default();
    let (_pos, mut port) = MemoryPort::pair();
    let mut ear = RateEar::new(Framing::plain(9600), true);
    ear.opened(&mut port);
    let damaged = Heard { bytes: 64, damaged: 60, breaks: 0 };
    ear.heard(&noise(64), damaged, &mut port, &health);
    assert_eq!(port.framing(), Some(Framing::plain(19_200)));
    assert_eq!(health.condition().garbled.as_deref(), Some("what arrives at 9600 8N1 is noise; trying 19200 8N1"));
    for _ in 0..2 {
        ear.heard(TICKET, Heard { bytes: TICKET.len(), ..Heard::default() }, &mut port, &health);
    }
    assert_eq!((health.condition().garbled, port.framing()), (None, Some(Framing::plain(19_200))));

    let mut ear = RateEar::new(Framing::plain(9600), false);
    ear.heard(&noise(64), damaged, &mut port, &health);
    let told = health.condition().garbled.unwrap();
    assert!(told.contains("at 9600 8N1 is noise") && told.contains("tillsync ports --listen"), "{told}");
    assert_eq!(port.framing(), Some(Framing::plain(19_200)), "a fixed rate is not changed");
}

/// What a wrong rate makes of text.
fn noise(count: u8) -> Vec<u8> {
    (0..count).map(|at| at.wrapping_mul(73).wrapping_add(129) | 0x80).collect()
}
