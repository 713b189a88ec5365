//! The GraphQL documents against Shopify's own schema, which is not part of this repository.

use std::path::{Path, PathBuf};

use apollo_compiler::{ExecutableDocument, Schema};

const SCHEMA: &str = "shopify/admin_2026-10_trimmed_nodesc.graphql";

/// Fields of the schema 2026-10 that its trimmed copy leaves out.
const LEFT_OUT: &str = "
    extend type ProductVariant {
      productVariantComponents(after: String, before: String, first: Int, last: Int, reverse: Boolean): ProductVariantComponentConnection!
    }
    type ProductVariantComponentConnection { nodes: [ProductVariantComponent!]! pageInfo: PageInfo! }
    type ProductVariantComponent { id: ID! productVariant: ProductVariant! quantity: Int! }
";

fn schema_text() -> Option<String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/contracts");
    let folder = std::env::var_os("TILLSYNC_CONTRACTS").map_or(beside, PathBuf::from);
    std::fs::read_to_string(folder.join(SCHEMA)).ok()
}

#[test]
fn every_document_is_valid_against_the_schema() {
    let Some(mut text) = schema_text() else {
        println!("SKIPPED: no schema; set TILLSYNC_CONTRACTS to the folder that holds {SCHEMA}");
        return;
    };
    if !text.contains("directive @oneOf") {
        text.push_str("\ndirective @oneOf on INPUT_OBJECT\n");
    }
    if !text.contains("type ProductVariantComponentConnection") {
        text.push_str(LEFT_OUT);
    }
    let schema = Schema::parse_and_validate(text, SCHEMA).unwrap_or_else(|e| panic!("{e}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/platform/shopify");
    let mut documents = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ext| ext == "graphql") {
            let document = std::fs::read_to_string(&path).unwrap();
            ExecutableDocument::parse_and_validate(&schema, document, &path).unwrap_or_else(|e| panic!("{e}"));
            documents += 1;
        }
    }
    assert_eq!(documents, 18);
}
