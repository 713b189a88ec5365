//! What a configuration may say, and how each mistake in it is told.

use std::path::Path;
use std::str::FromStr;

use super::*;

const MINIMAL: &str = "[store]\nid = \"s1\"\n[[source]]\nname = \"a\"\nkind = \"file\"\npath = \"/srv/a.jsonl\"\n\
                       format = \"jsonl\"\n[source.columns]\ntransaction = \"t\"\nsku = \"s\"\nquantity = \"q\"\n";

fn faults_of(text: &str) -> Vec<ConfigFault> {
    parse(text, Path::new("agent.toml")).map(|config| config.warnings).unwrap_or_else(|faults| faults.faults)
}

/// Exactly one error, at this line, with this code, key and a piece of the help.
#[track_caller]
fn check(extra: &str, line: usize, code: FaultCode, key: &str, help: &str) {
    let text = format!("{MINIMAL}{extra}");
    let faults = faults_of(&text);
    let errors: Vec<_> = faults.iter().filter(|fault| fault.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{faults:#?}");
    assert_eq!((errors[0].code, errors[0].key.as_str()), (code, key), "{errors:#?}");
    assert_eq!(errors[0].line, Some(line), "{errors:#?}");
    let told = format!("{} {}", errors[0].message, errors[0].hint.clone().unwrap_or_default());
    assert!(told.contains(help), "`{help}` is not in: {told}");
}

const FIRST: usize = 12;

#[test]
fn the_example_is_complete_and_accepted() {
    let config = parse(EXAMPLE, Path::new("agent.example.toml")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.warnings, []);
    assert_eq!(config.store.id.as_str(), "store-12");
    assert_eq!(config.sources.len(), 1);
    assert_eq!(config.platforms.len(), 2);
    assert_eq!(config.platforms[1].secrets().len(), 2);
}

#[test]
fn the_example_names_every_key() {
    for key in ["store", "state", "reconcile", "status", "log", "look_up", "backup", "shopify", "http"] {
        assert!(EXAMPLE.contains(key), "{key}");
    }
    let schema: serde_json::Value = serde_json::from_str(&reference::schema_json()).unwrap();
    for table in [
        "StoreTable",
        "StateTable",
        "ReconcileTable",
        "StatusTable",
        "LogTable",
        "BackupTable",
        "OnlineOrdersTable",
        "RecogniseTable",
        "BuffersTable",
        "FeedTable",
        "ListColumns",
        "ArticleSettings",
        "FileSettings",
        "FixedTable",
        "FixedRecord",
        "FixedField",
        "DbfTable",
        "SheetTable",
        "Columns",
        "Signs",
        "StatusWords",
        "IgnoreRule",
        "ReceiptSettings",
        "JournalSettings",
        "CaptureSettings",
        "DocumentSettings",
        "IgnoreArticles",
        "TicketSettings",
        "DatabaseSettings",
        "DatabaseQueries",
        "DatabaseRules",
        "ShopifyTable",
        "AdobeTable",
        "WooTable",
        "HttpTable",
        "PushedSettings",
        "PushedKey",
    ] {
        let properties = schema["$defs"][table]["properties"].as_object().unwrap();
        for key in properties.keys().filter(|key| {
            !["base_url", "columns", "signs", "status", "ignore", "fixed", "dbf", "sheet", "record", "field"]
                .contains(&key.as_str())
        }) {
            assert!(EXAMPLE.contains(&format!("{key} = ")), "the example does not show `{key}` of {table}");
        }
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse(MINIMAL, Path::new("agent.toml")).unwrap();
    assert_eq!(config.state.retention_days, 400);
    assert_eq!(config.state.batch_history_days, 30);
    assert_eq!(config.store.timezone_name, "UTC");
    assert_eq!(config.status.unwrap().listen.to_string(), "127.0.0.1:7737");
    assert_eq!(config.log.format, LogFormat::Auto);
    assert_eq!(config.look_up.retry_most, Duration::from_secs(900));
    assert_eq!(config.backup.keep, 7);
    assert_eq!(config.warnings.len(), 1, "no platform is worth a warning");
}

#[test]
fn an_unknown_key_names_the_nearest_one() {
    check("[status]\nlistn = \"off\"\n", FIRST + 1, FaultCode::UnknownKey, "status.listn", "did you mean `listen`?");
    check(
        "[[source]]\nname=\"b\"\nkind=\"file\"\npaht = \"x\"\npath=\"y\"\nformat=\"jsonl\"\ncolumns={transaction=\"t\",sku=\"s\",quantity=\"q\"}\n",
        FIRST + 3,
        FaultCode::UnknownKey,
        "source[1].paht",
        "did you mean `path`?",
    );
    check("[statsu]\nlisten = \"off\"\n", FIRST, FaultCode::UnknownKey, "statsu", "did you mean `status`?");
}

#[test]
fn an_unknown_key_below_a_table_of_a_source_is_found_at_its_line() {
    check("qantity = \"x\"\n", FIRST, FaultCode::UnknownKey, "source[0].columns.qantity", "did you mean `quantity`?");
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    check(
        "[status]\nlisten = 7737\n",
        FIRST + 1,
        FaultCode::WrongType,
        "status.listen",
        "text in quotes expected, found integer `7737`",
    );
    check(
        "[log]\nfile_max_mb = \"10\"\n",
        FIRST + 1,
        FaultCode::WrongType,
        "log.file_max_mb",
        "a whole number expected",
    );
}

#[test]
fn a_value_out_of_range_says_the_range() {
    check("[state]\nretention_days = 5\n", FIRST + 1, FaultCode::NotAllowed, "state.retention_days", "30 to 3650");
    check("[backup]\nevery = \"10m\"\n", FIRST + 1, FaultCode::NotAllowed, "backup.every", "1h to 30d");
    check("[backup]\nevery = \"often\"\n", FIRST + 1, FaultCode::NotAllowed, "backup.every", "no duration");
    check(
        "[look_up]\nretry = { first = \"1h\", most = \"1m\" }\n",
        FIRST + 1,
        FaultCode::NotAllowed,
        "look_up.retry.most",
        "shorter",
    );
}

#[test]
fn a_wrong_word_names_the_words() {
    check("[log]\nformat = \"jsn\"\n", FIRST + 1, FaultCode::NotAllowed, "log.format", "did you mean `json`?");
    check("[log]\nlevel = \"inof\"\n", FIRST + 1, FaultCode::NotAllowed, "log.level", "did you mean `info`?");
}

#[test]
fn a_status_page_that_others_can_reach_is_refused() {
    check("[status]\nlisten = \"0.0.0.0:7737\"\n", FIRST + 1, FaultCode::NotAllowed, "status.listen", "loopback");
    check("[status]\nlisten = \"7737\"\n", FIRST + 1, FaultCode::NotAllowed, "status.listen", "address with a port");
}

#[test]
fn a_collector_sends_whole_tickets_one_by_one_to_whom_it_trusts() {
    const DOOR: &str =
        "[[platform]]\nkind = \"http\"\nurl = \"https://192.168.1.10:7738/sales/till-1\"\nsecret = \"env:A\"\n";
    let digest = "AB:".repeat(31) + "ab";
    let text = format!("{MINIMAL}\n{DOOR}body = \"transactions\"\nfingerprint = \"SHA256:{digest}\"\n");
    let config = parse(&text, Path::new("agent.toml")).unwrap();
    let PlatformConfig::Http(http) = &config.platforms[0] else { panic!("not the platform that was written") };
    assert_eq!((http.contents, &http.trust), (Contents::Transactions, &Trust::Fingerprint([0xab; 32])));

    let merged = format!("{DOOR}body = \"transactions\"\nmerge = true\n");
    check(&merged, FIRST + 5, FaultCode::NotAllowed, "platform[0].merge", "`merge` has no meaning");
    for fingerprint in ["abc", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
        let text = format!("{DOOR}fingerprint = \"{fingerprint}\"\n");
        check(&text, FIRST + 4, FaultCode::NotAllowed, "platform[0].fingerprint", "not the SHA-256");
    }
}

#[test]
fn kinds_of_other_builds_are_told_from_mistakes() {
    check(
        "[[source]]\nname = \"b\"\nkind = \"fiel\"\n",
        FIRST + 2,
        FaultCode::NotAllowed,
        "source[1].kind",
        "did you mean `file`?",
    );
    check("[[source]]\nname = \"b\"\n", FIRST, FaultCode::Missing, "source[1]", "`kind` is missing");
    check(
        "[[platform]]\nkind = \"prestashop\"\n",
        FIRST + 1,
        FaultCode::NotInThisBuild,
        "platform[0].kind",
        "`shopify`",
    );
    check("[central]\nurl = \"x\"\n", FIRST, FaultCode::NotInThisBuild, "central", "not in this build");
}

#[test]
fn one_bracket_in_place_of_two_is_explained() {
    let faults = faults_of("[store]\nid = \"s\"\n[source]\nname = \"a\"\n");
    assert_eq!((faults[0].line, faults[0].code), (Some(3), FaultCode::WrongType), "{faults:#?}");
    assert!(faults[0].hint.as_ref().unwrap().contains("[[source]]"));
}

#[test]
fn names_are_unique() {
    let second = MINIMAL.split_once("[[source]]").unwrap().1;
    check(&format!("[[source]]{second}"), FIRST + 1, FaultCode::Duplicate, "source[1].name", "its own `name`");
}

#[test]
fn a_secret_in_the_file_is_a_fault_that_does_not_show_it() {
    let secret = "shpat_0123456789abcdef";
    let other = "s3cr3t-w0rd";
    for extra in [
        format!("[[platform]]\nkind=\"shopify\"\nshop=\"x.myshopify.com\"\nlocation=\"1\"\ntoken = \"{secret}\"\n"),
        format!(
            "[[platform]]\nkind=\"shopify\"\nshop=\"x.myshopify.com\"\nlocation=\"1\"\ntokn = \"{other}\"\ntoken=\"env:T\"\n"
        ),
        format!(
            "[[platform]]\nkind=\"shopify\"\nshop=\"x.myshopify.com\"\nlocation=\"1\"\nclient_id=\"a\"\nclient_secret = \"{other}\"\n"
        ),
        format!("[[platform]]\nkind=\"shopify\"\nshop=\"x.myshopify.com\"\nlocation=\"1\"\ntoken = [\"{other}\"]\n"),
        format!("[[platform]]\nkind=\"http\"\nurl=\"https://me:{other}@example.com/\"\nsecret=\"env:S\"\n"),
        format!("[[platform]]\nkind=\"http\"\nurl=\"https://example.com/?token={other}\"\nsecret=\"env:S\"\n"),
        format!("[[platform]]\nkind=\"http\"\nurl=\"https://example.com/\"\nsecret=\"{other}\"\n"),
        format!(
            "[[platform]]\nkind=\"http\"\nurl=\"https://example.com/\"\nsecret=\"env:S\"\nheaders={{ X-Api-Key=\"{other}\" }}\n"
        ),
        format!(
            "[[platform]]\nkind=\"http\"\nurl=\"https://example.com/\"\nsecret=\"env:S\"\nheaders={{ Authorization=\"Bearer {other}\" }}\n"
        ),
        format!("[[platform]]\nkind=\"http\"\nurl=\"https://example.com/\"\nsecret = \"{other}\nx = 1\n"),
    ] {
        let Err(faults) = parse(&format!("{MINIMAL}{extra}"), Path::new("agent.toml")) else {
            panic!("accepted: {extra}")
        };
        let told = format!("{faults} {}", serde_json::to_string(&faults).unwrap());
        assert!(!told.contains(secret) && !told.contains(other), "{told}");
    }
}

#[test]
fn all_faults_come_at_once_in_the_order_of_lines() {
    let faults = faults_of(
        "[store]\nidd = 1\ntimezone = \"Europe/Berln\"\n[state]\nretention_days = 1\n[[source]]\nkind = \"file\"\npath = 3\n\
         [[platform]]\nkind = \"shopify\"\nshop = \"shop.example.com\"\nin_flight = 99\n[log]\nlevel = 4\nfomat = \"json\"\n",
    );
    let lines: Vec<_> = faults.iter().filter_map(|fault| fault.line).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    for (line, key) in [
        (2, "store.idd"),
        (1, "store.id"),
        (3, "store.timezone"),
        (5, "state.retention_days"),
        (8, "source[0].path"),
        (9, "platform[0].location"),
        (9, "platform[0].token"),
        (11, "platform[0].shop"),
        (12, "platform[0].in_flight"),
        (14, "log.level"),
        (15, "log.fomat"),
    ] {
        assert!(faults.iter().any(|fault| fault.line == Some(line) && fault.key == key), "{line} {key}: {faults:#?}");
    }
}

#[test]
fn syntax_faults_name_their_line() {
    let faults = faults_of("[store]\nid = \"a\nx = 1\n");
    assert_eq!((faults[0].line, faults[0].code), (Some(2), FaultCode::Syntax), "{faults:#?}");
    let faults = faults_of("[store]\nid = \"a\"\nid = \"b\"\n");
    assert_eq!((faults[0].line, faults[0].code), (Some(3), FaultCode::Syntax), "{faults:#?}");
}

#[test]
fn faults_print_like_a_compiler_does() {
    let faults = parse("[store]\nid = \"s1\"\n[status]\nlistn = \"x\"\n", Path::new("agent.toml")).unwrap_err();
    let text = faults.to_string();
    assert!(text.contains("error[config_unknown_key]: unknown key `listn`\n --> agent.toml:4:1\n  |\n4 | listn = ***\n  = key: status.listn\n  = help: did you mean `listen`?\n"), "{text}");
    assert!(text.ends_with("agent.toml: 2 faults, 1 warning"), "{text}");
}

#[test]
fn addresses_without_tls_stay_near() {
    let http =
        |url: &str| faults_of(&format!("{MINIMAL}[[platform]]\nkind=\"http\"\nsecret=\"env:S\"\nurl=\"{url}\"\n"));
    assert_eq!(http("http://127.0.0.1:9000/x"), []);
    assert_eq!(http("https://example.com/x"), []);
    assert_eq!(http("http://192.168.1.5/x")[0].severity, Severity::Warning);
    assert_eq!(http("http://example.com/x")[0].severity, Severity::Error);
    assert_eq!(http("ftp://example.com/x")[0].severity, Severity::Error);
}

#[test]
fn durations_are_read_and_written() {
    for (text, seconds) in [("90s", 90), ("15m", 900), ("1h 30m", 5400), ("2d", 172_800)] {
        assert_eq!(resolve::parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
    }
    for text in ["", "5", "m", "-1s", "1.5h", "1y", "99999999999999999999s"] {
        assert_eq!(resolve::parse_duration(text), None, "{text}");
    }
    assert_eq!(resolve::duration_text(Duration::from_secs(5400)), "90m");
}

#[test]
fn a_masked_configuration_shows_no_secret_and_no_person() {
    let text = format!(
        "# written by jane.doe@example.com, old token shpat_aaaaaaaaaaaa\n{MINIMAL}\
         [[platform]]\nkind = \"shopify\" # ask Jane\ntoken = \"shpat_bbbbbbbbbbbb\"\ntokn = \"cccccccccccc\"\nlocation = \"1\"\n\
         client_secret = \"env:CLIENT\"\n[[platform]]\nkind = \"http\"\nurl = \"https://u:dddddddd@example.com/x\"\n\
         headers = {{ Authorization = \"Bearer eeeeeeee\" }}\n[log]\nfile = \"/home/jane/t.log\"\n"
    );
    let masked = mask::mask_config(&text).unwrap();
    for hidden in ["jane", "Jane", "aaaa", "bbbb", "cccc", "dddd", "eeee"] {
        assert!(!masked.contains(hidden), "{hidden} in\n{masked}");
    }
    assert!(masked.contains("client_secret = \"env:CLIENT\""), "{masked}");
    assert!(masked.contains("id = \"s1\""), "{masked}");
    toml_edit::DocumentMut::from_str(&masked).expect("the masked text is TOML");
}

#[test]
fn scrubbing_hides_what_looks_secret_and_leaves_the_rest() {
    for (text, expected) in [
        ("token shpat_abcdef0123 refused", "token shpat_*** refused"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("card 4111 1111 1111 1111 used", "card *** used"),
        ("rows 5 4111-1111-1111-1111, 12", "rows 5 ***, 12"),
        ("at 1772366400000000 and 4111111111111112", "at 1772366400000000 and 4111111111111112"),
        ("ean 4006381333931 sold", "ean 4006381333931 sold"),
        ("https://u:p@example.com/x", "https://***@example.com/x"),
        ("mail to a.b@example.com now", "mail to *** now"),
        (r"C:\Users\Jane\pos", r"C:\Users\***\pos"),
        ("/srv/pos/sales.jsonl line 12", "/srv/pos/sales.jsonl line 12"),
    ] {
        assert_eq!(mask::scrub(text), expected);
    }
}

/// Writes the file anew if `TILLSYNC_UPDATE` is set; otherwise it has to be current.
fn current(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("TILLSYNC_UPDATE").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(found == expected, "{} is not current: run the tests with TILLSYNC_UPDATE=1", path.display());
}

#[test]
fn the_shipped_schema_is_current() {
    current("config/agent.schema.json", &reference::schema_json());
}

#[test]
fn the_reference_of_all_keys_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configure.md");
    let text = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let mark = "<!-- generated from here on: see agent/src/config/reference.rs -->\n\n";
    let (head, _) = text.split_once(mark).expect("the mark is there");
    current("docs/configure.md", &format!("{head}{mark}{}", reference::markdown()));
    for key in reference::key_names() {
        assert!(reference::markdown().contains(&key), "`{key}` is not in the reference");
    }
}

#[test]
fn every_fault_code_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let text = std::fs::read_to_string(path).unwrap();
    for code in FaultCode::ALL {
        assert!(text.contains(&format!("`{}`", code.as_str())), "{}", code.as_str());
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

#[test]
fn every_missing_key_of_a_source_is_named() {
    let faults = faults_of(
        "[store]\nid = \"s\"\n[[source]]\nkind = \"file\"\nfromat = \"csv\"\n[[source]]\nkind = \"file\"\npath = 3\n",
    );
    let found: Vec<_> = faults.iter().filter(|fault| fault.key.starts_with("source")).collect();
    let found: Vec<_> = found.iter().map(|fault| (fault.line, fault.code, fault.key.as_str())).collect();
    for expected in [
        (Some(3), FaultCode::Missing, "source[0].name"),
        (Some(3), FaultCode::Missing, "source[0].path"),
        (Some(5), FaultCode::UnknownKey, "source[0].fromat"),
        (Some(6), FaultCode::Missing, "source[1].name"),
        (Some(8), FaultCode::WrongType, "source[1].path"),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
}

#[test]
fn online_orders_and_buffers_are_resolved_for_each_platform() {
    let text = format!(
        "{MINIMAL}[[platform]]\nkind = \"http\"\nurl = \"https://example.com/\"\n\
         [online_orders]\npicks = \"pos\"\nplatform = {{ http = {{ picks = \"platform\" }} }}\n\
         [buffers]\ndefault = \"1\"\nsku = {{ A = \"2.5\" }}\nplatform = {{ http = {{ default = \"3\" }} }}\n"
    );
    let config = parse(&text, Path::new("agent.toml")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.online_orders.picks_of("http").as_str(), "platform");
    assert_eq!(config.online_orders.picks_of("shopify").as_str(), "pos");
    let buffer = |lane: &str, sku: &str| config.buffers.of(lane, &sku.into()).to_string();
    assert_eq!([buffer("http", "A"), buffer("http", "B"), buffer("shopify", "B")], ["2.5", "3", "1"]);
}

#[test]
fn settings_of_online_orders_and_lists_that_make_no_sense_are_told() {
    let not = FaultCode::NotAllowed;
    check("[online_orders]\npoll = \"2m\"\n", FIRST + 1, not, "online_orders.poll", "1m");
    let recognised = "[online_orders.recognise]\nskus = [\"WEB\"]\n";
    check(recognised, FIRST, not, "online_orders.recognise", "picks");
    check("[buffers]\ndefault = \"-1\"\n", FIRST + 1, not, "buffers.default", "no number of units");
    check("[buffers.platform.shop]\ndefault = \"1\"\n", FIRST, not, "buffers.platform.shop", "no platform");
    check("[[prices]]\nsource = \"a\"\n", FIRST + 1, not, "prices[0].source", "of kind `database`");
    check("[[prices]]\npath = \"p.csv\"\ncurrency = \"euro\"\n", FIRST + 2, not, "prices[0].currency", "`EUR`");
    check("[[incoming]]\nname = \"x\"\n", FIRST, FaultCode::Missing, "incoming[0].source", "CSV file");
}
