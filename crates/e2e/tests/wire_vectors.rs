//! The keys, statements and challenges in `crates/wire/vectors/keys.json`, which were made by another
//! implementation of RFC 8032 and RFC 7748.

#[cfg(test)]
mod wire_vectors {
    use carillon_e2e::challenge::{Challenge, Purpose};
    use carillon_e2e::{AccountKey, DeviceKey, IssuerKey, Prekey, commitment, statement};
    use carillon_wire::signed::{Badge, DeviceCertificate, Signed};
    use carillon_wire::{Bytes32, bytes};
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    const KEYS: &str = include_str!("../../wire/vectors/keys.json");

    fn vector(name: &str) -> Value {
        let vectors: Vec<Value> = serde_json::from_str(KEYS).unwrap();
        vectors.into_iter().find(|vector| vector["name"] == name).unwrap()["json"].take()
    }

    fn field<T: DeserializeOwned>(vector: &Value, name: &str) -> T {
        serde_json::from_value(vector[name].clone()).unwrap()
    }

    fn secret(vector: &Value, name: &str) -> [u8; 32] {
        field::<Bytes32>(vector, name).0
    }

    #[test]
    fn keys_and_ids_follow_from_the_secrets() {
        let account = vector("account");
        let key = AccountKey::from_secret(&secret(&account, "secret"));
        assert_eq!((key.public(), key.id()), (field(&account, "account_key"), field(&account, "account")));

        let device = vector("device");
        let key = DeviceKey::from_secret(&secret(&device, "secret"));
        assert_eq!((key.public(), key.id()), (field(&device, "device_key"), field(&device, "device")));
        let prekey = Prekey::from_secret(&secret(&device, "prekey_secret"));
        assert_eq!(prekey.public(), field(&device, "prekey"));

        let issuer = vector("issuer");
        let key = IssuerKey::from_secret(&secret(&issuer, "secret"));
        assert_eq!(key.public(), field(&issuer, "issuer_key"));
    }

    #[test]
    fn the_certificate_and_the_badge_are_what_these_keys_sign() {
        let (account, device, issuer) = (vector("account"), vector("device"), vector("issuer"));
        let signed: Signed = field(&vector("certificate"), "signed");
        let said: DeviceCertificate =
            statement::verify(&field(&account, "account_key"), "carillon device certificate v1", &signed)
                .unwrap();
        assert_eq!((said.device, said.prekey), (field(&device, "device"), field(&device, "prekey")));
        let key = AccountKey::from_secret(&secret(&account, "secret"));
        assert_eq!(key.certify(&said.device_key, &said.prekey, said.seq, said.issued_at).unwrap(), signed);

        let signed: Signed = field(&vector("badge"), "signed");
        let said: Badge =
            statement::verify(&field(&issuer, "issuer_key"), "carillon badge v1", &signed).unwrap();
        let key = IssuerKey::from_secret(&secret(&issuer, "secret"));
        assert_eq!(key.issue(said.account, &said.handle, said.issued_at, said.expires_at).unwrap(), signed);
    }

    #[test]
    fn challenges_are_the_same_bytes_and_get_the_same_signature() {
        let key = DeviceKey::from_secret(&secret(&vector("device"), "secret"));
        for (name, purpose) in [("hello", Purpose::Hello), ("session", Purpose::Session)] {
            let vector = vector(name);
            let nonce = field(&vector, "nonce");
            let audience: String = field(&vector, "audience");
            let challenge = Challenge {
                purpose,
                nonce: &nonce,
                device: field(&vector, "device"),
                protocol: field(&vector, "proto"),
                audience: &audience,
            };
            assert_eq!(bytes::encode(&challenge.message()), field::<String>(&vector, "message"));
            let signature = field(&vector, "signature");
            assert_eq!(challenge.sign(&key), signature);
            assert_eq!(challenge.verify(&field(&vector, "signer"), &signature), Ok(()));
        }
    }

    #[test]
    fn the_commitment_is_the_same() {
        let vector = vector("commitment");
        assert_eq!(commitment::commit(&field(&vector, "nonce")), field(&vector, "commitment"));
    }
}
