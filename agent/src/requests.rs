//! How a command on the same machine asks the running agent to act: a file in the state folder.
//!
//! `requests/<name>.json` is written by the command (temp and rename), picked up by the agent, answered as
//! `requests/<name>.done`, and removed by the command. The folder belongs to the owner of the state folder only,
//! so whoever can write there may act. A request left while no agent runs is carried out at its next start.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::ingest::Wake;
use crate::writer::admin::{Action, Request};
use crate::writer::{Command, Commands};

const FOLDER: &str = "requests";
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// A captured file may be large.
const REPLAY_WAIT: Duration = Duration::from_secs(15 * 60);
/// A reconciliation reads all numbers of a shop, and some of them twice.
const RECONCILE_WAIT: Duration = Duration::from_secs(60 * 60);
/// A count waits until the sources were read to their end, and may be repeated a few times.
const COUNT_WAIT: Duration = Duration::from_secs(15 * 60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const REQUEST_BYTES_MAX: u64 = 64 * 1024;
const SCAN_EVERY: Duration = Duration::from_secs(60);

/// Where requests are put.
pub fn folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}

/// Asks the running agent and waits for its answer.
///
/// # Errors
/// The agent refuses, does not answer in time (then it is done at its next start), or the folder cannot be written.
pub fn ask(state: &Path, action: &Action) -> anyhow::Result<String> {
    let folder = folder(state);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let name = format!("{:016x}", getrandom::u64().unwrap_or(0));
    let (request, done) = (folder.join(format!("{name}.json")), folder.join(format!("{name}.done")));
    let temporary = folder.join(format!("{name}.part"));
    std::fs::write(&temporary, serde_json::to_vec(action)?)
        .with_context(|| format!("cannot write `{}`", temporary.display()))?;
    std::fs::rename(&temporary, &request).context("cannot put the request into place")?;
    let (_hold, wait) = std::sync::mpsc::channel::<()>();
    let asked = Instant::now();
    let longest = match action {
        Action::Replay { .. } => REPLAY_WAIT,
        Action::Reconcile { .. } | Action::DecideReconcile { .. } => RECONCILE_WAIT,
        Action::CountNow { .. } | Action::CountSet { .. } | Action::DecideCount { .. } => COUNT_WAIT,
        Action::RetryEntry { .. }
        | Action::DiscardEntry { .. }
        | Action::RereadSource { .. }
        | Action::DiscardQuarantined { .. }
        | Action::ApproveValues { .. }
        | Action::RefuseValues { .. }
        | Action::ForgetTarget { .. } => ANSWER_WAIT,
    };
    while asked.elapsed() < longest {
        if let Ok(text) = std::fs::read_to_string(&done) {
            std::fs::remove_file(&done).ok();
            let answer: Result<String, String> =
                serde_json::from_str(&text).context("the agent's answer cannot be read")?;
            return answer.map_err(|refused| anyhow::anyhow!(refused));
        }
        let _timed_out = wait.recv_timeout(LOOK_AGAIN);
    }
    anyhow::bail!("the agent does not answer; if it is not running, this is done at its next start")
}

/// Feeds a file to a source, by its name; see [`crate::replay`].
pub type Replay = dyn Fn(&str, &Path) -> Result<String, String> + Send;

/// What requests are passed on to beside the writer.
pub struct Helpers {
    /// Feeds captured files.
    pub replay: Box<Replay>,
    /// The reconciler.
    pub reconcile: crate::reconcile::Asks,
    /// The thread that counts.
    pub counts: crate::counts::Asks,
}

/// Serves requests until woken with [`Wake::Stop`]. `sources` are told when they have to start from other cursors.
pub fn serve(
    state: &Path,
    wakes: &Receiver<Wake>,
    commands: &Commands,
    sources: &[(String, Sender<Wake>)],
    helpers: &Helpers,
) {
    let folder = folder(state);
    if let Err(error) = std::fs::create_dir_all(&folder) {
        tracing::warn!(folder = %folder.display(), %error, "Commands cannot reach this agent");
        return;
    }
    loop {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json")) {
            serve_one(&path, commands, sources, helpers);
        }
        match wakes.recv_timeout(SCAN_EVERY) {
            Ok(Wake::Stop) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
            Ok(Wake::Changed(_) | Wake::Scan | Wake::Resume | Wake::Settle(_))
            | Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
}

fn serve_one(path: &Path, commands: &Commands, sources: &[(String, Sender<Wake>)], helpers: &Helpers) {
    let answer = read(path).and_then(|action| {
        if let Action::Replay { source, path } = &action {
            tracing::info!(source, path = %path.display(), "Asked by a person to read a captured file");
            return (helpers.replay)(source, path).map(Some);
        }
        if let Some(asked) = reconcile_ask(&action) {
            pass_on(path, asked, &helpers.reconcile)?;
            return Ok(None);
        }
        if let Some((what, who)) = count_ask(&action) {
            pass_count_on(path, what, who, &helpers.counts)?;
            return Ok(None);
        }
        let (reply, answer) = sync_channel(1);
        let rereads = match &action {
            Action::RereadSource { source } => Some(source.clone()),
            Action::RetryEntry { .. }
            | Action::Replay { .. }
            | Action::Reconcile { .. }
            | Action::DecideReconcile { .. }
            | Action::CountNow { .. }
            | Action::CountSet { .. }
            | Action::DecideCount { .. }
            | Action::DiscardEntry { .. }
            | Action::DiscardQuarantined { .. }
            | Action::ForgetTarget { .. }
            | Action::ApproveValues { .. }
            | Action::RefuseValues { .. } => None,
        };
        commands.send(Command::Admin(Request { action, reply })).map_err(|_| STOPPING.to_owned())?;
        let done = answer.recv().map_err(|_| STOPPING.to_owned())?;
        for (_, wakes) in sources.iter().filter(|(name, _)| rereads.as_deref() == Some(name)) {
            let _ended = wakes.send(Wake::Resume);
        }
        done.map(Some)
    });
    match answer {
        Ok(None) => {}
        Ok(Some(done)) => write_answer(path, &Ok(done)),
        Err(refused) => write_answer(path, &Err(refused)),
    }
}

/// Told to whoever asks while the agent ends.
const STOPPING: &str = "the agent is stopping";

fn reconcile_ask(action: &Action) -> Option<(crate::reconcile::What, Option<String>, String)> {
    use crate::reconcile::What;
    match action {
        Action::Reconcile { platform, dry_run, who } => {
            Some((if *dry_run { What::DryRun } else { What::Run }, platform.clone(), who.clone()))
        }
        Action::DecideReconcile { run, approve: true, who, .. } => {
            Some((What::Approve { run: *run }, None, who.clone()))
        }
        Action::DecideReconcile { run, approve: false, reason, who } => {
            Some((What::Refuse { run: *run, reason: reason.clone() }, None, who.clone()))
        }
        Action::RetryEntry { .. }
        | Action::Replay { .. }
        | Action::CountNow { .. }
        | Action::CountSet { .. }
        | Action::DecideCount { .. }
        | Action::RereadSource { .. }
        | Action::DiscardEntry { .. }
        | Action::DiscardQuarantined { .. }
        | Action::ApproveValues { .. }
        | Action::RefuseValues { .. }
        | Action::ForgetTarget { .. } => None,
    }
}

fn count_ask(action: &Action) -> Option<(crate::counts::What, String)> {
    use crate::counts::What;
    match action {
        Action::CountNow { name, dry_run, who } => {
            Some((What::Now { name: name.clone(), dry_run: *dry_run }, who.clone()))
        }
        Action::CountSet { lines, dry_run, who } => {
            Some((What::Set { lines: lines.clone(), dry_run: *dry_run }, who.clone()))
        }
        Action::DecideCount { id, approve, reason, who } => {
            Some((What::Decide { id: *id, approve: *approve, reason: reason.clone() }, who.clone()))
        }
        Action::RetryEntry { .. }
        | Action::Replay { .. }
        | Action::Reconcile { .. }
        | Action::DecideReconcile { .. }
        | Action::RereadSource { .. }
        | Action::DiscardEntry { .. }
        | Action::DiscardQuarantined { .. }
        | Action::ForgetTarget { .. }
        | Action::ApproveValues { .. }
        | Action::RefuseValues { .. } => None,
    }
}

/// Answered by the thread that counts. A count cut short by the end of the agent is not begun again.
fn pass_count_on(
    path: &Path,
    what: crate::counts::What,
    who: String,
    counts: &crate::counts::Asks,
) -> Result<(), String> {
    let working = path.with_extension("working");
    std::fs::rename(path, &working).map_err(|error| error.to_string())?;
    let reply: crate::counts::Reply = Box::new(move |answer| write_answer(&working, &answer));
    let asked = crate::counts::Ask::Do { what, who, reply };
    counts.send(asked).map_err(|_| STOPPING.to_owned())
}

/// Answers later, so that other requests need not wait behind it. A run cut short by the end of the agent is not begun again.
fn pass_on(
    path: &Path,
    (what, platform, who): (crate::reconcile::What, Option<String>, String),
    reconcile: &crate::reconcile::Asks,
) -> Result<(), String> {
    let working = path.with_extension("working");
    std::fs::rename(path, &working).map_err(|error| error.to_string())?;
    let (reply, answer) = sync_channel(1);
    let asked = crate::reconcile::Ask { platform, what, who, reply: Some(reply) };
    let sent = reconcile.send(asked).map_err(|_| STOPPING.to_owned());
    let waiting = std::thread::Builder::new().name("asked".to_owned()).spawn(move || {
        let done = match sent {
            Ok(()) => answer.recv().unwrap_or_else(|_| Err(STOPPING.to_owned())),
            Err(refused) => Err(refused),
        };
        write_answer(&working, &done);
    });
    waiting.map(|_| ()).map_err(|error| error.to_string())
}

fn write_answer(path: &Path, answer: &Result<String, String>) {
    let done = path.with_extension("done");
    let written = serde_json::to_vec(answer).map_err(std::io::Error::other).and_then(|text| {
        let part = path.with_extension("answer");
        std::fs::write(&part, text)?;
        std::fs::remove_file(path)?;
        std::fs::rename(part, done)
    });
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "A request was carried out but not answered");
    }
}

fn read(path: &Path) -> Result<Action, String> {
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if length > REQUEST_BYTES_MAX {
        return Err("the request is too long".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map_err(|e| format!("the request cannot be read: {e}"))
}
