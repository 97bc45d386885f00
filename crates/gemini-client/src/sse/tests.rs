//! Streams as recorded, cut everywhere.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 16;

/// Two chunks with CRLF, text with the separators that must not split lines, multi-byte characters,
/// a comment, LF and CR framing, an event of two lines, then the bare error.
const RECORDED: &str = concat!(
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"### Zwö\u{1F600}\"}],\"role\": \"model\"},\"index\": 0}]}\r\n\r\n",
    "data: {\"text\": \"a\u{2028}b\u{2029}c\u{85}d\"}\r\n\r\n",
    ": a comment\n",
    "event: message\nid: 7\ndata:{\"lf\":1}\n\n",
    "data: {\"cr\":\rdata: 2}\r\r",
    "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"a } and a \\\" and a { in text\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n",
);

fn expected() -> Vec<Event> {
    let data = |text: &str| Event::Data(text.as_bytes().to_vec());
    vec![
        data(
            "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"### Zwö\u{1F600}\"}],\"role\": \"model\"},\"index\": 0}]}",
        ),
        data("{\"text\": \"a\u{2028}b\u{2029}c\u{85}d\"}"),
        data("{\"lf\":1}"),
        data("{\"cr\":\n2}"),
        Event::Bare(
            b"{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"a } and a \\\" and a { in text\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}".to_vec(),
        ),
    ]
}

/// All events of a stream that came in these pieces.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = Decoder::new(LIMIT);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece).expect("within the limit");
        events.extend(std::iter::from_fn(|| decoder.next()));
    }
    events.extend(decoder.finish());
    events
}

#[test]
fn a_recorded_stream_in_one_piece_and_byte_by_byte() {
    assert_eq!(decode([RECORDED.as_bytes()]), expected());
    assert_eq!(decode(RECORDED.as_bytes().chunks(1)), expected());
}

#[test]
fn every_single_cut_gives_the_same_events() {
    let bytes = RECORDED.as_bytes();
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(decode([head, tail]), expected(), "cut at {at}");
    }
}

#[test]
fn an_error_in_a_frame_is_data_like_any_other() {
    assert_eq!(decode([b"data: {\"error\":{}}\n\n".as_slice()]), [Event::Data(b"{\"error\":{}}".to_vec())]);
}

#[test]
fn the_last_blank_line_may_be_missing() {
    for stream in ["data: {}", "data: {}\n", "data: {}\r", "data: {}\r\n"] {
        assert_eq!(decode([stream.as_bytes()]), [Event::Data(b"{}".to_vec())], "{stream:?}");
    }
}

#[test]
fn an_unfinished_bare_error_is_handed_over_as_it_is() {
    assert_eq!(
        decode([b"data: 1\n\n{\"error\": {".as_slice()]),
        [Event::Data(b"1".to_vec()), Event::Bare(b"{\"error\": {".to_vec())]
    );
}

#[test]
fn a_bare_error_right_behind_an_unfinished_event_ends_that_event() {
    assert_eq!(
        decode([b"data: {\"a\":1}\r\n{\"error\":{}}".as_slice()]),
        [Event::Data(b"{\"a\":1}".to_vec()), Event::Bare(b"{\"error\":{}}".to_vec())]
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    assert_eq!(decode("\u{feff}data: 1\n\n".as_bytes().chunks(1)), [Event::Data(b"1".to_vec())]);
}

#[test]
fn blank_lines_and_comments_are_no_events() {
    assert_eq!(decode([b"\r\n\r\n: ping\n\n\n\nretry: 5\n\n".as_slice()]), []);
}

#[test]
fn what_outgrows_the_bound_is_an_error_and_memory_stays_bounded() {
    for start in ["data: ", "", "data: 1\ndata: ", "{"] {
        let mut decoder = Decoder::new(100);
        decoder.push(start.as_bytes()).expect("small");
        let end = (0..1000).find_map(|_| decoder.push(b"xxxxxxxxxx").err());
        assert_eq!(end, Some(TooLarge { limit: 100 }), "{start:?}");
        assert!(decoder.held() <= 110, "{start:?}");
    }
}

#[test]
fn what_was_whole_before_the_bound_is_not_lost() {
    let mut decoder = Decoder::new(10);
    assert!(decoder.push(b"data: 1\n\ndata: 22222222222\n\n").is_err());
    assert_eq!(decoder.next(), Some(Event::Data(b"1".to_vec())));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(cuts in proptest::collection::vec(0..RECORDED.len(), 0..12)) {
        let mut cuts = cuts;
        cuts.extend([0, RECORDED.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|w| &RECORDED.as_bytes()[w[0]..w[1]]);
        prop_assert_eq!(decode(pieces), expected());
    }

    #[test]
    fn any_bytes_decode_alike_however_split(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'{'), Just(b'}'), Just(b'"'), Just(b'\\'), Just(b':'), any::<u8>()],
            0..200,
        ),
        size in 1usize..9,
    ) {
        prop_assert_eq!(decode(bytes.chunks(size)), decode([bytes.as_slice()]));
    }
}
