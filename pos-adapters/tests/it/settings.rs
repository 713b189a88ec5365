//! What a person writes, and what is said about it.

use jiff::tz::TimeZone;
use pos_adapters::file::{FileSettings, FileSource};

#[test]
fn all_faults_are_told_at_once_with_their_keys() {
    let settings = r#"{"name": "", "path": "a/**", "encoding": "cp9", "timezone": "Mars/Base", "scan": "5", "settle": "1h",
        "delimiter": "ab", "vanish_limit": 2, "columns": {"transaction": [], "time": "x"}, "signs": {"quantity": "by-kind"},
        "status": {"cancelled": ["x"]}, "ignore": [{"rule": "r", "column": "c"}]}"#;
    let settings: FileSettings = serde_json::from_str(settings).unwrap();
    let faults = FileSource::new(settings, TimeZone::UTC).unwrap_err();
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    for key in [
        "name",
        "path",
        "encoding",
        "timezone",
        "scan",
        "settle",
        "delimiter",
        "vanish_limit",
        "columns.transaction",
        "columns.date",
        "signs",
        "columns.status",
        "ignore[0]",
    ] {
        assert!(keys.contains(&key), "{key} is not among {keys:?}");
    }
}

#[test]
fn unknown_keys_are_refused_and_the_least_is_a_name_and_a_path() {
    assert!(serde_json::from_str::<FileSettings>(r#"{"name": "a", "path": "b", "colour": 1}"#).is_err());
    let least: FileSettings = serde_json::from_str(r#"{"name": "a", "path": "b.csv"}"#).unwrap();
    assert!(FileSource::new(least, TimeZone::UTC).is_ok());
}

#[test]
fn every_key_is_described_in_the_schema() {
    let schema = schemars::schema_for!(FileSettings);
    let keys = schema.get("properties").and_then(|p| p.as_object()).unwrap();
    assert!(keys.values().all(|key| key.get("description").is_some()), "{keys:?}");
}
