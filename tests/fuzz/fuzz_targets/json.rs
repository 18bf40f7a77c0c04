//! JSON: what is accepted, what is read and what is written is what serde_json accepts and reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::json::{Value, Writer, check};
use ocinit::io::output::Sink;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(Vec::new());
    Writer::new(&mut bytes).string(data);
    let read: String = serde_json::from_slice(&bytes.0).expect("what was written");
    assert_eq!(read, String::from_utf8_lossy(data));

    let mut document = data.to_vec();
    let oracle = serde_json::from_slice::<serde_json::Value>(data);
    match (check(&mut document), oracle) {
        (Ok(value), Ok(oracle)) => {
            compare(&value, &oracle, 0);
            let mut bytes = Bytes(Vec::new());
            write(&value, &mut Writer::new(&mut bytes));
            assert_eq!(
                serde_json::from_slice::<serde_json::Value>(&bytes.0).expect("what was written"),
                oracle
            );
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

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Piece by piece, as a command would.
fn write(value: &Value<'_>, json: &mut Writer<'_>) {
    if let Ok(items) = value.items() {
        json.array();
        items.for_each(|item| write(&item, json));
        json.end();
    } else if let Ok(entries) = value.entries() {
        json.object();
        entries.for_each(|(key, value)| write(&value, json.text_key(&key)));
        json.end();
    } else if let Ok(text) = value.as_text() {
        json.text(&text);
    } else if let Some(number) = value.as_i64().ok().filter(|number| *number != 0) {
        // (serde_json tells -0 from 0.)
        json.signed(number);
    } else {
        json.value(value);
    }
}

fn compare(value: &Value<'_>, oracle: &serde_json::Value, depth: usize) {
    assert!(depth <= 64);
    let _ = (value.as_u64(), value.as_i64(), value.as_bool(), value.error("x"), value.get("a"));
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
            // Of equal keys serde_json keeps the last value; here they are all walked, and `get`
            // refuses them.
            let entries: Vec<_> = value.entries().expect("an object").collect();
            assert!(entries.len() >= oracle.len());
            for (key, oracle) in oracle {
                let (_, last) =
                    entries.iter().rev().find(|(name, _)| *name == key.as_str()).expect("the key");
                compare(last, oracle, depth + 1);
            }
        }
    }
}
