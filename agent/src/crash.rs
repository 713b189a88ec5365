//! Named points at which a test can make the release binary die or fail.
//!
//! `TILLSYNC_CRASH=name:action:occurrence` in the environment arms one point: `action` is `kill` (ends at once,
//! nothing flushed), `error`, `enospc` or `eio` (the step fails with that error); `occurrence` counts from 1.
//! Not armed, a point costs one load. The kill matrix finds the points in the source by their name literal.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Armed {
    name: String,
    action: Action,
    occurrence: u32,
    seen: AtomicU32,
}

#[derive(Clone, Copy)]
enum Action {
    Kill,
    Error,
    DiskFull,
    InputOutput,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Reads the environment once, at the start of the program.
pub fn arm() {
    let armed = std::env::var("TILLSYNC_CRASH").ok().and_then(|text| {
        let mut parts = text.split(':');
        let name = parts.next()?.to_owned();
        let action = match parts.next()? {
            "kill" => Action::Kill,
            "error" => Action::Error,
            "enospc" => Action::DiskFull,
            "eio" => Action::InputOutput,
            _ => return None,
        };
        let occurrence = parts.next().and_then(|n| n.parse().ok()).unwrap_or(1);
        Some(Armed { name, action, occurrence, seen: AtomicU32::new(0) })
    });
    ARMED.get_or_init(|| armed);
}

/// Passes, fails or ends the program.
///
/// # Errors
/// The armed error, once.
pub fn point(name: &'static str) -> io::Result<()> {
    match ARMED.get() {
        Some(Some(armed)) if armed.name == name => fire(armed),
        _ => Ok(()),
    }
}

#[cold]
fn fire(armed: &Armed) -> io::Result<()> {
    if armed.seen.fetch_add(1, Ordering::SeqCst) + 1 != armed.occurrence {
        return Ok(());
    }
    // The bench reads this line to know that the point was hit.
    tracing::error!(point = armed.name, "Crash point hit");
    if let Ok(path) = std::env::var("TILLSYNC_CRASH_LOG")
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        let line = format!("{}\n", armed.name);
        io::Write::write_all(&mut file, line.as_bytes())?;
    }
    match armed.action {
        Action::Kill => std::process::abort(),
        Action::Error => Err(io::Error::other("injected error")),
        Action::DiskFull => Err(io::Error::from(io::ErrorKind::StorageFull)),
        Action::InputOutput => Err(io::Error::from_raw_os_error(5)),
    }
}
