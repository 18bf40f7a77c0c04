//! An image's configuration: whatever it says, it becomes a runtime config that says the same, as
//! JSON that others can read, or one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::bundle::{Given, Overrides, Stock, for_bundle, spec_from_image};
use ocinit::codec::json::{self, Writer};
use ocinit::image::Config;
use ocinit::io::output::Sink;
use ocinit::io::strings::{StringBlock, PackedStrings};
use ocinit::spec::write_config;
use serde_json::Value;

mod support;

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn words(words: PackedStrings<'_>) -> Vec<String> {
    words.iter().map(|word| String::from_utf8_lossy(word.to_bytes()).into_owned()).collect()
}

/// The texts of a list in the image's `config`; equal keys are refused before this is asked.
fn texts(document: &Value, key: &str) -> Vec<String> {
    let list = document["config"][key].as_array().cloned().unwrap_or_default();
    list.iter().map(|text| text.as_str().expect("checked").to_string()).collect()
}

fuzz_target!(|data: &[u8]| {
    ocinit::log::set_level(ocinit::log::Level::Error);
    let mut document = data.to_vec();
    let Ok(value) = json::check(&mut document) else { return };
    let config = match Config::read(value) {
        Ok(config) => config,
        Err(error) => return assert!(!error.to_string().contains('\n')),
    };
    let oracle: Value = serde_json::from_slice(data).expect("what is accepted is JSON");
    let root = support::root(&[
        ("passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"),
        ("group", b"g:x:5:app\n"),
    ]);
    for bundle in [false, true] {
        let mut memory = vec![0; 16 * data.len() + (64 << 10)];
        let mut strings = StringBlock::new(&mut memory);
        let mut stock = Stock::EMPTY;
        let overrides = Overrides { bundle, ..Overrides::default() };
        let mut spec = match spec_from_image(&config, overrides, Some(root.by_ref()), &mut strings) {
            Ok(spec) => spec,
            Err(error) => {
                assert!(!error.to_string().contains('\n'));
                continue;
            }
        };
        let args = words(spec.process.args);
        let expected = [texts(&oracle, "Entrypoint"), texts(&oracle, "Cmd")].concat();
        assert!(
            args == expected || bundle && expected.is_empty() && args == ["sh"],
            "{args:?}, not {expected:?}"
        );
        let env = words(spec.process.env);
        // As docker, it drops an empty entry.
        let given: Vec<String> =
            texts(&oracle, "Env").into_iter().filter(|entry| !entry.is_empty()).collect();
        assert!(env.starts_with(&given), "{env:?}");
        assert!(spec.process.cwd.to_bytes().starts_with(b"/"));
        if !bundle {
            continue;
        }
        if let Err(error) = for_bundle(
            &mut spec,
            &config,
            Some(root.by_ref()),
            None,
            Given::default(),
            &mut strings,
            &mut stock,
        ) {
            assert!(!error.to_string().contains('\n'));
            continue;
        }
        let mut output = Bytes(Vec::new());
        write_config(&spec, c"rootfs", &mut Writer::new(&mut output));
        assert!(
            output.0.iter().all(|&byte| byte >= b' ' || matches!(byte, b'\n' | b'\t')),
            "a control character"
        );
        let written: Value = serde_json::from_slice(&output.0).expect("what is written is JSON");
        assert_eq!(written["process"]["args"], Value::from(args));
        assert_eq!(written["process"]["env"], Value::from(env));
        let labels = oracle["config"]["Labels"].as_object().cloned().unwrap_or_default();
        for (key, label) in labels.iter().filter(|(key, label)| !key.is_empty() && !label.is_null())
        {
            assert_eq!(written["annotations"][key], *label, "label {key}");
        }
    }
});
