//! File events wake sources. They are a hint only: every source also scans on its own (network shares send none).

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::ingest::Wake;

/// Keeps the watch alive.
pub struct FileEvents {
    watcher: Option<RecommendedWatcher>,
}

impl FileEvents {
    /// Watches folders for sources. A folder that cannot be watched is left to the scan, and logged.
    pub fn watch(wanted: Vec<(PathBuf, Sender<Wake>)>) -> Self {
        let routes = wanted.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| route(&routes, event));
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "No file events on this machine; sources are scanned at their interval");
                return Self { watcher: None };
            }
        };
        let mut folders: Vec<&PathBuf> = wanted.iter().map(|(folder, _)| folder).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "No file events here; the folder is scanned at its interval");
            }
        }
        Self { watcher: Some(watcher) }
    }

    /// Whether events can come at all.
    pub fn is_watching(&self) -> bool {
        self.watcher.is_some()
    }
}

fn route(routes: &[(PathBuf, Sender<Wake>)], event: notify::Result<Event>) {
    match event {
        Ok(event) if event.need_rescan() => wake_all(routes),
        Ok(event) => {
            if !changes_content(event.kind) {
                return;
            }
            for (folder, wakes) in routes {
                let paths: Vec<PathBuf> = event.paths.iter().filter(|path| is_in(path, folder)).cloned().collect();
                // A source that has ended needs no wake.
                let _ended = (!paths.is_empty()).then(|| wakes.send(Wake::Changed(paths)));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "File events were lost; scanning");
            wake_all(routes);
        }
    }
}

fn is_in(path: &Path, folder: &Path) -> bool {
    path.parent() == Some(folder) || path == folder
}

fn changes_content(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

fn wake_all(routes: &[(PathBuf, Sender<Wake>)]) {
    for (_, wakes) in routes {
        let _ended = wakes.send(Wake::Scan);
    }
}
