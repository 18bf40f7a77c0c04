use super::*;

const LONG: [u8; PATH_BYTES + 1] = [b'x'; PATH_BYTES + 1];

/// One request of each kind, with texts as long as they may be.
fn requests() -> Vec<Request<'static>> {
    let [name, reference] = [&LONG[..NAME_BYTES], &LONG[..REFERENCE_BYTES]];
    let (id, host, repository) = (65535, 3, name);
    let mut all = vec![
        Request::Host { host, name, repository },
        Request::Mirror { host, name },
        Request::Start { version: VERSION },
        Request::Manifest { id, host, repository, reference, accept: &LONG[..ACCEPT_BYTES] },
        Request::Blob { id, host, repository, digest: reference, offset: 7, length: u64::MAX },
        Request::Tags { id, host, repository },
        Request::Has { id, host, repository, digest: reference },
        Request::Upload {
            id,
            host,
            repository,
            digest: reference,
            length: 9,
            mount_from: repository,
        },
        Request::Put {
            id,
            host,
            repository,
            reference,
            length: 9,
            media_type: &LONG[..MEDIA_TYPE_BYTES],
        },
    ];
    all.extend(SETTINGS.map(|what| Request::Setting { host, what, value: &LONG[..PATH_BYTES] }));
    all
}

fn answers() -> Vec<Answer<'static>> {
    let (id, text) = (1, &LONG[..TEXT_BYTES]);
    let [media_type, digest] = [&LONG[..MEDIA_TYPE_BYTES], &LONG[..REFERENCE_BYTES]];
    let mut all = vec![
        Answer::Ready { version: VERSION, landlock: true },
        Answer::Ready { version: 2, landlock: false },
        Answer::Note { id, text },
        Answer::Begun { id, length: Some(12), media_type, digest },
        Answer::Begun { id, length: None, media_type: b"", digest: b"" },
        Answer::Restarted { id, skipped: 5 },
        Answer::Done { id, bytes: 1 << 40 },
        Answer::Mounted { id },
    ];
    let failed = |class| Answer::Failed { id, class, status: 503, bytes: 17, text };
    all.extend(CLASSES.map(failed));
    all
}

#[test]
fn each_message_is_read_as_it_was_written_and_fits_its_buffer() {
    for request in requests() {
        let mut buffer = [0; REQUEST_BYTES];
        assert_eq!(Request::decode(request.encode(&mut buffer).unwrap()), Ok(request));
    }
    for answer in answers() {
        let mut buffer = [0; ANSWER_BYTES];
        assert_eq!(Answer::decode(answer.encode(&mut buffer).unwrap()), Ok(answer));
    }
}

#[test]
fn every_prefix_of_a_message_and_every_longer_one_is_an_error() {
    let mut buffer = [0; REQUEST_BYTES];
    for request in requests() {
        let bytes = request.encode(&mut buffer).unwrap().to_vec();
        for end in 0..bytes.len() {
            assert_eq!(Request::decode(&bytes[..end]), Err(Malformed::Size), "{end}");
        }
        assert_eq!(Request::decode(&[&bytes[..], &[0]].concat()), Err(Malformed::Size));
    }
    for answer in answers() {
        let bytes = answer.encode(&mut buffer).unwrap().to_vec();
        for end in 0..bytes.len() {
            assert_eq!(Answer::decode(&bytes[..end]), Err(Malformed::Size), "{end}");
        }
    }
}

#[test]
fn a_text_beyond_its_limit_is_neither_written_nor_read() {
    let mut buffer = [0; 2 * REQUEST_BYTES];
    let long = Request::Mirror { host: 0, name: &LONG[..NAME_BYTES + 1] };
    assert_eq!(long.encode(&mut buffer), Err(Malformed::Long));
    let bytes = long.packet().write(&mut buffer).unwrap().to_vec();
    assert_eq!(Request::decode(&bytes), Err(Malformed::Long));
    let note = Answer::Note { id: 0, text: &LONG[..TEXT_BYTES] };
    assert_eq!(note.encode(&mut [0; 64]), Err(Malformed::Long));
}

#[test]
fn a_message_has_no_other_fields_than_its_kind() {
    let of = |kind, host, numbers, texts| Packet { kind, host, id: 1, numbers, texts };
    let none: &[u8] = &[];
    let mut buffer = [0; ANSWER_BYTES];
    for (packet, wanted) in [
        (of(TAGS, 0, [1, 0], [b"x", none, none]), Malformed::Field),
        (of(TAGS, 0, [0, 0], [b"x", b"y", none]), Malformed::Field),
        (of(START, 1, [0, 0], [none; 3]), Malformed::Field),
        (of(SETTING, 0, [0, 0], [none; 3]), Malformed::Kind),
        (of(SETTING, 0, [5, 0], [none; 3]), Malformed::Kind),
        (of(DONE, 0, [0, 0], [none; 3]), Malformed::Kind),
        (of(0, 0, [0, 0], [none; 3]), Malformed::Kind),
    ] {
        let bytes = packet.write(&mut buffer).unwrap();
        assert_eq!(Request::decode(bytes), Err(wanted));
    }
    for (packet, wanted) in [
        (of(DONE, 1, [0, 0], [none; 3]), Malformed::Field),
        (of(READY, 0, [2, 0], [none; 3]), Malformed::Field),
        (of(FAILED, 0, [0, 0], [none; 3]), Malformed::Kind),
        (of(FAILED, 15, [0, 0], [none; 3]), Malformed::Kind),
        (of(FAILED, 1, [0, 65536], [none; 3]), Malformed::Field),
        (of(TAGS, 0, [0, 0], [none; 3]), Malformed::Kind),
    ] {
        let bytes = packet.write(&mut buffer).unwrap();
        assert_eq!(Answer::decode(bytes), Err(wanted));
    }
}
