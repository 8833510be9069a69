//! The error codes in French; in English the errors bring their own sentence.

/// The sentence for a code; `None` for one of a newer server.
pub(super) fn french(code: &str) -> Option<&'static str> {
    Some(match code {
        "malformed" => "La demande n’a pas pu être lue.",
        "too_large" => "C’est plus que ce que le serveur accepte.",
        "unknown_frame" => "Le serveur ne connaît pas ce genre de demande.",
        "protocol_unsupported" => {
            "Ce serveur ne parle pas cette version du protocole. Mettez Carillon à jour."
        }
        "not_signed_in" => "Connectez-vous d’abord.",
        "hello_timeout" => "La connexion ne s’est pas identifiée à temps.",
        "bad_signature" => "La signature ne convient pas.",
        "bad_certificate" => "Le certificat de l’appareil n’est pas valable. L’horloge est-elle à l’heure ?",
        "certificate_expired" => "Le certificat de l’appareil est périmé.",
        "challenge_expired" => "Le défi est inconnu ou trop ancien. Réessayez.",
        "token_expired" => "La session est terminée. Reconnectez-vous.",
        "device_revoked" => "Cet appareil a été retiré du compte.",
        "device_unknown" => "Cet appareil n’existe pas.",
        "too_many_devices" => "Le compte a autant d’appareils qu’il peut en avoir. Retirez-en un d’abord.",
        "handle_invalid" => {
            "Un identifiant a 3 à 20 lettres de a à z, chiffres et _ isolés, et commence par une lettre."
        }
        "handle_taken" => "Cet identifiant est pris.",
        "handle_reserved" => "Cet identifiant est réservé.",
        "handle_confusable" => "Cet identifiant ressemble trop à un autre.",
        "name_invalid" => "Un nom a 1 à 50 caractères visibles (40 pour un appareil).",
        "account_exists" => "Cette clé a déjà un compte ici.",
        "account_unknown" => "Ce compte n’existe pas.",
        "account_suspended" => "L’exploitant de ce serveur a suspendu le compte.",
        "sign_up_closed" => "Ce serveur ne prend pas de nouveaux comptes.",
        "invitation_invalid" => {
            "Ce serveur prend de nouveaux comptes sur invitation. Elle manque, a servi ou est inconnue."
        }
        "rate_limited" => "C’était trop souvent. Attendez un instant.",
        "calls_not_available" => "Ce compte ne peut pas encore appeler. On peut toujours vous appeler.",
        "call_self" => "On ne peut pas s’appeler soi-même.",
        "call_unknown" => "Cet appel n’existe pas pour cet appareil.",
        "call_exists" => "Ce numéro d’appel est déjà pris.",
        "call_state" => "L’appel n’en est pas au point où cela se fait.",
        "mailbox_full" => "L’autre appareil a trop de messages en attente.",
        "self_target" => "Cela ne se fait pas avec son propre compte.",
        "picture_invalid" => "L’image n’a pas pu être lue. Envoyez du PNG, du JPEG ou du WebP.",
        "picture_too_large" => "L’image est trop grande.",
        "not_found" => "Il n’y a rien ici.",
        "method_not_allowed" => "Cela ne se fait pas ici.",
        "storage_full" => "Le serveur n’a plus de place. Réessayez plus tard.",
        "slow_reader" => "La connexion n’a pas pris ses messages à temps.",
        "replaced" => "Cet appareil s’est connecté ailleurs ; l’ancienne connexion se termine.",
        "overloaded" => "Le serveur est très occupé. Réessayez dans un instant.",
        "restarting" => "Le serveur redémarre. Réessayez dans un instant.",
        "internal" => "Quelque chose a mal tourné sur le serveur.",
        "offline" => "Le serveur n’est pas joignable. Vérifiez la connexion et l’adresse.",
        "no_account" => "Pas encore de compte ici. Tapez : carillon signup @votrenom",
        "has_account" => "Ce profil a déjà un compte. Prenez un autre profil pour un autre compte.",
        "no_server" => "Quel serveur ? Ajoutez --server https://… ou définissez CARILLON_SERVER.",
        "address_invalid" => "Ce n’est pas une adresse de serveur. Exemple : https://calls.example.org.",
        "address_insecure" => "Le http simple n’est que pour cette machine. Prenez https.",
        "certificate_refused" => {
            "Le certificat de ce serveur n’est pas reconnu. Vérifiez l’adresse et l’heure ; si l’exploitant a sa propre autorité, donnez son fichier avec --ca."
        }
        "ca_invalid" => "Le fichier de l’autorité de certification ne contient aucun certificat PEM.",
        "other_server" => "Le compte de ce profil est sur un autre serveur.",
        "handle_changed" => {
            "Cet identifiant appartient à un autre compte qu’avant. Demandez à la personne, puis confirmez."
        }
        "key_store" => {
            "Le trousseau de cet ordinateur ne répond pas. Déverrouillez-le, ou gardez les clés dans un fichier avec --insecure-secrets."
        }
        "keys_missing" => {
            "Les clés de ce profil manquent. Récupérez le compte avec sa phrase dans un nouveau profil."
        }
        "profile_locked" => "Un autre Carillon utilise ce profil. Fermez-le, ou prenez un autre profil.",
        "profile_damaged" => {
            "Les données de ce profil sont illisibles. Rien n’a été supprimé. Déplacez le profil, ou reprenez une copie."
        }
        "profile_newer" => "Un Carillon plus récent a utilisé ce profil. Mettez Carillon à jour.",
        "storage" => "Le profil ne peut être lu ou écrit. Vérifiez le disque et les droits.",
        "phrase_invalid" => "Ce n’est pas une phrase de récupération. Vérifiez chaque mot et leur ordre.",
        "bad_answer" => "La réponse du serveur est incompréhensible. Est-ce bien un serveur Carillon ?",
        "keys_invalid" => {
            "Le serveur a donné des clés qui ne sont pas celles de ce compte. Rien n’a été appelé."
        }
        "invalid" => "Cette valeur ne convient pas.",
        "sound" => {
            "Le son de cet ordinateur ne peut pas être utilisé. Vérifiez qu’un système de son est lancé."
        }
        "stopped" => "Carillon se ferme.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use carillon_client::LocalCode;
    use carillon_wire::Code;

    use super::*;

    #[test]
    fn every_code_has_a_french_sentence() {
        let codes =
            Code::ALL.iter().map(|code| code.as_str()).chain(LocalCode::ALL.iter().map(|code| code.as_str()));
        for code in codes {
            assert!(french(code).is_some(), "{code}");
        }
        assert_eq!(french("from_the_future"), None);
    }
}
