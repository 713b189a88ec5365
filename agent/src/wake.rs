//! File events wake sources. They are a hint only: every source also scans on its own (network shares send none).

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::ingest::Wake;

/// Keeps the watch alive.
pub struct FileEvents {
    _watcher: Option<RecommendedWatcher>,
}

impl FileEvents {
    /// Watches folders for sources. A folder that cannot be watched is left to the scan, and logged.
    pub fn watch(wanted: Vec<(PathBuf, Sender<Wake>)>) -> Self {
        let routes: Vec<Route> = wanted.into_iter().map(|(folder, wakes)| Route::new(folder, wakes)).collect();
        let mut folders: Vec<PathBuf> = routes.iter().map(|route| route.absolute.clone()).collect();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| dispatch(&routes, event));
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "No file events on this machine; sources are scanned at their interval");
                return Self { _watcher: None };
            }
        };
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "No file events here; the folder is scanned at its interval");
            }
        }
        Self { _watcher: Some(watcher) }
    }
}

/// A folder as its source names it, and as events do.
struct Route {
    named: PathBuf,
    absolute: PathBuf,
    wakes: Sender<Wake>,
}

impl Route {
    fn new(named: PathBuf, wakes: Sender<Wake>) -> Self {
        let absolute = std::path::absolute(&named).unwrap_or_else(|_| named.clone());
        Self { named, absolute, wakes }
    }

    /// The path of an event as the source names it, if it lies in the folder.
    fn translate(&self, path: &Path) -> Option<PathBuf> {
        if path == self.absolute {
            return Some(self.named.clone());
        }
        (path.parent() == Some(&self.absolute)).then(|| path.file_name().map(|name| self.named.join(name)))?
    }
}

fn dispatch(routes: &[Route], event: notify::Result<Event>) {
    match event {
        Ok(event) if event.need_rescan() => wake_all(routes),
        Ok(event) => {
            if !changes_content(event.kind) {
                return;
            }
            for route in routes {
                let paths: Vec<PathBuf> = event.paths.iter().filter_map(|path| route.translate(path)).collect();
                // A source that has ended needs no wake.
                let _ended = (!paths.is_empty()).then(|| route.wakes.send(Wake::Changed(paths)));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "File events were lost; scanning");
            wake_all(routes);
        }
    }
}

fn changes_content(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

fn wake_all(routes: &[Route]) {
    for route in routes {
        let _ended = route.wakes.send(Wake::Scan);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reaches_its_source_under_the_name_that_the_source_uses() {
        let (wakes, _woken) = std::sync::mpsc::channel();
        let route = Route::new(PathBuf::from("sales"), wakes);
        let absolute = std::path::absolute("sales").expect("a working folder");
        assert_eq!(route.translate(&absolute.join("r1.csv")), Some(PathBuf::from("sales/r1.csv")));
        assert_eq!(route.translate(&absolute.join("deeper/r1.csv")), None);
        assert_eq!(route.translate(Path::new("/elsewhere/r1.csv")), None);
    }
}
