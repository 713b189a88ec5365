//! Builds the parts, runs them, stops them in order: sources first, then the network, the writer last.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use pos_adapters::{PosSource, Waker};
use tokio_util::sync::CancellationToken;

use crate::cli::output::Form;
use crate::cli::progress::{Progress, Unit};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::StateFolder;
use crate::db::recovery::{self, Opened};
use crate::disk::Disk;
use crate::feeds::FeedThread;
use crate::ingest::{SourceThread, Wake};
use crate::orders::OrderPoller;
use crate::platform::{Number, Platform};
use crate::receive::Receiver as SalesReceiver;
use crate::reconcile::{self, ReconcileLane, Reconciler};
use crate::schedule::{self, Rhythm, Schedules, WriterStore};
use crate::status::StatusSnapshot;
use crate::status::server::StatusServer;
use crate::wake::FileEvents;
use crate::writer::{Board, Command, Commands, Work, Writer};
use crate::{connect, counts, push, replay, requests, status, upkeep};

/// SQLite's page cache of the writer. Larger transactions spill into the write-ahead log.
const CACHE_KIB: i64 = 8 * 1024;
/// Threads for blocking calls of the runtime (name look-ups); more would only cost memory.
const BLOCKING_THREADS_MAX: usize = 2;

/// A running agent.
struct Parts {
    writer: JoinHandle<()>,
    commands: Commands,
    sources: Vec<(String, Sender<Wake>, JoinHandle<()>)>,
    doors: Vec<Arc<SalesReceiver>>,
    helpers: Vec<(Sender<Wake>, JoinHandle<()>)>,
    counts: (counts::Asks, JoinHandle<()>),
    count_board: counts::CountBoard,
    _events: FileEvents,
}

/// Runs until a signal asks to stop.
///
/// # Errors
/// What keeps the agent from starting; a [`crate::db::DbError`] is in the chain if it is the state folder.
#[expect(clippy::too_many_lines, reason = "the parts of the agent, each once")]
pub fn run(config: &Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .context("cannot start the runtime")?;
    let stop = CancellationToken::new();
    let folder = StateFolder::lock(&config.state.path)?;
    let clock = Arc::new(Clock::default());
    let started_at = clock.now();
    let names: Vec<String> = config.sources.iter().map(|source| source.name().to_string()).collect();
    let disk = Arc::new(Disk::new(folder.path(), config.state.disk_reserve_bytes));
    let (work, works) = tokio::sync::mpsc::unbounded_channel::<Work>();
    let (commands, writer_commands) = channel::<Command>();
    let lanes = connect::lanes(config, &clock)?;
    let board = Arc::new(Board::new(&names, lanes.len()));
    let platforms: Vec<Arc<dyn Platform>> = lanes.iter().map(|lane| Arc::clone(&lane.platform)).collect();
    let (online, pollers) = connect::online(config, &lanes);
    let reconcile_lanes = lanes
        .iter()
        .enumerate()
        .filter(|(_, lane)| lane.platform.traits().number != Number::None)
        .map(|(index, lane)| ReconcileLane {
            index,
            name: lane.name.clone(),
            platform: Arc::clone(&lane.platform),
            soon: online.soon.get(index).cloned().flatten(),
        })
        .collect();
    let (conn, opened) = recovery::open(&folder, CACHE_KIB, &stamp(&clock))?;
    note_recovery(&opened);
    let writer = Writer::new(
        conn,
        folder.database(),
        Arc::clone(&clock),
        &connect::source_specs(config),
        lanes,
        work,
        Arc::clone(&board),
    )?
    .with_online(online);
    let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
    let reconciler = Reconciler {
        lanes: reconcile_lanes,
        commands: commands.clone(),
        clock: Arc::clone(&clock),
        database: folder.database(),
        rules: config.reconcile.rules,
        buffers: buffers(config),
        orders_wait: reconcile::ORDERS_WAIT_MAX,
    };
    let parts = start(config, &folder, writer, (commands, writer_commands), &names, &clock, &disk, asks.clone())?;
    let schedules = schedules(config, &folder, &parts, &clock, asks);
    runtime.spawn(schedule::tick::serve(Arc::clone(&schedules), stop.clone()));
    runtime.spawn(reconciler.serve(asked, stop.clone()));

    let snapshot: Arc<dyn Fn() -> StatusSnapshot + Send + Sync> = {
        let (board, config, path, clock, disk) =
            (Arc::clone(&board), config.clone(), folder.path().to_owned(), Arc::clone(&clock), Arc::clone(&disk));
        let doors = parts.doors.clone();
        let count_board = Arc::clone(&parts.count_board);
        Arc::new(move || {
            let mut snapshot = status::view::snapshot(&board.facts(), &config, &path, &disk, &clock, started_at);
            status::online::fill(&mut snapshot, &StateFolder::shared(&path).database(), &config);
            for source in &mut snapshot.sources {
                source.door = doors.iter().find(|door| door.source() == source.name).map(|door| door.status());
            }
            let counts = count_board.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            snapshot.counts = counts.values().cloned().collect();
            snapshot.schedules = schedules.status();
            snapshot
        })
    };
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        runtime.spawn(show_import(Arc::clone(&board), stop.clone()));
    }
    for connect::OrderLane { lane, name, platform, soon } in pollers {
        let (commands, clock) = (parts.commands.clone(), Arc::clone(&clock));
        let (database, poll) = (folder.database(), config.online_orders.poll);
        runtime.spawn(OrderPoller { lane, name, platform, commands, clock, database, poll, soon }.run(stop.clone()));
    }
    for door in &parts.doors {
        runtime.spawn(Arc::clone(door).serve(stop.clone()));
    }
    let served = runtime.block_on(serve(config, platforms, works, parts.commands.clone(), snapshot, stop.clone()));
    stop.cancel();
    parts.stop();
    drop(runtime);
    served
}

/// Whole units that a shop is never told: a started one counts.
fn buffers(config: &Config) -> reconcile::BufferOf {
    let buffers = config.buffers.clone();
    Arc::new(move |lane, sku| buffers.of(lane, sku).negated().floor_units().saturating_neg())
}

fn stamp(clock: &Clock) -> String {
    crate::clock::rfc3339(clock.now()).chars().filter(char::is_ascii_alphanumeric).take(15).collect()
}

fn note_recovery(opened: &Opened) {
    match opened {
        Opened::Good => {}
        Opened::Rebuilt { aside, from, .. } => tracing::warn!(
            aside = %aside.display(),
            from_backup = from.is_some(),
            "Started from a rebuilt database; the shop's numbers are read back before anything is written"
        ),
    }
}

#[expect(clippy::too_many_arguments, clippy::too_many_lines, reason = "the parts of the agent, each once")]
fn start(
    config: &Config,
    folder: &StateFolder,
    writer: Writer,
    (commands, writer_commands): (Commands, Receiver<Command>),
    names: &[String],
    clock: &Arc<Clock>,
    disk: &Arc<Disk>,
    asks: reconcile::Asks,
) -> anyhow::Result<Parts> {
    let mut readers: Vec<Box<dyn PosSource>> = Vec::new();
    for source in &config.sources {
        readers.push(connect::source(source, config)?);
    }
    let doors = readers
        .iter()
        .filter_map(|source| source.inbox())
        .map(|inbox| Arc::new(SalesReceiver::new(inbox, Arc::clone(clock))))
        .collect();
    let writer = spawn("writer", move || writer.run(&writer_commands))?;
    let mut sources = Vec::new();
    let mut watched = Vec::new();
    for (index, (mut source, name)) in readers.into_iter().zip(names).enumerate() {
        let (wake, wakes) = channel();
        let woken = std::sync::Mutex::new(wake.clone());
        source.wake_with(Waker::new(move || {
            // A source that has ended needs no wake.
            let _ended = woken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).send(Wake::Scan);
        }));
        watched.extend(source.watched().into_iter().map(|path| (path, wake.clone())));
        let thread = SourceThread {
            index,
            source,
            wakes,
            wake: wake.clone(),
            commands: commands.clone(),
            clock: Arc::clone(clock),
            disk: Arc::clone(disk),
        };
        sources.push((name.clone(), wake, spawn("source", move || thread.run())?));
    }
    let mut helpers = Vec::new();
    let (wake, wakes) = channel();
    let state = folder.path().to_owned();
    let asked = requests::folder(&state);
    std::fs::create_dir_all(&asked).with_context(|| format!("cannot make `{}`", asked.display()))?;
    watched.push((asked, wake.clone()));
    let (to_writer, routes) =
        (commands.clone(), sources.iter().map(|(name, wake, _)| (name.clone(), wake.clone())).collect::<Vec<_>>());
    let again: Box<requests::Replay> = {
        let (config, clock, commands) = (config.clone(), Arc::clone(clock), commands.clone());
        Box::new(move |source, path| replay::replay(&config, &clock, &commands, source, path))
    };
    let count_board = counts::CountBoard::default();
    let after_count = config.reconcile.after_count;
    let taken_in = {
        let asks = asks.clone();
        Box::new(move || {
            if after_count {
                // Without a reconciler there is nothing to compare.
                let _ended = asks.send(reconcile_ask("count"));
            }
        })
    };
    let (counting, counts) = counts::Counts::new(
        config,
        commands.clone(),
        Arc::clone(clock),
        folder.database(),
        routes.clone(),
        Arc::clone(&count_board),
        taken_in,
    );
    let counts = (counts, spawn("counts", move || counting.run())?);
    let passed_on = requests::Helpers { replay: again, reconcile: asks, counts: counts.0.clone() };
    helpers.push((wake, spawn("requests", move || requests::serve(&state, &wakes, &to_writer, &routes, &passed_on))?));
    for feed in &config.feeds {
        let (wake, wakes) = channel();
        watched.extend(FeedThread::watched(feed).map(|folder| (folder, wake.clone())));
        let thread = FeedThread::new(feed, config, folder, commands.clone(), wakes);
        helpers.push((wake, spawn("list", move || thread.run())?));
    }
    let (wake, wakes) = channel();
    let upkeep = upkeep::Upkeep::new(config, folder, Arc::clone(clock), commands.clone());
    helpers.push((wake, spawn("upkeep", move || upkeep.run(&wakes))?));
    Ok(Parts { writer, commands, sources, doors, helpers, counts, count_board, _events: FileEvents::watch(watched) })
}

fn reconcile_ask(who: &str) -> reconcile::Ask {
    reconcile::Ask { platform: None, what: reconcile::What::Run, who: who.to_owned(), reply: None }
}

/// What is due by itself.
fn schedules(
    config: &Config,
    folder: &StateFolder,
    parts: &Parts,
    clock: &Arc<Clock>,
    reconcile: reconcile::Asks,
) -> Arc<Schedules> {
    let store = Arc::new(WriterStore::new(parts.commands.clone(), folder.database()));
    let now = Arc::clone(clock);
    let mut schedules = Schedules::new(&config.store.timezone_name, store, Arc::new(move || now.now()));
    for count in &config.counts {
        let Some(rhythm) = count.rhythm.clone() else { continue };
        let (asks, name) = (parts.counts.0.clone(), count.settings.name.clone());
        schedules.add(&format!("count {name}"), rhythm, move || {
            let (reply, answer) = tokio::sync::oneshot::channel();
            let what = counts::What::Now { name: name.clone(), dry_run: false };
            let told: counts::Reply = Box::new(move |done| drop(reply.send(done)));
            let sent = asks.send(counts::Ask::Do { what, who: "schedule".to_owned(), reply: told });
            async move {
                sent.map_err(|_| "the agent is stopping".to_owned())?;
                let answers = answer.await.map_err(|_| "the agent is stopping".to_owned())??;
                Ok(counts::in_words(&answers))
            }
        });
    }
    if let Some(rhythm) = config.reconcile.schedule.as_deref().and_then(|pattern| Rhythm::cron(pattern).ok()) {
        schedules.add("reconcile", rhythm, move || {
            let sent = reconcile.send(reconcile_ask("schedule"));
            async move { sent.map(|()| "begun".to_owned()).map_err(|_| "the agent is stopping".to_owned()) }
        });
    }
    Arc::new(schedules)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .with_context(|| format!("cannot start the thread `{name}`"))
}

impl Parts {
    fn stop(self) {
        let _ended = self.counts.0.send(counts::Ask::Stop);
        join(self.counts.1);
        for (wake, thread) in self.sources.into_iter().map(|(_, wake, thread)| (wake, thread)).chain(self.helpers) {
            let _ended = wake.send(Wake::Stop);
            join(thread);
        }
        let _ended = self.commands.send(Command::Stop);
        join(self.writer);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("A thread ended in a panic; what it had not stored is read or sent again after the next start");
    }
}

/// A progress bar while a backlog is imported; ends with it.
async fn show_import(board: Arc<Board>, stop: CancellationToken) {
    const LOOK_EVERY: Duration = Duration::from_millis(250);
    /// Less is imported before a bar could be read.
    const BACKLOG_SHOWN_MIN: u64 = 8 * 1024 * 1024;
    let mut bar: Option<Progress> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let facts = board.facts();
        let read: u64 = facts.sources.iter().map(|source| source.bytes).sum();
        let left: u64 = facts.sources.iter().filter_map(|source| source.backlog).sum();
        if bar.is_none() && left >= BACKLOG_SHOWN_MIN {
            bar = Some(Progress::new("importing the backlog", Some(read + left), Unit::Bytes, Form::Human));
        }
        if let Some(bar) = &bar {
            bar.total(read + left);
            bar.set(read);
        }
        if left == 0 && facts.sources.iter().all(|source| source.caught_up || source.fault.is_some()) {
            if let Some(bar) = bar {
                bar.finish();
            }
            return;
        }
    }
}

async fn serve(
    config: &Config,
    platforms: Vec<Arc<dyn Platform>>,
    works: tokio::sync::mpsc::UnboundedReceiver<Work>,
    commands: Commands,
    snapshot: Arc<dyn Fn() -> StatusSnapshot + Send + Sync>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let push = tokio::spawn(push::run(platforms, works, commands, stop.clone()));
    let server = match &config.status {
        Some(settings) => {
            let server = StatusServer::bind(settings.listen).await?;
            tracing::info!(address = %server.address(), "Status page");
            Some(tokio::spawn(server.serve(snapshot, stop.clone())))
        }
        None => None,
    };
    ready();
    let ended = tokio::select! {
        ended = signal() => ended.context("cannot wait for a signal"),
        // The push loop ends early only if the writer has.
        ended = push => {
            ended.context("the network side ended in a panic")?;
            anyhow::bail!("the writer ended by itself; see the log")
        }
    };
    tracing::info!("Stopping");
    stopping();
    stop.cancel();
    if let Some(server) = server {
        server.await.context("the status server ended in a panic")??;
    }
    ended
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(unix)]
fn ready() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "No service manager to tell");
    }
}

#[cfg(unix)]
fn stopping() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Stopping]) {
        tracing::debug!(%error, "No service manager to tell");
    }
}

#[cfg(not(unix))]
fn ready() {}

#[cfg(not(unix))]
fn stopping() {}
