//! The status page: the summary and the main figures as plain HTML, without scripts. Pure.

use std::fmt::Write;

use super::{LaneState, SourceState, StatusSnapshot, ago, summary};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f23}\
h1{font-size:1.3rem}table{border-collapse:collapse;margin:1rem 0}td,th{text-align:left;padding:.2rem 1rem .2rem 0}\
td.n{text-align:right}.good{color:#116329}.bad{color:#a40e26}p:first-of-type{font-size:1.2rem}\
@media(prefers-color-scheme:dark){body{background:#15181c;color:#e6e6e6}.good{color:#6fdd8b}.bad{color:#ff8182}}";

/// The page. It asks for itself again every 10 s.
#[must_use]
pub fn html(status: &StatusSnapshot) -> String {
    let mut out = String::with_capacity(4 * 1024);
    let tone = if status.healthy { "good" } else { "bad" };
    let mut push = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("writing to a string does not fail");
    push(format_args!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"refresh\" content=\"10\"><title>{0}: Tillsync</title><style>{STYLE}</style></head><body><h1>{0}</h1>",
        escape(&status.store)
    ));
    for (index, line) in summary(status).lines().enumerate() {
        let class = if index == 0 { format!(" class=\"{tone}\"") } else { String::new() };
        push(format_args!("<p{class}>{}</p>", escape(line)));
    }
    push(format_args!("<table><tr><th>Source<th>State<th>Last sale<th>Lines<th>Quarantined</tr>"));
    for source in &status.sources {
        let state = match source.state {
            SourceState::Ok => "ok",
            SourceState::Waiting => "waiting",
            SourceState::Error => "error",
        };
        let sale = source.last_sale_at.map_or_else(|| "none yet".to_owned(), |at| ago(status.now, at));
        push(format_args!(
            "<tr><td>{}<td>{state}<td>{sale}<td class=\"n\">{}<td class=\"n\">{}</tr>",
            escape(&source.name),
            source.lines,
            source.quarantined
        ));
    }
    push(format_args!(
        "</table><table><tr><th>Platform<th>State<th>Waiting lines<th>Delivered lines<th>Unknown articles<th>Refused</tr>"
    ));
    for lane in &status.lanes {
        let state = match lane.state {
            LaneState::Open => "open",
            LaneState::BackingOff => "backing off",
            LaneState::Paused => "paused",
        };
        push(format_args!(
            "<tr><td>{}<td>{state}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
            escape(&lane.name),
            lane.waiting_lines,
            lane.delivered_lines,
            lane.unknown_skus,
            lane.dead_letters
        ));
    }
    push(format_args!(
        "</table><p>Tillsync {}. <a href=\"/api/status\">JSON</a>, <a href=\"/metrics\">metrics</a></p></body></html>\n",
        escape(&status.version)
    ));
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::snapshot;
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_page() {
        let mut status = snapshot();
        status.store = "<script>alert(1)</script>".to_owned();
        status.lanes[0].name = "\"><img src=x>".to_owned();
        let page = html(&status);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("All is well"));
    }
}
