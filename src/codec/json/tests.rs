use super::{Text, Value, check};

fn checked(document: &str) -> Result<String, String> {
    let mut bytes = document.as_bytes().to_vec();
    check(&mut bytes).map(|value| value.as_json().to_string()).map_err(|error| error.to_string())
}

#[track_caller]
fn with<T>(document: &str, look: impl FnOnce(Value<'_>) -> T) -> T {
    let mut bytes = document.as_bytes().to_vec();
    look(check(&mut bytes).unwrap())
}

const DOCUMENT: &str = r#" { "a" : [ 1 , -2.5e+3, true , false,null ] ,
    "la\u0079ers":{"x":"\u00e9\ud83d\ude00\/\u0022\u005c\u000a\u0001\u0000", "": [] , "e":{}},
    "size" :12345678901234567890 } "#;

#[test]
fn a_document_gets_its_canonical_form() {
    assert_eq!(
        checked(DOCUMENT).unwrap(),
        r#"{"a":[1,-2.5e+3,true,false,null],"layers":{"x":"é😀/\"\\\n\u0001\u0000","":[],"e":{}},"size":12345678901234567890}"#
    );
    for scalar in ["0", "-0", "1E5", "\"\"", "true", "null", "[]", "{}"] {
        assert_eq!(checked(scalar).unwrap(), scalar);
    }
    let once = checked(DOCUMENT).unwrap();
    assert_eq!(checked(&once).unwrap(), once);
}

#[test]
fn every_prefix_is_an_error() {
    let document = DOCUMENT.trim();
    for length in (0..document.len()).filter(|&n| document.is_char_boundary(n)) {
        let error = checked(&document[..length]).unwrap_err();
        assert_eq!(
            error,
            format!("invalid JSON at byte {length}: the document ends early"),
            "{length}"
        );
    }
}

#[test]
fn what_rfc_8259_does_not_allow_is_refused_with_its_place() {
    for (document, at) in [
        ("01", 1),
        ("+1", 0),
        ("1.", 2),
        ("1.e5", 2),
        (".5", 0),
        ("1e", 2),
        ("- 1", 1),
        ("NaN", 0),
        ("truE", 3),
        ("nulll", 4),
        ("[1,]", 3),
        ("[,1]", 1),
        ("[1 2]", 3),
        ("[1}", 2),
        ("{\"a\":1]", 6),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{a:1}", 1),
        ("{1:1}", 1),
        ("{\"a\":}", 5),
        ("{\"a\"}", 4),
        ("]", 0),
        ("{}{}", 2),
        ("{} \0", 3),
        ("\u{feff}{}", 0),
        ("\"a\nb\"", 2),
        ("\"\0\"", 1),
        (r#""\x41""#, 2),
        (r#""\'""#, 2),
        (r#""\u12G4""#, 5),
        (r#""\ud800""#, 7),
        (r#""\udc00""#, 7),
        (r#""\ud800\n""#, 8),
        (r#""\ud800\ud800""#, 13),
        ("'a'", 0),
        ("/**/1", 0),
    ] {
        let error = checked(document).unwrap_err();
        let place = format!("invalid JSON at byte {at}: ");
        assert!(error.starts_with(&place), "{document:?}: {error}");
    }
    let error = |bytes: &[u8]| check(&mut bytes.to_vec()).err().unwrap().to_string();
    assert_eq!(error(b"\"ab\xff\""), "invalid JSON at byte 3: not UTF-8");
    assert_eq!(error(b"\"\xed\xa0\x80\""), "invalid JSON at byte 1: not UTF-8");
    assert_eq!(error(b""), "invalid JSON at byte 0: the document ends early");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| checked(&("[".repeat(depth) + &"]".repeat(depth)));
    assert!(nested(64).is_ok());
    assert_eq!(nested(65).unwrap_err(), "invalid JSON at byte 64: nested deeper than 64 levels");
    assert!(nested(1_000_000).is_err());
    assert!(checked(&("{\"a\":".repeat(64) + "1" + &"}".repeat(64))).is_ok());
}

#[test]
fn values_are_walked_where_they_stand() {
    with(DOCUMENT, |top| {
        let a: Vec<String> =
            top.require("a").unwrap().items().unwrap().map(|v| v.as_json().to_string()).collect();
        assert_eq!(a, ["1", "-2.5e+3", "true", "false", "null"]);
        let layers = top.require("layers").unwrap();
        let keys: Vec<String> = layers.entries().unwrap().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, ["x", "", "e"]);
        assert_eq!(layers.text("x").unwrap().unwrap(), "é😀/\"\\\n\u{1}\0");
        assert_eq!(layers.require("").unwrap().items().unwrap().count(), 0);
        assert_eq!(layers.require("e").unwrap().entries().unwrap().count(), 0);
        assert_eq!(top.require("size").unwrap().as_u64().unwrap(), 12345678901234567890);
        assert!(top.get("Layers").unwrap().is_none());
    });
    with("[true,false,-9223372036854775808,18446744073709551615]", |top| {
        let mut items = top.items().unwrap();
        assert!(items.next().unwrap().as_bool().unwrap());
        assert!(!items.next().unwrap().as_bool().unwrap());
        assert_eq!(items.next().unwrap().as_i64().unwrap(), i64::MIN);
        assert_eq!(items.next().unwrap().as_u64().unwrap(), u64::MAX);
    });
}

#[test]
fn a_failure_names_the_path() {
    let document = r#"{"layers":[{"size":1},{"size":2},{"size":-3,"n":1e3,"d":1,"d":null,"big":18446744073709551616}],"x":null}"#;
    with(document, |top| {
        let last = top.require("layers").unwrap().items().unwrap().nth(2).unwrap();
        let error = |value: Value<'_>| value.as_u64().unwrap_err().to_string();
        assert_eq!(error(last.require("size").unwrap()), "layers[2].size: negative");
        assert_eq!(error(last.require("n").unwrap()), "layers[2].n: not a whole number below 2^64");
        assert_eq!(
            error(last.require("big").unwrap()),
            "layers[2].big: not a whole number below 2^64"
        );
        assert_eq!(error(last), "layers[2]: not a number");
        assert_eq!(error(top), "not a number");
        assert_eq!(last.require("d").err().unwrap().to_string(), "layers[2].d: given twice");
        assert_eq!(last.require("e").err().unwrap().to_string(), "layers[2].e: missing");
        assert_eq!(top.require("x").err().unwrap().to_string(), "x: missing");
        assert_eq!(last.items().err().unwrap().to_string(), "layers[2]: not an array");
        assert_eq!(
            top.require("layers").unwrap().entries().err().unwrap().to_string(),
            "layers: not an object"
        );
        assert_eq!(last.text("size").err().unwrap().to_string(), "layers[2].size: not a string");
    });
}

#[test]
fn text_compares_and_becomes_a_c_string() {
    with(r#"["a\u0062c","x\n\"y\\","\u0000",""]"#, |top| {
        let texts: Vec<Text<'_>> = top.items().unwrap().map(|v| v.as_text().unwrap()).collect();
        assert!(
            texts[0] == "abc"
                && texts[0] != "abd"
                && texts[0] != "ab"
                && texts[0].as_plain() == Some("abc")
        );
        assert!(texts[1] == "x\n\"y\\" && texts[1].as_plain().is_none());
        assert_eq!(texts[1].to_string(), "x\n\"y\\");
        assert!(texts[2] == "\0" && texts[3].is_empty());
        let mut memory = [0; 64];
        let mut strings = crate::io::strings::StringBlock::new(&mut memory);
        let mut c_string = |text: Text<'_>| {
            let mut builder = strings.begin();
            text.write_to(&mut builder).and_then(|()| builder.finish())
        };
        assert_eq!(c_string(texts[0]).unwrap(), c"abc");
        assert_eq!(c_string(texts[1]).unwrap(), c"x\n\"y\\");
        assert_eq!(c_string(texts[2]).unwrap_err().to_string(), "\\x00: a NUL character");
        assert_eq!(c_string(texts[3]).unwrap(), c"");
    });
}

#[test]
fn hostile_shapes_cost_linear_time() {
    let start = std::time::Instant::now();
    for document in [
        "[".repeat(1 << 20),
        format!("[{}1]", "{},".repeat(300_000)),
        format!("\"{}\"", "\\\\".repeat(500_000)),
        format!("{{\"a\":1{}}}", ",\"b\":1".repeat(100_000)),
    ] {
        let mut bytes = document.into_bytes();
        if let Ok(value) = check(&mut bytes) {
            let _ = value.get("a");
            let _ = value.items().map(Iterator::count);
        }
    }
    assert!(start.elapsed().as_secs() < 5);
}
