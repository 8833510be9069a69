//! Frames that can't be read: each gets its code, tells nothing of what it held, and never panics.

#[cfg(test)]
mod bad_frames {
    use carillon_wire::Code;
    use carillon_wire::frame::{ClientFrame, FrameError, decode_client, decode_server, encode};
    use carillon_wire::limits::{MAX_BOX_BYTES, MAX_DEVICES, MAX_FRAME_BYTES};
    use carillon_wire::payload::Payload;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    const VECTORS: [&str; 3] = [
        include_str!("../vectors/client_frames.json"),
        include_str!("../vectors/server_frames.json"),
        include_str!("../vectors/events.json"),
    ];

    fn refused(text: &str) -> FrameError {
        decode_client(text).expect_err(text)
    }

    /// The client's frames from the golden vectors.
    fn frames() -> Vec<Map<String, Value>> {
        let vectors: Vec<Value> = serde_json::from_str(VECTORS[0]).unwrap();
        vectors.iter().map(|vector| vector["json"].as_object().unwrap().clone()).collect()
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for text in
            ["", " ", "hello", "{", "{\"type\":\"ping\"", "{'type':'ping'}", "{\"type\":\"ping\"}}", "\u{0}"]
        {
            assert_eq!((refused(text).code, refused(text).reference), (Code::Malformed, None), "{text:?}");
        }
    }

    #[test]
    fn json_that_is_no_frame_is_malformed() {
        for text in [
            "null",
            "17",
            "\"ping\"",
            "[]",
            "[\"ping\"]",
            "{}",
            "{\"type\":null}",
            "{\"type\":5}",
            "{\"ref\":1}",
        ] {
            assert_eq!(refused(text).code, Code::Malformed, "{text:?}");
        }
    }

    #[test]
    fn a_frame_of_an_unknown_kind_says_so_and_keeps_its_ref() {
        let error = refused(r#"{"type":"teleport","ref":7,"where":{"to":["x"]}}"#);
        assert_eq!((error.code, error.reference), (Code::UnknownFrame, Some(7)));
        assert!(ClientFrame::KINDS.iter().all(|kind| error.detail.contains(kind)), "{}", error.detail);
        assert_eq!(refused(r#"{"type":"Ping"}"#).code, Code::UnknownFrame, "kinds are in lower case");
        assert_eq!(refused(r#"{"type":"welcome","ref":7}"#).code, Code::UnknownFrame, "a server's frame");
    }

    #[test]
    fn a_missing_field_is_named_and_the_ref_is_kept() {
        for frame in frames() {
            for field in frame.keys().filter(|field| !matches!(field.as_str(), "type" | "ref" | "resume")) {
                let mut less = frame.clone();
                less.remove(field);
                less.insert("ref".to_owned(), json!(3));
                let error = refused(&Value::Object(less).to_string());
                assert_eq!((error.code, error.reference), (Code::Malformed, Some(3)));
                assert!(error.detail.starts_with(&format!("missing field `{field}`")), "{}", error.detail);
            }
        }
    }

    #[test]
    fn a_field_of_another_type_is_malformed() {
        for frame in frames() {
            for (field, value) in &frame {
                for other in [json!(-1), json!(1.5), json!("?"), json!([[]]), json!({"x": 1}), json!(true)] {
                    if std::mem::discriminant(&other) == std::mem::discriminant(value) && !value.is_number() {
                        continue;
                    }
                    let mut wrong = frame.clone();
                    wrong.insert(field.clone(), other);
                    let text = Value::Object(wrong).to_string();
                    assert_eq!(refused(&text).code, Code::Malformed, "{text}");
                }
            }
        }
    }

    #[test]
    fn ids_boxes_and_choices_must_have_their_form() {
        let call = "Z-oXoTZ9KFGH5U_f4OAYDA";
        for text in [
            r#"{"type":"cancel","call":""}"#.to_owned(),
            format!(r#"{{"type":"cancel","call":"{call}=="}}"#),
            format!(r#"{{"type":"cancel","call":"{call}A"}}"#),
            r#"{"type":"cancel","call":"Z+oXoTZ9KFGH5U/f4OAYDA"}"#.to_owned(),
            r#"{"type":"cancel","call":"Z-oXoTZ9KFGH5U_f4OAYDB"}"#.to_owned(),
            format!(r#"{{"type":"accept","call":"{call}","box":"not base64"}}"#),
            format!(r#"{{"type":"decline","call":"{call}","reason":"bored","scope":"all"}}"#),
            format!(r#"{{"type":"decline","call":"{call}","reason":"busy","scope":"world"}}"#),
            r#"{"type":"hello","proto":65536,"device":"Z-oXoTZ9KFGH5U_f4OAYDA","signature":""}"#.to_owned(),
            r#"{"type":"ack","seq":18446744073709551616}"#.to_owned(),
        ] {
            assert_eq!(refused(&text).code, Code::Malformed, "{text}");
        }
    }

    #[test]
    fn a_field_or_a_kind_given_twice_is_malformed() {
        for text in [
            r#"{"type":"ping","type":"turn"}"#,
            r#"{"type":"ack","seq":1,"seq":2}"#,
            r#"{"type":"ping","ref":1,"ref":2}"#,
        ] {
            assert_eq!(refused(text).code, Code::Malformed, "{text}");
        }
    }

    #[test]
    fn a_frame_of_the_longest_length_is_read_and_one_byte_more_is_too_large() {
        let padded = |length: usize| {
            let frame = r#"{"type":"ping","ref":5,"padding":""}"#;
            frame.replace("\"\"", &format!("\"{}\"", "x".repeat(length - frame.len())))
        };
        assert_eq!(padded(MAX_FRAME_BYTES).len(), MAX_FRAME_BYTES);
        assert!(decode_client(&padded(MAX_FRAME_BYTES)).is_ok());
        assert_eq!(refused(&padded(MAX_FRAME_BYTES + 1)).code, Code::TooLarge);
        assert_eq!(refused(&padded(1_000_000)).code, Code::TooLarge);
        // A character of three bytes counts three.
        assert_eq!(refused(&"€".repeat(MAX_FRAME_BYTES / 3 + 1)).code, Code::TooLarge);
    }

    #[test]
    fn offers_for_as_many_devices_as_there_may_be_fit_into_one_frame() {
        let boxes: Vec<_> = (0..MAX_DEVICES)
            .map(|_| json!({"device": "Z-oXoTZ9KFGH5U_f4OAYDA", "box": "A".repeat((MAX_BOX_BYTES * 8).div_ceil(6))}))
            .collect();
        let call = "Z-oXoTZ9KFGH5U_f4OAYDA";
        let frame = json!({"ref": u64::MAX, "type": "create", "call": call, "callee": call, "media": "video",
            "expires_in": u64::MAX, "boxes": boxes});
        assert!(decode_client(&frame.to_string()).is_ok());
    }

    #[test]
    fn deep_nesting_is_malformed_and_does_not_exhaust_the_stack() {
        for (open, close) in [("[", "]"), ("{\"x\":", "}")] {
            let depth = 30_000 / open.len();
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(refused(&deep).code, Code::Malformed);
            let hidden = format!(r#"{{"type":"ping","unknown":{deep}}}"#);
            assert_eq!(refused(&hidden).code, Code::Malformed);
            let unclosed = format!(r#"{{"type":"ping","unknown":{}"#, open.repeat(depth));
            assert_eq!(refused(&unclosed).code, Code::Malformed);
        }
    }

    #[test]
    fn the_detail_tells_nothing_of_what_was_sent() {
        const SECRET: &str = "s3cr3t";
        let mut texts = vec![
            SECRET.to_owned(),
            format!("\"{SECRET}"),
            format!("{{\"{SECRET}\":1}}"),
            format!("{{\"type\":\"{SECRET}\"}}"),
            format!("{{\"type\":\"{SECRET}\",\"ref\":\"{SECRET}\"}}"),
            format!("{{\"type\":\"ping\",\"{SECRET}\":tru}}"),
            format!("{{\"type\":\"missing field `{SECRET}`\"}}"),
        ];
        for frame in frames() {
            for field in frame.keys() {
                for value in
                    [json!(SECRET), json!([SECRET]), json!({SECRET: SECRET}), json!({"type": SECRET})]
                {
                    let mut wrong = frame.clone();
                    wrong.insert(field.clone(), value);
                    texts.push(Value::Object(wrong).to_string());
                }
            }
        }
        for text in texts {
            // An unknown reason for `end` is no error.
            let Err(error) = decode_client(&text) else { continue };
            assert!(!error.detail.contains(SECRET), "{}", error.detail);
            assert!(!error.to_string().contains(SECRET));
        }
    }

    /// Any JSON, with our own field names and kinds mixed in.
    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            prop::sample::select(ClientFrame::KINDS).prop_map(str::to_owned),
            prop::sample::select(vec!["type", "ref", "call", "box", "seq", "boxes", "device", "reason"])
                .prop_map(str::to_owned),
            "[A-Za-z0-9_-]{22}",
            ".{0,12}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((word.clone(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn read_all(text: &str) {
        if let Ok(frame) = decode_client(text) {
            assert_eq!(decode_client(&encode(&frame)), Ok(frame));
        }
        if let Ok(frame) = decode_server(text) {
            assert_eq!(decode_server(&encode(&frame)), Ok(frame));
        }
        let _: Result<Payload, _> = serde_json::from_str(text);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,300}") {
            read_all(&text);
        }

        #[test]
        fn any_json_is_read_or_refused(value in any_json()) {
            read_all(&value.to_string());
        }

        #[test]
        fn any_frame_with_a_field_replaced_is_read_or_refused(
            (which, field) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            value in any_json(),
        ) {
            let all = frames();
            let mut frame = which.get(&all).clone();
            let fields: Vec<_> = frame.keys().cloned().collect();
            frame.insert(field.get(&fields).clone(), value);
            read_all(&Value::Object(frame).to_string());
        }

        #[test]
        fn a_frame_damaged_on_the_way_is_read_or_refused(
            which in any::<prop::sample::Index>(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let all = frames();
            let mut bytes = Value::Object(which.get(&all).clone()).to_string().into_bytes();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            read_all(&String::from_utf8_lossy(&bytes));
        }
    }
}
