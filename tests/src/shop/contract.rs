//! The platform's schema: every request is checked against it before the stand-in looks at it.
//!
//! Documents are parsed and validated once and remembered by their text; the variables of each request are
//! checked against the input types every time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema, ast};
use serde_json::{Value, json};

use super::document::{Operation, Variables, lowered_value, operations};
use crate::locked;

/// Distinct documents that are remembered; more means that values were pasted into the text.
const DOCUMENTS_MAX: usize = 1000;

/// Longest list in any input. <https://shopify.dev/docs/api/usage/limits>
pub(crate) const INPUT_ITEMS_MAX: usize = 250;

/// Parser support that the platform's text takes for granted.
const ONE_OF: &str = "directive @oneOf on INPUT_OBJECT\n";

/// Bundle components, left out of trimmed copies of the schema; shape as in Admin GraphQL 2026-10.
const COMPONENTS: &str = "
extend type ProductVariant {
  productVariantComponents(after: String, before: String, first: Int, last: Int, reverse: Boolean = false): ProductVariantComponentConnection!
}
type ProductVariantComponentConnection { edges: [ProductVariantComponentEdge!]! nodes: [ProductVariantComponent!]! pageInfo: PageInfo! }
type ProductVariantComponentEdge { cursor: String! node: ProductVariantComponent! }
type ProductVariantComponent { id: ID! productVariant: ProductVariant! quantity: Int! }
";

/// Where the schema is looked for if no path is given: the folder in `TILLSYNC_CONTRACTS`, then
/// `../shared/contracts` beside the workspace.
#[must_use]
pub fn find_schema() -> Option<PathBuf> {
    let below = Path::new("shopify").join("admin_2026-10_trimmed_nodesc.graphql");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/contracts");
    let named = std::env::var_os("TILLSYNC_CONTRACTS").map(PathBuf::from);
    named.into_iter().chain([beside]).map(|folder| folder.join(&below)).find(|path| path.is_file())
}

/// A document's operations, or the errors it is answered with.
type Read = Arc<Result<Vec<Operation>, Vec<Value>>>;

/// The schema, or none if validation is off, and the documents seen.
#[derive(Debug)]
pub(crate) struct Contract {
    schema: Option<Valid<Schema>>,
    documents: Mutex<HashMap<String, Read>>,
}

impl Contract {
    /// Reads SDL, or introspection results converted to it by the caller. `None` switches validation off.
    pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let schema = path
            .map(|path| {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the schema {}", path.display()))?;
                parse_schema(&text).with_context(|| format!("{} is not a valid schema", path.display()))
            })
            .transpose()?;
        Ok(Self { schema, documents: Mutex::default() })
    }

    pub(crate) const fn validates(&self) -> bool {
        self.schema.is_some()
    }

    /// The operations of a document, or GraphQL errors.
    pub(crate) fn document(&self, text: &str) -> Read {
        let mut documents = locked(&self.documents);
        if let Some(known) = documents.get(text) {
            return Arc::clone(known);
        }
        let read = Arc::new(self.read(text));
        if documents.len() < DOCUMENTS_MAX {
            documents.insert(text.to_owned(), Arc::clone(&read));
        }
        read
    }

    fn read(&self, text: &str) -> Result<Vec<Operation>, Vec<Value>> {
        let parsed = ast::Document::parse(text, "request.graphql")
            .map_err(|broken| fault_list(&broken.errors, "PARSE_ERROR"))?;
        if let Some(schema) = &self.schema {
            ExecutableDocument::parse_and_validate(schema, text, "request.graphql")
                .map_err(|broken| fault_list(&broken.errors, "GRAPHQL_VALIDATION_FAILED"))?;
        }
        operations(&parsed).map_err(|message| vec![json!({"message": message, "extensions": {"code": "UNSUPPORTED"}})])
    }

    /// Checks the variables of one request and fills in defaults.
    ///
    /// # Errors
    /// GraphQL errors as the platform gives them.
    pub(crate) fn coerce(&self, operation: &Operation, variables: &mut Variables) -> Result<(), Vec<Value>> {
        let mut faults = Vec::new();
        for definition in &operation.variables {
            let name = definition.name.as_str();
            if !variables.contains_key(name) {
                if let Some(default) = &definition.default_value {
                    variables.insert(
                        name.to_owned(),
                        lowered_value(default).value(&Variables::new()).unwrap_or(Value::Null),
                    );
                } else if definition.ty.is_non_null() {
                    faults.push(invalid_variable(
                        name,
                        &definition.ty,
                        &[problem(&[], "Expected value to not be null")],
                    ));
                }
            }
            let Some(value) = variables.get(name) else {
                continue;
            };
            if let Some(count) = longest_list(value).filter(|count| *count > INPUT_ITEMS_MAX) {
                let message = format!(
                    "The input array size of {count} is greater than the maximum allowed of {INPUT_ITEMS_MAX}."
                );
                return Err(vec![json!({"message": message, "extensions": {"code": "MAX_INPUT_SIZE_EXCEEDED"}})]);
            }
            if let Some(schema) = &self.schema {
                let mut problems = Vec::new();
                check(schema, &definition.ty, value, &mut Vec::new(), &mut problems);
                if !problems.is_empty() {
                    faults.push(invalid_variable(name, &definition.ty, &problems));
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

fn parse_schema(text: &str) -> anyhow::Result<Valid<Schema>> {
    let mut whole = String::with_capacity(text.len() + ONE_OF.len() + COMPONENTS.len());
    if !text.contains("directive @oneOf") {
        whole.push_str(ONE_OF);
    }
    whole.push_str(text);
    if !text.contains("productVariantComponents(") {
        whole.push_str(COMPONENTS);
    }
    Schema::parse_and_validate(whole, "schema.graphql").map_err(|broken| anyhow::anyhow!("{}", broken.errors))
}

fn fault_list(errors: &apollo_compiler::validation::DiagnosticList, code: &str) -> Vec<Value> {
    let list: Vec<Value> =
        errors.iter().map(|one| json!({"message": one.error.to_string(), "extensions": {"code": code}})).collect();
    if list.is_empty() {
        vec![json!({"message": "the document is not valid", "extensions": {"code": code}})]
    } else {
        list
    }
}

fn invalid_variable(name: &str, ty: &ast::Type, problems: &[Value]) -> Value {
    let first = problems.first().and_then(|p| p.get("explanation")).and_then(Value::as_str).unwrap_or("invalid");
    let path = problems.first().and_then(|p| p.get("path")).map(ToString::to_string).unwrap_or_default();
    json!({
        "message": format!("Variable ${name} of type {ty} was provided invalid value for {path} ({first})"),
        "extensions": {"code": "INVALID_VARIABLE", "problems": problems},
    })
}

fn problem(path: &[Value], explanation: &str) -> Value {
    json!({"path": path, "explanation": explanation})
}

fn longest_list(value: &Value) -> Option<usize> {
    if let Some(list) = value.as_array() {
        return list.iter().filter_map(longest_list).chain([list.len()]).max();
    }
    value.as_object().and_then(|object| object.values().filter_map(longest_list).max())
}

fn check(schema: &Schema, ty: &ast::Type, value: &Value, path: &mut Vec<Value>, problems: &mut Vec<Value>) {
    if value.is_null() {
        if ty.is_non_null() {
            problems.push(problem(path, "Expected value to not be null"));
        }
        return;
    }
    match ty {
        ast::Type::List(inner) | ast::Type::NonNullList(inner) => {
            // One value stands for a list of one (GraphQL, input coercion of lists).
            let Some(items) = value.as_array() else {
                return check(schema, inner, value, path, problems);
            };
            for (index, item) in items.iter().enumerate() {
                path.push(Value::from(index));
                check(schema, inner, item, path, problems);
                path.pop();
            }
        }
        ast::Type::Named(name) | ast::Type::NonNullNamed(name) => check_named(schema, name, value, path, problems),
    }
}

fn check_named(schema: &Schema, name: &str, value: &Value, path: &mut Vec<Value>, problems: &mut Vec<Value>) {
    if let Some(input) = schema.get_input_object(name) {
        let Some(object) = value.as_object() else {
            return problems.push(problem(path, &format!("Expected {value} to be a key-value object.")));
        };
        for key in object.keys().filter(|key| !input.fields.contains_key(key.as_str())) {
            path.push(Value::from(key.as_str()));
            problems.push(problem(path, &format!("Field is not defined on {name}")));
            path.pop();
        }
        for (key, definition) in &input.fields {
            path.push(Value::from(key.as_str()));
            match object.get(key.as_str()) {
                Some(field) => check(schema, &definition.ty, field, path, problems),
                None if definition.ty.is_non_null() && definition.default_value.is_none() => {
                    problems.push(problem(path, "Expected value to not be null"))
                }
                None => {}
            }
            path.pop();
        }
    } else if let Some(choices) = schema.get_enum(name) {
        if !value.as_str().is_some_and(|text| choices.values.contains_key(text)) {
            problems.push(problem(path, &format!("Expected {value} to be one of: {name}")));
        }
    } else if !scalar_fits(name, value) {
        problems.push(problem(path, &format!("Could not coerce value {value} to {name}")));
    }
}

fn scalar_fits(name: &str, value: &Value) -> bool {
    match name {
        "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "Float" => value.is_number(),
        "String" => value.is_string(),
        "Boolean" => value.is_boolean(),
        "ID" => value.is_string() || value.is_u64(),
        _ => value.is_string() || value.is_number() || value.is_boolean() || value.is_object(),
    }
}
