//! A config.json, or a process.json: it is read, and says what serde_json reads in it, or there is
//! one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::json;
use ocinit::io::strings::PackedStrings;
use ocinit::io::output::Sink;
use ocinit::spec::{Process, Spec, SpecMemory, read, read_new, read_process, write};
use ocinit::sys::arena::Word;
use serde_json::Value;

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn written(spec: &Spec<'_>) -> Vec<u8> {
    let mut bytes = Bytes(Vec::new());
    write(spec, &mut json::Writer::with_indent(&mut bytes, ""));
    bytes.0
}

fn words(words: PackedStrings<'_>) -> Vec<String> {
    words.iter().map(|word| String::from_utf8_lossy(word.to_bytes()).into_owned()).collect()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|text| text.as_str().expect("checked").to_string())
        .collect()
}

fn compare(process: &Process<'_>, oracle: &Value) {
    assert_eq!(words(process.args), texts(&oracle["args"]));
    assert!(process.args.first().is_some() && process.cwd.to_bytes().starts_with(b"/"));
    assert_eq!(words(process.env), texts(&oracle["env"]));
    assert!(words(process.env).iter().all(|one| one.find('=').is_some_and(|at| at > 0)));
    assert_eq!(u64::from(process.user.uid), oracle["user"]["uid"].as_u64().unwrap_or(0));
    assert_eq!(
        process.user.additional_gids.len(),
        oracle["user"]["additionalGids"].as_array().map_or(0, Vec::len)
    );
    assert_eq!(process.terminal, oracle["terminal"] == true);
    assert_eq!(process.rlimits.len(), oracle["rlimits"].as_array().map_or(0, Vec::len));
    let adjustment = oracle["oomScoreAdj"].as_i64();
    assert_eq!(process.oom_score_adj.map(i64::from), adjustment);
}

fuzz_target!(|data: &[u8]| {
    let mut document = data.to_vec();
    if json::check(&mut document).is_err() {
        return;
    }
    let oracle: Value = serde_json::from_slice(data).expect("what is accepted is JSON");
    let mut memory = vec![0; 4 * data.len() + 4096];
    let mut lists = vec![Word::uninit(); SpecMemory::LISTS];
    let (mut room, mut unknown) = (SpecMemory::new(&mut memory, &mut lists), 0);
    let mut document = data.to_vec();
    let spec = read_new(&mut document, &mut room, None, &mut |_| unknown += 1);
    let given = oracle["process"]["capabilities"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, set)| set.as_array());
    assert!(unknown <= given.map(Vec::len).sum::<usize>());
    match spec {
        Ok(spec) => {
            match oracle["process"].is_null() {
                true => assert!(spec.process.args.first().is_none()),
                false => compare(&spec.process, &oracle["process"]),
            }
            assert_eq!(spec.mounts.len(), oracle["mounts"].as_array().map_or(0, Vec::len));
            assert!(spec.mounts.iter().all(|mount| mount.destination.to_bytes().starts_with(b"/")));
            assert_eq!(words(spec.masked_paths), texts(&oracle["linux"]["maskedPaths"]));
            assert!(words(spec.masked_paths).iter().all(|path| path.starts_with('/')));
            assert!(
                spec.devices.len() >= 6
                    && spec.devices.iter().all(|device| device.path.to_bytes().starts_with(b"/"))
            );
            assert_eq!(
                spec.root.path.to_bytes(),
                oracle["root"]["path"].as_str().expect("checked").as_bytes()
            );
            let text = written(&spec);
            let mut again = text.clone();
            let mut memory = vec![0; 4 * data.len() + 4096];
            let mut lists = vec![Word::uninit(); SpecMemory::LISTS];
            let mut room = SpecMemory::new(&mut memory, &mut lists);
            let second = read(&mut again, &mut room).expect("what is written is read");
            assert_eq!(written(&second), text);
            assert_eq!(second.limits, spec.limits);
            assert_eq!(second.device_rules, spec.device_rules);
            let joined: i32 = spec.joined.iter().fold(0, |bits, one| bits | one.kind);
            assert_eq!(joined & spec.namespaces, 0);
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
    let mut memory = vec![0; 4 * data.len() + 4096];
    let mut lists = vec![Word::uninit(); SpecMemory::LISTS];
    let mut document = data.to_vec();
    match read_process(&mut document, &mut SpecMemory::new(&mut memory, &mut lists)) {
        Ok(process) => compare(&process, &oracle),
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
