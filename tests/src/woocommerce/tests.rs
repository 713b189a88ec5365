//! The stand-in behaves as the real one was seen to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::faults::{Fault, FaultRule};
use crate::raw_http;

const NOON: i64 = 1_764_072_000_000_000;

struct Bench {
    machine: Machine,
    now_us: i64,
}

impl Bench {
    fn new(change: impl FnOnce(&mut WooSettings)) -> Self {
        let mut settings = WooSettings::default();
        change(&mut settings);
        Self { machine: Machine::new(settings).unwrap(), now_us: NOON }
    }

    fn add(&mut self, product: NewProduct) -> u64 {
        self.machine.add(product, self.now_us)
    }

    fn raw(&mut self, method: &str, target: &str, body: &str) -> Response {
        self.now_us += 1_000_000;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: method.to_owned(),
            path: format!("/wp-json{path}"),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            authorization: format!("Basic {}", STANDARD.encode("ck_stand_in:cs_stand_in")),
            body: body.as_bytes().to_vec(),
            ..Request::default()
        };
        self.machine.handle(&request, self.now_us)
    }

    fn call(&mut self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.raw(method, target, &body);
        (response.status, serde_json::from_str(&response.body).unwrap())
    }

    fn put(&mut self, id: u64, body: Value) -> (u16, Value) {
        let (status, view) = self.call("PUT", &format!("/wc/v3/products/{id}"), body);
        (status, view["stock_quantity"].clone())
    }
}

#[test]
fn a_single_put_is_an_absolute_number_with_its_traps() {
    let mut bench = Bench::new(|_| {});
    let id = bench.add(NewProduct::stocked("A", 5));
    for (sent, status, shown) in [
        (json!(7), 200, json!(7)),
        (json!(7), 200, json!(7)),
        (json!(-3), 200, json!(-3)),
        (json!("4"), 200, json!(4)),
        (json!(2.5), 400, Value::Null),
        (Value::Null, 200, json!(0)),
    ] {
        assert_eq!(bench.put(id, json!({"stock_quantity": sent})), (status, shown), "{sent}");
    }
}

#[test]
fn a_number_for_a_product_that_keeps_none_is_dropped_in_silence_but_its_marker_is_not() {
    let mut bench = Bench::new(|_| {});
    let id = bench.add(NewProduct::stocked("A", 5).unmanaged());
    let row = json!({"id": id, "stock_quantity": 9, "meta_data": [{"key": "_mark", "value": "k"}]});
    let (status, answer) = bench.call("POST", "/wc/v3/products/batch", json!({"update": [row]}));
    assert_eq!((status, &answer["update"][0]["stock_quantity"]), (200, &Value::Null));
    assert_eq!(answer["update"][0]["meta_data"][0]["value"], "k");
    assert_eq!(bench.machine.stats().dropped_rows, 1);
}

#[test]
fn a_batch_checks_no_types_and_answers_row_by_row() {
    let mut bench = Bench::new(|_| {});
    let id = bench.add(NewProduct::stocked("A", 5));
    let parent = bench.add(NewProduct::variable("V"));
    let variation = bench.add(NewProduct::variation("V-1", parent, 4));
    let rows = json!({"update": [
        {"id": id, "stock_quantity": "abc"},
        {"id": 1, "stock_quantity": 1},
        {"id": variation, "stock_quantity": 1},
        {"id": id, "stock_quantity": null, "inventory_delta": 3},
    ]});
    let (status, answer) = bench.call("POST", "/wc/v3/products/batch", rows);
    let rows = answer["update"].as_array().unwrap();
    assert_eq!((status, &rows[0]["stock_quantity"]), (200, &json!(0)));
    assert_eq!(rows[1]["error"]["code"], "woocommerce_rest_product_invalid_id");
    assert_eq!(rows[2]["error"]["code"], "woocommerce_rest_invalid_product_id");
    assert_eq!(rows[3]["stock_quantity"], 3);
    let many: Vec<Value> = (0..101).map(|_| json!({"id": id})).collect();
    let (status, answer) = bench.call("POST", "/wc/v3/products/batch", json!({"update": many}));
    assert_eq!((status, &answer["code"]), (413, &json!("woocommerce_rest_request_entity_too_large")));
}

#[test]
fn a_change_reads_adds_and_writes_over_what_landed_between() {
    let mut bench = Bench::new(|_| {});
    let id = bench.add(NewProduct::stocked("A", 10));
    bench.machine.land_inside_next_write("A", 4);
    assert_eq!(bench.put(id, json!({"inventory_delta": -1})).1, 9);
    assert_eq!(bench.machine.stats().overwritten_orders, 1);
    assert_eq!(bench.machine.orders().len(), 1);
}

#[test]
fn variations_are_found_among_products_and_written_below_their_parent() {
    let mut bench = Bench::new(|settings| settings.gtin_finds_variations = false);
    let parent = bench.add(NewProduct::variable("V"));
    let variation = bench.add(NewProduct::variation("V-1", parent, 4).gtin("4006381333931"));
    let (_, found) = bench.call("GET", "/wc/v3/products?sku=v-1,NOPE&_fields=id,type,parent_id", Value::Null);
    assert_eq!(found, json!([{"id": variation, "type": "variation", "parent_id": parent}]));
    let (_, found) = bench.call("GET", "/wc/v3/products?global_unique_id=4006381333931", Value::Null);
    assert_eq!(found, json!([]));
    assert_eq!(bench.put(variation, json!({"stock_quantity": 1})).0, 404);
    let target = format!("/wc/v3/products/{parent}/variations/batch");
    let (_, answer) =
        bench.call("POST", &target, json!({"update": [{"id": variation, "inventory_delta": -1}, {"id": 5}]}));
    assert_eq!(answer["update"][0]["stock_quantity"], 3);
    assert_eq!(answer["update"][1]["error"]["code"], "woocommerce_rest_product_variation_invalid_id");
}

#[test]
fn a_variation_whose_parent_keeps_the_number_shows_it_and_takes_none() {
    let mut bench = Bench::new(|_| {});
    let parent = bench.add(NewProduct { manage_stock: true, stock: 20, ..NewProduct::variable("V") });
    let variation = bench.add(NewProduct::variation("V-1", parent, 0).unmanaged());
    let target = format!("/wc/v3/products/{parent}/variations/batch");
    let (_, answer) = bench.call("POST", &target, json!({"update": [{"id": variation, "inventory_delta": -1}]}));
    assert_eq!(answer["update"][0]["manage_stock"], "parent");
    assert_eq!(answer["update"][0]["stock_quantity"], 20);
    bench.machine.place_order("V-1", 2, Status::Processing, NOON);
    assert_eq!(bench.machine.stock_of("V-1"), Some(18));
}

#[test]
fn pages_are_bounded_and_counted() {
    let mut bench = Bench::new(|_| {});
    for number in 0..5 {
        bench.add(NewProduct::stocked(&format!("A-{number}"), 1));
    }
    assert_eq!(bench.call("GET", "/wc/v3/products?per_page=101", Value::Null).0, 400);
    let page = bench.raw("GET", "/wc/v3/products?per_page=2&page=3&orderby=id&order=asc&_fields=sku", "");
    assert_eq!((page.totals, page.body.as_str()), (Some((5, 3)), r#"[{"sku":"A-4"}]"#));
}

#[test]
fn an_order_takes_its_goods_at_once_and_only_once() {
    let mut bench = Bench::new(|_| {});
    let id = bench.add(NewProduct::stocked("A", 10));
    let made = json!({"status": "pending", "line_items": [{"product_id": id, "quantity": 3}]});
    let (status, order) = bench.call("POST", "/wc/v3/orders", made);
    assert_eq!((status, bench.machine.stock_of("A")), (201, Some(10)));
    let order = order["id"].as_u64().unwrap();
    for (word, left) in
        [("on-hold", 7), ("processing", 7), ("completed", 7), ("cancelled", 10), ("processing", 7), ("failed", 7)]
    {
        let target = format!("/wc/v3/orders/{order}");
        bench.call("PUT", &target, json!({"status": word}));
        assert_eq!(bench.machine.stock_of("A"), Some(left), "{word}");
    }
    let (_, shown) = bench.call("GET", &format!("/wc/v3/orders/{order}"), Value::Null);
    let line = &shown["line_items"][0];
    assert_eq!((&line["meta_data"][0]["key"], &line["meta_data"][0]["value"]), (&json!("_reduced_stock"), &json!("3")));
    let refund = json!({"line_items": [{"id": line["id"], "quantity": 1}]});
    bench.call("POST", &format!("/wc/v3/orders/{order}/refunds"), refund);
    assert_eq!(bench.machine.stock_of("A"), Some(8));
    bench.call("DELETE", &format!("/wc/v3/orders/{order}"), Value::Null);
    assert_eq!(bench.machine.stock_of("A"), Some(8));
}

#[test]
fn paid_on_delivery_is_completed_and_a_repeated_order_is_a_second_order() {
    let mut bench = Bench::new(|_| {});
    let id = bench.add(NewProduct::stocked("A", 1));
    let body = json!({"set_paid": true, "payment_method": "cod", "line_items": [{"product_id": id, "quantity": 5}]});
    assert_eq!(bench.call("POST", "/wc/v3/orders", body.clone()).1["status"], "completed");
    bench.call("POST", "/wc/v3/orders", body);
    assert_eq!(bench.machine.stock_of("A"), Some(-9));
}

#[test]
fn parallel_payments_can_take_goods_twice() {
    let mut bench = Bench::new(|settings| settings.double_reduction_per_mille = 1000);
    let id = bench.add(NewProduct::stocked("A", 10));
    let order = bench.machine.make_order(&[(id, 0, 3)], Status::Pending, NOON);
    bench.machine.set_order_status(order, Status::Processing, NOON);
    assert_eq!(bench.machine.stock_of("A"), Some(4));
}

#[test]
fn changes_are_found_by_time_and_local_time_is_a_trap() {
    let mut bench = Bench::new(|_| {});
    bench.add(NewProduct::stocked("A", 10));
    bench.machine.place_order("A", 1, Status::Processing, NOON);
    let ask = |bench: &mut Bench, since: &str, more: &str| {
        let target = format!("/wc/v3/orders?status=any&modified_after={since}{more}&_fields=id");
        bench.call("GET", &target, Value::Null).1.as_array().unwrap().len()
    };
    assert_eq!(ask(&mut bench, "2025-11-25T11:59:59", "&dates_are_gmt=true"), 1);
    assert_eq!(ask(&mut bench, "2025-11-25T12:00:00", "&dates_are_gmt=true"), 0);
    assert_eq!(ask(&mut bench, "2025-11-25T12:30:00", ""), 1, "an hour ahead of UTC");
}

#[test]
fn a_known_sku_is_not_made_again() {
    let mut bench = Bench::new(|_| {});
    let id = bench.add(NewProduct::stocked("A", 10));
    let (status, error) = bench.call("POST", "/wc/v3/products", json!({"name": "A", "sku": "A"}));
    assert_eq!(
        (status, &error["code"], &error["data"]["resource_id"]),
        (400, &json!("product_invalid_sku"), &json!(id))
    );
}

#[test]
fn keys_are_looked_at() {
    let mut bench = Bench::new(|settings| settings.keys.push(("ck_read".into(), "cs_read".into(), false)));
    let mut ask = |method: &str, login: &str| {
        let request = Request {
            method: method.to_owned(),
            path: "/wp-json/wc/v3/products/batch".to_owned(),
            authorization: format!("Basic {}", STANDARD.encode(login)),
            body: b"{}".to_vec(),
            ..Request::default()
        };
        bench.machine.handle(&request, NOON).status
    };
    assert_eq!(ask("POST", "ck_stand_in:cs_stand_in"), 200);
    assert_eq!(ask("POST", "ck_read:cs_read"), 401);
    assert_eq!(ask("POST", "ck_stand_in:guess"), 401);
}

#[test]
fn the_plugin_carries_a_key_out_once() {
    let mut bench = Bench::new(|settings| settings.plugin = true);
    let id = bench.add(NewProduct::stocked("A", 10));
    let plain = bench.add(NewProduct::stocked("B", 1).unmanaged());
    let rows = json!({"key": "k1", "marker": "_tillsync_op_s1", "rows": [
        {"id": "1", "product": id, "delta": -3},
        {"id": "2", "product": plain, "delta": -1},
    ]});
    let (status, first) = bench.call("POST", "/tillsync/v1/stock", rows.clone());
    assert_eq!(
        (status, &first["rows"][0]["stock"], &first["rows"][1]["code"]),
        (200, &json!(7), &json!("not_managed"))
    );
    let (_, again) = bench.call("POST", "/tillsync/v1/stock", rows);
    assert_eq!((&again["replayed"], &again["rows"]), (&json!(true), &first["rows"]));
    let other = json!({"key": "k1", "marker": "_tillsync_op_s1", "rows": [{"id": "1", "product": id, "delta": -4}]});
    assert_eq!(bench.call("POST", "/tillsync/v1/stock", other).0, 409);
    assert_eq!(bench.machine.stock_of("A"), Some(7));
}

#[test]
fn the_plugins_numbers_are_set_together_or_not_at_all() {
    let mut bench = Bench::new(|settings| settings.plugin = true);
    let (a, b) = (bench.add(NewProduct::stocked("A", 10)), bench.add(NewProduct::stocked("B", 4)));
    let rows = |key: &str, expect: i64| {
        json!({"key": key, "marker": "_tillsync_op_s1", "rows": [
            {"id": "1", "product": a, "set": 8, "expect": 10},
            {"id": "2", "product": b, "set": 9, "expect": expect},
        ]})
    };
    let (_, stale) = bench.call("POST", "/tillsync/v1/stock", rows("k1", 5));
    assert_eq!((&stale["stale"], &stale["rows"][0]["status"]), (&json!(true), &json!("untouched")));
    assert_eq!(bench.machine.stock_of("A"), Some(10));
    bench.call("POST", "/tillsync/v1/stock", rows("k2", 4));
    assert_eq!((bench.machine.stock_of("A"), bench.machine.stock_of("B")), (Some(8), Some(9)));
}

#[test]
fn a_key_that_was_asked_about_in_vain_is_closed() {
    let mut bench = Bench::new(|settings| settings.plugin = true);
    let id = bench.add(NewProduct::stocked("A", 10));
    assert_eq!(bench.call("POST", "/tillsync/v1/outcome", json!({"key": "k1"})).1["known"], false);
    let late = json!({"key": "k1", "marker": "_tillsync_op_s1", "rows": [{"id": "1", "product": id, "delta": -3}]});
    let (status, refused) = bench.call("POST", "/tillsync/v1/stock", late);
    assert_eq!((status, &refused["code"]), (409, &json!("tillsync_key_closed")));
    assert_eq!(bench.machine.stock_of("A"), Some(10));
}

#[tokio::test]
async fn faults_strike_and_the_journal_tells_what_was_applied() {
    let shop = StandInWoo::start(WooSettings::default()).await.unwrap();
    let id = shop.add(NewProduct::stocked("A", 10));
    shop.fault(FaultRule::next(Fault::ReplyLost, 1));
    let login = format!("Basic {}", STANDARD.encode("ck_stand_in:cs_stand_in"));
    let headers = [("authorization", login.as_str()), ("content-type", "application/json")];
    let body = json!({"update": [{"id": id, "inventory_delta": -2}]}).to_string();
    let got = raw_http::post(&shop.url(), "/wp-json/wc/v3/products/batch", &headers, &body).await;
    assert_eq!((got.status, shop.stock("A")), (0, Some(8)));
    shop.fault(FaultRule::next(Fault::Status { status: 403, applied: false, retry_after_s: None }, 1));
    let got = raw_http::post(&shop.url(), "/wp-json/wc/v3/products/batch", &headers, &body).await;
    assert!(got.status == 403 && got.body.starts_with(b"<!DOCTYPE"));
    let got = raw_http::request("GET", &shop.url(), "/wp-json/wc/v3/products?per_page=1", &headers, "").await;
    assert!(got.head.to_lowercase().contains("x-wp-totalpages: 1"), "{}", got.head);
    assert_eq!(shop.arrivals().len(), 1);
    assert_eq!(shop.stats().faults.len(), 2);
}
