//! The contract probe, against honest platforms and against some that break a promise.

use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::Answer;
use system_tests::adobe::{AdobeSettings as SiteSettings, StandInAdobe};
use system_tests::decimal::Decimal;
use system_tests::faults::{Fault, FaultRule};
use system_tests::shop::{NewItem, SchemaChoice, ShopSettings, StandInShop};
use tillsync::platform::adobe::{Adobe, AdobeSettings, Auth as SiteAuth};
use tillsync::platform::contract::{ContractReport, Pace, Verdict, find, probe};
use tillsync::platform::shopify::{Auth, Location, Shopify, ShopifySettings};
use tillsync::platform::{
    Absolute, Call, CallFailure, Change, Found, LevelPage, Platform, ProbeReport, ReadBack, Seen, Traits,
};
use tillsync::secret::SecretRef;

use super::server::{clock, http};

const PACE: Pace = Pace { look_every: std::time::Duration::from_millis(2), looks: 3 };

async fn shop(settings: ShopSettings) -> (StandInShop, Shopify, tempfile::TempDir) {
    let standin = StandInShop::start(ShopSettings { schema: SchemaChoice::Off, ..settings }).await.unwrap();
    standin.add_item(NewItem::stocked("OTHER", 1));
    standin.add_item(NewItem::stocked("PROBE-1", 5));
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("token");
    std::fs::write(&path, "stand-in-token").unwrap();
    let auth = Auth::StaticToken(SecretRef::File(path));
    let location = Location::parse(&standin.location());
    let settings = ShopifySettings::new(standin.url().parse().unwrap(), location, auth);
    let shop = Shopify::new(settings, http(), clock());
    (standin, shop, kept)
}

async fn run(platform: &dyn Platform) -> ContractReport {
    let subject = find(platform, &Sku::from("PROBE-1")).await.unwrap();
    probe(("shop", "shopify"), platform, subject, &clock(), PACE).await
}

fn verdict(report: &ContractReport, step: &str) -> Verdict {
    let found = report.findings.iter().find(|finding| finding.step == step);
    found.unwrap_or_else(|| panic!("{step}: {report:#?}")).verdict
}

#[tokio::test]
async fn an_honest_shop_keeps_what_is_relied_on_and_has_its_number_back() {
    let (standin, shop, _kept) = shop(ShopSettings::default()).await;
    let report = run(&shop).await;
    assert!(!report.is_broken(), "{report:#?}");
    for step in ["look_up", "change", "evidence", "key", "compare_and_set", "levels", "put_back"] {
        assert_eq!(verdict(&report, step), Verdict::Kept, "{step}: {report:#?}");
    }
    assert_eq!((report.before, report.after), (Some(5), Some(5)));
    assert_eq!(standin.level("PROBE-1").unwrap().on_hand(), 5);
    assert_eq!(standin.level("OTHER").unwrap().on_hand(), 1);
    assert!(report.conclusion.contains("keys that stop a repeat"), "{}", report.conclusion);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["verdict"], "kept");
}

#[tokio::test]
async fn a_shop_that_forgets_keys_is_found_out() {
    let (standin, shop, _kept) = shop(ShopSettings { ignores_keys: true, ..ShopSettings::default() }).await;
    let report = run(&shop).await;
    assert_eq!(verdict(&report, "key"), Verdict::Broken, "{report:#?}");
    assert_eq!(verdict(&report, "compare_and_set"), Verdict::Kept);
    assert!(report.conclusion.contains("key"), "{}", report.conclusion);
    assert_eq!(standin.level("PROBE-1").unwrap().on_hand(), 5);
}

#[tokio::test]
async fn a_shop_that_does_not_compare_is_found_out() {
    let (standin, shop, _kept) = shop(ShopSettings { ignores_expected: true, ..ShopSettings::default() }).await;
    let report = run(&shop).await;
    assert_eq!(verdict(&report, "compare_and_set"), Verdict::Broken, "{report:#?}");
    assert_eq!(verdict(&report, "key"), Verdict::Kept);
    assert_eq!((report.after, standin.level("PROBE-1").unwrap().on_hand()), (Some(5), 5));
}

#[tokio::test]
async fn a_shop_that_does_not_answer_clearly_is_not_called_broken() {
    let (standin, shop, _kept) = shop(ShopSettings::default()).await;
    standin.fault(FaultRule::next(Fault::ReplyLost, 1));
    let report = run(&shop).await;
    assert_eq!(verdict(&report, "change"), Verdict::Unclear, "{report:#?}");
    assert!(!report.is_broken());
    assert_eq!((report.after, standin.level("PROBE-1").unwrap().on_hand()), (Some(5), 5));
    assert!(report.conclusion.contains("not all could be found out"), "{}", report.conclusion);
}

#[tokio::test]
async fn an_article_that_is_not_there_is_not_probed() {
    let (standin, shop, _kept) = shop(ShopSettings::default()).await;
    let before = standin.arrival_count();
    let refused = find(&shop, &Sku::from("NOT-THERE")).await.unwrap_err();
    assert!(refused.contains("NOT-THERE"), "{refused}");
    assert_eq!(standin.arrival_count(), before);
}

#[tokio::test]
async fn a_site_that_takes_numbers_only_is_probed_by_numbers() {
    let bearer = Some("stand-in-bearer".to_owned());
    let site = StandInAdobe::start(SiteSettings { bearer, ..SiteSettings::default() }).await.unwrap();
    site.add_item("PROBE-1", 5);
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("token");
    std::fs::write(&path, "stand-in-bearer").unwrap();
    let auth = SiteAuth::Bearer(SecretRef::File(path));
    let rest = format!("{}/rest/V1", site.url()).parse().unwrap();
    let shop = Adobe::new(AdobeSettings::new(rest, "main-street", auth), http(), clock());
    let report = run(&shop).await;
    assert!(!report.is_broken(), "{report:#?}");
    assert_eq!((verdict(&report, "absolute"), verdict(&report, "key")), (Verdict::Kept, Verdict::Kept));
    assert!(report.findings.iter().all(|finding| finding.step != "compare_and_set"));
    assert_eq!(site.quantity("PROBE-1"), Some(Decimal::units(5)));
}

/// A platform whose evidence says the same of every change.
struct Claims<'a>(&'a Shopify, Evidence);

impl Platform for Claims<'_> {
    fn traits(&self) -> Traits {
        self.0.traits()
    }

    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        self.0.encode(key, changes)
    }

    fn encode_absolute(&self, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        self.0.encode_absolute(key, rows)
    }

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: std::sync::Arc<[u8]>) -> Call<'a, Answer> {
        self.0.send(key, body)
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        self.0.look_up(skus)
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(async move {
            let seen = self.0.read_back(question).await?;
            Ok(seen.into_iter().map(|seen| Seen { evidence: self.1, ..seen }).collect())
        })
    }

    fn levels(&self, _page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        Box::pin(std::future::ready(Ok(LevelPage::default())))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        self.0.probe()
    }
}

#[tokio::test]
async fn false_evidence_and_missing_numbers_are_found_out() {
    let (standin, shop, _kept) = shop(ShopSettings::default()).await;
    for evidence in [Evidence::Applied, Evidence::NotApplied] {
        let report = run(&Claims(&shop, evidence)).await;
        assert_eq!(verdict(&report, "evidence"), Verdict::Broken, "{report:#?}");
        assert_eq!(verdict(&report, "levels"), Verdict::Broken, "{report:#?}");
        assert_eq!(standin.level("PROBE-1").unwrap().on_hand(), 5);
    }
}
