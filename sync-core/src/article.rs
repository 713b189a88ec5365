//! Article identifiers and units: GTIN, weight and price codes, pack factors, kits.
