//! The whole program in front of Adobe Commerce, which takes numbers only.

use std::time::Duration;

use system_tests::adobe::{AdobeSettings, StandInAdobe};
use system_tests::decimal::Decimal;
use system_tests::faults::{Fault, FaultRule};
use system_tests::world::{Audit, Registers, Setup, until};

use crate::support::{LONG, agent};

const BEARER_NAME: &str = "TILLSYNC_STAND_IN_BEARER";
const BEARER: &str = "stand-in-bearer";
/// A reply was lost: the platform is asked after 65 seconds.
const AFTER_SILENCE: Duration = Duration::from_secs(150);

async fn site() -> StandInAdobe {
    let settings = AdobeSettings { bearer: Some(BEARER.to_owned()), ..AdobeSettings::default() };
    let site = StandInAdobe::start(settings).await.unwrap();
    for sku in ["A", "B"] {
        site.add_item(sku, 100);
    }
    site
}

fn setup(folder: &std::path::Path, registers: &Registers, site: &StandInAdobe) -> Setup {
    let setup = Setup::new(agent(), folder).env(BEARER_NAME, BEARER);
    let platform = format!(
        "[[platform]]\nkind = \"adobe-commerce\"\nurl = {:?}\nsource = \"main-street\"\nbearer_token = \"env:{BEARER_NAME}\"\n",
        site.url()
    );
    setup.configure(&registers.source_tables(), &platform).unwrap();
    setup
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sales_are_subtracted_from_what_the_source_holds_and_orders_stay_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let site = site().await;
    let registers = Registers::plain(folder.path(), &["A".to_owned(), "B".to_owned()], 7);
    let setup = setup(folder.path(), &registers, &site);
    let mut till = registers.first().unwrap();
    let agent = setup.start().unwrap();
    let order = site.place_order(&[("A", 5)], None);
    till.sell(&[("A", Decimal::units(-2)), ("B", Decimal::units(-1))]).unwrap();
    let holds = |sku: &str, units| site.quantity(sku) == Some(Decimal::units(units));
    until("both are told", LONG, || Ok(holds("A", 98) && holds("B", 99))).await.unwrap();
    assert_eq!(site.with(|site| site.salable("A")), Decimal::units(93));
    site.ship(order, "main-street", &[("A", 5)]).unwrap();
    till.sell(&[("A", Decimal::units(-1))]).unwrap();
    until("a sale after the shipment is told", LONG, || Ok(holds("A", 92))).await.unwrap();
    assert_eq!(site.stats().invalid_requests, 0);
    agent.terminate().await.unwrap();
    assert!(setup.audit().unwrap().conserved, "{}", setup.log_text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_reply_and_a_lost_request_change_the_number_once() {
    let folder = tempfile::tempdir().unwrap();
    let site = site().await;
    let registers = Registers::plain(folder.path(), &["A".to_owned()], 7);
    let setup = setup(folder.path(), &registers, &site);
    let mut till = registers.first().unwrap();
    site.fault(FaultRule::next(Fault::ReplyLost, 1));
    site.fault(FaultRule::next(Fault::RequestLost, 1));
    till.sell(&[("A", Decimal::units(-3))]).unwrap();
    let agent = setup.start().unwrap();
    // Before the first sale is on record nothing is open either.
    let told = |audit: &Audit| audit.is_settled() && audit.lanes.first().is_some_and(|lane| lane.delivered > 0);
    let settled = || Ok(setup.audit().is_ok_and(|audit| told(&audit)));
    until("the first is settled", AFTER_SILENCE, settled).await.unwrap();
    assert_eq!(site.quantity("A"), Some(Decimal::units(97)));
    till.sell(&[("A", Decimal::units(-1))]).unwrap();
    until("the second is told", AFTER_SILENCE, || Ok(site.quantity("A") == Some(Decimal::units(96)))).await.unwrap();
    agent.terminate().await.unwrap();
    assert_eq!(site.stats().faults.len(), 2, "both faults happened");
}
