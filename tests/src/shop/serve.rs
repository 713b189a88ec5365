//! The platform's two doors: GraphQL and access tokens.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State as Given};
use axum::http::{HeaderMap, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Shop;
use super::cost;
use super::document::{Operation, Variables};
use super::mutate;
use super::state::State;
use super::view::View;
use crate::faults::{Desk, Incoming, On, Reply, answer};
use crate::locked;
use crate::wire::Connection;

const TOKEN_HEADER: &str = "x-shopify-access-token";
const PRICES: &str = "productVariantsBulkUpdate";
const MUTATIONS: [&str; 4] = ["inventoryAdjustQuantities", "inventorySetQuantities", "inventoryActivate", PRICES];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow, default)]
    variables: Option<&'a RawValue>,
    #[serde(borrow, default)]
    operation_name: Option<Cow<'a, str>>,
}

/// `POST /admin/api/{version}/graphql.json`
pub(crate) async fn graphql(
    Given(shop): Given<Arc<Shop>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(version): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if version != shop.api_version {
        return Reply::json(404, shop.refusal(404)).into_response();
    }
    let kind = if shop.is_mutation(&body) { On::Write } else { On::Read };
    handle(&shop, &connection, kind, headers, body).await
}

/// `POST /admin/oauth/access_token`
pub(crate) async fn access_token(
    Given(shop): Given<Arc<Shop>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    handle(&shop, &connection, On::Token, headers, body).await
}

async fn handle(
    shop: &Arc<Shop>,
    connection: &Connection,
    kind: On,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let request = {
        let mut state = locked(&shop.state);
        state.stats.requests += 1;
        state.stats.requests
    };
    let fault = locked(&shop.faults).strike(kind);
    let incoming = Incoming { request, kind, headers, body, holds_key: false, forced_code: None };
    answer(shop, connection, fault, incoming).await.into_response()
}

impl Shop {
    fn is_mutation(&self, body: &[u8]) -> bool {
        serde_json::from_slice::<Envelope<'_>>(body).is_ok_and(|envelope| {
            let document = self.contract.document(&envelope.query);
            document.as_ref().as_ref().is_ok_and(|operations| operations.iter().any(|operation| operation.mutation))
        })
    }

    /// Finds the operation and its variables, then hands them to `then` under the shop's lock.
    fn with_operation(
        &self,
        body: &[u8],
        then: impl FnOnce(&mut State, &Operation, &Variables, &str) -> Reply,
    ) -> Reply {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(body) else {
            return self.invalid(400, &json!({"errors": "Required parameter missing or invalid"}));
        };
        let document = self.contract.document(&envelope.query);
        let operations = match document.as_ref() {
            Ok(operations) => operations,
            Err(errors) => return self.invalid(200, &json!({"errors": errors})),
        };
        let wanted = envelope.operation_name.as_deref();
        let Some(operation) = operations.iter().find(|one| wanted.is_none() || one.name.as_deref() == wanted) else {
            return self.invalid(
                200,
                &json!({"errors": [{"message": "No operation of that name", "extensions": {"code": "BAD_REQUEST"}}]}),
            );
        };
        let raw = envelope.variables.map_or("{}", RawValue::get);
        let Ok(variables) = serde_json::from_str::<Option<Variables>>(raw) else {
            return self.invalid(400, &json!({"errors": "variables must be an object"}));
        };
        let mut variables = variables.unwrap_or_default();
        if let Err(errors) = self.contract.coerce(operation, &mut variables) {
            return self.invalid(200, &json!({"errors": errors}));
        }
        then(&mut locked(&self.state), operation, &variables, raw)
    }

    fn invalid(&self, status: u16, body: &Value) -> Reply {
        locked(&self.state).stats.invalid_requests += 1;
        Reply::json(status, body.to_string())
    }

    fn serve_token(&self, body: &[u8]) -> Reply {
        let given: Map<String, Value> = serde_json::from_slice(body).unwrap_or_else(|_| {
            url::form_urlencoded::parse(body)
                .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
                .collect()
        });
        let says = |name: &str| given.get(name).and_then(Value::as_str);
        let mut state = locked(&self.state);
        let (id, secret) = state.settings.client.clone();
        if says("grant_type") != Some("client_credentials") {
            return Reply::json(400, r#"{"error":"unsupported_grant_type"}"#);
        }
        if says("client_id") != Some(&id) || says("client_secret") != Some(&secret) {
            state.stats.unauthorised += 1;
            return Reply::json(401, r#"{"error":"invalid_client"}"#);
        }
        let token = state.issue_token();
        let body = json!({"access_token": token, "scope": state.settings.scopes.join(","), "expires_in": state.settings.token_lives.as_secs()});
        Reply::json(200, body.to_string())
    }
}

impl Desk for Shop {
    fn serve(&self, incoming: &Incoming) -> Reply {
        if incoming.kind == On::Token {
            return self.serve_token(&incoming.body);
        }
        let token = incoming.headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        {
            let mut state = locked(&self.state);
            if !state.lets_in(token) {
                state.stats.unauthorised += 1;
                return Reply::json(401, self.refusal(401));
            }
        }
        self.with_operation(&incoming.body, |state, operation, variables, raw| {
            execute(state, operation, variables, raw, incoming)
        })
    }

    fn take_key(&self, incoming: &Incoming) {
        self.with_operation(&incoming.body, |state, operation, variables, raw| {
            for field in operation.fields.iter().filter(|field| MUTATIONS.contains(&field.name.as_str())) {
                mutate::take_key(state, field, variables, raw);
            }
            Reply::json(200, "")
        });
    }

    fn throttled(&self) -> Reply {
        let mut state = locked(&self.state);
        state.bucket.drain();
        throttled(&mut state, mutation_cost_guess())
    }

    fn refusal(&self, status: u16) -> Bytes {
        let text = match status {
            401 => "[API] Invalid API key or access token (unrecognized login or wrong password)",
            402 => "Payment Required: this shop is frozen",
            403 => "User does not have access",
            404 => "Not Found",
            423 => "This shop is unavailable",
            429 | 430 => "Exceeded rate limit for api client. Reduce request rates to resume uninterrupted service.",
            _ => "Internal Server Error",
        };
        json!({"errors": text}).to_string().into()
    }
}

/// What a small mutation costs, for throttling without looking at the request.
const fn mutation_cost_guess() -> u64 {
    13
}

fn throttled(state: &mut State, requested: u64) -> Reply {
    state.stats.throttled += 1;
    let error = json!({"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"}});
    let extensions = state.bucket.report(requested, None);
    Reply::json(200, json!({"errors": [error], "extensions": extensions}).to_string())
}

fn execute(state: &mut State, operation: &Operation, variables: &Variables, raw: &str, incoming: &Incoming) -> Reply {
    let requested = cost::requested(operation, variables);
    if requested > state.settings.query_cost_max {
        state.stats.invalid_requests += 1;
        let message = format!(
            "Query cost is {requested}, which exceeds the single query max cost limit ({}).",
            state.settings.query_cost_max
        );
        let error = json!({"message": message, "extensions": {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": state.settings.query_cost_max}});
        return Reply::json(200, json!({"errors": [error]}).to_string());
    }
    if !state.bucket.take(requested) {
        return throttled(state, requested);
    }
    let (mut data, mut errors) = (Map::new(), Vec::new());
    for field in operation
        .fields
        .iter()
        .filter(|field| field.applies("QueryRoot", variables) || field.applies("Mutation", variables))
    {
        *state.stats.operations.entry(field.name.clone()).or_default() += 1;
        let seen = if let Some(scope) = missing_scope(state, field) {
            let message = format!("Access denied for {} field. Required access: `{scope}` access scope.", field.name);
            Err(json!({"message": message, "path": [field.key], "extensions": {"code": "ACCESS_DENIED"}}))
        } else if operation.mutation {
            mutated(state, field, variables, raw, incoming)
        } else {
            View { state, variables }.query(field)
        };
        let value = seen.unwrap_or_else(|error| {
            errors.push(error);
            Value::Null
        });
        data.insert(field.key.clone(), value);
    }
    let mut body = json!({"data": data, "extensions": state.bucket.report(requested, Some(requested))});
    if !errors.is_empty() {
        state.stats.invalid_requests += 1;
        body["errors"] = Value::from(errors);
    }
    Reply::json(200, body.to_string())
}

/// The scope that a field needs and the app lacks; of those that not every app has.
fn missing_scope(state: &State, field: &super::document::Field) -> Option<&'static str> {
    let needed = match field.name.as_str() {
        "fulfillmentOrders" | "fulfillmentOrder" => "read_merchant_managed_fulfillment_orders",
        PRICES => "write_products",
        _ => return None,
    };
    (!state.settings.scopes.iter().any(|scope| scope == needed)).then_some(needed)
}

fn mutated(
    state: &mut State,
    field: &super::document::Field,
    variables: &Variables,
    raw: &str,
    incoming: &Incoming,
) -> Result<Value, Value> {
    if !MUTATIONS.contains(&field.name.as_str()) {
        let message = format!("the stand-in shop does not implement Mutation.{}", field.name);
        return Err(json!({"message": message, "path": [field.key], "extensions": {"code": "STAND_IN_UNSUPPORTED"}}));
    }
    let done = if field.name == PRICES {
        mutate::catalogue::update(state, field, variables, incoming)
    } else {
        mutate::run(state, field, variables, raw, incoming)?
    };
    View { state, variables }.payload(field, &done)
}
