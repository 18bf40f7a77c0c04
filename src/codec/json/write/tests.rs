use super::*;
use crate::codec::json::check;

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
    let mut bytes = Vec::new();
    write(&mut Writer::new(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_document_is_laid_out_as_runc_does() {
    let text = written(|json| {
        json.object();
        json.key("a").array();
        json.number(0);
        json.number(u64::MAX);
        json.signed(i64::MIN);
        json.array();
        json.end();
        json.object();
        json.end();
        json.end();
        json.key("b").object();
        json.key("c").boolean(true);
        json.key("d").null();
        json.end();
        json.key("e").string(b"");
        json.end();
    });
    let wanted = "{\n\t\"a\": [\n\t\t0,\n\t\t18446744073709551615,\n\t\t-9223372036854775808,\n\t\t[],\n\t\t{}\n\t],\n\t\"b\": {\n\t\t\"c\": true,\n\t\t\"d\": null\n\t},\n\t\"e\": \"\"\n}\n";
    assert_eq!(text, wanted);
    assert_eq!(written(|json| json.number(7)), "7\n");
}

#[test]
fn a_document_may_be_one_line() {
    let mut bytes = Vec::new();
    let mut json = Writer::with_indent(&mut bytes, "");
    json.object();
    json.array_of("a");
    json.number(1);
    json.number(2);
    json.end();
    json.object_of("b");
    json.end();
    json.end();
    assert_eq!(String::from_utf8(bytes).unwrap(), "{\"a\":[1,2],\"b\":{}}\n");
}

/// Returns every special character, and one of each length.
fn odd() -> String {
    ('\0'..='\u{a1}').chain("é€😀\u{2028}\u{fffd}\u{ffff}".chars()).collect()
}

#[test]
fn strings_are_read_again_as_they_were() {
    let odd = odd();
    let once = written(|json| {
        json.object();
        json.key(&odd).string(odd.as_bytes());
        json.end();
    });
    assert!(
        !once.contains('\u{9b}') && !once.contains('\x7f'),
        "a terminal would handle_host_commands"
    );
    let mut bytes = once.clone().into_bytes();
    let value = check(&mut bytes).unwrap();
    let (key, text) = value.entries().unwrap().next().unwrap();
    let text = text.as_text().unwrap();
    assert!(key.chars().eq(odd.chars()) && text.chars().eq(odd.chars()));
    // A read document is written unchanged, as text and as a value.
    let again = written(|json| {
        json.object();
        json.text_key(&key).text(&text);
        json.end();
    });
    assert_eq!(again, once);
    let list = written(|json| {
        json.array();
        json.joined(&mut [text, text].into_iter(), ",");
        json.value(&value);
        json.end();
    });
    let mut bytes = list.into_bytes();
    let list = check(&mut bytes).unwrap();
    let mut items = list.items().unwrap();
    assert!(items.next().unwrap().as_text().unwrap().chars().eq(format!("{odd},{odd}").chars()));
    assert!(items.next().unwrap().text(&odd).unwrap().unwrap().chars().eq(odd.chars()));
}

#[test]
fn what_is_not_utf8_is_replaced_and_told() {
    let mut bytes = Vec::new();
    let mut json = Writer::new(&mut bytes);
    json.array();
    json.string("é".as_bytes());
    assert!(!json.has_replaced());
    json.string(b"a\xff\xfeb\xc3");
    json.end();
    assert!(json.has_replaced());
    let mut document = bytes;
    let items = check(&mut document).unwrap().items().unwrap();
    assert_eq!(items.last().unwrap().as_text().unwrap(), "a\u{fffd}\u{fffd}b\u{fffd}");
}
