//! One listening socket of a stand-in, which can go away and come back on the same port.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::wire::{Connection, Doorway};

/// A server on 127.0.0.1.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    router: Router,
    running: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn open(port: u16, router: Router) -> anyhow::Result<Self> {
        let mut server = Self { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), router, running: None };
        server.reopen().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Listens again on the same port, if it is closed.
    ///
    /// # Errors
    /// The port was taken by somebody else meanwhile.
    pub async fn reopen(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.addr).await.with_context(|| format!("cannot listen on {}", self.addr))?;
        self.addr = listener.local_addr().context("the listening socket has no address")?;
        let closed = Arc::new(AtomicBool::new(false));
        let doorway = Doorway::new(listener, Arc::clone(&closed));
        let service = self.router.clone().into_make_service_with_connect_info::<Connection>();
        let task = tokio::spawn(async move {
            // Only ends when it is aborted: accepting never fails for good.
            drop(axum::serve(doorway, service).await);
        });
        self.running = Some((task, closed));
        Ok(())
    }

    /// Refuses new connections and breaks those that are open. Requests being worked on are still applied.
    pub async fn close(&mut self) {
        if let Some((task, closed)) = self.running.take() {
            closed.store(true, Ordering::Relaxed);
            task.abort();
            drop(task.await);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((task, closed)) = &self.running {
            closed.store(true, Ordering::Relaxed);
            task.abort();
        }
    }
}
