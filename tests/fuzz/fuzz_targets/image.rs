//! index.json, manifest and configuration, separated by NUL: whatever they say, the answer is an
//! image or one line.
//!
//! The first document is index.json, the others are blobs; `@1`, `@2`, … stand for the digest and
//! size of the blob of that number, so that documents can be changed without guessing a digest:
//! `"digest":"@1","size":@1`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::digest::{Algorithm, Digest, Hasher};
use ocinit::image::{Form, Store, Wanted, open};

mod support;

fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish()
}

fuzz_target!(|data: &[u8]| {
    let mut documents: Vec<Vec<u8>> =
        data.split(|&byte| byte == 0).take(8).map(<[u8]>::to_vec).collect();
    // The last one first: a document refers to later ones.
    for at in (0..documents.len()).rev() {
        for later in at + 1..documents.len() {
            let (hash, size) =
                (digest(&documents[later]).to_string(), documents[later].len().to_string());
            documents[at] = replace(
                &documents[at],
                format!("\"@{later}\"").as_bytes(),
                format!("\"{hash}\"").as_bytes(),
            );
            documents[at] =
                replace(&documents[at], format!("@{later}").as_bytes(), size.as_bytes());
        }
    }
    let mut tar = Vec::new();
    support::append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    support::append(&mut tar, "index.json", &documents[0]);
    for blob in &documents[1..] {
        support::append(&mut tar, &format!("blobs/sha256/{}", digest(blob).hex()), blob);
    }
    let mut memories = support::memories();
    let (image, archive) = &mut *memories;
    let store = Store::open_archive(support::file(&tar), tar.len() as u64, Form::Either, archive)
        .expect("a layout");
    for wanted in [
        Wanted::default(),
        Wanted { reference: Some("v1"), ..Wanted::default() },
        Wanted { digest: documents.get(1).map(|blob| digest(blob)), ..Wanted::default() },
    ] {
        match open(&store, &wanted, image) {
            Ok(image) => {
                let config = &image.config;
                let texts = config
                    .env()
                    .chain(config.cmd())
                    .chain(config.entrypoint())
                    .chain(config.volumes());
                texts.for_each(|text| drop(text.to_string()));
                assert!(
                    config.architecture() == "amd64" && config.labels().count() < data.len() + 1
                );
            }
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
});

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    result.extend_from_slice(rest);
    result
}
