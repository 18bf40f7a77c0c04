//! JSON: what is accepted, and what is read, is what serde_json accepts and reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::json::{Value, check};

fuzz_target!(|data: &[u8]| {
    let mut document = data.to_vec();
    let oracle = serde_json::from_slice::<serde_json::Value>(data);
    match (check(&mut document), oracle) {
        (Ok(value), Ok(oracle)) => {
            compare(&value, &oracle, 0);
            // The canonical form is its own canonical form.
            let canonical = value.as_json().as_bytes().to_vec();
            let mut again = canonical.clone();
            assert_eq!(check(&mut again).expect("canonical").as_json().as_bytes(), canonical);
        }
        (Ok(_), Err(error)) => panic!("accepted, but: {error}"),
        (Err(error), Ok(_)) => assert!(error.to_string().contains("nested deeper"), "{error}"),
        (Err(_), Err(_)) => (),
    }
});

fn compare(value: &Value<'_>, oracle: &serde_json::Value, depth: usize) {
    assert!(depth <= 64);
    let _ = (value.as_u64(), value.as_i64(), value.as_bool(), value.fault("x"), value.get("a"));
    match oracle {
        serde_json::Value::Null => assert!(value.is_null()),
        serde_json::Value::Bool(oracle) => assert_eq!(value.as_bool().ok(), Some(*oracle)),
        serde_json::Value::Number(oracle) => {
            if let Some(number) = oracle.as_u64() {
                assert_eq!(value.as_u64().ok(), Some(number));
            }
        }
        serde_json::Value::String(oracle) => {
            let text = value.as_text().expect("a string");
            assert!(text == oracle.as_str() && text.to_string() == *oracle);
        }
        serde_json::Value::Array(oracle) => {
            let items: Vec<_> = value.items().expect("an array").collect();
            assert_eq!(items.len(), oracle.len());
            items.iter().zip(oracle).for_each(|(value, oracle)| compare(value, oracle, depth + 1));
        }
        serde_json::Value::Object(oracle) => {
            // Of equal keys serde_json keeps the last value; here they are all walked, and `get` refuses them.
            let entries: Vec<_> = value.entries().expect("an object").collect();
            assert!(entries.len() >= oracle.len());
            for (key, oracle) in oracle {
                let (_, last) = entries.iter().rev().find(|(name, _)| *name == key.as_str()).expect("the key");
                compare(last, oracle, depth + 1);
            }
        }
    }
}
