//! A parsed request document as a plain tree of fields, so that execution does not depend on the parser.

use std::collections::BTreeMap;

use apollo_compiler::ast;
use serde_json::{Map, Value};

/// Deepest nesting of fragments that is followed.
const FRAGMENT_DEPTH_MAX: usize = 16;

/// The variables of one request.
pub(crate) type Variables = Map<String, Value>;

/// An argument: a constant, a variable, or a mixture of both.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    Constant(Value),
    Variable(String),
    List(Vec<Argument>),
    Object(Vec<(String, Argument)>),
}

impl Argument {
    /// Its value in one request; `None` if the variable was not given.
    pub(crate) fn value(&self, variables: &Variables) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Variable(name) => variables.get(name).cloned(),
            Self::List(items) => Some(items.iter().map(|item| item.value(variables).unwrap_or(Value::Null)).collect()),
            Self::Object(fields) => Some(Value::Object(
                fields.iter().filter_map(|(name, field)| Some((name.clone(), field.value(variables)?))).collect(),
            )),
        }
    }
}

/// One selected field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Name in the reply: alias or name.
    pub(crate) key: String,
    pub(crate) name: String,
    /// Only on this type, if it stands in a fragment.
    pub(crate) on: Option<String>,
    pub(crate) arguments: Vec<(String, Argument)>,
    /// The key of `@idempotent`; `Some` if the directive is there.
    pub(crate) idempotent: Option<Argument>,
    /// `@include` (true) and `@skip` (false).
    pub(crate) conditions: Vec<(bool, Argument)>,
    pub(crate) fields: Vec<Field>,
}

impl Field {
    pub(crate) fn argument(&self, name: &str, variables: &Variables) -> Option<Value> {
        self.arguments.iter().find(|(own, _)| own == name).and_then(|(_, argument)| argument.value(variables))
    }

    pub(crate) fn text(&self, name: &str, variables: &Variables) -> Option<String> {
        self.argument(name, variables).and_then(|value| value.as_str().map(str::to_owned))
    }

    /// Whether it is wanted for an object of this type.
    pub(crate) fn applies(&self, type_name: &str, variables: &Variables) -> bool {
        let on_type = self.on.as_deref().is_none_or(|on| on == type_name || on == "Node" || on == "DisplayableError");
        on_type
            && self
                .conditions
                .iter()
                .all(|(wanted, when)| when.value(variables).and_then(|v| v.as_bool()).is_none_or(|is| is == *wanted))
    }
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) mutation: bool,
    pub(crate) name: Option<String>,
    pub(crate) variables: Vec<ast::VariableDefinition>,
    pub(crate) fields: Vec<Field>,
}

/// All operations of a document.
///
/// # Errors
/// A text for the client if the document uses what nobody here supports.
pub(crate) fn operations(document: &ast::Document) -> Result<Vec<Operation>, String> {
    let mut fragments = BTreeMap::new();
    let mut found = Vec::new();
    for definition in &document.definitions {
        if let Some(fragment) = definition.as_fragment_definition() {
            fragments.insert(fragment.name.as_str(), fragment.as_ref());
        } else if let Some(operation) = definition.as_operation_definition() {
            found.push(operation.as_ref());
        }
    }
    found.into_iter().map(|operation| lowered(operation, &fragments)).collect()
}

type Fragments<'a> = BTreeMap<&'a str, &'a ast::FragmentDefinition>;

fn lowered(operation: &ast::OperationDefinition, fragments: &Fragments<'_>) -> Result<Operation, String> {
    let mutation = match operation.operation_type {
        ast::OperationType::Query => false,
        ast::OperationType::Mutation => true,
        ast::OperationType::Subscription => {
            return Err("subscriptions are not supported".to_owned());
        }
    };
    let mut fields = Vec::new();
    gather(&operation.selection_set, None, &[], fragments, 0, &mut fields)?;
    let variables = operation.variables.iter().map(|variable| variable.as_ref().clone()).collect();
    Ok(Operation { mutation, name: operation.name.as_ref().map(ToString::to_string), variables, fields })
}

fn gather(
    selections: &[ast::Selection],
    on: Option<&str>,
    conditions: &[(bool, Argument)],
    fragments: &Fragments<'_>,
    depth: usize,
    into: &mut Vec<Field>,
) -> Result<(), String> {
    if depth > FRAGMENT_DEPTH_MAX {
        return Err("fragments are nested too deeply".to_owned());
    }
    let together = |directives: &ast::DirectiveList| [conditions, &conditions_of(directives)].concat();
    for selection in selections {
        match selection {
            ast::Selection::Field(field) => {
                let mut below = Vec::new();
                gather(&field.selection_set, None, &[], fragments, depth, &mut below)?;
                into.push(Field {
                    key: field.alias.as_ref().unwrap_or(&field.name).to_string(),
                    name: field.name.to_string(),
                    on: on.map(str::to_owned),
                    arguments: arguments_of(&field.arguments),
                    idempotent: field.directives.get("idempotent").and_then(|d| argument_named(&d.arguments, "key")),
                    conditions: together(&field.directives),
                    fields: below,
                });
            }
            ast::Selection::InlineFragment(fragment) => {
                let on = fragment.type_condition.as_ref().map(|name| name.as_str()).or(on);
                gather(&fragment.selection_set, on, &together(&fragment.directives), fragments, depth + 1, into)?;
            }
            ast::Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name.as_str();
                let fragment = fragments.get(name).ok_or_else(|| format!("fragment {name} is not defined"))?;
                let on = Some(fragment.type_condition.as_str());
                gather(&fragment.selection_set, on, &together(&spread.directives), fragments, depth + 1, into)?;
            }
        }
    }
    Ok(())
}

fn conditions_of(directives: &ast::DirectiveList) -> Vec<(bool, Argument)> {
    [("include", true), ("skip", false)]
        .into_iter()
        .filter_map(|(name, wanted)| Some((wanted, argument_named(&directives.get(name)?.arguments, "if")?)))
        .collect()
}

fn arguments_of(arguments: &[apollo_compiler::Node<ast::Argument>]) -> Vec<(String, Argument)> {
    arguments.iter().map(|argument| (argument.name.to_string(), lowered_value(&argument.value))).collect()
}

fn argument_named(arguments: &[apollo_compiler::Node<ast::Argument>], name: &str) -> Option<Argument> {
    arguments.iter().find(|argument| argument.name == name).map(|argument| lowered_value(&argument.value))
}

pub(crate) fn lowered_value(value: &ast::Value) -> Argument {
    match value {
        ast::Value::Null => Argument::Constant(Value::Null),
        ast::Value::Enum(name) => Argument::Constant(Value::from(name.as_str())),
        ast::Value::Variable(name) => Argument::Variable(name.to_string()),
        ast::Value::String(text) => Argument::Constant(Value::from(text.as_str())),
        ast::Value::Float(number) => Argument::Constant(serde_json::from_str(number.as_str()).unwrap_or(Value::Null)),
        ast::Value::Int(number) => Argument::Constant(serde_json::from_str(number.as_str()).unwrap_or(Value::Null)),
        ast::Value::Boolean(yes) => Argument::Constant(Value::from(*yes)),
        ast::Value::List(items) => Argument::List(items.iter().map(|item| lowered_value(item)).collect()),
        ast::Value::Object(fields) => {
            Argument::Object(fields.iter().map(|(name, field)| (name.to_string(), lowered_value(field))).collect())
        }
    }
}
