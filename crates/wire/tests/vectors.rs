//! The golden vectors in `vectors/`: each reads into its type and is written as the same JSON again.

#[cfg(test)]
mod vectors {
    use std::collections::BTreeSet;

    use carillon_wire::frame::{
        ClientFrame, Event, Numbered, ServerFrame, decode_client, decode_server, encode,
    };
    use carillon_wire::payload::Payload;
    use carillon_wire::rest::{
        Abilities, CallSettings, CallSettingsChange, Challenge, Device, DeviceKeys, ErrorBody, Me,
        MissedCall, NewDevice, Page, Person, Profile, ProfileChange, ServerInfo, Session, SignIn, SignUp,
    };
    use carillon_wire::signed::{Badge, Credentials, DeviceCertificate, Signed};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    const CLIENT_FRAMES: &str = include_str!("../vectors/client_frames.json");
    const SERVER_FRAMES: &str = include_str!("../vectors/server_frames.json");
    const EVENTS: &str = include_str!("../vectors/events.json");
    const LATER_EVENTS: &str = include_str!("../vectors/later_events.json");
    const PAYLOADS: &str = include_str!("../vectors/payloads.json");
    const REST: &str = include_str!("../vectors/rest.json");

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        name: String,
        /// The type's name, for bodies, which have no `type` in their JSON.
        #[serde(default, rename = "type")]
        body: String,
        json: Value,
        note: String,
    }

    fn read(file: &str) -> Vec<Vector> {
        let vectors: Vec<Vector> = serde_json::from_str(file).unwrap();
        let names: BTreeSet<_> = vectors.iter().map(|vector| &vector.name).collect();
        assert_eq!(names.len(), vectors.len(), "each name once");
        assert!(vectors.iter().all(|vector| !vector.note.is_empty()), "each has a note");
        vectors
    }

    /// Reads a vector as `T`, writes it again, and the same with a field that nobody knows.
    fn round_trip<T: DeserializeOwned + Serialize>(vector: &Vector) -> T {
        let read = serde_json::from_value::<T>(vector.json.clone())
            .unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        assert_eq!(serde_json::to_value(&read).unwrap(), vector.json, "{}", vector.name);

        let mut wider = vector.json.clone();
        wider["from_the_future"] = serde_json::json!({"type": [1, null, "x"]});
        let read_wider = serde_json::from_value::<T>(wider)
            .unwrap_or_else(|error| panic!("{} with an unknown field: {error}", vector.name));
        assert_eq!(serde_json::to_value(&read_wider).unwrap(), vector.json, "{}", vector.name);
        read
    }

    fn kinds(vectors: &[Vector]) -> BTreeSet<&str> {
        vectors.iter().map(|vector| vector.json["type"].as_str().unwrap()).collect()
    }

    /// The variants of an enum in a source file, as they stand in JSON.
    fn variants(source: &str, name: &str) -> BTreeSet<String> {
        let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
        lines
            .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
            .map(|line| {
                let variant: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
                let mut snake = String::new();
                for c in variant.chars() {
                    if c.is_ascii_uppercase() && !snake.is_empty() {
                        snake.push('_');
                    }
                    snake.push(c.to_ascii_lowercase());
                }
                snake
            })
            .collect()
    }

    #[test]
    fn every_client_frame_reads_and_is_written_as_in_its_vector() {
        let vectors = read(CLIENT_FRAMES);
        for vector in &vectors {
            let frame = round_trip::<Numbered<ClientFrame>>(vector);
            assert_eq!(vector.json["type"], frame.frame.kind());
            let text = encode(&frame);
            assert_eq!(decode_client(&text).as_ref(), Ok(&frame), "{}", vector.name);
        }
        assert_eq!(kinds(&vectors), ClientFrame::KINDS.iter().copied().collect());
    }

    #[test]
    fn every_server_frame_reads_and_is_written_as_in_its_vector() {
        let vectors = read(SERVER_FRAMES);
        for vector in &vectors {
            let frame = round_trip::<Numbered<ServerFrame>>(vector);
            let text = encode(&frame);
            assert_eq!(decode_server(&text).as_ref(), Ok(&frame), "{}", vector.name);
        }
        assert_eq!(kinds(&vectors), ServerFrame::KINDS.iter().copied().collect());
    }

    #[test]
    fn every_event_reads_and_is_written_as_in_its_vector_also_inside_deliver() {
        let vectors = read(EVENTS);
        for (seq, vector) in (1..).zip(&vectors) {
            let event = round_trip::<Event>(vector);
            assert_ne!(event, Event::Unknown, "{}", vector.name);
            let frame = Numbered::bare(ServerFrame::Deliver { seq, event });
            assert_eq!(decode_server(&encode(&frame)), Ok(frame), "{}", vector.name);
        }
        let mut known = variants(include_str!("../src/frame/server.rs"), "Event");
        assert!(known.remove("unknown"), "what a later version brings is read as unknown");
        assert_eq!(kinds(&vectors), known.iter().map(String::as_str).collect());
    }

    /// [`Event::Unknown`] keeps nothing of what it was, so these are read and not written again.
    #[test]
    fn a_deliver_with_an_event_of_a_later_version_still_shows_its_number() {
        let vectors = read(LATER_EVENTS);
        assert!(!vectors.is_empty());
        for vector in &vectors {
            let text = vector.json.to_string();
            let Ok(Numbered { frame: ServerFrame::Deliver { seq, event }, .. }) = decode_server(&text) else {
                panic!("{}", vector.name)
            };
            assert_eq!((Some(seq), event), (vector.json["seq"].as_u64(), Event::Unknown), "{}", vector.name);
        }
    }

    #[test]
    fn every_payload_reads_and_is_written_as_in_its_vector() {
        let vectors = read(PAYLOADS);
        for vector in &vectors {
            assert_ne!(round_trip::<Payload>(vector), Payload::Unknown, "{}", vector.name);
        }
        let mut known = variants(include_str!("../src/payload.rs"), "Payload");
        assert!(known.remove("unknown"), "what a later version brings is read as unknown");
        assert_eq!(kinds(&vectors), known.iter().map(String::as_str).collect());
    }

    #[test]
    fn every_body_reads_and_is_written_as_in_its_vector() {
        let vectors = read(REST);
        for vector in &vectors {
            match vector.body.as_str() {
                "Abilities" => drop(round_trip::<Abilities>(vector)),
                "Badge" => drop(round_trip::<Badge>(vector)),
                "CallSettings" => drop(round_trip::<CallSettings>(vector)),
                "CallSettingsChange" => drop(round_trip::<CallSettingsChange>(vector)),
                "Challenge" => drop(round_trip::<Challenge>(vector)),
                "Credentials" => drop(round_trip::<Credentials>(vector)),
                "Device" => drop(round_trip::<Device>(vector)),
                "DeviceCertificate" => drop(round_trip::<DeviceCertificate>(vector)),
                "DeviceKeys" => drop(round_trip::<DeviceKeys>(vector)),
                "ErrorBody" => drop(round_trip::<ErrorBody>(vector)),
                "Me" => drop(round_trip::<Me>(vector)),
                "MissedCall" => drop(round_trip::<MissedCall>(vector)),
                "NewDevice" => drop(round_trip::<NewDevice>(vector)),
                "Page<MissedCall>" => drop(round_trip::<Page<MissedCall>>(vector)),
                "Page<Person>" => drop(round_trip::<Page<Person>>(vector)),
                "Person" => drop(round_trip::<Person>(vector)),
                "Profile" => drop(round_trip::<Profile>(vector)),
                "ProfileChange" => drop(round_trip::<ProfileChange>(vector)),
                "ServerInfo" => drop(round_trip::<ServerInfo>(vector)),
                "Session" => drop(round_trip::<Session>(vector)),
                "SignIn" => drop(round_trip::<SignIn>(vector)),
                "SignUp" => drop(round_trip::<SignUp>(vector)),
                "Signed" => drop(round_trip::<Signed>(vector)),
                other => panic!("{}: no type {other:?}", vector.name),
            }
        }
    }

    #[test]
    fn every_body_has_a_vector() {
        let vectors = read(REST);
        let shown: BTreeSet<_> =
            vectors.iter().map(|vector| vector.body.split('<').next().unwrap_or_default()).collect();
        for source in [include_str!("../src/rest.rs"), include_str!("../src/signed.rs")] {
            for line in source.lines().filter_map(|line| line.strip_prefix("pub struct ")) {
                let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(shown.contains(name.as_str()), "rest.json has no {name}");
            }
        }
    }

    #[test]
    fn the_variants_of_an_enum_are_found_in_its_source() {
        let source = "/// A\npub enum Thing {\n    /// Doc.\n    One {\n        Field: u8,\n    },\n    TwoWords(u8),\n    #[serde(other)]\n    Other,\n}\npub enum Else {\n    Not,\n}\n";
        assert_eq!(variants(source, "Thing"), ["one", "other", "two_words"].map(str::to_owned).into());
    }

    #[test]
    fn what_a_later_version_brings_does_not_fail() {
        let payload: Payload = serde_json::from_str(r#"{"type":"wave","hand":"left"}"#).unwrap();
        assert_eq!(payload, Payload::Unknown);
        for (kind, value) in [
            ("refused", r#""call":"Z-oXoTZ9KFGH5U_f4OAYDA","reason":"new""#),
            ("taken", r#""call":"Z-oXoTZ9KFGH5U_f4OAYDA","kind":"new""#),
            ("changed", r#""topics":["new"]"#),
            ("error", r#""code":"new","message":"New.""#),
        ] {
            let text = format!(r#"{{"type":"{kind}",{value}}}"#);
            assert!(decode_server(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn null_counts_as_absent_when_it_is_read() {
        let change: CallSettingsChange =
            serde_json::from_str(r#"{"verified":null,"everyone":true}"#).unwrap();
        assert_eq!(serde_json::to_string(&change).unwrap(), r#"{"everyone":true}"#);
    }

    #[test]
    fn debug_shows_no_name_no_handle_no_address_and_no_secret() {
        let shown = [
            read(CLIENT_FRAMES).iter().map(shown::<Numbered<ClientFrame>>).collect::<String>(),
            read(SERVER_FRAMES).iter().map(shown::<Numbered<ServerFrame>>).collect(),
            read(EVENTS).iter().map(shown::<Event>).collect(),
            read(PAYLOADS).iter().map(shown::<Payload>).collect(),
            read(REST).iter().filter(|vector| vector.body == "SignUp").map(shown::<SignUp>).collect(),
            read(REST).iter().filter(|vector| vector.body == "Session").map(shown::<Session>).collect(),
            read(REST).iter().filter(|vector| vector.body == "Device").map(shown::<Device>).collect(),
            read(REST)
                .iter()
                .filter(|vector| vector.body == "ProfileChange")
                .map(shown::<ProfileChange>)
                .collect(),
            read(REST)
                .iter()
                .filter(|vector| vector.body == "Page<Person>")
                .map(shown::<Page<Person>>)
                .collect(),
            read(REST).iter().filter(|vector| vector.body == "MissedCall").map(shown::<MissedCall>).collect(),
        ]
        .concat();
        for (secret, all) in [
            ("ada", EVENTS),
            ("Ada", REST),
            ("bob_r", REST),
            ("Augusta", REST),
            ("7K2Q", REST),
            ("192.0.2.7", PAYLOADS),
            ("opus/", PAYLOADS),
            ("hX2pQ0v3b1", SERVER_FRAMES),
            ("1800003600", SERVER_FRAMES),
        ] {
            assert!(all.contains(secret), "{secret} is in the vectors");
            assert!(!shown.contains(secret), "{secret} is shown");
        }
        let token = read(REST)
            .iter()
            .find(|vector| vector.body == "Session")
            .map(|vector| vector.json["token"].clone());
        assert!(!shown.contains(token.unwrap().as_str().unwrap()));
    }

    fn shown<T: DeserializeOwned + Serialize + std::fmt::Debug>(vector: &Vector) -> String {
        format!("{:?}", round_trip::<T>(vector))
    }
}
