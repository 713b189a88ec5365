//! Fulfilment orders: what of an online order is to be handed over at one location, and what was.
//!
//! One order has one fulfilment order here. A cancelled one keeps its total and has nothing remaining, so that a client that
//! takes the difference for shipped goods is found out.
//! <https://shopify.dev/docs/api/admin-graphql/latest/objects/FulfillmentOrder>

use serde_json::{Value, json};

use super::super::document::Field;
use super::super::search;
use super::super::stock::{FULFILMENT_ORDER_NUMBERS, Order, OrderState, Shipment, gid};
use super::{Seen, View, unsupported};

impl View<'_> {
    pub(super) fn fulfilment_orders(&self, field: &Field) -> Seen {
        let variables = self.variables;
        let closed = field.argument("includeClosed", variables).and_then(|v| v.as_bool()).unwrap_or(false);
        let filters = search::filters(&field.text("query", variables).unwrap_or_default());
        let kept = |order: &&Order| {
            (closed || order.state == OrderState::Open)
                && filters.iter().all(|filter| match filter.name.as_str() {
                    "assigned_location_id" => filter.number_fits(order.location),
                    "updated_at" => filter.moment_fits(order.updated_us),
                    _ => true,
                })
        };
        let found: Vec<&Order> = self.state.stock.orders().iter().filter(kept).collect();
        self.connection(field, "FulfillmentOrder", &found, |fields, order| self.fulfilment_order(fields, order))
    }

    pub(super) fn fulfilment_order(&self, fields: &[Field], order: &Order) -> Seen {
        self.object(fields, "FulfillmentOrder", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("FulfillmentOrder", FULFILMENT_ORDER_NUMBERS + order.id))),
            "orderId" => Ok(json!(gid("Order", order.id))),
            "orderName" => Ok(json!(format!("#{}", 1000 + order.id))),
            "status" => Ok(json!(match order.state {
                OrderState::Open if order.handed_over() == 0 => "OPEN",
                OrderState::Open => "IN_PROGRESS",
                OrderState::Fulfilled => "CLOSED",
                OrderState::Cancelled => "CANCELLED",
            })),
            "orderProcessedAt" | "createdAt" => Ok(moment(order.placed_us)),
            "updatedAt" => Ok(moment(order.updated_us)),
            "lineItems" => {
                self.connection(f, "FulfillmentOrderLineItem", &[order], |fields, order| self.open_line(fields, order))
            }
            "fulfillments" => {
                let shipments: Vec<(&Order, &Shipment)> = order.shipments.iter().map(|one| (order, one)).collect();
                let shipments: Vec<&(&Order, &Shipment)> = shipments.iter().collect();
                self.connection(f, "Fulfillment", &shipments, |fields, one| self.shipment(fields, one))
            }
            _ => unsupported("FulfillmentOrder", f),
        })
    }

    fn open_line(&self, fields: &[Field], order: &Order) -> Seen {
        let item = self.state.stock.item_of(order);
        self.object(fields, "FulfillmentOrderLineItem", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("FulfillmentOrderLineItem", order.id * 10))),
            "inventoryItemId" => Ok(item.map_or(Value::Null, |item| json!(gid("InventoryItem", item.id)))),
            "sku" => Ok(json!(order.sku)),
            "totalQuantity" => Ok(json!(order.quantity)),
            "remainingQuantity" => Ok(json!(order.remaining())),
            "lineItem" => self.line_item(&f.fields, order),
            _ => unsupported("FulfillmentOrderLineItem", f),
        })
    }

    fn line_item(&self, fields: &[Field], order: &Order) -> Seen {
        self.object(fields, "LineItem", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("LineItem", order.id))),
            _ => unsupported("LineItem", f),
        })
    }

    fn shipment(&self, fields: &[Field], (order, shipment): &(&Order, &Shipment)) -> Seen {
        self.object(fields, "Fulfillment", |f| match f.name.as_str() {
            "id" => Ok(json!(gid("Fulfillment", shipment.id))),
            "status" => Ok(json!(if shipment.cancelled { "CANCELLED" } else { "SUCCESS" })),
            "fulfillmentLineItems" => {
                let line: &(&Order, &Shipment) = &(*order, *shipment);
                self.connection(f, "FulfillmentLineItem", &[line], |fields, (order, shipment)| {
                    self.object(fields, "FulfillmentLineItem", |f| match f.name.as_str() {
                        "quantity" => Ok(json!(shipment.quantity)),
                        "lineItem" => self.line_item(&f.fields, order),
                        _ => unsupported("FulfillmentLineItem", f),
                    })
                })
            }
            _ => unsupported("Fulfillment", f),
        })
    }
}

/// As the platform writes it: to the second.
fn moment(at_us: i64) -> Value {
    json!(jiff::Timestamp::from_second(at_us.div_euclid(1_000_000)).unwrap_or_default().to_string())
}
