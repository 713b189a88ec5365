//! The companion plugin `tillsync-stock`: is it there, and what became of a key.

use std::time::Duration;

use sync_core::model::Timestamp;

use super::client::Client;
use super::wire::{PluginInfo, PluginQuestion, PluginReply, json};
use super::{KEY_WINDOW, PluginUse, classify};
use crate::platform::CallFailure;

/// The version of the plugin's contract that we speak.
const CONTRACT: u64 = 1;
/// How long it is believed that the plugin is there or not.
const BELIEVED_FOR: Duration = Duration::from_mins(10);

/// What was found, and when.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    at: Timestamp,
    plugin: Option<PluginInfo>,
}

impl PluginInfo {
    /// Whether it can be relied on.
    fn is_fit(&self) -> bool {
        let days = KEY_WINDOW.as_secs().div_euclid(24 * 3600);
        self.contract == CONTRACT && self.transactional && self.keep_days > days
    }
}

impl Client {
    /// The plugin, if it is to be used and is there.
    pub(super) async fn plugin(&self) -> Result<Option<PluginInfo>, CallFailure> {
        if self.settings.plugin == PluginUse::Off {
            return Ok(None);
        }
        let now = (self.clock)();
        let known = self.looked().clone();
        if let Some(known) = known.filter(|known| now.since(known.at) < BELIEVED_FOR) {
            return Ok(known.plugin);
        }
        let plugin = self.ask_plugin().await?.filter(PluginInfo::is_fit);
        *self.looked() = Some(Looked { at: now, plugin: plugin.clone() });
        Ok(plugin)
    }

    /// What the plugin says of itself, fit or not.
    pub(super) async fn ask_plugin(&self) -> Result<Option<PluginInfo>, CallFailure> {
        let outcome = self.get("tillsync/v1/info", &[]).await?;
        if classify::is_no_route(&outcome) {
            return Ok(None);
        }
        classify::read_reply::<PluginInfo>(outcome, (self.clock)()).map(|(info, _)| Some(info))
    }

    /// It was not there after all: look again before the next request.
    pub(super) fn forget_plugin(&self) {
        *self.looked() = None;
    }

    /// The items for which this key is in effect, if the plugin knows it. If it does not, it will never carry it out from
    /// now on. `None` without the plugin.
    pub(super) async fn plugin_outcome(&self, key: &str) -> Result<Option<Vec<String>>, CallFailure> {
        if self.plugin().await?.is_none() {
            return Ok(None);
        }
        let outcome = self.post("tillsync/v1/outcome", json(&PluginQuestion { key })).await?;
        if classify::is_no_route(&outcome) {
            self.forget_plugin();
            return Ok(None);
        }
        let (reply, _) = classify::read_reply::<PluginReply>(outcome, (self.clock)())?;
        let applied = reply.rows.into_iter().filter(|row| reply.known == Some(true) && row.status == "applied");
        Ok(Some(applied.map(|row| row.id).collect()))
    }
}
